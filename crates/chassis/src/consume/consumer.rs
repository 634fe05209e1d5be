//! The consumer: a thread that polls, decodes and hands over. It starts each partition at the
//! database's offset, pauses when the queue is full, and never skips an offset silently. Anything that may
//! take time is asked in the background while the partitions concerned wait: a thread that does not poll
//! loses its partitions, and while it responds to the group all others may wait.

pub(crate) mod client;
mod context;
mod fetched;
pub(crate) mod flow;
mod hindrance;
mod passed;
mod placing;
mod probe;
pub(crate) mod repair;
mod room;
mod schemas;
mod sight;
mod standstill;
mod stop;
mod topic_id;
mod watch;
mod watchdog;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle as Runtime;
use tokio_util::sync::CancellationToken;

use crate::consume::brokers::Brokers;
use crate::consume::offsets::{Partition, Positions};
use crate::consume::subscription::{Heard, Raw, Subscription};
use crate::executor::queue::{EventSender, Origin, Work};
use crate::ops::health::Health;
use crate::ops::telemetry::Telemetry;
use crate::publish::outbox::pack_one;
use crate::run::config::Config;
use crate::service::Service;
use crate::wire::registry::Registry;
use client::Client;
pub(crate) use client::{OffsetHint, Seat, leave, subscribe};
use fetched::Protocol;
pub(crate) use flow::Flow;
pub(crate) use hindrance::Complaint;
use passed::{Fetched, Passed};
use placing::Placing;
use schemas::Schemas;
pub(crate) use sight::Sight;
pub(crate) use watch::Watch;

/// How long one poll waits; also how quickly the thread notices that it should stop.
pub(crate) const POLL: Duration = Duration::from_millis(100);
/// The same while an answer to where a partition begins is expected.
const POLL_BRIEFLY: Duration = Duration::from_millis(10);
/// How often ids that the registry did not know are asked for again.
const FORGET_MISSING_EVERY: Duration = Duration::from_secs(60);
/// How long the client may take to go to an offset. It informs its own threads, and no broker.
const SEEK_MAX: Duration = Duration::from_secs(2);
/// The pause before the client is told again to go to an offset, or partitions are looked up again whose
/// offset a broker refused.
const SEEK_PAUSE: Duration = Duration::from_millis(500);
/// The least time that a member that replaces another stays.
const STAY_MIN: Duration = Duration::from_secs(5);

/// The consumer and what it works with.
pub(crate) struct Consuming<S: Service> {
    pub(crate) config: Config,
    /// How the brokers distinguish this replica's member of the group from others.
    pub(crate) client_id: String,
    pub(crate) subscriptions: Vec<Box<dyn Subscription<S>>>,
    pub(crate) events: EventSender<S>,
    pub(crate) positions: Arc<Positions>,
    pub(crate) health: Arc<Health>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) stop: CancellationToken,
    /// Set where the member of the group is to be replaced by a new one.
    pub(crate) rejoin: Arc<AtomicBool>,
    pub(crate) complaint: Arc<Complaint>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) runtime: Runtime,
}

impl<S: Service> Consuming<S> {
    fn topics(&self) -> Vec<&'static str> {
        self.subscriptions.iter().map(|subscription| subscription.topic()).collect()
    }
}

/// Polls until told to stop, with a new member of the group whenever one cannot go on. Runs on
/// a thread of its own, as librdkafka's polls block.
pub(crate) fn run<S: Service>(seat: &Seat, consuming: &Consuming<S>) {
    let placing = Arc::new(Placing {
        database_url: consuming.config.database_url.clone(),
        bootstrap: consuming.config.kafka_brokers.clone(),
        brokers: Arc::new(Brokers::new(&consuming.config.kafka_brokers)),
        positions: Arc::clone(&consuming.positions),
        health: Arc::clone(&consuming.health),
        turn: tokio::sync::Mutex::default(),
    });
    let mut seated = Instant::now();
    while !consuming.stop.is_cancelled() {
        let Some(client) = seat.client() else {
            if let Err(error) = subscribe(seat, consuming) {
                tracing::warn!(error = %error, "the group cannot be joined; trying again");
                std::thread::sleep(SEEK_PAUSE);
            }
            seated = Instant::now();
            continue;
        };
        let registry = Registry::new(&consuming.config.registry_url);
        let schemas = Schemas::new(registry, Arc::clone(&consuming.health));
        let placing = Arc::clone(&placing);
        let passed = Passed::default();
        Polling { consuming, client, placing, passed, schemas }.run(seated);
        if consuming.rejoin.swap(false, Relaxed) {
            tracing::warn!("a new member of the group replaces the former one");
            seat.retire();
            consuming.positions.revoke_all();
            consuming.telemetry.metrics.partitions.record(0, &[]);
        }
    }
}

/// The polling of one member of the group.
struct Polling<'a, S: Service> {
    consuming: &'a Consuming<S>,
    client: Arc<Client>,
    placing: Arc<Placing>,
    passed: Passed,
    schemas: Schemas,
}

impl<S: Service> Polling<'_, S> {
    /// Polls until told to stop, or to make room for another member.
    fn run(mut self, seated: Instant) {
        let mut last_forget = Instant::now();
        let is_replaced = || self.consuming.rejoin.load(Relaxed) && seated.elapsed() >= STAY_MIN;
        while !self.consuming.stop.is_cancelled() && !is_replaced() {
            let patience = match self.consuming.positions.are_open() {
                true => POLL_BRIEFLY,
                false => POLL,
            };
            let client = Arc::clone(&self.client);
            match client.poll(patience) {
                None => {
                    self.consuming.flow.consumer_rests();
                    self.hand_over_passed();
                }
                Some(Ok(message)) => self.hand_over(&message),
                Some(Err(error)) => self.report(&error),
            }
            if self.passed.is_due() {
                self.hand_over_passed();
            }
            self.place();
            self.learn();
            if last_forget.elapsed() >= FORGET_MISSING_EVERY {
                last_forget = Instant::now();
                self.consuming.subscriptions.iter().for_each(|s| s.forget_missing());
            }
        }
    }

    fn hand_over(&mut self, message: &BorrowedMessage<'_>) {
        let mut subscriptions = self.consuming.subscriptions.iter();
        let Some(subscription) = subscriptions.find(|s| s.topic() == message.topic()) else {
            return;
        };
        let partition = Partition { topic: subscription.topic(), number: message.partition() };
        let generation = self.consuming.positions.generation(partition);
        let Some(generation) = generation.filter(|g| !self.schemas.holds_up(partition, *g)) else {
            // Revoked or held meanwhile, or waiting for a schema: it will be fetched again, from the database's offset
            // or from where it waits. Until then everything after it would be fetched only to be dropped.
            return self.set_paused(&[partition], true);
        };
        let raw = Raw::of(message);
        let place = Fetched { partition, generation, offset: message.offset() };
        // Nearly all are dropped unread; those that are set aside must be kept as they were.
        let original = || pack_one(message.key(), raw.headers(), raw.value);
        let item = match subscription.read(&raw) {
            Heard::Ignored => return self.passed.note(place),
            Heard::Unknown => {
                self.consuming.telemetry.metrics.unknown_records.add(1, &[]);
                return self.passed.note(place);
            }
            Heard::NeedsSchema(id) => {
                self.set_paused(&[partition], true);
                self.consuming.positions.needs_schema(partition, generation, true);
                return self.schemas.wait(&self.consuming.runtime, place, id);
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
                item.trace = raw.trace();
                item
            }
        };
        // Its offset is after those that were passed.
        self.passed.forget(partition);
        self.enqueue(item);
    }

    /// Hands over how far ignored records reach.
    fn hand_over_passed(&mut self) {
        for place in self.passed.take() {
            self.enqueue(place.item(Work::Ignored, Vec::new()));
        }
    }

    /// Asks where partitions begin, and goes there when that is known.
    fn place(&mut self) {
        let positions = &self.consuming.positions;
        if positions.are_settled() {
            return;
        }
        let questions = positions.questions();
        if !questions.is_empty() {
            self.consuming.runtime.spawn(Arc::clone(&self.placing).look_up(questions));
        }
        let found = positions.found();
        if found.is_empty() {
            return;
        }
        let found: HashMap<Partition, i64> = found.into_iter().collect();
        let protocol = self.client.context().protocol;
        // What was fetched of the others will be fetched again.
        let others = match protocol {
            Protocol::Eager => positions.stored(),
            Protocol::Cooperative => HashMap::new(),
        };
        let mut offsets = found.clone();
        offsets.extend(others.iter().map(|(partition, (_, offset))| (*partition, *offset)));
        if let Err(error) = protocol.begin(&self.client, &offsets) {
            tracing::warn!(error = %error, "partitions cannot be fetched yet; trying again");
            return found.into_keys().for_each(|p| positions.put_off(p, SEEK_PAUSE));
        }
        found.iter().for_each(|(partition, offset)| positions.begun(*partition, *offset));
        others.iter().for_each(|(partition, (held, _))| positions.begun_again(*partition, *held));
        // They may have been paused when they were last fetched.
        self.set_paused(&offsets.into_keys().collect::<Vec<_>>(), false);
    }

    /// Goes on where partitions waited for a schema that is known now.
    fn learn(&mut self) {
        for answer in self.schemas.answers(&self.consuming.positions) {
            let mut subscriptions = self.consuming.subscriptions.iter();
            if let Some(subscription) = subscriptions.find(|s| s.topic() == answer.topic) {
                subscription.learn(answer.id, answer.schema.as_deref());
            }
            let places = self.schemas.go_on(&answer);
            let goals: Vec<_> =
                places.iter().map(|place| (place.partition, place.offset)).collect();
            let positions = &self.consuming.positions;
            for Fetched { partition, generation, .. } in places {
                positions.needs_schema(partition, generation, false);
            }
            for partition in self.seek(&goals) {
                positions.hold(partition, SEEK_PAUSE);
            }
        }
    }

    /// Seeks offsets, and resumes what was paused. Returns the partitions where that failed.
    fn seek(&self, goals: &[(Partition, i64)]) -> Vec<Partition> {
        if goals.is_empty() {
            return Vec::new();
        }
        let all: Vec<Partition> = goals.iter().map(|(partition, _)| *partition).collect();
        let mut list = TopicPartitionList::new();
        for (partition, offset) in goals {
            let offset = Offset::Offset(*offset);
            if let Err(error) = list.add_partition_offset(partition.topic, partition.number, offset)
            {
                tracing::error!(error = %error, "an offset is none to the client");
                return all;
            }
        }
        let sought = match self.client.seek_partitions(list, SEEK_MAX) {
            Ok(sought) => sought,
            Err(error) => {
                tracing::warn!(error = %error, "the consumer does not go where it should; trying again");
                return all;
            }
        };
        let refused: Vec<(String, i32)> = sought
            .elements()
            .into_iter()
            // Not started yet, or just taken away.
            .filter(|element| element.error().is_err())
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        let is_refused =
            |p: &Partition| refused.iter().any(|(t, n)| t == p.topic && *n == p.number);
        let (refused, sought): (Vec<Partition>, Vec<Partition>) =
            all.into_iter().partition(is_refused);
        self.set_paused(&sought, false);
        refused
    }

    fn set_paused(&self, partitions: &[Partition], paused: bool) {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(partition.topic, partition.number);
        }
        let done = match paused {
            true => self.client.pause(&list),
            false => self.client.resume(&list),
        };
        if let Err(error) = done {
            tracing::warn!(error = %error, paused, "partitions cannot be paused, or go on");
        }
    }

    fn report(&self, error: &KafkaError) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            // It does not say which one, and stands still from now on. Partitions outside of their logs
            // stop; the others go on from the database's offset.
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                tracing::warn!(error = %error, "an offset is outside of its log: all are looked up");
                self.consuming.positions.hold_all(SEEK_PAUSE);
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                tracing::error!(error = %error, "the member of the group cannot go on");
                self.consuming.rejoin.store(true, Relaxed);
            }
            // Repeated for as long as it lasts: the watch reports it.
            _ if self.consuming.complaint.note(error) => tracing::warn!(error = %error, "consumer"),
            _ => tracing::debug!(error = %error, "consumer"),
        }
    }
}
