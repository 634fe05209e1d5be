//! The consumer: a thread that polls, decodes and hands over. It starts each partition at the
//! database's offset, pauses when the queue is full, and never skips an offset silently.

mod client;
mod context;
mod passed;
mod topic_id;
#[cfg(feature = "measuring")]
pub(crate) mod reader;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle as Runtime;
use tokio::sync::mpsc;

use crate::executor::Chain;
use crate::health::Health;
use crate::offsets::{Partition, Positions};
use crate::outbox::pack_one;
use crate::queue::{Item, Origin, Work};
use crate::registry::Registry;
use crate::service::Service;
use crate::subscription::{Heard, Raw, Subscription};
use crate::telemetry::Telemetry;
use crate::trace::TraceContext;
pub(crate) use client::{Client, OffsetHint, leave, subscribe};
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
            Heard::Poison { reason, never_dead_lettered } => {
                let mut item = place.item(Work::Poison(reason), original());
                if let Origin::Event(delivery) = &mut item.origin {
                    delivery.never_dead_lettered = never_dead_lettered;
                }
                item
            }
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
