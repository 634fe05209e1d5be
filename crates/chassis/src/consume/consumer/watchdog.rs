//! Whether a replica is left out: it holds nothing although its group has partitions that nobody holds.
//! Judged by what the brokers say about the group, whatever the cause.

use std::time::{Duration, Instant};

/// How long a replica may be left out before it is not ready. Far longer than a rebalance takes.
const UNREADY_AFTER: Duration = Duration::from_secs(6);
/// How long before it joins with a new member. Doubles with each one that does not help, up to the last.
const REJOIN_FIRST: Duration = Duration::from_secs(12);
const REJOIN_LAST: Duration = Duration::from_secs(300);

/// Watches over a replica's membership.
pub(super) struct Watchdog {
    left_out_since: Option<Instant>,
    /// When it last joined with a new member since then.
    rejoined: Option<Instant>,
    patience: Duration,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Well,
    /// Wait: a rebalance may be under way.
    LeftOut,
    NotReady,
    Rejoin,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        Watchdog { left_out_since: None, rejoined: None, patience: REJOIN_FIRST }
    }

    /// Judges how many partitions this replica holds and how many of its group no other replica holds.
    /// `None` where the brokers do not say: no group can be joined then either.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        holds: usize,
        others_leave: Option<usize>,
    ) -> Verdict {
        if holds > 0 {
            *self = Watchdog::new();
            return Verdict::Well;
        }
        if others_leave.unwrap_or_default() == 0 {
            (self.left_out_since, self.rejoined) = (None, None);
            return Verdict::Well;
        }
        let since = *self.left_out_since.get_or_insert(now);
        if now.duration_since(self.rejoined.unwrap_or(since)) >= self.patience {
            self.rejoined = Some(now);
            self.patience = (self.patience * 2).min(REJOIN_LAST);
            return Verdict::Rejoin;
        }
        match now.duration_since(since) >= UNREADY_AFTER {
            true => Verdict::NotReady,
            false => Verdict::LeftOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64, start: Instant) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_replica_that_is_left_out_is_not_ready_and_then_joins_anew_less_and_less_often() {
        let (mut dog, start) = (Watchdog::new(), Instant::now());
        let mut judge = |seconds| dog.judge(after(seconds, start), 0, Some(3));
        assert_eq!(
            [0, 3, 6, 12].map(&mut judge),
            [Verdict::LeftOut, Verdict::LeftOut, Verdict::NotReady, Verdict::Rejoin]
        );
        assert_eq!(
            [14, 24, 36].map(&mut judge),
            [Verdict::NotReady, Verdict::NotReady, Verdict::Rejoin],
            "a new member alone makes nobody ready"
        );
    }

    #[test]
    fn a_replica_without_partitions_is_well_where_others_hold_all_or_nobody_can_tell() {
        let (mut dog, start) = (Watchdog::new(), Instant::now());
        for seconds in [0, 100, 200] {
            assert_eq!(dog.judge(after(seconds, start), 0, Some(0)), Verdict::Well);
        }
        dog.judge(after(300, start), 0, Some(1));
        assert_eq!(dog.judge(after(320, start), 0, None), Verdict::Well);
        assert_eq!(dog.judge(after(340, start), 0, Some(1)), Verdict::LeftOut, "counted anew");
        assert_eq!(dog.judge(after(360, start), 6, Some(1)), Verdict::Well);
    }
}
