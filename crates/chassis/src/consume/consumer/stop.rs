//! Why a partition stops until an operator decides: the database's offset is outside of what Kafka has.
//! Neither going on in the middle nor beginning again is harmless, so neither happens by itself.

use crate::consume::brokers::Extent;

/// Why a partition cannot go on from the database's offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    /// The offset was counted in a topic of the same name that was deleted.
    Recreated,
    /// Records from the offset on are gone: expired, or deleted by hand.
    HeadGone,
    /// There are no records at the offset yet: the log was cut off, or the offset was moved.
    BeyondEnd,
}

impl Stop {
    /// What stops a partition at this offset, if anything does.
    pub(super) fn of(stored: i64, extent: Extent, recreated: bool) -> Option<Self> {
        match stored {
            _ if recreated => Some(Stop::Recreated),
            stored if stored < extent.first => Some(Stop::HeadGone),
            stored if stored > extent.end => Some(Stop::BeyondEnd),
            _within => None,
        }
    }

    /// Its name in metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Stop::Recreated => "recreated",
            Stop::HeadGone => "head_gone",
            Stop::BeyondEnd => "beyond_end",
        }
    }

    pub(super) const ALL: [Stop; 3] = [Stop::Recreated, Stop::HeadGone, Stop::BeyondEnd];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_goes_on_only_from_an_offset_that_its_log_has() {
        let extent = Extent { first: 5, end: 9 };
        let stop = |stored| Stop::of(stored, extent, false);
        assert_eq!([stop(5), stop(9)], [None, None]);
        assert_eq!(stop(0), Some(Stop::HeadGone), "also where nothing was ever read");
        assert_eq!(stop(10), Some(Stop::BeyondEnd));
        assert_eq!(Stop::of(7, extent, true), Some(Stop::Recreated));
    }
}
