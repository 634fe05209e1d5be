//! One attempt at one batch: the transaction itself, statement by statement.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use super::casualties::Casualties;
use super::unit::Unit;
use super::{Executor, processed};
use crate::calls::Asked;
use crate::consume::offsets::{self, Advance};
use crate::effects::Effects;
use crate::executor::inbox;
use crate::executor::queue::{Item, Origin, Work};
use crate::failure::{Chain, Failure};
use crate::ops::measures::Measures;
use crate::ops::telemetry::{BatchSpan, Telemetry};
use crate::postgres::writes::Writes;
use crate::publish::relay::hand_over::CommittedBatch;
use crate::run::crash;
use crate::service::Service;
use crate::wire::codec::Encoder;

/// What a committed batch leaves to do.
pub(crate) struct Committed<S: Service> {
    pub(super) advances: Vec<Advance>,
    pub(crate) outbox: Option<CommittedBatch>,
    pub(crate) asked: Option<Asked<S::Call>>,
    pub(super) changed: Vec<Uuid>,
    pub(super) measures: Measures,
    /// One per item, in order; none for what was not an input, or a duplicate.
    pub(super) replies: Vec<Option<S::Reply>>,
    /// Replayed dead letters that were refused again, with the reason.
    pub(super) refused: HashMap<i64, String>,
}

impl<S: Service> Executor<S> {
    /// Runs the batch in one transaction. After an error nothing of it has happened, or everything
    /// (when only the answer to the commit was lost): the offsets show which. After a lost race, rows
    /// that replicas share are locked, so that it is not lost again.
    pub(crate) async fn attempt(
        &mut self,
        batch: &[Item<S>],
        lost_race: bool,
    ) -> Result<Committed<S>, Failure> {
        let joined = batch.iter().filter_map(|item| item.trace.as_ref());
        let mut span = self.telemetry.batch_span(S::NAME, batch.len(), joined);
        let committed = self.transaction(batch, lost_race, &span).await;
        if let Err(failure) = &committed {
            span.failed(&Chain(failure));
        }
        committed
    }

    async fn transaction(
        &mut self,
        batch: &[Item<S>],
        lost_race: bool,
        span: &BatchSpan,
    ) -> Result<Committed<S>, Failure> {
        let announce = !self.relay.is_leader();
        let keeps_inbox = batch.iter().any(|item| inbox_id(item).is_some());
        self.connect().await?;
        let db = self.writer.connection().await?;
        let locks = S::LOCKS && (lost_race || self.replicas.are_several());
        let mut unit = Unit::open(db, locks || keeps_inbox).await?;
        let duplicates = claim(unit.db(), batch).await?;
        let inputs: Vec<Option<&S::Input>> = batch
            .iter()
            .enumerate()
            .map(|(index, item)| match &item.work {
                Work::Input(input) if !duplicates.contains(&index) => Some(input),
                Work::Input(_) | Work::Ignored | Work::Poison(_) => None,
            })
            .collect();

        let mut decided = Decided::none(batch.len(), self.encoder.clone(), self.clock.now_micros());
        let mut saved = None;
        let present: Vec<&S::Input> = inputs.iter().flatten().copied().collect();
        if !present.is_empty() {
            let mut rows = match locks {
                true => self.service.load_locked(unit.db(), &present).await?,
                false => self.service.load(unit.db(), &present).await?,
            };
            let (service, telemetry) = (&*self.service, &*self.telemetry);
            Decisions { service, telemetry, batch, inputs: &inputs, span }
                .run(&mut rows, &mut decided)?;
            saved = Some(rows);
        }

        let Decided { mut effects, replies, refusals, mut writes } = decided;
        let asked = Asked::of(std::mem::take(&mut effects.calls), &mut writes);
        let casualties = Casualties::of(batch, &refusals)?;
        if !casualties.are_none() {
            unit = unit.begun().await?;
            casualties.set_aside(&self.telemetry, unit.db(), S::NAME, &mut effects.outbox).await?;
        }
        // Revoked, or to be fetched again, after stale items were dropped.
        let advances = self.positions.advances(&processed(batch));
        let advances = advances.ok_or_else(|| Failure::conflict("a partition"))?;
        offsets::advance(&mut writes, &advances);
        let message_count = effects.outbox.count();
        let mut committed_batch = None;
        crash::point("executor.before_commit");
        if message_count > 0 {
            let row = effects.outbox.finish();
            let number =
                writes.execute_with_outbox(unit.db(), message_count, &row, announce).await?;
            committed_batch = Some(CommittedBatch { number, message_count, row });
        } else {
            writes.execute(unit.db()).await?;
        }
        unit.commit().await?;
        crash::point("executor.after_commit");
        if let Some(rows) = saved {
            self.service.committed(rows);
        }
        Ok(Committed {
            advances,
            outbox: committed_batch,
            asked,
            changed: effects.changed,
            measures: effects.measures,
            replies,
            refused: casualties.refused,
        })
    }
}

/// What the decisions of a batch amount to, before anything is written.
pub(crate) struct Decided<S: Service> {
    pub(crate) effects: Effects<S::Call>,
    /// One per item, in order.
    pub(super) replies: Vec<Option<S::Reply>>,
    /// Indexes of items that their decisions refused, with the reason.
    pub(crate) refusals: Vec<(usize, String)>,
    pub(crate) writes: Writes,
}

impl<S: Service> Decided<S> {
    pub(crate) fn none(items: usize, encoder: Arc<Encoder>, now_micros: i64) -> Self {
        Decided {
            effects: Effects::new(now_micros, encoder, items),
            replies: std::iter::repeat_with(|| None).take(items).collect(),
            refusals: Vec::new(),
            writes: Writes::default(),
        }
    }
}

/// The pure part of an attempt.
pub(crate) struct Decisions<'a, S: Service> {
    pub(crate) service: &'a S,
    pub(crate) telemetry: &'a Telemetry,
    pub(crate) batch: &'a [Item<S>],
    /// One per item, in order; none for what asks for no decision.
    pub(crate) inputs: &'a [Option<&'a S::Input>],
    /// The attempt's.
    pub(crate) span: &'a BatchSpan,
}

impl<S: Service> Decisions<'_, S> {
    /// Decides all inputs, and collects what is to be written.
    pub(crate) fn run(&self, rows: &mut S::Rows, decided: &mut Decided<S>) -> Result<(), Failure> {
        // A panic is a bug in a decision, or a state that cannot be written. It would recur with the
        // same batch forever, so it is treated like any input that cannot be processed.
        catch_unwind(AssertUnwindSafe(|| {
            self.decide(rows, decided);
            if let Some(error) = decided.effects.error.take() {
                return Err(Failure::permanent(error));
            }
            self.service.save(rows, &mut decided.writes)
        }))
        .unwrap_or_else(|panic| Err(Failure::permanent(panic_text(&*panic))))
    }

    fn decide(&self, rows: &mut S::Rows, decided: &mut Decided<S>) {
        let mut spans = Vec::new();
        let effects = &mut decided.effects;
        for (index, (item, input)) in self.batch.iter().zip(self.inputs).enumerate() {
            let Some(input) = input else { continue };
            let (cause, trace) = (item.cause.as_deref(), item.trace.clone());
            let span = self.telemetry.process_span(self.span, topic(item), cause, trace);
            effects.caused_by(item.cause.clone(), span.context());
            if span.is_recorded() {
                spans.push(span);
            }
            decided.replies[index] = Some(self.service.decide(rows, input, effects));
            if let Some(refusal) = effects.refusal.take() {
                decided.refusals.push((index, refusal));
            }
        }
    }
}

fn topic<S: Service>(item: &Item<S>) -> &'static str {
    match &item.origin {
        Origin::Event(delivery) => delivery.partition.topic,
        Origin::Replay(replay) => replay.topic,
        Origin::Command(_) => "commands",
        Origin::Outcome(_) => "outcomes",
        Origin::Timer => "timers",
    }
}

fn inbox_id<S: Service>(item: &Item<S>) -> Option<(&str, &str)> {
    let (topic, id) = match &item.origin {
        Origin::Event(delivery) => (delivery.partition.topic, &delivery.inbox_id),
        Origin::Replay(replay) => (replay.topic, &replay.inbox_id),
        Origin::Command(_) | Origin::Outcome(_) | Origin::Timer => return None,
    };
    id.as_deref().map(|id| (topic, id))
}

/// Indexes of items whose event was processed before, or is earlier in this same batch.
async fn claim<S: Service>(
    tx: &mut PgConnection,
    batch: &[Item<S>],
) -> Result<HashSet<usize>, sqlx::Error> {
    let inputs = || {
        let items = batch.iter().enumerate();
        items.filter(|(_, item)| matches!(item.work, Work::Input(_)))
    };
    let ids: Vec<(&str, &str)> = inputs().filter_map(|(_, item)| inbox_id(item)).collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let known = inbox::claim(tx, ids).await?;
    let mut seen = HashSet::new();
    let mut duplicates = HashSet::new();
    for (index, item) in inputs() {
        if let Some((topic, id)) = inbox_id(item) {
            let first = seen.insert((topic, id));
            if !first || known.contains(&(topic.to_owned(), id.to_owned())) {
                duplicates.insert(index);
            }
        }
    }
    Ok(duplicates)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the decision panicked: {}", text.unwrap_or_else(|| "no text".to_owned()))
}
