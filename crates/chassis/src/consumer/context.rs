//! What happens when partitions come and go, on the polling thread: a partition starts at the
//! database's offset, whatever Kafka remembers.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry::KeyValue;
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use sqlx::Connection;
use tokio::runtime::Handle as Runtime;

use super::topic_id::topic_id;
use crate::config::Secret;
use crate::database;
use crate::health::Health;
use crate::offsets::{self, Partition, Positions};
use crate::statistics::{RequestCounter, Statistics};
use crate::telemetry::Telemetry;

/// The pause between attempts to read offsets from a database that is away.
const DATABASE_PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Assignments {
    pub(super) topics: Vec<&'static str>,
    pub(super) positions: Arc<Positions>,
    pub(super) database_url: Secret,
    pub(super) brokers: String,
    pub(super) runtime: Runtime,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) health: Arc<Health>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) requests: RequestCounter,
}

impl Assignments {
    /// The database's offsets, or `None` when it is away and the service is told to stop.
    pub(super) fn load(&self, partitions: &[Partition]) -> Option<Vec<(Partition, i64)>> {
        loop {
            let loaded = self.runtime.block_on(async {
                let mut db = database::writer(&self.database_url.0, "offsets").await?;
                let loaded = offsets::load(&mut db, partitions).await?;
                db.close().await?;
                Ok::<_, sqlx::Error>(loaded)
            });
            match loaded {
                Ok(loaded) => {
                    self.health.has("assignment");
                    return Some(loaded);
                }
                Err(error) => {
                    let reason = format!("offsets cannot be read from the database: {error}");
                    self.health.waits_for("assignment", reason);
                    if self.stop.load(Relaxed) {
                        return None;
                    }
                    std::thread::sleep(DATABASE_PAUSE);
                }
            }
        }
    }

    /// The topics among these partitions that are not those whose offsets the database holds.
    fn recreated(&self, partitions: &[Partition]) -> HashSet<&'static str> {
        let topics: HashSet<&'static str> = partitions.iter().map(|p| p.topic).collect();
        let changed = topics.into_iter().filter(|topic| {
            let checked = self.runtime.block_on(async {
                let id = topic_id(&self.brokers, topic).await?;
                let mut db = database::writer(&self.database_url.0, "offsets").await?;
                let same = offsets::is_same_topic(&mut db, topic, id).await?;
                db.close().await?;
                Ok::<_, anyhow::Error>(same)
            });
            match checked {
                Ok(same) => !same,
                Err(error) => {
                    // Old brokers give no ids; an offset outside the log is still noticed.
                    tracing::warn!(topic, error = %error, "not known to be the topic it was");
                    false
                }
            }
        });
        changed.collect()
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        let known = |topic: &str| self.topics.iter().copied().find(|known| *known == topic);
        let elements = list.elements();
        let partitions = elements.iter().filter_map(|element| {
            Some(Partition { topic: known(element.topic())?, number: element.partition() })
        });
        partitions.collect()
    }

    fn assign(&self, list: &TopicPartitionList) {
        let partitions = self.partitions(list);
        if partitions.is_empty() {
            return;
        }
        let Some(stored) = self.load(&partitions) else { return };
        let recreated = self.recreated(&partitions);
        for topic in &recreated {
            let text = format!(
                "topic {topic} was deleted and created again: the offsets of the database are of \
                 the former one. Its partitions are stopped. Delete its rows from flotilla.offsets \
                 to process the new topic from its beginning, restart"
            );
            self.health.waits_for("offsets", text);
        }
        for mut element in list.elements() {
            let found = stored.iter().find(|(partition, _)| {
                partition.topic == element.topic() && partition.number == element.partition()
            });
            let Some((partition, offset)) = found else { continue };
            let stopped = recreated.contains(partition.topic);
            let start = match offset {
                // Not noted as held, so that whatever arrives is dropped.
                _ if stopped => Offset::End,
                0 => Offset::Beginning,
                offset => Offset::Offset(*offset),
            };
            if let Err(error) = element.set_offset(start) {
                tracing::error!(error = %error, "an assigned partition cannot be positioned");
                continue;
            }
            if !stopped {
                self.positions.assign(*partition, *offset);
            }
        }
        tracing::info!(partitions = partitions.len(), "partitions assigned");
    }
}

impl ClientContext for Assignments {
    fn error(&self, error: KafkaError, reason: &str) {
        // The only place where failing connections, names and credentials show.
        tracing::warn!(error = %error, "consumer: {reason}");
    }

    fn stats_raw(&self, text: &[u8]) {
        let Some(statistics) = Statistics::parse(text) else { return };
        self.requests.count(&statistics);
        // Every topic, also one that this replica holds no more of: its share of the lag is gone.
        for topic in &self.topics {
            let lag = statistics.lag(topic, &self.positions);
            self.telemetry.metrics.consumer_lag.record(lag, &[KeyValue::new("topic", *topic)]);
        }
    }
}

impl ConsumerContext for Assignments {
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.assign(list),
            Rebalance::Revoke(list) => {
                for partition in self.partitions(list) {
                    self.positions.revoke(partition);
                }
            }
            Rebalance::Error(error) => tracing::warn!(error = %error, "rebalance"),
        }
        let held = self.positions.held().len() as u64;
        self.telemetry.metrics.partitions.record(held, &[]);
    }
}
