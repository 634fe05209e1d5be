//! Replicas that nobody decides on by hand: by lag, as KEDA sees it, and by CPU, as metrics-server does.

use std::time::Duration;

use anyhow::Result;

use crate::node::{said, until};
use crate::release::{NAMESPACE, is_ready};
use crate::run::{Run, figures};

/// The images of what scales.
const PROGRAMS: [&str; 3] = ["keda", "keda-adapter", "metrics-server"];
/// How long they may take until they are asked: probes of theirs begin after 25 s.
const READY: &str = "180s";
/// How long a scale-out may take: a pod is started, what it says of itself is polled, and Kubernetes decides every 15 s.
const SCALED_OUT: Duration = Duration::from_secs(180);
/// The same for one replica less at a time, a minute apart.
const SCALED_IN: Duration = Duration::from_secs(420);
/// Orders that wait for shipping when it comes back.
const WAITING: f64 = 1_000.0;

/// Everything that scales by itself.
pub(crate) async fn claims(run: &Run) -> Result<()> {
    run.claim("KEDA and metrics-server", operators).await?;
    run.claim("autoscaling.mode keda: shipping lags behind, has 3 replicas, and 1 again", by_lag)
        .await?;
    run.claim("autoscaling.mode hpa: order takes CPU, has 2 replicas, and 1 again", by_cpu).await?;
    run.release.helm(&run.node, "upgrade", &["--wait"])?;
    run.node.kubectl(&["delete", "--filename", &run.node.autoscalers_manifest()])?;
    Ok(())
}

/// Both, and what they tell the API server.
async fn operators(run: &Run) -> Result<String> {
    for program in PROGRAMS {
        run.node.program(program)?;
    }
    let manifest = run.node.autoscalers_manifest();
    run.node.kubectl(&["apply", "--server-side", "--filename", &manifest])?;
    let services = ["v1beta1.external.metrics.k8s.io", "v1beta1.metrics.k8s.io"];
    let wait = ["wait", "--for", "condition=Available", "--timeout", READY, "apiservice"];
    run.node.kubectl(&[&wait[..], &services].concat())?;
    Ok(String::new())
}

/// While shipping is away, events wait for it. It comes back with so little CPU that they do not wait for one replica
/// alone.
async fn by_lag(run: &Run) -> Result<String> {
    run.release.helm(&run.node, "upgrade", &["--wait", "--set", "services.shipping.replicas=0"])?;
    let little = ["resources.requests.cpu=10m", "resources.limits.cpu=30m"];
    let by_lag = ["autoscaling.mode=keda", "autoscaling.lagThreshold=50"];
    let shipping = [by_lag, little].concat();
    let outcome = run
        .under_load(async |run| {
            until("orders to wait for shipping", SCALED_OUT, || {
                Ok((open_orders(run)? >= WAITING).then_some(()))
            })?;
            scaled_by_itself(run, "shipping", &shipping, 3)
        })
        .await?;
    has_replicas(run, "shipping", 1, SCALED_IN)?;
    Ok(figures(&outcome))
}

/// Order under load takes more than a tenth of what it asks for.
async fn by_cpu(run: &Run) -> Result<String> {
    let order =
        ["autoscaling.mode=hpa", "autoscaling.cpuUtilization=10", "resources.requests.cpu=50m"];
    let outcome = run.under_load(async |run| scaled_by_itself(run, "order", &order, 2)).await?;
    has_replicas(run, "order", 1, SCALED_IN)?;
    Ok(figures(&outcome))
}

/// Upgrades to settings of a service by which it has so many replicas after a while, and ready ones.
fn scaled_by_itself(run: &Run, service: &str, settings: &[&str], replicas: usize) -> Result<()> {
    let limits = ["autoscaling.minReplicas=1", &format!("autoscaling.maxReplicas={replicas}")];
    let slowly = ["autoscaling.scaleDownSeconds=15"];
    let of_service = |setting: &&str| format!("services.{service}.{setting}");
    let all: Vec<String> =
        [settings, &limits[..], &slowly].concat().iter().map(of_service).collect();
    run.release.helm(&run.node, "upgrade", &["--set", &all.join(",")])?;
    has_replicas(run, service, replicas, SCALED_OUT)
}

/// Waits until a service has so many pods, all of them ready.
fn has_replicas(run: &Run, service: &str, replicas: usize, patience: Duration) -> Result<()> {
    until(&format!("{replicas} ready replicas of {service}"), patience, || {
        let pods = run.release.pods(&run.node, service)?;
        Ok((pods.len() == replicas && pods.iter().all(is_ready)).then_some(()))
    })
}

/// Orders that have not come to an end, as order's metrics have it.
fn open_orders(run: &Run) -> Result<f64> {
    let address = format!("http://flotilla-order.{NAMESPACE}:9090/metrics");
    let metrics = said(&mut run.node.on_network(["curl", "--silent", "--fail", &address]))?;
    let open = metrics.lines().filter(|line| line.starts_with("flotilla_orders_open{"));
    Ok(open.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}
