//! The findings, and how they are written. Separate from the measurement, which makes a report that holds them.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::latency::Summary;

/// What a measurement of a fleet that changes has found.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    pub undisturbed: Phase,
    pub phases: Vec<Phase>,
}

/// The time of a change, until the last order that it may have delayed has ended.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    pub name: &'static str,
    /// How long the change itself took.
    pub seconds: f64,
    /// From the moment an order was intended for, as everywhere.
    pub acknowledge: Summary,
    pub complete: Summary,
    /// Requests to the services that customers do not order from.
    pub reads: u64,
    /// Requests of any kind that broke, or had another answer than success.
    pub failed: u64,
}

impl Change {
    /// Requests that failed, in all phases.
    pub fn failed(&self) -> u64 {
        self.undisturbed.failed + self.phases.iter().map(|phase| phase.failed).sum::<u64>()
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:26}{:>9}{:>9}{:>8}{:>8}{:>27}{:>27}",
            "change", "seconds", "orders", "reads", "failed", "acknowledged, ms", "completed, ms"
        )?;
        let heads = ["p50", "p99", "max"].map(|head| format!("{head:>9}")).concat();
        writeln!(f, "{:60}{heads}{heads}", "")?;
        for phase in std::iter::once(&self.undisturbed).chain(&self.phases) {
            phase.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Phase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Phase { name, seconds, acknowledge, complete, reads, failed } = self;
        write!(f, "{name:26}{seconds:>9.1}{:>9}{reads:>8}{failed:>8}", acknowledge.count)?;
        for Summary { p50_ms, p99_ms, max_ms, .. } in [acknowledge, complete] {
            write!(f, "{p50_ms:>9.1}{p99_ms:>9.1}{max_ms:>9.1}")?;
        }
        writeln!(f)
    }
}
