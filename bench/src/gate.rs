//! When the next order may be placed. Both kinds of arrival come down to permits of one semaphore: in the
//! closed loop an order that ended gives its permit back, in the open loop the clock gives permits.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::plan::Arrival;

/// How often the open loop looks at the clock. Orders are timed from the moment they were intended for,
/// so this limits the evenness of their arrival, not the truth of the figures.
const TICK: Duration = Duration::from_millis(1);

/// Hands out the permission to place an order.
pub struct Gate {
    permits: Semaphore,
    kind: Kind,
}

enum Kind {
    Closed,
    /// The intended time of each order that is due and not yet taken.
    Open {
        rate: f64,
        due: Mutex<VecDeque<Instant>>,
    },
}

impl Gate {
    pub fn new(arrival: Arrival) -> Self {
        match arrival {
            Arrival::InFlight(orders) => {
                Gate { permits: Semaphore::new(orders), kind: Kind::Closed }
            }
            Arrival::PerSecond(rate) => Gate {
                permits: Semaphore::new(0),
                kind: Kind::Open { rate, due: Mutex::default() },
            },
        }
    }

    /// Waits until an order may be placed; returns the moment it was intended for, from which its
    /// latencies count. An order that had to wait for a free connection has waited already, and counting
    /// from the moment it was sent would hide exactly the stalls that matter (coordinated omission).
    /// `None` when no more are to be placed.
    pub async fn next(&self) -> Option<Instant> {
        self.permits.acquire().await.ok()?.forget();
        match &self.kind {
            Kind::Closed => Some(Instant::now()),
            Kind::Open { due, .. } => {
                Some(lock(due).pop_front().expect("a permit is added after its moment"))
            }
        }
    }

    /// This many orders have ended.
    pub fn ended(&self, orders: usize) {
        match self.kind {
            Kind::Closed => self.permits.add_permits(orders),
            Kind::Open { .. } => {}
        }
    }

    /// Lets orders in until `end`, then no more. Those of the open loop that were due before and wait
    /// for a connection are still handed out: omitting them would flatter a fleet that is too slow.
    pub async fn run_until(&self, end: Instant, mut intended: impl FnMut(Instant)) {
        let start = Instant::now();
        match &self.kind {
            Kind::Closed => {
                tokio::time::sleep_until(end.into()).await;
                self.permits.close();
            }
            Kind::Open { rate, due } => {
                let mut ticks = tokio::time::interval(TICK);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
                let moment_of = |n: u64| start + Duration::from_secs_f64(n as f64 / rate);
                let mut next = 0;
                while moment_of(next) < end {
                    ticks.tick().await;
                    let before = next;
                    let now = Instant::now().min(end);
                    let mut due = lock(due);
                    while moment_of(next) < now {
                        intended(moment_of(next));
                        due.push_back(moment_of(next));
                        next += 1;
                    }
                    drop(due);
                    self.permits.add_permits((next - before) as usize);
                }
            }
        }
    }

    /// No more orders, whatever is still due.
    pub fn close(&self) {
        self.permits.close();
    }

    /// Whether orders count when they are handed out; those of the open loop count when they are due.
    pub fn counts_when_taken(&self) -> bool {
        matches!(self.kind, Kind::Closed)
    }
}

fn lock(due: &Mutex<VecDeque<Instant>>) -> MutexGuard<'_, VecDeque<Instant>> {
    due.lock().expect("no panic under this lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slot_of_the_closed_loop_is_free_again_when_its_order_ends() {
        let gate = Gate::new(Arrival::InFlight(2));
        assert!(gate.next().await.is_some());
        assert!(gate.next().await.is_some());
        assert!(futures::FutureExt::now_or_never(gate.next()).is_none());
        gate.ended(1);
        assert!(gate.next().await.is_some());
        gate.close();
        assert!(gate.next().await.is_none());
    }

    #[tokio::test]
    async fn the_open_loop_keeps_its_rate_and_its_moments_however_late_they_are_taken() {
        let gate = Gate::new(Arrival::PerSecond(1_000.0));
        let end = Instant::now() + Duration::from_millis(50);
        let mut intended = Vec::new();
        gate.run_until(end, |moment| intended.push(moment)).await;
        let step = Duration::from_millis(1);
        assert!(intended.is_sorted_by(|a, b| *b - *a == step), "{intended:?}");
        assert!(intended.last().is_some_and(|last| *last < end && *last + step >= end));
        gate.ended(7);
        for moment in &intended {
            assert_eq!(gate.next().await.as_ref(), Some(moment));
        }
        assert!(futures::FutureExt::now_or_never(gate.next()).is_none());
    }
}
