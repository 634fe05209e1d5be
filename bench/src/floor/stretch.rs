//! A stretch of the same work, repeated, and the CPU that processes took meanwhile.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::process::{Process, cpu_times};

/// What was done, and what it took.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) times: u64,
    pub(super) took: Duration,
    /// In the order of the processes.
    pub(super) cpu: Vec<Duration>,
}

impl Stretch {
    /// Works for this many seconds, at least once.
    pub(super) async fn of(
        processes: &[Process],
        seconds: f64,
        work: impl AsyncFnMut() -> Result<()>,
    ) -> Result<Self> {
        let (before, started) = (cpu_times(processes)?, Instant::now());
        let times = repeat(seconds, work).await?;
        let (took, after) = (started.elapsed(), cpu_times(processes)?);
        let cpu = before.iter().zip(after).map(|(then, now)| now.saturating_sub(*then));
        Ok(Stretch { times, took, cpu: cpu.collect() })
    }

    /// The microseconds of CPU that each process took, for each order.
    pub(super) fn cpu_us(&self, each_time: usize) -> Vec<f64> {
        let divisor = self.divisor(each_time);
        self.cpu.iter().map(|cpu| cpu.as_secs_f64() * 1e6 / divisor).collect()
    }

    /// How many orders were handled, with `each_time` of them each time.
    pub(super) fn divisor(&self, each_time: usize) -> f64 {
        self.times as f64 * each_time as f64
    }
}

/// Works for this many seconds, at least once; returns how often.
pub(super) async fn repeat(seconds: f64, mut work: impl AsyncFnMut() -> Result<()>) -> Result<u64> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut times = 0;
    while times == 0 || Instant::now() < end {
        work().await?;
        times += 1;
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_at_least_once_and_its_failure_ends_it() {
        let mut done = 0;
        let once = repeat(0.0, async || {
            done += 1;
            Ok(())
        });
        assert_eq!(once.await.unwrap(), 1);
        assert_eq!(done, 1);
        assert!(repeat(60.0, async || anyhow::bail!("broken")).await.is_err());
    }

    #[test]
    fn cpu_is_divided_by_all_that_was_done() {
        let (took, cpu) = (Duration::from_secs(1), vec![Duration::from_millis(80), Duration::ZERO]);
        let stretch = Stretch { times: 5, took, cpu };
        assert_eq!(stretch.cpu_us(16), [1_000.0, 0.0]);
    }
}
