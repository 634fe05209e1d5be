//! The client that the consumer polls: how it is set up and why, and how it leaves the group. Apart from
//! polling, as all of this happens before it, after it, or on other threads.

use std::sync::Arc;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;

use super::Consuming;
use super::context::Assignments;
use crate::config::Config;
use crate::offsets::Advance;
use crate::service::Service;
use crate::statistics;

/// Bytes fetched ahead per replica, so that a large backlog cannot fill the memory.
const PREFETCH_KBYTES: &str = "8192";

pub(crate) type Client = BaseConsumer<Assignments>;

/// Connects and subscribes. Nothing is fetched before [`run`](super::run) polls.
pub(crate) fn subscribe<S: Service>(
    config: &Config,
    consuming: &Consuming<S>,
) -> Result<(Arc<Client>, OffsetHint), KafkaError> {
    let topics: Vec<&'static str> = consuming.subscriptions.iter().map(|s| s.topic()).collect();
    let client: Client =
        settings(config, S::NAME, topics.len()).create_with_context(Assignments {
            topics: topics.clone(),
            positions: Arc::clone(&consuming.positions),
            database_url: config.database_url.clone(),
            brokers: config.kafka_brokers.clone(),
            runtime: consuming.runtime.clone(),
            stop: Arc::clone(&consuming.stop),
            health: Arc::clone(&consuming.health),
            telemetry: Arc::clone(&consuming.telemetry),
            requests: statistics::RequestCounter::new(Arc::clone(&consuming.telemetry)),
        })?;
    client.subscribe(&topics)?;
    let client = Arc::new(client);
    let hint = OffsetHint { client: Some(Arc::clone(&client)) };
    Ok((client, hint))
}

/// The settings of a member of a service's group that hears so many topics.
pub(super) fn settings(config: &Config, service: &str, topics: usize) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &config.kafka_brokers)
        .set("group.id", service)
        .set("client.id", service)
        .set("partition.assignment.strategy", assignment_strategy(topics))
        // Stored offsets are committed in the background: a hint, the database leads.
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        .set("enable.auto.offset.store", "false")
        // An offset outside the log is an operator's matter, never a silent jump.
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        .set("check.crcs", "true")
        // Brokers that were away for minutes are noticed soon after they are back; the default waits 10 s.
        .set("reconnect.backoff.max.ms", "1000")
        .set("session.timeout.ms", config.session.as_millis().to_string())
        .set("heartbeat.interval.ms", "2000")
        .set("max.poll.interval.ms", "60000")
        .set("queued.max.messages.kbytes", PREFETCH_KBYTES)
        .set("fetch.message.max.bytes", "1048576")
        .set("fetch.wait.max.ms", "500")
        .set("socket.nagle.disable", "true")
        .set("statistics.interval.ms", statistics::INTERVAL_MS);
    settings
}

/// Which replica gets which partition. Topics that are joined have the same keys in partitions of the same
/// number, and `range` gives these to the same replica: spread over two, the answers to one order would
/// change its row from both, and many a batch would lose the race and run again. Where nothing is joined,
/// a rebalance need not stop what stays where it is.
fn assignment_strategy(topics: usize) -> &'static str {
    match topics {
        ..=1 => "cooperative-sticky",
        _joined => "range",
    }
}

/// Leaves the group, with the last hints committed. Called after the executor has finished, so that the
/// next owner starts from the final offsets.
pub(crate) fn leave(client: Arc<Client>) {
    if let Err(error) = client.commit_consumer_state(CommitMode::Sync) {
        tracing::debug!(error = %error, "the last offsets were not told to Kafka; the database has them");
    }
    client.unsubscribe();
    drop(client);
}

/// Tells Kafka, for lag tools, how far the database is.
#[derive(Clone)]
pub(crate) struct OffsetHint {
    client: Option<Arc<Client>>,
}

impl OffsetHint {
    /// A hint that goes nowhere, for a service that hears nothing.
    pub(crate) fn none() -> Self {
        OffsetHint { client: None }
    }

    pub(crate) fn store(&self, advances: &[Advance]) {
        let Some(client) = &self.client else { return };
        for Advance { partition, to, .. } in advances {
            // Fails for a partition that was just revoked, where the hint is the next owner's.
            let _revoked = client.store_offset(partition.topic, partition.number, to - 1);
        }
    }
}
