//! What has become of the orders. An order's end may be heard before the answer that names the order has
//! been read, so both are matched here, whichever comes first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use uuid::Uuid;

use crate::backlog::{Backlog, Mark};
use crate::latency::Latencies;
use crate::plan::Window;
use crate::series::Series;

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    /// Cancelled, and everything given back.
    Compensated,
}

/// An order's end, as it was heard.
#[derive(Debug, Clone, Copy)]
pub struct End {
    pub order: Uuid,
    pub at: Instant,
    pub outcome: Outcome,
}

/// What is counted. An order belongs to the window that it was intended in, whenever it ends;
/// throughput counts the orders that ended in the window.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Orders that ended as completed since the load began.
    pub completed: u64,
    /// Orders that ended as cancelled.
    pub compensated: u64,
    /// What happened in each second of the window.
    pub series: Series,
    /// The orders that were under way when [`Ends::watch_backlog`] was called.
    pub backlog: Option<Backlog>,
    /// Orders to be placed that have neither ended nor failed.
    pub outstanding: u64,
    /// Orders that the service refused for good.
    pub failed: u64,
    /// Orders that ended twice, or that this run did not place.
    pub strange: u64,
    /// From the intended moment to the answer, of orders of the window.
    pub acknowledge: Latencies,
    /// From the intended moment to the end, of completed orders of the window.
    pub complete: Latencies,
}

/// Matches orders with their ends.
pub struct Ends {
    window: Window,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When each order under way was intended for.
    under_way: HashMap<Uuid, Instant>,
    /// Ends that came before the answer.
    early: HashMap<Uuid, End>,
    totals: Totals,
}

impl Ends {
    pub fn new(window: Window) -> Self {
        Ends { window, state: Mutex::default() }
    }

    /// This many orders are to be placed.
    pub fn intended(&self, orders: u64) {
        self.lock().totals.outstanding += orders;
    }

    /// An order was accepted. Returns how many orders that ended: one, if its end came earlier.
    pub fn accepted(&self, order: Uuid, intended: Instant, acknowledged: Instant) -> usize {
        let mut state = self.lock();
        if self.window.holds(intended) {
            state.totals.acknowledge.record(acknowledged - intended);
        }
        if let Some(second) = self.window.second_of(acknowledged) {
            state.totals.series.acknowledged(second, acknowledged - intended);
        }
        match state.early.remove(&order) {
            None => {
                state.under_way.insert(order, intended);
                0
            }
            Some(end) => {
                state.totals.end(self.window, intended, &end);
                1
            }
        }
    }

    /// An order will not be placed: the service refuses it.
    pub fn failed(&self) {
        let totals = &mut self.lock().totals;
        totals.failed += 1;
        totals.outstanding -= 1;
    }

    /// Orders have ended. Returns how many of them were known to be under way.
    pub fn ended(&self, ends: &[End]) -> usize {
        let mut state = self.lock();
        let before = state.totals.outstanding;
        for end in ends {
            match state.under_way.remove(&end.order) {
                Some(intended) => state.totals.end(self.window, intended, end),
                None => _ = state.early.insert(end.order, *end),
            }
        }
        (before - state.totals.outstanding) as usize
    }

    pub fn totals(&self) -> Totals {
        let state = self.lock();
        Totals { strange: state.early.len() as u64, ..state.totals.clone() }
    }

    /// Watches the orders that are outstanding now.
    pub fn watch_backlog(&self) {
        let totals = &mut self.lock().totals;
        totals.backlog = Some(Backlog::new(Instant::now(), totals.outstanding));
    }

    /// Orders outstanding since [`Ends::watch_backlog`].
    pub fn backlog_left(&self) -> u64 {
        self.lock().totals.backlog.map_or(0, |backlog| backlog.left)
    }

    /// Orders completed so far, and orders outstanding.
    pub fn progress(&self) -> (u64, u64) {
        let totals = &self.lock().totals;
        (totals.completed, totals.outstanding)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under this lock")
    }
}

impl Totals {
    fn end(&mut self, window: Window, intended: Instant, end: &End) {
        self.outstanding -= 1;
        match end.outcome {
            Outcome::Compensated => self.compensated += 1,
            Outcome::Completed => {
                self.completed += 1;
                let latency = end.at.saturating_duration_since(intended);
                if let Some(second) = window.second_of(end.at) {
                    self.series.completed(second, latency);
                }
                if window.holds(intended) {
                    self.complete.record(latency);
                }
            }
        }
        if let Some(backlog) = &mut self.backlog {
            backlog.ended(intended, Mark { at: end.at, completed: self.completed });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ends() -> (Ends, Instant) {
        let begin = Instant::now();
        (Ends::new(Window { begin, end: begin + Duration::from_secs(2) }), begin)
    }

    fn by_second(totals: &Totals) -> Vec<u64> {
        totals.series.seconds(2).iter().map(|second| second.completed).collect()
    }

    fn end(order: Uuid, at: Instant, outcome: Outcome) -> End {
        End { order, at, outcome }
    }

    #[test]
    fn an_end_that_is_heard_of_before_the_answer_counts_once() {
        let (ends, begin) = ends();
        let order = Uuid::from_u128(1);
        let at = begin + Duration::from_millis(1_500);
        ends.intended(1);
        assert_eq!(ends.ended(&[end(order, at, Outcome::Completed)]), 0);
        assert_eq!(ends.accepted(order, begin, at), 1);
        let totals = ends.totals();
        assert_eq!((totals.completed, totals.outstanding, totals.strange), (1, 0, 0));
        assert_eq!(by_second(&totals), [0, 1]);
        assert_eq!(totals.complete.summary().count, 1);
    }

    #[test]
    fn latency_belongs_to_the_window_of_the_intended_moment_and_throughput_to_that_of_the_end() {
        let (ends, begin) = ends();
        let second = Duration::from_secs(1);
        ends.intended(3);
        for (n, intended, ended) in [
            (1, begin - second, begin + second / 2),
            (2, begin + second, begin + second * 3),
            (3, begin + second, begin + second),
        ] {
            let order = Uuid::from_u128(n);
            let outcome = if n == 3 { Outcome::Compensated } else { Outcome::Completed };
            assert_eq!(ends.accepted(order, intended, intended + second / 4), 0);
            assert_eq!(ends.ended(&[end(order, ended, outcome)]), 1);
        }
        let totals = ends.totals();
        assert_eq!((totals.completed, totals.compensated), (2, 1));
        assert_eq!(by_second(&totals), [1, 0]);
        assert_eq!(totals.acknowledge.summary().count, 2);
        assert!((2_000.0..2_002.0).contains(&totals.complete.summary().max_ms));
    }

    #[test]
    fn orders_of_others_and_second_ends_free_no_slot() {
        let (ends, begin) = ends();
        ends.intended(1);
        let order = Uuid::from_u128(1);
        ends.accepted(order, begin, begin);
        let twice = [end(order, begin, Outcome::Completed), end(order, begin, Outcome::Completed)];
        assert_eq!(ends.ended(&twice), 1);
        assert_eq!(ends.totals().strange, 1);
    }
}
