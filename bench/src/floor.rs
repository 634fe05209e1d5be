//! The floor of each part: what Postgres, the services' own work and Kafka take for an order when nothing
//! else works. Each is driven by the shipped code, through the chassis' interfaces for measuring, in one
//! process and on one thread, so that no part waits for another.
//!
//! Reading order: `servers` (what runs), `saga` (orders without Kafka and HTTP), `stretch` (what is
//! measured meanwhile), `database`, `broker` and `fixed` (the parts), `report`.

mod broker;
mod database;
mod fixed;
mod report;
mod saga;
mod servers;
mod stretch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use local::Settings;
use serde::Serialize;

use broker::Broker;
use database::Sagas;
pub use report::{Batch, Report};
use servers::Servers;

/// Orders in a batch: in a quiet fleet, in a busy one, and in one at full load.
const SIZES: [usize; 3] = [1, 16, 256];

/// Enough for two digits: CPU is counted in hundredths of a second.
const SECONDS: f64 = 5.0;
/// As in the other scenarios.
const WARMUP: f64 = 45.0;
/// The maximum of either.
const SECONDS_MAX: f64 = 3_600.0;

/// Called with what is being done and, when it is done, how long it took.
pub type Progress = fn(&str, Option<Duration>);

/// How long each part is measured.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Options {
    /// Length of each measurement
    #[arg(long, default_value_t = SECONDS)]
    pub seconds: f64,
    /// Length of the load before each measurement of Kafka, until its code is compiled
    #[arg(long, value_name = "SECONDS", default_value_t = WARMUP)]
    pub warmup: f64,
    /// Write the report to this file too
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub json: Option<PathBuf>,
}

impl Options {
    /// Everything that makes the measurement impossible.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(self.seconds > 0.0 && self.seconds <= SECONDS_MAX) {
            problems.push("a measurement takes longer than nothing and at most an hour".to_owned());
        }
        if !(0.0..=SECONDS_MAX).contains(&self.warmup) {
            problems.push("the warm-up cannot be negative or longer than an hour".to_owned());
        }
        problems
    }
}

/// Starts servers and measures. They are left running, with offsets in the databases that belong to no
/// topic: no fleet can continue with them.
pub async fn measure(settings: Settings, options: &Options, progress: Progress) -> Result<Report> {
    let servers = Servers::start(settings, &progress).await?;
    let options = options.clone();
    let alone = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(each(&servers, &options, progress))
    };
    tokio::task::spawn_blocking(alone).await?
}

async fn each(servers: &Servers, options: &Options, progress: Progress) -> Result<Report> {
    let fixed = timed(progress, "fixed costs", fixed::measure(servers, options)).await?;
    let mut sagas = Sagas::start(servers).await?;
    let mut done = Vec::new();
    for orders in SIZES {
        let what = format!("Postgres and the services, batches of {orders}");
        done.push(timed(progress, &what, sagas.measure(orders, options)).await?);
    }
    // Closes its connections too: what follows is measured alone.
    drop(sagas);
    let mut broker = Broker::start(servers).await?;
    let mut batches = Vec::new();
    for (orders, (work, rounds)) in SIZES.into_iter().zip(done) {
        let what = format!("Kafka, flushes of {orders}");
        let traffic = timed(progress, &what, broker.measure(orders, &rounds, options)).await?;
        batches.push(Batch { orders, work, traffic });
    }
    broker.close().await;
    Ok(Report::new(options, batches, fixed))
}

async fn timed<T>(
    progress: Progress,
    what: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    progress(what, None);
    let started = Instant::now();
    let done = work.await?;
    progress(what, Some(started.elapsed()));
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_bounded() {
        let problems = |(seconds, warmup)| Options { seconds, warmup, json: None }.problems().len();
        assert_eq!([(5.0, 45.0), (0.5, 0.0)].map(problems), [0, 0]);
        assert_eq!([(0.0, 1.0), (3_601.0, 1.0), (f64::NAN, -1.0)].map(problems), [1, 1, 2]);
    }
}
