//! What is changed on purpose while orders come: the version, a setting, the number of replicas.

use anyhow::{Context, Result, ensure};
use local::SERVICES;

use crate::install::flotilla;
use crate::release::{NAME, NAMESPACE, runs};
use crate::run::{Run, figures};

/// The version that is installed: the chart's own.
pub(crate) const THIS: &str = env!("CARGO_PKG_VERSION");
/// The version that has an event with one more field and a table with one more column, by the guide's name.
pub(crate) const NEXT: &str = "0.2.0";

/// Everything that somebody changes on purpose.
pub(crate) async fn claims(run: &Run) -> Result<()> {
    run.claim("helm upgrade to a version with a changed schema, one replica each", upgrade).await?;
    run.claim("helm rollback from it", rollback).await?;
    run.claim("a changed setting replaces the pods", setting).await?;
    run.claim("migrations.mode job: no pod sees the owner's Secret", migrations_by_a_job).await?;
    run.claim("1, 3 and again 1 replicas of every service", scale).await
}

/// An upgrade to it.
async fn upgrade(run: &Run) -> Result<String> {
    let tag = format!("image.tag={NEXT}");
    let outcome = run
        .under_load(async |run| {
            run.release.helm(&run.node, "upgrade", &["--wait", "--set", &tag])?;
            run.release.rolled_out(&run.node)
        })
        .await?;
    runs(&run.node, NEXT)?;
    let told = told_by_the_next(run)?;
    ensure!(told == "web", "the new field says {told}");
    run.outside.has_column("order", "orders", "channel").await?;
    Ok(figures(&outcome))
}

/// The way back, while events of the next version are on the topics and its column is in the table.
async fn rollback(run: &Run) -> Result<String> {
    let outcome = run
        .under_load(async |run| {
            run.node.helm(&["rollback", NAME, "--namespace", NAMESPACE, "--wait"])?;
            run.release.rolled_out(&run.node)
        })
        .await?;
    runs(&run.node, THIS)?;
    let told = told_by_the_next(run)?;
    ensure!(told.is_empty(), "the new field says {told}");
    run.outside.has_column("order", "orders", "channel").await?;
    Ok(figures(&outcome))
}

/// A changed setting replaces the pods, which carry its checksum.
async fn setting(run: &Run) -> Result<String> {
    let names = |run: &Run| -> Result<Vec<String>> {
        let pods = SERVICES.iter().map(|service| run.release.pods(&run.node, service));
        let pods = pods.collect::<Result<Vec<_>>>()?.concat();
        Ok(pods.iter().map(|pod| pod["metadata"]["name"].to_string()).collect())
    };
    let before = names(run)?;
    let setting = ["--wait", "--set", "settings.FLOTILLA_TRACE_SAMPLING=0.5"];
    let outcome = run
        .under_load(async |run| {
            run.release.helm(&run.node, "upgrade", &setting)?;
            run.release.settled(&run.node, 1)
        })
        .await?;
    let after = names(run)?;
    ensure!(after.iter().all(|name| !before.contains(name)), "{before:?} became {after:?}");
    Ok(figures(&outcome))
}

/// Tables by a Job of their own: the pods never see the owner's Secret.
async fn migrations_by_a_job(run: &Run) -> Result<String> {
    let by_a_job = ["--wait", "--set", "migrations.mode=job"];
    let outcome = run
        .under_load(async |run| {
            run.release.helm(&run.node, "upgrade", &by_a_job)?;
            run.release.settled(&run.node, 1)
        })
        .await?;
    for service in SERVICES {
        for pod in run.release.pods(&run.node, service)? {
            let spec = pod["spec"].to_string();
            ensure!(!spec.contains("database-owner"), "{service}'s pod names the owner's Secret");
        }
        let selector = format!("app.kubernetes.io/component={service}-migrate");
        let complete = ["wait", "--for", "condition=Complete", "jobs", "--timeout", "60s"];
        let which = ["--namespace", NAMESPACE, "--selector", &selector];
        run.node.kubectl(&[&complete[..], &which].concat())?;
    }
    Ok(figures(&outcome))
}

/// Three replicas of every service, and one again.
async fn scale(run: &Run) -> Result<String> {
    let outcome = run
        .under_load(async |run| {
            for replicas in [3, 1] {
                let set = format!("defaults.replicas={replicas}");
                run.release.helm(&run.node, "upgrade", &["--wait", "--set", &set])?;
                run.release.settled(&run.node, replicas)?;
            }
            Ok(())
        })
        .await?;
    Ok(figures(&outcome))
}

/// What the field that the next version has says in the last event of a new order.
pub(crate) fn told_by_the_next(run: &Run) -> Result<String> {
    let order = run.release.order_ends(&run.node, "DE", "completed")?;
    let id = order["order_id"].as_str().context("an order has an id")?;
    let completed = ["--topic", "order.events", "--type", "OrderCompleted", "--key", id];
    let from = ["events", "tail", "--from-beginning", "--idle-seconds", "5"];
    let event = flotilla(run, &[&from[..], &completed].concat())?;
    ensure!(event.contains("OrderCompleted"), "{event}");
    let told = event.split_once("\"channel\":\"").and_then(|(_, rest)| rest.split_once('"'));
    Ok(told.map(|(channel, _)| channel.to_owned()).unwrap_or_default())
}
