//! What is seen of the offsets from outside: for each partition that the group should hold, no matter who holds
//! it, how far the database is behind its end, and whether it has to stop.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sqlx::PgPool;
use uuid::Uuid;

use super::stop::Stop;
use super::topic_id::{topic_id, topic_ids};
use crate::consume::brokers::{Brokers, Extent};
use crate::consume::offsets::{self, Partition, Stored};

/// Looks at the offsets of a service's topics.
pub(crate) struct Sight {
    pub(super) topics: Vec<&'static str>,
    pub(super) brokers: Arc<Brokers>,
    pub(super) db: PgPool,
    bootstrap: String,
}

impl Sight {
    pub(crate) fn new(topics: Vec<&'static str>, bootstrap: &str, db: PgPool) -> Self {
        let brokers = Arc::new(Brokers::new(bootstrap));
        Sight { topics, brokers, db, bootstrap: bootstrap.to_owned() }
    }

    /// Looks at partitions, as far as the brokers show them.
    pub(super) async fn see(&self, partitions: Vec<Partition>) -> anyhow::Result<Vec<Seen>> {
        // Offsets before ends, so that no end is behind its offset.
        let rows = offsets::rows(&self.db, &self.topics).await?;
        let ids = topic_ids(&self.bootstrap, self.topics.iter().copied()).await?;
        let extents = Brokers::extents(&self.brokers, partitions).await?;
        Ok(Seen::all(&rows, &ids, &extents))
    }

    /// The topic's id, if the brokers give topics ids.
    pub(super) async fn id(&self, topic: &str) -> std::io::Result<Option<Uuid>> {
        topic_id(&self.bootstrap, topic).await
    }
}

/// One partition as the database and the brokers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) partition: Partition,
    /// The database's offset; 0 where it has none yet.
    pub(super) stored: i64,
    pub(super) extent: Extent,
    pub(super) stop: Option<Stop>,
}

impl Seen {
    /// Puts together what is known.
    pub(super) fn all(
        rows: &HashMap<(String, i32), Stored>,
        ids: &HashMap<&'static str, Uuid>,
        extents: &HashMap<Partition, Extent>,
    ) -> Vec<Self> {
        let see = |(partition, extent): (&Partition, &Extent)| {
            let row = rows.get(&(partition.topic.to_owned(), partition.number));
            let stored = row.map_or(0, |row| row.offset);
            let recreated = row.is_some_and(|row| row.is_of_another(ids.get(partition.topic)));
            let stop = Stop::of(stored, *extent, recreated);
            Seen { partition: *partition, stored, extent: *extent, stop }
        };
        extents.iter().map(see).collect()
    }

    /// Messages that exist and are not processed.
    pub(super) fn lag(&self) -> u64 {
        let from = match self.stop {
            // The offset says nothing about this log.
            Some(Stop::Recreated) => self.extent.first,
            Some(Stop::HeadGone | Stop::BeyondEnd) | None => self.stored.max(self.extent.first),
        };
        u64::try_from(self.extent.end - from).unwrap_or_default()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { partition: Partition { topic, number }, stored, extent, stop } = self;
        let Extent { first, end } = extent;
        write!(formatter, "{topic}/{number} ")?;
        match stop {
            None => write!(formatter, "goes on from {stored}"),
            Some(Stop::Recreated) => {
                write!(
                    formatter,
                    "was deleted and created again, and {stored} is of the former one"
                )
            }
            Some(Stop::HeadGone) => {
                let lost = first - stored;
                write!(
                    formatter,
                    "should go on from {stored} and begins at {first}: {lost} are gone"
                )
            }
            Some(Stop::BeyondEnd) => {
                write!(formatter, "should go on from {stored} and ends at {end}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition { topic: "t", number: 0 };

    fn see(row: Option<Stored>, first: i64, end: i64) -> Seen {
        let rows = row.map(|row| (("t".to_owned(), 0), row)).into_iter().collect();
        let ids = HashMap::from([("t", Uuid::from_u128(1))]);
        Seen::all(&rows, &ids, &HashMap::from([(P, Extent { first, end })]))[0]
    }

    fn stored(offset: i64, id: u128) -> Option<Stored> {
        Some(Stored { offset, topic_id: Some(Uuid::from_u128(id)) })
    }

    #[test]
    fn lag_counts_what_is_there_and_not_processed_whoever_should_process_it() {
        let judged = |seen: Seen| (seen.lag(), seen.stop);
        assert_eq!(judged(see(stored(20, 1), 0, 25)), (5, None));
        assert_eq!(judged(see(stored(25, 1), 0, 25)), (0, None));
        assert_eq!(judged(see(None, 0, 25)), (25, None), "nobody has read it yet");
        assert_eq!(judged(see(stored(3, 1), 10, 25)), (15, Some(Stop::HeadGone)));
        assert_eq!(judged(see(stored(90, 1), 10, 25)), (0, Some(Stop::BeyondEnd)));
        assert_eq!(judged(see(stored(20, 2), 0, 25)), (25, Some(Stop::Recreated)));
    }
}
