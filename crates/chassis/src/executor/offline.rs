//! A service without its servers: the way of a batch from records to records, through the same code as
//! in a replica, and nothing of the outside. It lets benches measure what the service itself costs.

use std::sync::Arc;

use super::attempt::{Decided, Decisions};
use super::casualties::Casualties;
use super::{is_current, processed};
use crate::app::App;
use crate::codec::{self, Encoder};
use crate::config::{Config, Env};
use crate::offsets::{self, Partition, Positions};
use crate::outbox::pack_one;
use crate::queue::{Delivery, Item, Origin, Work};
use crate::service::Service;
use crate::subscription::{Heard, Raw, Subscription};
use crate::telemetry::Telemetry;
use crate::testing::wire::{CAUSE, Record, ids};
use crate::trace::TraceContext;

/// A service that hears, decides and packs.
pub struct Offline<S: Service> {
    service: Arc<S>,
    subscriptions: Vec<Box<dyn Subscription<S>>>,
    encoder: Arc<Encoder>,
    positions: Positions,
    telemetry: Telemetry,
}

/// Inputs of one batch, in their order.
pub struct Batch<S: Service>(Vec<Item<S>>);

/// What a batch writes.
#[derive(Debug)]
pub struct Written {
    /// The outbox row.
    pub row: Vec<u8>,
    /// The text of the statement.
    pub sql: String,
}

impl<S: Service> Offline<S> {
    /// Builds a service as it declares itself.
    ///
    /// # Panics
    /// When the declaration is wrong, as every method here does where a service would log.
    pub fn new(app: App<S>) -> Self {
        codec::limit_allocations();
        let mut encoder = Encoder::default();
        for published in &app.publishes {
            (published.add)(&mut encoder, &ids(published.records)).expect("schemas are Avro");
        }
        let subscriptions = app.hears.iter().map(|heard| (heard.build)(&ids(heard.records)));
        let config = Config::read(&mut Env::from_fn(|_nothing| None));
        let positions = Positions::default();
        for heard in &app.hears {
            positions.assign(Partition { topic: heard.topic, number: 0 }, 0);
        }
        Offline {
            service: app.service,
            subscriptions: subscriptions.map(|built| built.expect("schemas are Avro")).collect(),
            encoder: Arc::new(encoder),
            positions,
            telemetry: Telemetry::start(S::NAME, &config).expect("metrics need nothing"),
        }
    }

    /// What the consumer does with a record that concerns the service.
    pub fn hear(&self, batch: &mut Batch<S>, record: &Record) {
        let subscription = self.subscriptions.iter().find(|s| s.topic() == record.topic);
        let subscription = subscription.expect("the service hears the topic");
        let raw = Raw::stored(Some(&record.value), &record.headers);
        let Heard::Input { input, cause, inbox_id, never_dead_lettered } = subscription.read(&raw)
        else {
            panic!("the record asks nothing of {}", S::NAME);
        };
        let partition = Partition { topic: subscription.topic(), number: 0 };
        let delivery = Delivery {
            partition,
            generation: self.positions.generation(partition).expect("it is held"),
            offset: batch.0.len() as i64,
            original: pack_one(Some(&record.key), raw.headers(), raw.value),
            inbox_id,
            never_dead_lettered,
        };
        batch.0.push(Item {
            work: Work::Input(input),
            origin: Origin::Event(delivery),
            cause: Some(cause),
            trace: raw.header("traceparent").and_then(TraceContext::parse),
        });
    }

    /// Decides a batch, leaves `rows` as the decisions left them and answers how many messages they
    /// published.
    pub fn decide(&self, batch: &Batch<S>, rows: &mut S::Rows) -> u32 {
        self.decided(batch, rows).effects.outbox.count()
    }

    /// All of a batch but the database: decisions, packed row, writes and offsets.
    pub fn attempt(&self, batch: &Batch<S>, mut rows: S::Rows) -> Written {
        let Decided { mut effects, refusals, mut writes, .. } = self.decided(batch, &mut rows);
        assert!(batch.0.iter().all(|item| is_current(&self.positions, item)));
        let casualties = Casualties::of(&batch.0, &refusals);
        assert!(casualties.are_none(), "{} set an input aside", S::NAME);
        offsets::advance(&mut writes, &self.positions.advances(&processed(&batch.0)));
        let message_count = effects.outbox.count();
        let row = effects.outbox.finish();
        let sql = writes.with_outbox(message_count, &row, false);
        Written { row, sql }
    }

    fn decided(&self, batch: &Batch<S>, rows: &mut S::Rows) -> Decided<S> {
        let inputs: Vec<Option<&S::Input>> = batch.0.iter().map(input_of).collect();
        let mut decided = Decided::none(batch.0.len(), Arc::clone(&self.encoder));
        let (service, telemetry) = (&*self.service, &self.telemetry);
        let work = Decisions { service, telemetry, batch: &batch.0, inputs: &inputs };
        work.run(rows, &mut decided).expect("the batch can be processed");
        decided
    }
}

fn input_of<S: Service>(item: &Item<S>) -> Option<&S::Input> {
    match &item.work {
        Work::Input(input) => Some(input),
        Work::Ignored | Work::Poison(_) => None,
    }
}

impl<S: Service> Default for Batch<S> {
    fn default() -> Self {
        Batch(Vec::new())
    }
}

impl<S: Service> Batch<S> {
    /// Adds an input that is no event: a command, or the outcome of a call.
    pub fn push(&mut self, input: S::Input) {
        let (origin, cause) = (Origin::Own, Some(CAUSE.into()));
        self.0.push(Item { work: Work::Input(input), origin, cause, trace: None });
    }
}
