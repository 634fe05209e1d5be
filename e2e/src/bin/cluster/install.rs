//! The chart is installed, tried and taken away again.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::node::{said, until};
use crate::release::{NAME, NAMESPACE};
use crate::run::Run;

/// How long pods may take to be gone: longer than their grace period.
const GONE: Duration = Duration::from_secs(60);

/// From nothing to orders.
pub(crate) async fn claims(run: &Run) -> Result<()> {
    run.claim(
        "helm install --wait, into a namespace that enforces the restricted Pod Security Standard",
        install,
    )
    .await?;
    run.claim(
        "the commands that the chart prints: helm test, and a first order that is completed",
        first_order,
    )
    .await?;
    run.claim("an order that cannot be delivered is compensated", compensated_order).await?;
    run.claim("an upgrade that changes nothing replaces no pod and runs no Job", nothing_changes)
        .await
}

/// Nothing is left, and what operators are to make is understood.
pub(crate) async fn last_claims(run: &Run, before: &BTreeSet<String>) -> Result<()> {
    let uninstalled = async |run: &Run| uninstall(run, before).await;
    run.claim("helm uninstall leaves nothing", uninstalled).await?;
    run.claim(
        "the API server accepts everything by operators: Strimzi, KEDA, and the others",
        accepted,
    )
    .await
}

/// `helm install --wait` comes back when every service is ready.
async fn install(run: &Run) -> Result<String> {
    run.release.helm(&run.node, "install", &["--wait", "--timeout", "5m"])?;
    run.release.rolled_out(&run.node)?;
    let namespace = run.node.object(&["namespace", NAMESPACE])?;
    let enforced = &namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
    ensure!(enforced == "restricted", "{enforced}");
    Ok(String::new())
}

/// What the chart says after the installation leads to the first order, pasted as it is.
async fn first_order(run: &Run) -> Result<String> {
    let notes = run.node.helm(&["get", "notes", NAME, "--namespace", NAMESPACE])?;
    let commands: String =
        notes.lines().filter(|line| line.starts_with("  ")).collect::<Vec<_>>().join("\n");
    ensure!(commands.contains("helm") && commands.contains("/orders"), "{notes}");
    // Whatever was put into the background ends with the shell.
    let script = format!("trap 'kill $(jobs -p)' EXIT\nset -e\n{commands}\n");
    let said = said(&mut run.node.on_network(["bash", "-c", &script]))?;
    let order = said.lines().last().unwrap_or_default();
    // The answer to the last command has no line break before it.
    let order = order.rfind("{\"order_id\"").map_or(order, |at| &order[at..]);
    let order: Value = serde_json::from_str(order).with_context(|| said.clone())?;
    ensure!(order["state"] == "completed", "{order}");
    Ok(String::new())
}

/// An order goes the way of compensation, too.
async fn compensated_order(run: &Run) -> Result<String> {
    run.release.stock(&run.node)?;
    run.release.order_ends(&run.node, "AQ", "cancelled")?;
    run.audit().await?;
    Ok("audit clean".to_owned())
}

/// An upgrade that changes nothing runs nothing: no pod and no Job is replaced.
async fn nothing_changes(run: &Run) -> Result<String> {
    let before = things(run, "pods,jobs")?;
    run.release.helm(&run.node, "upgrade", &["--wait"])?;
    let after = things(run, "pods,jobs")?;
    ensure!(before == after, "{before:?} became {after:?}");
    ensure!(before.iter().any(|name| name.starts_with("job.batch/flotilla-topics")), "{before:?}");
    Ok(String::new())
}

/// `helm uninstall` leaves nothing in the namespace that the release has brought.
async fn uninstall(run: &Run, before: &BTreeSet<String>) -> Result<String> {
    run.node.helm(&["uninstall", NAME, "--namespace", NAMESPACE, "--wait"])?;
    // Helm waits for what it made, and pods are made by Deployments.
    until("nothing to be left", GONE, || {
        Ok(everything(run)?.difference(before).next().is_none().then_some(()))
    })?;
    Ok(String::new())
}

/// Everything by operators: the API server takes every object, of the chart and of kustomize, by the operators' own
/// definitions. What the operators would make of them is not seen.
async fn accepted(run: &Run) -> Result<String> {
    let definitions = run.node.definitions()?.join(",");
    run.node.kubectl(&["apply", "--server-side", "--filename", &definitions])?;
    let established =
        ["wait", "--for", "condition=Established", "customresourcedefinitions", "--all"];
    run.node.kubectl(&established)?;
    let values = "helm/flotilla/ci/prod-values.yaml";
    let chart = ["template", NAME, "helm/flotilla", "--namespace", NAMESPACE, "--values", values];
    let chart = run.node.helm(&chart)?;
    let overlay = run.node.kubectl(&["kustomize", "k8s/overlays/prod"])?;
    let mut figures = Vec::new();
    for (name, objects) in [("chart", chart), ("overlay", overlay)] {
        let file = run.node.file(&format!("{name}.yaml"), &objects)?;
        // What a dry run makes is not there for what comes after it, the overlay's namespace included.
        let namespaces = objects.lines().filter_map(|line| line.strip_prefix("  namespace: "));
        for namespace in namespaces.collect::<BTreeSet<_>>() {
            let metadata = json!({ "name": namespace });
            let namespace =
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
            run.node.apply(&namespace.to_string())?;
        }
        let apply = ["apply", "--server-side", "--dry-run=server", "--namespace", NAMESPACE];
        let apply: &[&str] = if name == "chart" { &apply } else { &apply[..3] };
        let taken = run.node.kubectl(&[apply, &["--filename", &file]].concat())?;
        figures.push(format!("{} of the {name}", taken.lines().count()));
    }
    Ok(format!("objects: {}", figures.join(", ")))
}

/// Every object in the namespace, of whatever kind, but for those that only report.
pub(crate) fn everything(run: &Run) -> Result<BTreeSet<String>> {
    let kinds =
        run.node.kubectl(&["api-resources", "--namespaced", "--verbs=list", "--output=name"])?;
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    things(run, &kinds.join(","))
}

fn things(run: &Run, kinds: &str) -> Result<BTreeSet<String>> {
    let found = run.node.kubectl(&["get", kinds, "--namespace", NAMESPACE, "--output=name"])?;
    Ok(found.lines().map(str::to_owned).collect())
}

/// The program of the command line, which was built with this one.
pub(crate) fn flotilla(run: &Run, args: &[&str]) -> Result<String> {
    let program = flotilla::fleet::programs()?.join("flotilla");
    said(
        Command::new(program)
            .args(args)
            .env("FLOTILLA_KAFKA_BROKERS", run.outside.kafka())
            .env("FLOTILLA_REGISTRY_URL", run.outside.registry()),
    )
}
