//! What happens to a fleet on a cluster while orders come: a node is drained, a process is killed, memory runs out.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use local::SERVICES;
use serde_json::Value;

use crate::node::until;
use crate::release::{NAME, NAMESPACE, is_ready};
use crate::run::{Run, figures};

/// How long Kubernetes may take to notice.
const NOTICED: Duration = Duration::from_secs(60);

/// Everything that goes wrong.
pub(crate) async fn claims(run: &Run) -> Result<()> {
    run.claim("a drain of the node, two replicas each: the budget keeps one", drain).await?;
    run.claim("the processes of payment, inventory and shipping killed", kill).await?;
    run.claim("shipping out of memory", out_of_memory).await?;
    run.claim("an upgrade that does not come up, and helm rollback from it", broken_upgrade).await
}

/// A drain takes one pod of a service; the budget keeps the other until there is a new one, for which a cluster of one
/// node that is being drained has no place.
async fn drain(run: &Run) -> Result<String> {
    run.release.helm(&run.node, "upgrade", &["--wait", "--set", "defaults.replicas=2"])?;
    run.release.settled(&run.node, 2)?;
    let outcome = run
        .under_load(async |run| {
            let drain = ["drain", "node-1", "--ignore-daemonsets", "--delete-emptydir-data"];
            // Names stay known, as they would on the other nodes of a larger cluster.
            let fleet = format!("app.kubernetes.io/instance={NAME}");
            let limits = ["--timeout=30s", "--pod-selector", &fleet];
            let refused = match run.node.kubectl(&[&drain[..], &limits].concat()) {
                Ok(said) => bail!("the drain took every pod: {said}"),
                Err(error) => error.to_string(),
            };
            ensure!(refused.contains("disruption budget"), "{refused}");
            run.node.kubectl(&["uncordon", "node-1"])?;
            run.release.settled(&run.node, 2)
        })
        .await?;
    Ok(figures(&outcome))
}

/// A process that is killed is started again, and the other replica goes on.
async fn kill(run: &Run) -> Result<String> {
    let outcome = run
        .under_load(async |run| {
            // Not order: the requests that its process was answering would be cut off with it.
            for service in ["payment", "inventory", "shipping"] {
                let before = restarts(run, service)?;
                run.node.inside(&["kill", "-KILL", &process(run, service)?])?;
                until(&format!("{service} to be started again"), NOTICED, || {
                    Ok((restarts(run, service)? > before).then_some(()))
                })?;
            }
            run.release.settled(&run.node, 2)
        })
        .await?;
    Ok(figures(&outcome))
}

/// A service whose memory runs out is killed by the kernel and started again.
async fn out_of_memory(run: &Run) -> Result<String> {
    let outcome = run
        .under_load(async |run| {
            let before = restarts(run, "shipping")?;
            let pid = process(run, "shipping")?;
            // Something beside it in its control group takes what its limit leaves, and the kernel ends who is to go
            // first: the service, as Kubernetes has it.
            let squeeze = r#"
                line=$(grep -e :memory: -e ^0:: "/proc/$0/cgroup" | tail -n 1)
                for group in "/sys/fs/cgroup/memory${line##*:}" "/sys/fs/cgroup${line##*:}"; do
                    [ ! -d "$group" ] || break
                done
                echo 0 >"$group/cgroup.procs"
                (head --bytes 252M /dev/zero | tail >/dev/null) || true"#;
            run.node.inside(&["bash", "-c", squeeze, &pid])?;
            until("shipping to be started again", NOTICED, || {
                Ok((restarts(run, "shipping")? > before).then_some(()))
            })?;
            let reasons = ended(run, "shipping")?;
            ensure!(reasons.iter().any(|reason| reason == "OOMKilled"), "{reasons:?}");
            run.release.settled(&run.node, 2)
        })
        .await?;
    Ok(figures(&outcome))
}

/// A version that does not come up replaces nobody: the old one goes on until the release is rolled back.
async fn broken_upgrade(run: &Run) -> Result<String> {
    let outcome = run
        .under_load(async |run| {
            let none =
                ["--set", "image.tag=none,defaults.replicas=2", "--wait", "--timeout", "20s"];
            ensure!(run.release.helm(&run.node, "upgrade", &none).is_err(), "it came up");
            for service in SERVICES {
                let pods = run.release.pods(&run.node, service)?;
                let ready = pods.iter().filter(|pod| is_ready(pod)).count();
                ensure!(ready == 2, "{service} has {ready} ready pods");
                let is_new = |pod: &&Value| pod["spec"].to_string().contains(":none\"");
                let new = pods.iter().filter(is_new).count();
                ensure!(new == 1, "{service} has {new} pods of the new version");
            }
            run.node.helm(&["rollback", NAME, "--namespace", NAMESPACE, "--wait"])?;
            run.release.settled(&run.node, 2)
        })
        .await?;
    Ok(figures(&outcome))
}

/// The process of one of a service's pods, as the node numbers it.
pub(crate) fn process(run: &Run, service: &str) -> Result<String> {
    let found = run.node.inside(&["pgrep", "--exact", "--newest", service])?;
    ensure!(found.parse::<u32>().is_ok(), "{found}");
    Ok(found)
}

/// How often the containers of a service were started again.
fn restarts(run: &Run, service: &str) -> Result<u64> {
    let pods = run.release.pods(&run.node, service)?;
    let statuses = pods.iter().map(|pod| &pod["status"]["containerStatuses"][0]);
    statuses
        .map(|status| {
            status["restartCount"].as_u64().context("a container has a count of restarts")
        })
        .sum()
}

/// Why the containers of a service ended last.
fn ended(run: &Run, service: &str) -> Result<Vec<Value>> {
    let pods = run.release.pods(&run.node, service)?;
    let statuses = pods.iter().map(|pod| &pod["status"]["containerStatuses"][0]);
    Ok(statuses.map(|status| status["lastState"]["terminated"]["reason"].clone()).collect())
}
