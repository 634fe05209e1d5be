//! Ignored records: they cost an offset and nothing else. A third of all records is of no concern to
//! the service that reads them; a wake-up of the executor for each would cost more than they do.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::consume::offsets::Partition;
use crate::executor::queue::{Delivery, Item, Origin, Work};
use crate::service::Service;

/// How long an offset may lag behind ignored records while others arrive.
const HAND_OVER_EVERY: Duration = Duration::from_secs(1);

/// Where a record is, and under which assignment it was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) partition: Partition,
    pub(super) generation: u64,
    pub(super) offset: i64,
}

impl Fetched {
    pub(super) fn item<S: Service>(self, work: Work<S::Input>, original: Vec<u8>) -> Item<S> {
        let Fetched { partition, generation, offset } = self;
        let delivery = Delivery {
            partition,
            generation,
            offset,
            original,
            inbox_id: None,
            never_dead_lettered: false,
            room: None,
        };
        Item { work, origin: Origin::Event(delivery), cause: None, trace: None }
    }
}

/// How far ignored records reach, for each partition where nothing came after them.
pub(super) struct Passed {
    last: HashMap<Partition, Fetched>,
    since: Instant,
}

impl Default for Passed {
    fn default() -> Self {
        Passed { last: HashMap::new(), since: Instant::now() }
    }
}

impl Passed {
    pub(super) fn note(&mut self, place: Fetched) {
        if self.last.is_empty() {
            self.since = Instant::now();
        }
        self.last.insert(place.partition, place);
    }

    /// A record that is handed over moves the offsets before it along.
    pub(super) fn forget(&mut self, partition: Partition) {
        self.last.remove(&partition);
    }

    pub(super) fn is_due(&self) -> bool {
        !self.last.is_empty() && self.since.elapsed() >= HAND_OVER_EVERY
    }

    pub(super) fn take(&mut self) -> Vec<Fetched> {
        self.last.drain().map(|(_, place)| place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition { topic: "t", number: 0 };

    #[test]
    fn only_the_last_ignored_record_of_a_partition_counts_and_none_before_one_that_is_heard() {
        let place = |offset| Fetched { partition: P, generation: 1, offset };
        let mut passed = Passed::default();
        passed.note(place(4));
        passed.note(place(5));
        assert_eq!(passed.take(), [place(5)]);
        passed.note(place(6));
        passed.forget(P);
        assert_eq!(passed.take(), []);
    }
}
