//! What a measurement does: how orders arrive, for how long, and what they contain.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How orders arrive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// This many orders are under way; a new one is placed when one ends. Shows the highest throughput.
    InFlight(usize),
    /// This many orders a second, regardless of what becomes of them. Shows latency at that load.
    PerSecond(f64),
}

/// A measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub arrival: Arrival,
    /// Load before the window, so that caches, plans and batches have settled.
    pub warmup_seconds: f64,
    /// The window in which everything is measured.
    pub seconds: f64,
    /// Orders spread evenly over this many SKUs.
    pub skus: u32,
    /// Lines of each order, each of a different SKU.
    pub lines: u32,
    /// Connections to the order service; each carries one request at a time.
    pub connections: usize,
}

impl Plan {
    /// Everything that makes the plan impossible.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut demand = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        demand((1..=100).contains(&self.lines), "an order has 1 to 100 lines");
        demand(
            (self.lines..=1_000_000).contains(&self.skus),
            "SKUs must be 1 to 1,000,000 and no fewer than the lines of an order",
        );
        demand(self.connections > 0, "at least one connection is needed");
        demand(
            self.seconds > 0.0 && self.seconds <= 86_400.0,
            "the measuring window must be longer than nothing and at most a day",
        );
        demand(
            (0.0..=86_400.0).contains(&self.warmup_seconds),
            "the warm-up cannot be negative or longer than a day",
        );
        match self.arrival {
            Arrival::InFlight(orders) => demand(orders > 0, "at least one order must be in flight"),
            Arrival::PerSecond(rate) => demand(
                rate > 0.0 && rate <= 1_000_000.0,
                "the rate must be above zero and at most 1,000,000 orders a second",
            ),
        }
        problems
    }

    /// The window, if the load begins now.
    pub fn window_from(&self, now: Instant) -> Window {
        let begin = now + Duration::from_secs_f64(self.warmup_seconds);
        Window { begin, end: begin + Duration::from_secs_f64(self.seconds) }
    }
}

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.arrival {
            Arrival::InFlight(orders) => write!(f, "closed loop, {orders} orders in flight")?,
            Arrival::PerSecond(rate) => write!(f, "open loop, {rate} orders/s")?,
        }
        write!(
            f,
            ", {:.0} s after {} s of warm-up, {} SKUs, lines per order: {}",
            self.seconds, self.warmup_seconds, self.skus, self.lines
        )
    }
}

/// When measuring begins and ends.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub begin: Instant,
    pub end: Instant,
}

impl Window {
    /// Whether a moment is inside.
    pub fn holds(&self, moment: Instant) -> bool {
        (self.begin..self.end).contains(&moment)
    }

    /// Which second of the window a moment is in.
    pub fn second_of(&self, moment: Instant) -> Option<usize> {
        self.holds(moment).then(|| (moment - self.begin).as_secs() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            arrival: Arrival::InFlight(10),
            warmup_seconds: 1.0,
            seconds: 2.0,
            skus: 5,
            lines: 1,
            connections: 1,
        }
    }

    #[test]
    fn all_that_is_impossible_is_reported_at_once() {
        assert_eq!(plan().problems(), Vec::<String>::new());
        let impossible = Plan {
            arrival: Arrival::PerSecond(0.0),
            warmup_seconds: -1.0,
            seconds: f64::NAN,
            skus: 2,
            lines: 3,
            connections: 0,
        };
        assert_eq!(impossible.problems().len(), 5);
    }

    #[test]
    fn the_window_begins_after_the_warm_up_and_excludes_its_end() {
        let now = Instant::now();
        let window = plan().window_from(now);
        assert!(!window.holds(now));
        assert_eq!(window.second_of(now + Duration::from_millis(1_000)), Some(0));
        assert_eq!(window.second_of(now + Duration::from_millis(2_999)), Some(1));
        assert_eq!(window.second_of(now + Duration::from_secs(3)), None);
    }
}
