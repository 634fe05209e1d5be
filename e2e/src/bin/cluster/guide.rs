//! docs/platform-guide.md, followed as it is written: its commands, on databases that CloudNativePG's operator makes in
//! the cluster. Before the end the server that order's database is on is lost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local::SERVICES;
use serde_json::Value;

use crate::changes::{NEXT, THIS, told_by_the_next};
use crate::node::{Node, root, said, until};
use crate::release::{NAMESPACE, ORDERS, ask, runs};
use crate::run::{Run, figures};

/// How long the standby may take to be the primary.
const FAILED_OVER: Duration = Duration::from_secs(120);

/// The guide, from its beginning to its end.
pub(crate) async fn claims(run: &Run) -> Result<()> {
    prepare(run)?;
    run.claim("the guide: CloudNativePG's operator", operator).await?;
    run.claim(
        "the guide: Secrets, helm install on databases of two servers each, helm test",
        install,
    )
    .await?;
    run.claim("the guide: scaling", scale).await?;
    run.claim("the guide: upgrading", upgrade).await?;
    run.claim("the guide: rolling back", rollback).await?;
    run.claim("the guide: rotating a password; the old one is refused", rotate).await?;
    run.claim("the guide: uninstalling keeps the databases, and installing finds them", kept)
        .await?;
    run.claim("the primary of order's database deleted", failover).await?;
    run.claim("the guide: deleting the data", gone).await
}

/// What the guide's reader has in the folder where the commands are run.
fn prepare(run: &Run) -> Result<()> {
    run.node.kubectl(&["delete", "namespace", NAMESPACE, "--wait"])?;
    let images = run.node.images()?;
    let is_postgres = |name: &&str| name.starts_with("localhost/postgresql:");
    let postgres = images.lines().find(is_postgres).context("the node has no Postgres image")?;
    let values = run.release.values_on_databases_in_the_cluster(postgres);
    run.node.file("my-values.yaml", &values.to_string())?;
    run.node.file("cnpg-1.30.0.yaml", &run.node.operator_manifest()?)?;
    run.node.link("helm", &root().join("helm"))
}

/// Runs the commands of a section.
fn follow(node: &Node, section: &str) -> Result<String> {
    let guide = std::fs::read_to_string(root().join("docs/platform-guide.md"))?;
    let commands = commands(&guide, section);
    ensure!(!commands.is_empty(), "the guide has no commands under {section}");
    let script = format!("set -euo pipefail\n{commands}");
    let mut shell = node.on_network(["bash", "-c", &script]);
    // Whoever plays provider and carrier takes any key of this form.
    let keys = [("PROVIDER_KEY", "sk_test_local"), ("CARRIER_KEY", "sk_test_local")];
    said(shell.envs(keys).current_dir(node.folder()))
        .with_context(|| format!("as the guide has it under {section}:\n{commands}"))
}

/// The blocks of a section that are for a shell.
fn commands(guide: &str, section: &str) -> String {
    let sections = guide.split("\n## ");
    let found = sections.filter(|text| text.lines().next() == Some(section));
    let blocks = found.flat_map(|text| text.split("```sh\n").skip(1));
    blocks.filter_map(|block| block.split("```").next()).collect()
}

/// The operator, out of the manifest of its release.
async fn operator(run: &Run) -> Result<String> {
    follow(&run.node, "What you need")?;
    Ok(String::new())
}

/// The fleet on databases of two servers each.
async fn install(run: &Run) -> Result<String> {
    follow(&run.node, "Namespace and Secrets")?;
    follow(&run.node, "Install")?;
    for service in SERVICES {
        run.outside.stop_database(service).await?;
        adopt(run, service)?;
    }
    run.release.stock(&run.node)?;
    run.release.order_ends(&run.node, "DE", "completed")?;
    run.audit().await?;
    Ok("audit clean".to_owned())
}

/// The pod that order's database is written in is deleted, at once: the standby takes over. Order is away in between,
/// so these callers ask again until their order is accepted.
async fn failover(run: &Run) -> Result<String> {
    let primary = primary(run, "order")?;
    let mut took = Duration::ZERO;
    let outcome = run
        .under_patient_load(async |run| {
            let delete = ["delete", "pod", &primary, "--namespace", NAMESPACE];
            run.node.kubectl(&[&delete[..], &["--grace-period=0", "--force"]].concat())?;
            let started = Instant::now();
            until("another primary", FAILED_OVER, || {
                let now = self::primary(run, "order")?;
                Ok((now != primary && !now.is_empty()).then_some(()))
            })?;
            took = started.elapsed();
            run.release.rolled_out(&run.node)
        })
        .await?;
    Ok(format!("another primary after {:.1} s; {}", took.as_secs_f64(), figures(&outcome)))
}

/// Three replicas of every service.
async fn scale(run: &Run) -> Result<String> {
    let outcome = run
        .under_load(async |run| {
            follow(&run.node, "Scaling")?;
            run.release.settled(&run.node, 3)
        })
        .await?;
    Ok(figures(&outcome))
}

/// The next version, and the way back.
async fn upgrade(run: &Run) -> Result<String> {
    let outcome = run
        .under_load(async |run| {
            follow(&run.node, "Upgrading")?;
            runs(&run.node, NEXT)
        })
        .await?;
    ensure!(told_by_the_next(run)? == "web", "the event of the next version lacks its field");
    Ok(figures(&outcome))
}

/// The way back.
async fn rollback(run: &Run) -> Result<String> {
    let outcome = run
        .under_load(async |run| {
            follow(&run.node, "Rolling back")?;
            runs(&run.node, THIS)
        })
        .await?;
    ensure!(told_by_the_next(run)?.is_empty(), "events of this version have a field of the next");
    Ok(figures(&outcome))
}

/// Another password for the application's role of order: the operator changes it in the database, and new pods come with
/// it. The old one is refused.
async fn rotate(run: &Run) -> Result<String> {
    let url = |run: &Run| -> Result<String> {
        let secret = run.node.object(&["secret", "order-database", "--namespace", NAMESPACE])?;
        Ok(secret["data"]["url"].as_str().unwrap_or_default().to_owned())
    };
    let before = url(run)?;
    let outcome = run
        .under_load(async |run| follow(&run.node, "Rotating a password").map(|_said| ()))
        .await?;
    ensure!(url(run)? != before, "the Secret was not changed");
    let pod = primary(run, "order")?;
    let old = r#"psql "$(echo "$0" | base64 --decode)" --command 'select 1'"#;
    let psql = ["exec", &pod, "--namespace", NAMESPACE, "--container", "postgres", "--"];
    let refused = run.node.kubectl(&[&psql[..], &["bash", "-c", old, &before]].concat());
    let refused = refused.map_or_else(|error| error.to_string(), |_said| "it works".to_owned());
    ensure!(refused.contains("password authentication failed"), "the old password: {refused}");
    Ok(figures(&outcome))
}

/// The databases stay when the release goes, and the next installation finds them.
async fn kept(run: &Run) -> Result<String> {
    let order = run.release.order_ends(&run.node, "DE", "completed")?;
    let left = follow(&run.node, "Uninstalling")?;
    for service in SERVICES {
        ensure!(left.contains(&format!("flotilla-{service}-db")), "{left}");
    }
    follow(&run.node, "Install")?;
    let id = order["order_id"].as_str().context("an order has an id")?;
    let found = ask(&run.node, &[&format!("{ORDERS}/{id}")])?;
    ensure!(found["state"] == "completed", "{found}");
    run.audit().await?;
    Ok("audit clean".to_owned())
}

/// Everything goes.
async fn gone(run: &Run) -> Result<String> {
    follow(&run.node, "Uninstalling")?;
    follow(&run.node, "Deleting the data")?;
    let kinds = "clusters.postgresql.cnpg.io,pods,persistentvolumeclaims";
    let left = run.node.kubectl(&["get", kinds, "--all-namespaces", "--output=name"])?;
    let left: Vec<_> = left.lines().filter(|name| name.contains("flotilla")).collect();
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(String::new())
}

fn cluster(run: &Run, service: &str) -> Result<Value> {
    let name = format!("flotilla-{service}-db");
    run.node.object(&["clusters.postgresql.cnpg.io", &name, "--namespace", NAMESPACE])
}

fn primary(run: &Run, service: &str) -> Result<String> {
    let cluster = cluster(run, service)?;
    Ok(cluster["status"]["currentPrimary"].as_str().unwrap_or_default().to_owned())
}

/// The audit reads as a superuser at the port of the Postgres outside: from here on that leads to the one in the
/// cluster.
fn adopt(run: &Run, service: &'static str) -> Result<()> {
    let name = format!("flotilla-{service}-db-rw");
    let found = run.node.object(&["service", &name, "--namespace", NAMESPACE])?;
    let address = found["spec"]["clusterIP"].as_str().context("a Service has an address")?;
    run.node.publish(run.outside.port(&format!("postgres-{service}")), &format!("{address}:5432"))
}

/// Gives the superusers of the databases in the cluster the passwords of those outside. Before each audit: the operator
/// takes them away with every change that it makes to roles, and with every new primary.
pub(crate) fn let_audit_in(run: &Run) -> Result<()> {
    for service in SERVICES {
        let password = run.outside.superuser_password(service)?;
        let statement = format!("alter role postgres password '{password}'");
        let pod = primary(run, service)?;
        let exec = ["exec", &pod, "--namespace", NAMESPACE, "--container", "postgres", "--"];
        run.node.kubectl(&[&exec[..], &["psql", "--command", &statement]].concat())?;
    }
    Ok(())
}
