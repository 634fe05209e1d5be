//! The orders under way at one moment, until the last of them has ended: how long that took, and how much
//! the fleet did meanwhile.

use std::time::Instant;

/// The orders under way at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    pub since: Instant,
    /// Orders that waited then.
    pub waiting: u64,
    /// Those of them that still wait.
    pub left: u64,
    /// The first end of any order after that moment.
    pub first: Option<Mark>,
    /// The latest end of an order that waited.
    pub last: Option<Mark>,
}

/// A moment, and how many orders had been completed by then since the load began.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    pub at: Instant,
    pub completed: u64,
}

impl Backlog {
    pub fn new(since: Instant, waiting: u64) -> Self {
        Backlog { since, waiting, left: waiting, first: None, last: None }
    }

    /// An order that was intended for `intended` has ended.
    pub fn ended(&mut self, intended: Instant, mark: Mark) {
        if self.left == 0 {
            return;
        }
        self.first.get_or_insert(mark);
        if intended <= self.since {
            self.left -= 1;
            self.last = Some(mark);
        }
    }

    /// Orders completed per second from the first end to the last of those that waited, those placed
    /// later included. `None` while some wait.
    pub fn completed_per_second(&self) -> Option<f64> {
        let (first, last) = self.first.zip(self.last).filter(|_| self.left == 0)?;
        let seconds = (last.at.saturating_duration_since(first.at)).as_secs_f64();
        (seconds > 0.0).then(|| (last.completed - first.completed) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_backlog_is_gone_with_the_last_that_waited_and_its_rate_counts_all_that_ended_meanwhile() {
        let since = Instant::now();
        let second = Duration::from_secs(1);
        let mut backlog = Backlog::new(since, 2);
        let mark = |n: u32| Mark { at: since + second * n, completed: 100 + u64::from(n) };
        backlog.ended(since - second, mark(3));
        assert!(backlog.completed_per_second().is_none());
        backlog.ended(since + second, mark(4));
        backlog.ended(since, mark(5));
        backlog.ended(since, mark(9));
        assert_eq!((backlog.waiting, backlog.left), (2, 0));
        assert_eq!(backlog.completed_per_second(), Some(1.0));
    }
}
