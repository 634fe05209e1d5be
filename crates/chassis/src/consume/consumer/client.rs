//! The client that the consumer polls: how it is set up and why, how it is replaced, and how it leaves the
//! group. Separate from polling, as all of this happens before it, after it, or on other threads.

use std::sync::{Arc, Mutex};
use std::thread;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;

use super::Consuming;
use super::context::Assignments;
use super::fetched::Protocol;
use crate::consume::offsets::Advance;
use crate::consume::statistics;
use crate::ops::logs;
use crate::run::config::Config;
use crate::service::Service;

/// Bytes fetched ahead per replica, so that a large backlog cannot fill the memory.
const PREFETCH_KBYTES: &str = "8192";
/// How often the client asks for the topics' partitions. Producers use an added one at once; until then
/// nobody would read it, and the client's own interval is five minutes.
const PARTITIONS_INTERVAL_MS: &str = "3000";
/// How old the known metadata of topics may be when a group is joined. The default would follow the interval
/// above, and an outage of some seconds would let it expire.
const METADATA_AGE_MS: &str = "900000";

pub(crate) type Client = BaseConsumer<Assignments>;

/// Holds the present member of the group, which is replaced if it cannot go on.
#[derive(Default)]
pub(crate) struct Seat {
    client: Mutex<Option<Arc<Client>>>,
}

impl Seat {
    pub(super) fn client(&self) -> Option<Arc<Client>> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Client>>> {
        self.client.lock().expect("no panic under this lock")
    }

    /// Drops the member without waiting for it: what made it useless may also keep it from leaving.
    pub(super) fn retire(&self) {
        let Some(client) = self.lock().take() else { return };
        client.context().retire();
        let leaving = thread::Builder::new().name("consumer-leaving".to_owned());
        let leaving = leaving.spawn(logs::for_the_same(move || {
            client.unsubscribe();
            drop(client);
        }));
        if let Err(error) = leaving {
            tracing::warn!(error = %error, "a former member of the group was not told to leave");
        }
    }
}

/// Connects and subscribes, and takes the seat. Nothing is fetched before [`run`](super::run) polls.
pub(crate) fn subscribe<S: Service>(
    seat: &Seat,
    consuming: &Consuming<S>,
) -> Result<(), KafkaError> {
    let topics = consuming.topics();
    let client: Client = settings(&consuming.config, S::NAME, topics.len())
        .set("client.id", &consuming.client_id)
        .create_with_context(Assignments::new(topics.clone(), consuming))?;
    client.subscribe(&topics)?;
    *seat.lock() = Some(Arc::new(client));
    Ok(())
}

/// The settings of a member of a service's group that hears this many topics.
pub(crate) fn settings(config: &Config, service: &str, topics: usize) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &config.kafka_brokers)
        .set("group.id", service)
        .set("partition.assignment.strategy", Protocol::for_topics(topics).assignment_strategy())
        // Stored offsets are committed in the background: a hint, the database leads.
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        .set("enable.auto.offset.store", "false")
        // An offset outside the log is for an operator to decide, never a silent jump.
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        .set("topic.metadata.refresh.interval.ms", PARTITIONS_INTERVAL_MS)
        .set("metadata.max.age.ms", METADATA_AGE_MS)
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

/// Leaves the group, with the last hints committed. Called after the executor has finished, so that the
/// next owner starts from the final offsets.
pub(crate) fn leave(seat: &Seat) {
    let Some(client) = seat.lock().take() else { return };
    if let Err(error) = client.commit_consumer_state(CommitMode::Sync) {
        tracing::debug!(error = %error, "the last offsets were not told to Kafka; the database has them");
    }
    client.unsubscribe();
    drop(client);
}

/// Tells Kafka, for lag tools, how far the database has got.
#[derive(Clone)]
pub(crate) struct OffsetHint {
    seat: Option<Arc<Seat>>,
}

impl OffsetHint {
    pub(crate) fn of(seat: &Arc<Seat>) -> Self {
        OffsetHint { seat: Some(Arc::clone(seat)) }
    }

    /// Gives no hints, for a service that hears nothing.
    pub(crate) fn none() -> Self {
        OffsetHint { seat: None }
    }

    pub(crate) fn store(&self, advances: &[Advance]) {
        let Some(seat) = &self.seat else { return };
        // Under the lock, so that the executor is never the last to drop a member: it would have to wait
        // until the member has left.
        let client = seat.lock();
        let Some(client) = &*client else { return };
        for Advance { partition, to, .. } in advances {
            // Fails for a partition that was just revoked, where the next owner gives the hint.
            let _revoked = client.store_offset(partition.topic, partition.number, to - 1);
        }
    }
}
