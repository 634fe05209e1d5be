//! Up to when a service has heard everything that was said to it. Timers go by that moment and not by the
//! present one: after an outage longer than a deadline, all that is under way would be overdue at once,
//! while the answers that it waits for stand on the topics unread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use sqlx::PgConnection;

use crate::clock::Clock;

/// How long Kafka may take to tell where partitions end. The sweep waits for it.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Partitions that nobody reads on for so long do not stop the timers of all the others: one is held for
/// an event that cannot be skipped, or ends with records that no reader is shown. A rebalance is shorter.
const STANDSTILL: Duration = Duration::from_secs(120);

/// A topic's partition and an offset in each.
type Ends = HashMap<(String, i32), i64>;

/// Compares, sweep by sweep, where the topics ended with what all replicas have processed since.
pub(crate) struct Heard {
    brokers: String,
    topics: Vec<&'static str>,
    client: Option<Arc<BaseConsumer>>,
    /// The database's time up to which everything was heard, once that is known.
    until: Option<i64>,
    asked: Option<Asked>,
}

/// An answer of Kafka's, until the database has caught up with it.
struct Asked {
    /// The database's time before it was asked.
    at: i64,
    ends: Ends,
    /// What of it was still to be processed at the last look, and since when it is the same.
    open: Ends,
    since: Instant,
}

impl Heard {
    pub(crate) fn new(brokers: &str, topics: Vec<&'static str>) -> Self {
        Heard { brokers: brokers.to_owned(), topics, client: None, until: None, asked: None }
    }

    /// The database's time up to which every event on the topics has been processed, by whichever
    /// replica. `None` until that is known for the first time. While Kafka is away it stands still.
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
            match self.ends().await {
                Ok(ends) => {
                    let open = Ends::new();
                    self.asked = Some(Asked { at: now, ends, open, since: Instant::now() });
                    self.look(db).await?;
                }
                Err(error) => {
                    tracing::debug!(%error, "Kafka does not tell where the topics end");
                    // A client that was told of a cluster without brokers never asks again.
                    self.client = None;
                }
            }
        }
        Ok(self.until)
    }

    /// Looks whether the database has caught up with what Kafka said.
    async fn look(&mut self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Some(asked) = &mut self.asked else { return Ok(()) };
        let open = unprocessed(&asked.ends, &stored(db, &self.topics).await?);
        if open != asked.open {
            (asked.open, asked.since) = (open, Instant::now());
        }
        let stands_still = asked.since.elapsed() > STANDSTILL;
        if !asked.open.is_empty() && stands_still {
            tracing::warn!(
                partitions = ?asked.open.keys().collect::<Vec<_>>(),
                "deadlines go on without these partitions, which nobody reads on"
            );
        }
        if asked.open.is_empty() || stands_still {
            self.until = Some(asked.at);
            self.asked = None;
        }
        Ok(())
    }

    /// Where every partition of the topics ends now: one question to each broker.
    async fn ends(&mut self) -> Result<Ends, KafkaError> {
        let client = match &self.client {
            Some(client) => Arc::clone(client),
            None => {
                let client = Arc::new(client(&self.brokers)?);
                Arc::clone(self.client.insert(client))
            }
        };
        let topics = self.topics.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&client, &topics));
        let answer = asked.await.unwrap_or(Err(KafkaError::Canceled));
        if answer.is_err() {
            // It may have lost all brokers, and would never find them again.
            self.client = None;
        }
        answer
    }
}

/// A client that joins no group and fetches no record.
fn client(brokers: &str) -> Result<BaseConsumer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("allow.auto.create.topics", "false")
        .set("reconnect.backoff.max.ms", "1000")
        .create()
}

fn ask(client: &BaseConsumer, topics: &[&str]) -> Result<Ends, KafkaError> {
    let mut partitions = TopicPartitionList::new();
    for topic in topics {
        for known in client.fetch_metadata(Some(topic), ANSWER_WITHIN)?.topics() {
            for partition in known.partitions() {
                // In the place of a time, this asks for the end.
                partitions.add_partition_offset(topic, partition.id(), Offset::End)?;
            }
        }
    }
    let answers = client.offsets_for_times(partitions, ANSWER_WITHIN)?;
    let end = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        element.error()?;
        let Offset::Offset(end) = element.offset() else { return Err(KafkaError::Canceled) };
        Ok(((element.topic().to_owned(), element.partition()), end))
    };
    answers.elements().iter().map(end).collect()
}

/// The database's offsets: of all partitions, whichever replica reads them.
async fn stored(db: &mut PgConnection, topics: &[&str]) -> Result<Ends, sqlx::Error> {
    let rows: Vec<(String, i32, i64)> = sqlx::query_as(
        "select topic, partition, next_offset from flotilla.offsets where topic = any($1)",
    )
    .bind(topics)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(topic, partition, next)| ((topic, partition), next)).collect())
}

/// The partitions that were not read to these ends, with how far they were. Without an offset nothing
/// was read.
fn unprocessed(ends: &Ends, stored: &Ends) -> Ends {
    let next = |partition| stored.get(partition).copied().unwrap_or(0);
    ends.iter()
        .filter(|(partition, end)| next(partition) < **end)
        .map(|(partition, _)| (partition.clone(), next(partition)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offsets: &[(i32, i64)]) -> Ends {
        offsets.iter().map(|(number, offset)| (("t".to_owned(), *number), *offset)).collect()
    }

    #[test]
    fn what_is_not_read_to_its_end_is_open_also_where_nobody_ever_read() {
        let ends = at(&[(0, 5), (1, 5), (2, 5), (3, 0)]);
        assert_eq!(unprocessed(&ends, &at(&[(0, 5), (1, 4)])), at(&[(1, 4), (2, 0)]));
        assert_eq!(unprocessed(&ends, &at(&[(0, 9), (1, 5), (2, 5)])), at(&[]));
    }
}
