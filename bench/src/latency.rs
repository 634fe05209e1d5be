//! Latencies in an HDR histogram: three significant digits from a microsecond to ten minutes.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

const MAX_MICROS: u64 = 600_000_000;

/// Latencies of one kind.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

/// What a report says about them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub count: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies(Histogram::new_with_bounds(1, MAX_MICROS, 3).expect("the bounds are in order"))
    }
}

impl Latencies {
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(latency.as_micros() as u64);
    }

    /// Corrected for coordinated omission: a closed loop that stalls places no orders meanwhile, which
    /// would all have been slow. For each latency above `interval`, the average time between a slot's
    /// orders, the orders that it kept from being placed are added.
    pub fn corrected(&self, interval: Duration) -> Self {
        Latencies(self.0.clone_correct(interval.as_micros().max(1) as u64))
    }

    /// What was recorded since `earlier`, a copy of these.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.0.clone();
        since.subtract(&earlier.0).expect("these hold all that a copy of them held");
        Latencies(since)
    }

    pub fn summary(&self) -> Summary {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        let quantile = |q| ms(self.0.value_at_quantile(q));
        Summary {
            count: self.0.len(),
            mean_ms: self.0.mean() / 1_000.0,
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            max_ms: ms(self.0.max()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_hides_from_a_closed_loop_and_is_put_back() {
        let mut latencies = Latencies::default();
        for _ in 0..1_000 {
            latencies.record(Duration::from_millis(10));
        }
        latencies.record(Duration::from_secs(10));
        let seen = latencies.summary();
        assert_eq!((seen.count, seen.p99_ms.round()), (1_001, 10.0));
        let corrected = latencies.corrected(Duration::from_millis(10)).summary();
        assert_eq!(corrected.count, 2_000);
        assert!(corrected.p99_ms > 9_000.0, "{corrected:?}");
        assert_eq!(corrected.max_ms, seen.max_ms);
    }

    #[test]
    fn what_was_recorded_in_between_is_what_remains() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_secs(1));
        let earlier = latencies.clone();
        latencies.record(Duration::from_millis(1));
        let since = latencies.since(&earlier).summary();
        assert_eq!((since.count, since.max_ms.round()), (1, 1.0));
    }

    #[test]
    fn what_is_beyond_all_bounds_counts_as_the_bound() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_secs(3_600));
        latencies.record(Duration::ZERO);
        let summary = latencies.summary();
        assert_eq!(summary.count, 2);
        assert!(summary.max_ms >= 600_000.0);
    }
}
