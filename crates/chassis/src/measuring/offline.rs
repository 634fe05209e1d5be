//! A service without its servers: the path of a batch from records to records, through the same code as
//! in a replica, and nothing outside. It lets benchmarks measure what the service itself costs.

use std::sync::Arc;

use super::hearing::{self, Hearing};
use super::settings::config;
use super::wire::{CAUSE, Record};
use crate::app::App;
use crate::consume::offsets;
use crate::executor::attempt::{Decided, Decisions};
use crate::executor::casualties::Casualties;
use crate::executor::queue::{Item, Origin, Work};
use crate::executor::{is_current, processed};
use crate::ops::telemetry::{BatchSpan, Telemetry};
use crate::service::Service;
use crate::wire::codec::Encoder;

/// The time of every batch: any will do.
const NOW_MICROS: i64 = 1_790_000_000_000_000;

/// A service that hears, decides and packs.
pub struct Offline<S: Service> {
    service: Arc<S>,
    hearing: Hearing<S>,
    encoder: Arc<Encoder>,
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
    /// When the declaration is wrong; every method here panics where a service would log.
    pub fn new(app: App<S>) -> Self {
        Offline {
            encoder: hearing::encoder(&app),
            hearing: Hearing::new(&app.hears),
            service: app.service,
            telemetry: Telemetry::start(S::NAME, &config("")).expect("metrics need nothing"),
        }
    }

    /// What the consumer does with a record that concerns the service.
    pub fn hear(&self, batch: &mut Batch<S>, record: &Record) {
        let item = self.hearing.read(record, batch.0.len() as i64);
        batch.0.push(item.unwrap_or_else(|| panic!("the record asks nothing of {}", S::NAME)));
    }

    /// Decides a batch, leaves `rows` as the decisions left them and returns how many messages they
    /// published.
    pub fn decide(&self, batch: &Batch<S>, rows: &mut S::Rows) -> u32 {
        self.decided(batch, rows).effects.outbox.count()
    }

    /// All of a batch except the database: decisions, packed row, writes and offsets.
    pub fn attempt(&self, batch: &Batch<S>, mut rows: S::Rows) -> Written {
        let Decided { mut effects, refusals, mut writes, .. } = self.decided(batch, &mut rows);
        assert!(batch.0.iter().all(|item| is_current(&self.hearing.positions, item)));
        let casualties = Casualties::of(&batch.0, &refusals).expect("nothing is poison");
        assert!(casualties.are_none(), "{} set an input aside", S::NAME);
        let advances = self.hearing.positions.advances(&processed(&batch.0)).expect("it is held");
        offsets::advance(&mut writes, &advances);
        let message_count = effects.outbox.count();
        let row = effects.outbox.finish();
        let sql = writes.with_outbox(message_count, &row, false);
        Written { row, sql }
    }

    fn decided(&self, batch: &Batch<S>, rows: &mut S::Rows) -> Decided<S> {
        let inputs: Vec<Option<&S::Input>> = batch.0.iter().map(input_of).collect();
        let mut decided = Decided::none(batch.0.len(), Arc::clone(&self.encoder), NOW_MICROS);
        let (service, telemetry) = (&*self.service, &self.telemetry);
        let span = &BatchSpan::untraced();
        let work = Decisions { service, telemetry, batch: &batch.0, inputs: &inputs, span };
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
    /// Adds an input that is not an event: a command, or the outcome of a call.
    pub fn push(&mut self, input: S::Input) {
        let (origin, cause) = (Origin::Timer, Some(CAUSE.into()));
        self.0.push(Item { work: Work::Input(input), origin, cause, trace: None });
    }
}
