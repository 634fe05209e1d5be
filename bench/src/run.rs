//! One measurement: warm up, measure a window, let orders under way end, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::task::{JoinHandle, JoinSet};

use crate::ends::Ends;
use crate::fleet::Fleet;
use crate::gate::Gate;
use crate::generator::{Generator, Requests};
use crate::plan::{Plan, Window};
use crate::process;
use crate::progress::Progress;
use crate::report::{Measured, Report};
use crate::sample::Sampler;
use crate::targets::Targets;
use crate::watch::{Watch, Watching};

/// How long placed orders may take to end after the window.
const DRAIN: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(250);
/// This many orders that fail before one completes show that the benchmark is wrong, not the load.
const FAILURES_MAX: u64 = 100;

/// Measures a fleet whose stock is filled.
pub async fn run(fleet: &Fleet, plan: &Plan) -> anyhow::Result<Report> {
    let sampler = Sampler::new(fleet).await?;
    let mut load = Load::start(fleet, plan).await?;
    let window = load.window;
    load.until("warm-up", window.begin, |_| false).await?;
    let before = sampler.take(|| load.completed()).await?;
    load.until("measure", window.end, |_| false).await?;
    let after = sampler.take(|| load.completed()).await?;
    let memory = process::memories(&fleet.processes)?;
    let generator = load.stop().await?;
    Report::of(fleet, plan, &Measured { generator: &generator, before, after, memory })
}

/// Orders that arrive at a fleet, and a thread that hears of their ends.
pub struct Load {
    pub generator: Arc<Generator>,
    pub window: Window,
    started: Instant,
    watching: Watching,
    connections: JoinSet<()>,
    arrivals: JoinHandle<()>,
    progress: Progress,
}

impl Load {
    /// Lets orders arrive from now on until the end of the plan's window.
    pub async fn start(fleet: &Fleet, plan: &Plan) -> anyhow::Result<Self> {
        Load::start_at(&Arc::new(Targets::fixed(fleet.http("order"))), fleet, plan).await
    }

    /// The same at replicas that may change meanwhile.
    pub async fn start_at(
        targets: &Arc<Targets>,
        fleet: &Fleet,
        plan: &Plan,
    ) -> anyhow::Result<Self> {
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
        let connections = generator.start(plan, targets);
        let arrivals = tokio::spawn({
            let generator = Arc::clone(&generator);
            async move {
                generator.gate.run_until(window.end, |_moment| generator.ends.intended(1)).await;
            }
        });
        let progress = Progress::new(plan.warmup_seconds + plan.seconds);
        Ok(Load { generator, window, started, watching, connections, arrivals, progress })
    }

    /// Orders completed so far.
    pub fn completed(&self) -> u64 {
        self.generator.ends.progress().0
    }

    /// Lets the load go on until a moment, or until `done`.
    pub async fn until(
        &mut self,
        phase: &'static str,
        end: Instant,
        done: impl Fn(&Ends) -> bool,
    ) -> anyhow::Result<()> {
        while Instant::now() < end && !done(&self.generator.ends) {
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

    /// Lets no more orders arrive, and waits for the end of those that have arrived.
    pub async fn stop(mut self) -> anyhow::Result<Arc<Generator>> {
        match Instant::now() < self.window.end {
            true => self.arrivals.abort(),
            // Those due in the last moment are still handed out.
            false => (&mut self.arrivals).await?,
        }
        let ended = |ends: &Ends| ends.progress().1 == 0;
        self.until("drain", Instant::now() + DRAIN, ended).await?;
        self.generator.gate.close();
        drop(self.connections);
        self.watching.stop()?;
        Ok(self.generator)
    }
}
