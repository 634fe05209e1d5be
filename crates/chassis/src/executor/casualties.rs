//! Dead letters of a batch: what arrived as poison and what a decision refused. And the end of those
//! that were replayed successfully.

use std::collections::HashMap;

use opentelemetry::KeyValue;
use sqlx::PgConnection;

use crate::consume::dead_letters::{self, Casualty, LetterState, Reason};
use crate::executor::queue::{Item, Origin, Work};
use crate::failure::Failure;
use crate::ops::telemetry::Telemetry;
use crate::publish::outbox::BatchWriter;
use crate::service::Service;

pub(crate) struct Casualties<'b> {
    new: Vec<Casualty<'b>>,
    /// Dead letters that were replayed and processed.
    replayed: Vec<i64>,
    /// Dead letters that were replayed and refused again, with the reason.
    pub(super) refused: HashMap<i64, String>,
}

impl<'b> Casualties<'b> {
    /// `refusals` are the indexes of items that their decisions refused, with the reason. Fails where one
    /// must not be set aside: the batch is halved until it is alone, everything before it in its partition
    /// is committed, and then it holds its partition.
    pub(crate) fn of<S: Service>(
        batch: &'b [Item<S>],
        refusals: &[(usize, String)],
    ) -> Result<Self, Failure> {
        let poison = batch.iter().filter_map(|item| match &item.work {
            Work::Poison(reason) => Some((item, reason.clone())),
            Work::Input(_) | Work::Ignored => None,
        });
        let refusals = refusals.iter().map(|(index, detail)| {
            (&batch[*index], Reason { code: "refused", detail: detail.clone() })
        });
        let (mut new, mut refused) = (Vec::new(), HashMap::new());
        for (item, reason) in poison.chain(refusals) {
            match &item.origin {
                Origin::Event(delivery) if delivery.never_dead_lettered => {
                    return Err(Failure::permanent(reason.detail));
                }
                Origin::Event(delivery) => new.push(Casualty {
                    partition: delivery.partition,
                    offset: delivery.offset,
                    original: &delivery.original,
                    reason,
                    about: item.about(),
                }),
                Origin::Replay(replay) => {
                    refused.insert(replay.dead_letter, reason.detail);
                }
                // A command is refused by its reply; the others are not messages that somebody sent.
                Origin::Command(_) | Origin::Outcome(_) | Origin::Timer => {}
            }
        }
        let replayed = batch.iter().filter_map(|item| match &item.origin {
            Origin::Replay(replay) if !refused.contains_key(&replay.dead_letter) => {
                Some(replay.dead_letter)
            }
            Origin::Replay(_)
            | Origin::Event(_)
            | Origin::Command(_)
            | Origin::Outcome(_)
            | Origin::Timer => None,
        });
        Ok(Casualties { new, replayed: replayed.collect(), refused })
    }

    pub(crate) fn are_none(&self) -> bool {
        self.new.is_empty() && self.replayed.is_empty()
    }

    /// Writes the dead letters and adds them to the batch's messages.
    pub(super) async fn set_aside(
        &self,
        telemetry: &Telemetry,
        db: &mut PgConnection,
        service: &str,
        outbox: &mut BatchWriter,
    ) -> Result<(), sqlx::Error> {
        for Casualty { partition, offset, reason, about, .. } in &self.new {
            tracing::warn!(
                topic = partition.topic,
                partition = partition.number,
                offset,
                reason = reason.code,
                event = about.event.as_deref(),
                key = about.key(),
                trace = about.trace.as_deref(),
                "dead letter: {}",
                reason.detail
            );
            let labels =
                [KeyValue::new("topic", partition.topic), KeyValue::new("reason", reason.code)];
            telemetry.metrics.dead_letters.add(1, &labels);
        }
        dead_letters::record(db, service, &self.new, outbox).await?;
        if !self.replayed.is_empty() {
            dead_letters::settle(db, &self.replayed, LetterState::Retried).await?;
        }
        Ok(())
    }
}
