//! Up to when a service has heard everything that was said to it. Timers are measured against that moment and not
//! the present: after an outage longer than a deadline, everything under way would be overdue at once,
//! while the answers that it waits for are still unread on the topics.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgConnection;

use crate::consume::brokers::Brokers;
use crate::consume::offsets::{self, Partition};
use crate::executor::clock::Clock;

/// Partitions that have not moved for this long do not stop the timers of all the others: one is held for
/// an event that cannot be skipped, has lost its leader, or ends with records that no reader is shown. A
/// rebalance is shorter.
const STANDSTILL: Duration = Duration::from_secs(120);

/// If nobody has asked for the ends for this long, it is not known what happened to those that were hidden before.
/// A sweep asks about every second.
const UNSEEN_MAX: Duration = Duration::from_secs(30);

/// An offset of each partition.
type Ends = HashMap<Partition, i64>;

/// Compares, sweep by sweep, where the topics ended with what all replicas have processed since.
pub(crate) struct Heard {
    brokers: Arc<Brokers>,
    topics: Vec<&'static str>,
    /// The database's time up to which everything was heard, once that is known.
    until: Option<i64>,
    asked: Option<Asked>,
    /// Partitions whose end nobody reports, and since when it has continuously been looked for.
    hidden: HashMap<Partition, Instant>,
    hidden_at: Instant,
    /// Partitions that are not waited for, and where they stood; until they move.
    given_up: Ends,
}

/// An answer from Kafka, until the database has caught up with it.
struct Asked {
    /// The database's time before it was asked.
    at: i64,
    ends: Ends,
    /// What was still to be processed at the last look, and since when that is unchanged.
    open: Ends,
    since: Instant,
}

impl Heard {
    pub(crate) fn new(brokers: &str, topics: Vec<&'static str>) -> Self {
        Heard {
            brokers: Arc::new(Brokers::new(brokers)),
            topics,
            until: None,
            asked: None,
            hidden: HashMap::new(),
            hidden_at: Instant::now(),
            given_up: Ends::new(),
        }
    }

    /// The database's time up to which every event on the topics has been processed, by any replica.
    /// `None` until that is known for the first time. While Kafka is away it stands still.
    pub(crate) async fn until(
        &mut self,
        clock: &Clock,
        db: &mut PgConnection,
    ) -> Result<Option<i64>, sqlx::Error> {
        let now = clock.read(db).await?;
        if self.topics.is_empty() {
            return Ok(Some(now));
        }
        self.look(db).await?;
        if self.asked.is_none() {
            match Brokers::ends(&self.brokers, self.topics.clone()).await {
                Ok(ends) => {
                    if let Some(ends) = self.known(ends, Instant::now()) {
                        let (open, since) = (Ends::new(), Instant::now());
                        self.asked = Some(Asked { at: now, ends, open, since });
                        self.look(db).await?;
                    }
                }
                Err(error) => {
                    self.hidden.clear();
                    tracing::debug!("where the topics end is not known: {error:#}");
                }
            }
        }
        Ok(self.until)
    }

    /// The ends that are known. `None` while one is missing that has not been looked for long enough: electing a
    /// leader takes seconds, and the partition may hold an answer that somebody waits for. Also where none is
    /// known, or a topic has no partitions: that is Kafka being away.
    fn known(&mut self, ends: HashMap<Partition, Option<i64>>, now: Instant) -> Option<Ends> {
        if now.duration_since(self.hidden_at) > UNSEEN_MAX {
            self.hidden.clear();
        }
        self.hidden_at = now;
        self.hidden.retain(|partition, _| ends.get(partition) == Some(&None));
        let is_there = |topic: &&str| ends.keys().any(|partition| partition.topic == *topic);
        if !self.topics.iter().all(is_there) {
            return None;
        }
        let mut is_waited_for = false;
        let mut known = Ends::new();
        for (partition, end) in ends {
            match end {
                Some(end) => _ = known.insert(partition, end),
                None => {
                    let since = *self.hidden.entry(partition).or_insert(now);
                    is_waited_for |= now.duration_since(since) <= STANDSTILL;
                }
            }
        }
        (!is_waited_for && !known.is_empty()).then_some(known)
    }

    /// Checks whether the database has caught up with what Kafka said.
    async fn look(&mut self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Some(asked) = &mut self.asked else { return Ok(()) };
        let stored = stored(db, &asked.ends).await?;
        let ends = &asked.ends;
        self.given_up.retain(|partition, stood| {
            !ends.contains_key(partition) || next(&stored, partition) == *stood
        });
        let mut open = unprocessed(&asked.ends, &stored);
        open.retain(|partition, _| !self.given_up.contains_key(partition));
        if open != asked.open {
            (asked.open, asked.since) = (open, Instant::now());
        }
        let stands_still = asked.since.elapsed() > STANDSTILL;
        if !asked.open.is_empty() && stands_still {
            tracing::warn!(
                partitions = ?asked.open.keys().collect::<Vec<_>>(),
                "deadlines go on without these partitions, which nobody reads on"
            );
            self.given_up.extend(asked.open.drain());
        }
        if asked.open.is_empty() {
            self.until = Some(asked.at);
            self.asked = None;
        }
        Ok(())
    }
}

/// The database's offsets of these partitions, no matter which replica reads them.
async fn stored(db: &mut PgConnection, ends: &Ends) -> Result<Ends, sqlx::Error> {
    let partitions: Vec<Partition> = ends.keys().copied().collect();
    offsets::read(db, &partitions).await
}

/// The partitions that were not read to these ends, with how far they were. Without an offset, nothing
/// was read.
fn unprocessed(ends: &Ends, stored: &Ends) -> Ends {
    ends.iter()
        .filter(|(partition, end)| next(stored, partition) < **end)
        .map(|(partition, _)| (*partition, next(stored, partition)))
        .collect()
}

fn next(stored: &Ends, partition: &Partition) -> i64 {
    stored.get(partition).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offsets: &[(i32, i64)]) -> Ends {
        let partition = |number| Partition { topic: "t", number };
        offsets.iter().map(|(number, offset)| (partition(*number), *offset)).collect()
    }

    #[test]
    fn an_end_that_nobody_tells_is_waited_for_as_long_as_an_election_may_take_and_then_no_more() {
        let mut heard = Heard::new("nowhere", vec!["t"]);
        let (start, all) = (Instant::now(), at(&[(0, 5), (1, 5)]));
        let told = |end: Option<i64>| {
            let partition = |number| Partition { topic: "t", number };
            HashMap::from([(partition(0), Some(5)), (partition(1), end)])
        };
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(heard.known(told(None), start), None);
        assert_eq!(heard.known(told(Some(5)), later(1)), Some(all.clone()), "a leader was elected");
        let mut lost = |seconds| heard.known(told(None), later(seconds));
        assert!((200..=320).step_by(20).all(|seconds| lost(seconds).is_none()), "counted anew");
        assert_eq!(lost(321), Some(at(&[(0, 5)])), "the others go on");
        assert_eq!(lost(900), None, "in between nobody looked");
        assert_eq!(heard.known(told(Some(5)), later(901)), Some(all));
    }

    #[test]
    fn nothing_is_taken_for_heard_where_no_end_is_known_or_a_topic_is_not_there() {
        let now = Instant::now();
        let mut heard = Heard::new("nowhere", vec!["t", "u"]);
        let ends = |topics: &[&'static str]| {
            let of = |topic: &&'static str| (Partition { topic, number: 0 }, Some(5));
            topics.iter().map(of).collect::<HashMap<_, _>>()
        };
        assert_eq!(heard.known(ends(&["t"]), now), None);
        assert_eq!(heard.known(HashMap::new(), now), None);
        assert!(heard.known(ends(&["t", "u"]), now).is_some());
    }

    #[test]
    fn what_is_not_read_to_its_end_is_open_also_where_nobody_ever_read() {
        let ends = at(&[(0, 5), (1, 5), (2, 5), (3, 0)]);
        assert_eq!(unprocessed(&ends, &at(&[(0, 5), (1, 4)])), at(&[(1, 4), (2, 0)]));
        assert_eq!(unprocessed(&ends, &at(&[(0, 9), (1, 5), (2, 5)])), at(&[]));
    }
}
