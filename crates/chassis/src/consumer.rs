//! The consumer: a thread that polls, decodes and hands over. It starts each partition at the
//! database's offset, pauses when the queue is full, and never skips an offset silently.

mod context;
mod passed;
mod topic_id;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle as Runtime;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::executor::Chain;
use crate::health::Health;
use crate::offsets::{Advance, Partition, Positions};
use crate::outbox::pack_one;
use crate::queue::{Item, Origin, Work};
use crate::registry::Registry;
use crate::service::Service;
use crate::statistics;
use crate::subscription::{Heard, Raw, Subscription};
use crate::telemetry::Telemetry;
use crate::trace::TraceContext;
use context::Assignments;
use passed::{Passed, Place};

/// How long one poll waits; also how quickly the thread notices that it should stop.
const POLL: Duration = Duration::from_millis(100);
/// How long the thread waits for room in the queue before it pauses its partitions and goes on polling,
/// without which the group would take it for dead.
const ROOM_PATIENCE: Duration = Duration::from_secs(2);
/// The pause between questions to a registry that does not answer.
const REGISTRY_PAUSE: Duration = Duration::from_millis(500);
/// How often ids that the registry did not know are asked again.
const FORGET_MISSING_EVERY: Duration = Duration::from_secs(60);
/// Bytes fetched ahead per replica, so that a large backlog cannot fill the memory.
const PREFETCH_KBYTES: &str = "8192";

pub(crate) type Client = BaseConsumer<Assignments>;

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

/// What the consumer is made of.
pub(crate) struct Consuming<S: Service> {
    pub(crate) subscriptions: Vec<Box<dyn Subscription<S>>>,
    pub(crate) events: mpsc::Sender<Item<S>>,
    pub(crate) positions: Arc<Positions>,
    pub(crate) registry: Registry,
    pub(crate) health: Arc<Health>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) runtime: Runtime,
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

/// Connects and subscribes. Nothing is fetched before [`run`] polls.
pub(crate) fn subscribe<S: Service>(
    config: &Config,
    consuming: &Consuming<S>,
) -> Result<(Arc<Client>, OffsetHint), KafkaError> {
    let topics: Vec<&'static str> = consuming.subscriptions.iter().map(|s| s.topic()).collect();
    let client: Client = ClientConfig::new()
        .set("bootstrap.servers", &config.kafka_brokers)
        .set("group.id", S::NAME)
        .set("client.id", S::NAME)
        .set("partition.assignment.strategy", assignment_strategy(topics.len()))
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
        .set("statistics.interval.ms", statistics::INTERVAL_MS)
        .create_with_context(Assignments {
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

/// Polls until told to stop. Runs on a thread of its own: librdkafka calls back on the polling thread,
/// and the call-backs wait for the database.
pub(crate) fn run<S: Service>(client: &Client, consuming: &Consuming<S>) {
    let mut stopped = 0;
    let mut last_forget = Instant::now();
    let mut passed = Passed::default();
    while !consuming.stop.load(Relaxed) {
        match client.poll(POLL) {
            None => consuming.hand_over_passed(client, &mut passed),
            Some(Ok(message)) => consuming.hand_over(client, &message, &mut passed),
            Some(Err(error)) => consuming.report(&error, &mut stopped),
        }
        if passed.is_due() {
            consuming.hand_over_passed(client, &mut passed);
        }
        for partition in consuming.positions.due_rewinds() {
            consuming.rewind(client, partition);
        }
        if last_forget.elapsed() >= FORGET_MISSING_EVERY {
            last_forget = Instant::now();
            consuming.subscriptions.iter().for_each(|s| s.forget_missing());
        }
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

impl<S: Service> Consuming<S> {
    fn hand_over(&self, client: &Client, message: &BorrowedMessage<'_>, passed: &mut Passed) {
        let Some(subscription) = self.subscriptions.iter().find(|s| s.topic() == message.topic())
        else {
            return;
        };
        let partition = Partition { topic: subscription.topic(), number: message.partition() };
        // Revoked or held meanwhile: whoever has it next starts from the database's offset.
        let Some(generation) = self.positions.generation(partition) else { return };
        let raw = Raw::of(message);
        let Some(heard) = self.read(client, &**subscription, &raw) else { return };
        let place = Place { partition, generation, offset: message.offset() };
        // Nearly all are dropped unread; those that are set aside must be as they were.
        let original = || pack_one(message.key(), raw.headers(), raw.value);
        let item = match heard {
            Heard::Ignored => return passed.note(place),
            Heard::Unknown => {
                self.telemetry.metrics.unknown_records.add(1, &[]);
                return passed.note(place);
            }
            Heard::Poison(reason) => place.item(Work::Poison(reason), original()),
            Heard::Input { input, cause, inbox_id, never_dead_lettered } => {
                let mut item = place.item(Work::Input(input), original());
                if let Origin::Event(delivery) = &mut item.origin {
                    delivery.inbox_id = inbox_id;
                    delivery.never_dead_lettered = never_dead_lettered;
                }
                item.cause = Some(cause);
                item.trace = raw.header("traceparent").and_then(TraceContext::parse);
                item
            }
            Heard::NeedsSchema(_) => unreachable!("read asks the registry until it knows"),
        };
        // Its offset is beyond those that were passed.
        passed.forget(partition);
        self.enqueue(client, item);
    }

    /// Hands over how far ignored records reach.
    fn hand_over_passed(&self, client: &Client, passed: &mut Passed) {
        for place in passed.take() {
            self.enqueue(client, place.item(Work::Ignored, Vec::new()));
        }
    }

    /// Reads a record, asking the registry for schemas it does not know. While the registry is away the
    /// partitions wait; it is not the record's fault.
    fn read(
        &self,
        client: &Client,
        subscription: &dyn Subscription<S>,
        raw: &Raw<'_>,
    ) -> Option<Heard<S::Input>> {
        let mut waiting = None;
        loop {
            let id = match subscription.read(raw) {
                Heard::NeedsSchema(id) => id,
                heard => {
                    if waiting.is_some() {
                        self.health.has("registry");
                    }
                    return Some(heard);
                }
            };
            match self.runtime.block_on(self.registry.schema(id)) {
                Ok(schema) => subscription.learn(id, schema.as_deref()),
                Err(error) => {
                    let reason = format!("schema {id} is needed: {}", Chain(&error));
                    self.health.waits_for("registry", reason);
                    waiting.get_or_insert_with(|| Paused::new(client));
                    if !self.idle(client, REGISTRY_PAUSE) {
                        return None;
                    }
                }
            }
        }
    }

    /// Waits for room, first by blocking and then, so that the group does not take this replica for
    /// dead, with its partitions paused.
    fn enqueue(&self, client: &Client, item: Item<S>) {
        let Err(mpsc::error::TrySendError::Full(item)) = self.events.try_send(item) else { return };
        let mut paused = None;
        loop {
            // Built inside the runtime, whose timer it needs.
            let room = async { tokio::time::timeout(ROOM_PATIENCE, self.events.reserve()).await };
            match self.runtime.block_on(room) {
                Ok(Ok(place)) => return place.send(item),
                Ok(Err(_closed)) => return,
                Err(_elapsed) => {
                    paused.get_or_insert_with(|| Paused::new(client));
                    if !self.idle(client, Duration::ZERO) {
                        return;
                    }
                }
            }
        }
    }

    /// Keeps the membership alive without taking messages. Answers whether to go on.
    fn idle(&self, client: &Client, time: Duration) -> bool {
        if let Some(Ok(message)) = client.poll(time) {
            // Fetched before the pause took hold: to be fetched again from the database's offset.
            let topic =
                self.subscriptions.iter().map(|s| s.topic()).find(|t| *t == message.topic());
            if let Some(topic) = topic {
                let partition = Partition { topic, number: message.partition() };
                self.positions.hold(partition, Duration::ZERO);
            }
        }
        !self.stop.load(Relaxed)
    }

    fn rewind(&self, client: &Client, partition: Partition) {
        let Some(stored) = client.context().load(&[partition]) else {
            return self.positions.hold(partition, REGISTRY_PAUSE);
        };
        for (partition, offset) in stored {
            let start = match offset {
                0 => Offset::Beginning,
                offset => Offset::Offset(offset),
            };
            self.positions.assign(partition, offset);
            if let Err(error) = client.seek(partition.topic, partition.number, start, POLL * 20) {
                tracing::warn!(error = %error, topic = partition.topic, partition = partition.number,
                    "cannot seek; trying again");
                self.positions.hold(partition, REGISTRY_PAUSE);
            }
        }
    }

    fn report(&self, error: &KafkaError, stopped: &mut u64) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                let text = format!(
                    "{error}: an offset of the database is outside the log (records expired, or the \
                     topic was deleted and created again). The partition is stopped. Compare table \
                     flotilla.offsets with the topic, repair one of them, restart"
                );
                tracing::error!("{text}");
                *stopped += 1;
                self.telemetry.metrics.stopped_partitions.record(*stopped, &[]);
                self.health.waits_for("offsets", text);
            }
            Some(
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition,
            ) => {
                tracing::error!(error = %error, "a topic does not exist: run `flotilla topics apply`")
            }
            _ => tracing::warn!(error = %error, "consumer"),
        }
    }
}

/// Partitions paused for as long as this lives.
struct Paused<'a> {
    client: &'a Client,
    partitions: TopicPartitionList,
}

impl<'a> Paused<'a> {
    fn new(client: &'a Client) -> Self {
        let partitions = client.assignment().unwrap_or_default();
        if let Err(error) = client.pause(&partitions) {
            tracing::warn!(error = %error, "cannot pause");
        }
        Paused { client, partitions }
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.client.resume(&self.partitions) {
            tracing::warn!(error = %error, "cannot resume");
        }
    }
}
