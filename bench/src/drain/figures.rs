//! The findings, and how they are written. Separate from the measurement, which makes a report that holds them.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::memory::ServiceMemory;
use crate::latency::Summary;

/// What a measurement with Kafka away has found.
#[derive(Debug, Clone, Serialize)]
pub struct Drain {
    /// From the beginning of the window to Kafka's end, and to its new start.
    pub gone_at_second: f64,
    pub back_at_second: f64,
    /// Orders that had arrived and not ended when Kafka was started again.
    pub waiting: u64,
    /// From that start on: until it was ready, until an order was completed, and until all that had
    /// waited were completed.
    pub ready_after_seconds: f64,
    pub first_completed_after_seconds: f64,
    pub drained_after_seconds: f64,
    /// From the first order completed to the last that had waited; those that arrived later count too.
    pub completed_per_second: f64,
    /// The same divided by the rate at which orders arrive.
    pub ratio_to_arrival: f64,
    /// Of the orders answered while Kafka was away.
    pub acknowledge: Summary,
    pub memory: Vec<ServiceMemory>,
}

impl Display for Drain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nKafka away for {:.1} s; {} orders waited when it was started again",
            self.back_at_second - self.gone_at_second,
            self.waiting
        )?;
        writeln!(
            f,
            "after that start: ready {:.1} s, first order completed {:.1} s, none waiting {:.1} s",
            self.ready_after_seconds,
            self.first_completed_after_seconds,
            self.drained_after_seconds
        )?;
        writeln!(
            f,
            "drained at {:.0} completed sagas/s, {:.1} times the rate of arrival",
            self.completed_per_second, self.ratio_to_arrival
        )?;
        let Summary { count, p50_ms, p99_ms, max_ms, .. } = self.acknowledge;
        writeln!(
            f,
            "while it was away {count} orders were acknowledged, ms: p50 {p50_ms:.1}, \
             p99 {p99_ms:.1}, max {max_ms:.1}"
        )?;
        writeln!(f, "\n{:22}{:>15}{:>15}{:>15}", "peak MiB", "before", "away", "drain")?;
        for ServiceMemory { name, before_mib, away_mib, drain_mib, .. } in &self.memory {
            writeln!(f, "{name:22}{before_mib:>15.0}{away_mib:>15.0}{drain_mib:>15.0}")?;
        }
        Ok(())
    }
}
