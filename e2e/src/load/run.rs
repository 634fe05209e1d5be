//! One measurement: warm up, measure a window, let what is under way end, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::load::ends::Ends;
use crate::load::fleet::Fleet;
use crate::load::gate::Gate;
use crate::load::generator::{Generator, Requests};
use crate::load::plan::Plan;
use crate::load::process;
use crate::load::progress::Progress;
use crate::load::report::{Measured, Report};
use crate::load::sample::Sampler;
use crate::load::watch::{Watch, Watching};

/// How long orders that were placed may take to end after the window.
const DRAIN: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(250);
/// So many orders that fail before one completes show that the benchmark is wrong, not the load.
const FAILURES_MAX: u64 = 100;

/// Measures a fleet whose stock is filled.
pub async fn run(fleet: &Fleet, plan: &Plan) -> anyhow::Result<Report> {
    let sampler = Sampler::new(fleet).await?;
    let brokers = fleet.brokers.clone();
    let watch = tokio::task::spawn_blocking(move || Watch::new(&brokers)).await??;
    let started = Instant::now();
    let window = plan.window_from(started);
    let generator = Arc::new(Generator {
        gate: Gate::new(plan.arrival),
        ends: Ends::new(window),
        requests: Requests::default(),
    });
    let watching = watch.start(Arc::clone(&generator));
    let connections = generator.start(plan, &fleet.http("order"));
    let arrivals = tokio::spawn({
        let generator = Arc::clone(&generator);
        async move {
            generator.gate.run_until(window.end, |_moment| generator.ends.intended(1)).await;
        }
    });

    let progress = Progress::new(plan.warmup_seconds + plan.seconds);
    let mut load = Load { generator: &generator, watching: &watching, started, progress };
    let completed = || generator.ends.progress().0;
    load.until("warm-up", window.begin, || false).await?;
    let before = sampler.take(completed).await?;
    load.until("measure", window.end, || false).await?;
    let after = sampler.take(completed).await?;
    let memory = process::memories(&fleet.processes)?;
    arrivals.await?;
    let ended = || generator.ends.progress().1 == 0;
    load.until("drain", window.end + DRAIN, ended).await?;

    generator.gate.close();
    drop(load);
    drop(connections);
    watching.stop()?;
    Report::of(fleet, plan, &Measured { generator: &generator, before, after, memory })
}

struct Load<'a> {
    generator: &'a Generator,
    watching: &'a Watching,
    started: Instant,
    progress: Progress,
}

impl Load<'_> {
    /// Lets the load go on until a moment, or until `done`.
    async fn until(
        &mut self,
        phase: &'static str,
        end: Instant,
        done: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        while Instant::now() < end && !done() {
            if self.watching.has_failed() {
                bail!("the orders' events can no longer be read");
            }
            let (completed, outstanding) = self.generator.ends.progress();
            if completed == 0 && self.generator.ends.totals().failed > FAILURES_MAX {
                let first = self.generator.requests.first_failure.lock();
                let first = first.expect("no panic under this lock").clone();
                bail!("the fleet refuses every order: {}", first.unwrap_or_default());
            }
            let elapsed = self.started.elapsed();
            self.progress.show(phase, elapsed, INTERVAL, (completed, outstanding));
            let next = (Instant::now() + INTERVAL).min(end);
            tokio::time::sleep_until(next.into()).await;
        }
        Ok(())
    }
}
