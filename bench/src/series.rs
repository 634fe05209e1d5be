//! What happened in each second of the window. A second is summed up soon after it is over, so that a
//! run of several hours keeps figures and not histograms.

use std::collections::VecDeque;

use serde::Serialize;

use crate::latency::Latencies;

/// Seconds that are still written to. An end that was heard before the answer to its order counts when
/// the answer arrives, which is a little later.
const OPEN_MAX: usize = 3;

/// One second.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Second {
    /// Orders completed in it.
    pub completed: u64,
    /// From the moment each of these was intended for.
    pub complete: Option<Quantiles>,
    /// Orders accepted in it.
    pub acknowledged: u64,
    /// From the moment each of these was intended for.
    pub acknowledge: Option<Quantiles>,
}

/// Where the latencies of a second lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// The seconds of a window, up to the last in which anything happened.
#[derive(Debug, Clone, Default)]
pub struct Series {
    done: Vec<Second>,
    open: VecDeque<Open>,
}

#[derive(Debug, Clone, Default)]
struct Open {
    complete: Latencies,
    acknowledge: Latencies,
}

impl Series {
    pub fn completed(&mut self, second: usize, latency: std::time::Duration) {
        self.open(second).complete.record(latency);
    }

    pub fn acknowledged(&mut self, second: usize, latency: std::time::Duration) {
        self.open(second).acknowledge.record(latency);
    }

    /// The first `count` seconds, whether anything happened in them or not.
    pub fn seconds(&self, count: usize) -> Vec<Second> {
        let mut seconds = self.done.clone();
        seconds.extend(self.open.iter().map(Open::sum_up));
        seconds.resize(count, Second::default());
        seconds
    }

    /// An entry for a closed second counts in the first that is still open.
    fn open(&mut self, second: usize) -> &mut Open {
        while self.done.len() + self.open.len() <= second {
            self.open.push_back(Open::default());
            if self.open.len() > OPEN_MAX {
                self.done.extend(self.open.pop_front().map(|open| open.sum_up()));
            }
        }
        &mut self.open[second.saturating_sub(self.done.len())]
    }
}

impl Open {
    fn sum_up(&self) -> Second {
        let (complete, acknowledge) = (self.complete.summary(), self.acknowledge.summary());
        let quantiles =
            |count: u64, p50_ms, p99_ms| (count > 0).then_some(Quantiles { p50_ms, p99_ms });
        Second {
            completed: complete.count,
            complete: quantiles(complete.count, complete.p50_ms, complete.p99_ms),
            acknowledged: acknowledge.count,
            acknowledge: quantiles(acknowledge.count, acknowledge.p50_ms, acknowledge.p99_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn each_second_has_its_own_figures_and_silent_ones_have_none() {
        let mut series = Series::default();
        series.acknowledged(0, MS);
        series.completed(0, 10 * MS);
        series.completed(0, 30 * MS);
        series.completed(9, 50 * MS);
        let seconds = series.seconds(12);
        assert_eq!(seconds.iter().map(|second| second.completed).sum::<u64>(), 3);
        assert_eq!((seconds.len(), seconds[0].completed, seconds[0].acknowledged), (12, 2, 1));
        assert!(seconds[0].complete.is_some_and(|ms| (10.0..30.1).contains(&ms.p50_ms)));
        assert!(seconds[9].complete.is_some_and(|ms| (50.0..50.1).contains(&ms.p99_ms)));
        assert_eq!((&seconds[5], &seconds[11]), (&Second::default(), &Second::default()));
        assert_eq!(series.seconds(5).len(), 5);
    }

    #[test]
    fn what_comes_late_counts_in_the_first_second_that_is_open() {
        let mut series = Series::default();
        series.completed(9, MS);
        series.completed(2, MS);
        series.completed(8, MS);
        let completed: Vec<u64> = series.seconds(10).iter().map(|s| s.completed).collect();
        assert_eq!(completed, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    }
}
