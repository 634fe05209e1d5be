//! One attempt at one batch: the transaction itself, statement by statement.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::Utc;
use sqlx::PgConnection;
use uuid::Uuid;

use super::casualties::Casualties;
use super::unit::Unit;
use super::{Executor, processed};
use crate::effects::{Effects, Intent};
use crate::failure::Failure;
use crate::measures::Measures;
use crate::offsets::{self, Advance};
use crate::queue::{Item, Origin, Work};
use crate::relay::CommittedBatch;
use crate::service::Service;
use crate::telemetry::Telemetry;
use crate::writes::Writes;
use crate::{crash, inbox};

/// What a committed batch leaves to do.
pub(super) struct Committed<S: Service> {
    pub(super) advances: Vec<Advance>,
    pub(super) outbox: Option<CommittedBatch>,
    pub(super) calls: Vec<Intent<S::Call>>,
    pub(super) changed: Vec<Uuid>,
    pub(super) measures: Measures,
    /// One per item, in order; none for what was no input or a duplicate.
    pub(super) replies: Vec<Option<S::Reply>>,
    /// Replayed dead letters that were refused again, with the reason.
    pub(super) refused: HashMap<i64, String>,
}

impl<S: Service> Executor<S> {
    /// Runs the batch in one transaction. After an error nothing of it has happened, or everything
    /// (when only the answer to the commit was lost): the offsets tell which.
    pub(super) async fn attempt(&mut self, batch: &[Item<S>]) -> Result<Committed<S>, Failure> {
        let announce = !self.relay.is_leader();
        let keeps_inbox = batch.iter().any(|item| inbox_id(item).is_some());
        let db = self.writer.connection().await?;
        let mut unit = Unit::open(db, S::LOCKS || keeps_inbox).await?;
        let duplicates = claim(unit.db(), batch).await?;
        let inputs: Vec<Option<&S::Input>> = batch
            .iter()
            .enumerate()
            .map(|(index, item)| match &item.work {
                Work::Input(input) if !duplicates.contains(&index) => Some(input),
                Work::Input(_) | Work::Ignored | Work::Poison(_) => None,
            })
            .collect();

        let mut effects = Effects::new(Utc::now().timestamp_micros(), self.encoder.clone());
        let mut refusals = Vec::new();
        let mut replies = Vec::new();
        let mut writes = Writes::default();
        let mut saved = None;
        let present: Vec<&S::Input> = inputs.iter().flatten().copied().collect();
        if present.is_empty() {
            replies.resize_with(batch.len(), || None);
        } else {
            let mut rows = self.service.load(unit.db(), &present).await?;
            let work = Decisions { service: &*self.service, telemetry: &self.telemetry, batch };
            let decided = catch_unwind(AssertUnwindSafe(|| {
                work.run(&inputs, &mut rows, &mut effects, &mut refusals)
            }));
            // A panic is a bug in a decision. It would come back with the same batch for ever, so it
            // is treated like any input that cannot be processed.
            replies = decided.map_err(|panic| Failure::permanent(panic_text(&*panic)))?;
            if let Some(error) = effects.error.take() {
                return Err(Failure::permanent(error));
            }
            self.service.save(&rows, &mut writes)?;
            saved = Some(rows);
        }

        let casualties = Casualties::of(batch, &refusals);
        if !casualties.are_none() {
            unit = unit.begun().await?;
            casualties.set_aside(&self.telemetry, unit.db(), S::NAME, &mut effects.outbox).await?;
        }
        let advances = self.positions.advances(&processed(batch));
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
            calls: effects.calls,
            changed: effects.changed,
            measures: effects.measures,
            replies,
            refused: casualties.refused,
        })
    }
}

/// The pure part of an attempt.
struct Decisions<'a, S: Service> {
    service: &'a S,
    telemetry: &'a Telemetry,
    batch: &'a [Item<S>],
}

impl<S: Service> Decisions<'_, S> {
    fn run(
        &self,
        inputs: &[Option<&S::Input>],
        rows: &mut S::Rows,
        effects: &mut Effects<S::Call>,
        refusals: &mut Vec<(usize, String)>,
    ) -> Vec<Option<S::Reply>> {
        let mut spans = Vec::new();
        let mut replies = Vec::with_capacity(inputs.len());
        for (index, (item, input)) in self.batch.iter().zip(inputs).enumerate() {
            let Some(input) = input else {
                replies.push(None);
                continue;
            };
            let span = self.telemetry.process_span(topic(item), item.trace);
            effects.caused_by(item.cause.clone(), span.context());
            if span.is_recorded() {
                spans.push(span);
            }
            replies.push(Some(self.service.decide(rows, input, effects)));
            if let Some(refusal) = effects.refusal.take() {
                refusals.push((index, refusal));
            }
        }
        replies
    }
}

fn topic<S: Service>(item: &Item<S>) -> &'static str {
    match &item.origin {
        Origin::Event(delivery) => delivery.partition.topic,
        Origin::Replay(replay) => replay.topic,
        Origin::Command(_) => "commands",
        Origin::Own => "outcomes",
    }
}

fn inbox_id<S: Service>(item: &Item<S>) -> Option<(&str, &str)> {
    let (topic, id) = match &item.origin {
        Origin::Event(delivery) => (delivery.partition.topic, &delivery.inbox_id),
        Origin::Replay(replay) => (replay.topic, &replay.inbox_id),
        Origin::Command(_) | Origin::Own => return None,
    };
    id.as_deref().map(|id| (topic, id))
}

/// Indexes of items whose event was processed before, or stands earlier in this very batch.
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
