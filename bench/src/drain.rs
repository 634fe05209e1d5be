//! A measurement in which Kafka is killed, stays away and comes back: orders are accepted all the time,
//! and the backlog is worked off afterwards.

pub mod figures;
mod memory;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use local::{Environment, Process, silent};

use crate::fleet::Fleet;
use crate::plan::{Arrival, Plan};
use crate::process::{self, Part};
use crate::report::{Measured, Report};
use crate::run::Load;
use crate::sample::Sampler;
use figures::Drain;
use memory::MemoryWatch;

/// How long the backlog may take to be worked off. By then the orders placed last during the absence
/// would be overdue and cancelled anyway.
const DRAIN_MAX: Duration = Duration::from_secs(900);

/// Measures with Kafka away for a while. The plan's window is how long everything runs normally before
/// and after.
pub async fn run(
    fleet: &Fleet,
    servers: &Environment,
    plan: &Plan,
    away: Duration,
) -> anyhow::Result<Report> {
    let Arrival::PerSecond(rate) = plan.arrival else {
        anyhow::bail!("while Kafka is away no order ends, so the load cannot wait for that");
    };
    let usual = Duration::from_secs_f64(plan.seconds);
    let sampler = Sampler::new(fleet).await?;
    let seconds_max = (usual * 2 + away + DRAIN_MAX).as_secs_f64();
    let mut load = Load::start(fleet, &Plan { seconds: seconds_max, ..plan.clone() }).await?;
    let begin = load.window.begin;
    load.until("warm-up", begin, |_| false).await?;
    let memory = MemoryWatch::start(fleet);
    let before = sampler.take(|| load.completed()).await?;
    load.until("measure", begin + usual, |_| false).await?;

    let accepted_before = load.generator.ends.totals().acknowledge;
    // The CPU time of a process is lost when it ends.
    let used = process::cpu_times(&fleet.processes)?;
    let kafka = Process::find(servers.settings(), "kafka").context("Kafka does not run")?;
    kafka.kill().await?;
    let gone = Instant::now();
    load.until("away", gone + away, |_| false).await?;
    let acknowledge = load.generator.ends.totals().acknowledge.since(&accepted_before).summary();

    load.generator.ends.watch_backlog();
    let back = Instant::now();
    servers.start(&silent).await?;
    let ready = back.elapsed();
    load.until("drain", back + DRAIN_MAX, |ends| ends.backlog_left() == 0).await?;
    let drained = Instant::now();
    load.until("measure", drained + usual, |_| false).await?;

    let fleet = with_new_kafka(fleet, servers)?;
    let mut after = Sampler::new(&fleet).await?.take(|| load.completed()).await?;
    for (process, (total, used)) in fleet.processes.iter().zip(after.cpu.iter_mut().zip(used)) {
        if process.part == Part::Kafka {
            *total += used;
        }
    }
    let memory = memory.stop(begin, [gone, back, drained]);
    let plan = Plan { seconds: (after.at - begin).as_secs_f64(), ..plan.clone() };
    let memories = process::memories(&fleet.processes)?;
    let generator = load.stop().await?;
    let backlog = generator.ends.totals().backlog.context("it was watched")?;
    ensure!(backlog.left == 0, "{} of {} orders still waited", backlog.left, backlog.waiting);
    let (first, last) = backlog.first.zip(backlog.last).context("no order waited for Kafka")?;
    let completed_per_second = backlog.completed_per_second().unwrap_or_default();
    let drain = Drain {
        gone_at_second: (gone - begin).as_secs_f64(),
        back_at_second: (back - begin).as_secs_f64(),
        waiting: backlog.waiting,
        ready_after_seconds: ready.as_secs_f64(),
        first_completed_after_seconds: (first.at - back).as_secs_f64(),
        drained_after_seconds: (last.at - back).as_secs_f64(),
        completed_per_second,
        ratio_to_arrival: completed_per_second / rate,
        acknowledge,
        memory,
    };
    let measured = Measured { generator: &generator, before, after, memory: memories };
    Ok(Report { drain: Some(drain), ..Report::of(&fleet, &plan, &measured)? })
}

/// Kafka has another pid by now.
fn with_new_kafka(fleet: &Fleet, servers: &Environment) -> anyhow::Result<Fleet> {
    let kafka = Process::find(servers.settings(), "kafka").context("Kafka ended again")?;
    let mut fleet = fleet.clone();
    for process in fleet.processes.iter_mut().filter(|process| process.part == Part::Kafka) {
        process.pid = kafka.pid;
    }
    Ok(fleet)
}
