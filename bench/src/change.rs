//! A measurement during which processes come and go: first nothing changes, then one change follows another while
//! orders go on arriving. Requests go to the replicas that are ready, and none of them may fail.

mod balancer;
pub mod figures;
mod readers;
mod steps;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::task::JoinSet;

use crate::ends::Totals;
use crate::fleet::Fleet;
use crate::plan::{Arrival, Plan};
use crate::process;
use crate::report::{Measured, Report};
use crate::run::Load;
use crate::sample::Sampler;
use balancer::Balancer;
use figures::{Change, Phase};
use readers::Readers;
use steps::{Step, Steps};

/// Longer than all changes take together. The load ends with the last of them.
const LONGEST: f64 = 3_600.0;
/// How long the orders that a change found under way, or that came during it, may take to end.
const SETTLE_MAX: Duration = Duration::from_secs(120);

/// Measures while the fleet changes. The plan's window is how long nothing does, beforehand.
pub async fn run(
    running: &flotilla::fleet::Fleet,
    fleet: &Fleet,
    plan: &Plan,
) -> anyhow::Result<Report> {
    if matches!(plan.arrival, Arrival::InFlight(_)) {
        bail!("a load that waits for slow orders would hide them: change needs a rate");
    }
    let balancer = Arc::new(Balancer::of(fleet));
    let mut steps = Steps::new(running, &balancer).await?;
    let sampler = Sampler::new(fleet).await?;
    let long = Plan { seconds: LONGEST, ..plan.clone() };
    let mut load = Load::start_at(&balancer.targets("order")?, fleet, &long).await?;
    let begin = load.window.begin;
    load.until("warm-up", begin, |_| false).await?;
    let mut beside = JoinSet::new();
    beside.spawn(Arc::clone(&balancer).watch());
    let order = load.generator.requests.first_order.get().context("no order was accepted")?;
    let readers = Readers::start(&balancer, *order, &mut beside)?;

    let begin = mark(&load, &readers);
    let before = sampler.take(|| load.completed()).await?;
    load.until("measure", begin.at + Duration::from_secs_f64(plan.seconds), |_| false).await?;
    let after = sampler.take(|| load.completed()).await?;
    let memory = process::memories(&fleet.processes)?;
    let mut last = mark(&load, &readers);
    let undisturbed = between("nothing changes", &begin, &last, last.at - begin.at);

    // Each phase begins where the one before it ended, so that no failure is between two of them.
    let mut phases = Vec::new();
    for step in Step::ALL {
        steps.take(step).await.with_context(|| format!("cannot go on with: {}", step.name()))?;
        let took = last.at.elapsed();
        load.generator.ends.watch_backlog();
        let latest = Instant::now() + SETTLE_MAX;
        load.until("settle", latest, |ends| ends.backlog_left() == 0).await?;
        let left = load.generator.ends.backlog_left();
        ensure!(left == 0, "{left} orders did not end after: {}", step.name());
        let now = mark(&load, &readers);
        phases.push(between(step.name(), &last, &now, took));
        last = now;
    }
    drop(beside);
    let generator = load.stop().await?;
    let measured = Measured { generator: &generator, before, after, memory };
    let mut report = Report::of(fleet, plan, &measured)?;
    // What is said of the whole run is said of the time in which nothing changed.
    report.acknowledge = undisturbed.acknowledge.clone();
    report.complete = undisturbed.complete.clone();
    Ok(Report { change: Some(Change { undisturbed, phases }), ..report })
}

/// What had been counted at a moment.
struct Mark {
    at: Instant,
    totals: Totals,
    reads: u64,
    failed: u64,
}

fn mark(load: &Load, readers: &Readers) -> Mark {
    let totals = load.generator.ends.totals();
    let requests = &load.generator.requests;
    let (reads, failed_reads) = readers.counted();
    let again =
        [&requests.turned_away, &requests.broken].map(|count| count.load(Ordering::Relaxed));
    let failed = again.iter().sum::<u64>() + totals.failed + failed_reads;
    Mark { at: Instant::now(), totals, reads, failed }
}

fn between(name: &'static str, from: &Mark, to: &Mark, took: Duration) -> Phase {
    Phase {
        name,
        seconds: took.as_secs_f64(),
        acknowledge: to.totals.acknowledge.since(&from.totals.acknowledge).summary(),
        complete: to.totals.complete.since(&from.totals.complete).summary(),
        reads: to.reads - from.reads,
        failed: to.failed - from.failed,
    }
}
