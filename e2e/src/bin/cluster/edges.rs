//! NetworkPolicies: what is named can be reached, and nothing else. Asked from the network of a pod itself, as its image
//! has nothing to ask with.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::faults::process;
use crate::node::{NODE_ADDRESS, until};
use crate::outside::HOST;
use crate::release::is_ready;
use crate::run::Run;

/// What the policies let through.
pub(crate) async fn claims(run: &Run) -> Result<()> {
    run.claim(
        "NetworkPolicies: a service reaches what is named and nothing else",
        out_of_a_service,
    )
    .await?;
    run.claim(
        "NetworkPolicies: a service is reached by whom is named and nobody else",
        into_a_service,
    )
    .await
}

/// Everything that a pod of payment may reach, and what is next to it.
async fn out_of_a_service(run: &Run) -> Result<String> {
    let payment = process(run, "payment")?;
    let port = |name: &str| run.outside.port(name).to_string();
    for name in ["kafka-elsewhere", "registry", "postgres-payment", "sandbox"] {
        ensure!(reaches(run, &payment, HOST, &port(name))?, "payment does not reach {name}");
    }
    for name in ["postgres-order", "postgres-inventory", "postgres-shipping"] {
        ensure!(!reaches(run, &payment, HOST, &port(name))?, "payment reaches {name}");
    }
    for (host, its) in [
        ("flotilla-order.shop", "8080"),
        ("flotilla-order.shop", "9090"),
        ("kubernetes.default", "443"),
    ] {
        ensure!(!reaches(run, &payment, host, its)?, "payment reaches {host}:{its}");
    }
    Ok("4 edges named, 6 others refused".to_owned())
}

/// Who may come in: the gateway to the public port, monitoring to the admin port, nobody else.
async fn into_a_service(run: &Run) -> Result<String> {
    let cases = [("gateway", true, false), ("monitoring", false, true), ("stranger", false, false)];
    for (namespace, public, admin) in cases {
        run.node.apply(&visitor(namespace))?;
        let pod =
            until(&format!("a pod in {namespace}"), std::time::Duration::from_secs(60), || {
                let pod = run.node.object(&["pod", "visitor", "--namespace", namespace])?;
                Ok(is_ready(&pod).then_some(pod))
            })?;
        let id = pod["status"]["containerStatuses"][0]["containerID"].as_str();
        let id =
            id.and_then(|id| id.rsplit('/').next()).context("a container has an id")?.to_owned();
        let find = "grep --files-with-matches --no-messages \"$0\" /proc/[0-9]*/cgroup \
                    | head -n 1 | cut -d / -f 3";
        let visitor = run.node.inside(&["bash", "-c", find, &id])?;
        ensure!(visitor.parse::<u32>().is_ok(), "no process of {namespace}'s pod: {visitor}");
        // It reaches something, so that a refusal is the policy's.
        ensure!(
            reaches(run, &visitor, "kube-dns.kube-system", "53")?,
            "{namespace} reaches nothing"
        );
        for (port, is_let_in) in [("8080", public), ("9090", admin)] {
            let reached = reaches(run, &visitor, "flotilla-order.shop", port)?;
            ensure!(reached == is_let_in, "{namespace} to port {port}: {reached}");
        }
        run.node.kubectl(&["delete", "namespace", namespace, "--wait=false"])?;
    }
    Ok("gateway, monitoring and a stranger".to_owned())
}

/// Whether a connection comes about from the network of a process: to the address of a Service, or to what is outside.
fn reaches(run: &Run, process: &str, host: &str, port: &str) -> Result<bool> {
    let address = if host == HOST { NODE_ADDRESS.to_owned() } else { address(run, host)? };
    let connect = "nsenter --target \"$0\" --net true || exit 1
                   nsenter --target \"$0\" --net timeout 3 bash -c \": </dev/tcp/$1/$2\" 2>/dev/null \
                   && echo yes || echo no";
    Ok(run.node.inside(&["bash", "-c", connect, process, &address, port])? == "yes")
}

fn address(run: &Run, service: &str) -> Result<String> {
    let (name, namespace) = service.split_once('.').context("a name and a namespace")?;
    let service = run.node.object(&["service", name, "--namespace", namespace])?;
    Ok(service["spec"]["clusterIP"].as_str().context("a Service has an address")?.to_owned())
}

/// A pod that does nothing, in a namespace of its own.
fn visitor(namespace: &str) -> String {
    let container =
        json!({ "name": "visitor", "image": "localhost/pause:1", "imagePullPolicy": "Never" });
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } },
        { "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "visitor", "namespace": namespace },
          "spec": { "containers": [container], "automountServiceAccountToken": false } },
    ] })
    .to_string()
}
