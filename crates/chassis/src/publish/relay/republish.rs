//! Republishing a topic that lost its log, from the rows that are kept. They are set apart like what
//! Kafka refuses, so the same holds here: what is committed meanwhile comes after them, a crash
//! loses nothing, and a topic that does not exist yet is waited for.

use std::collections::VecDeque;

use sqlx::PgConnection;

use super::delivery::Delivery;
use super::hand_over::CommittedBatch;
use super::incoming::rows_between;
use super::office::Office;
use super::{End, Relay};
use crate::postgres::trouble::{PATIENCE, within};

impl Relay {
    /// Sets apart the next page of what was requested.
    pub(super) async fn republish(&mut self, office: &mut Office) -> anyhow::Result<Option<End>> {
        if !office.is_asked_to_republish {
            return Ok(None);
        }
        let db = self.writer.connection().await?;
        let asked = within(PATIENCE, asked(db)).await?;
        let Some((topic, next, mut last)) = asked else {
            office.is_asked_to_republish = false;
            return Ok(None);
        };
        if office.apart.hold(&topic) {
            last = last.max(office.tenure.published);
            within(PATIENCE, extend(db, &topic, last)).await?;
        }
        let (rows, _are_all) = within(PATIENCE, rows_between(db, next, last)).await?;
        let rows: VecDeque<CommittedBatch> = rows.into();
        let delivery = Delivery::of(&rows);
        delivery.put_again(&topic, &mut office.apart);
        if let Some(batch) = delivery.unreadable {
            tracing::error!(batch, "a row that is kept cannot be read and is not published again");
        }
        let done = delivery.unreadable.or(rows.back().map(|row| row.number)).unwrap_or(last);
        if !self.note(office).await? {
            return Ok(Some(End::LeaseLost));
        }
        let is_done = rows.is_empty() || done >= last;
        let next = (!is_done).then_some(done + 1);
        within(PATIENCE, go_on(self.writer.connection().await?, &topic, next)).await?;
        if is_done {
            tracing::info!(topic, "what is kept of a topic waits to be published again");
            office.apart.let_go(&topic);
        }
        Ok(None)
    }
}

/// The oldest request: a topic, and the first and last batch that are still to be set apart.
async fn asked(db: &mut PgConnection) -> Result<Option<(String, i64, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select topic, next_batch, last_batch from flotilla.outbox_republish
         order by requested_at, topic limit 1",
    )
    .fetch_optional(db)
    .await
}

/// What was published between the request and the hold goes to the topic once more, after what is older.
async fn extend(db: &mut PgConnection, topic: &str, last: i64) -> Result<(), sqlx::Error> {
    sqlx::query("update flotilla.outbox_republish set last_batch = $2 where topic = $1")
        .bind(topic)
        .bind(last)
        .execute(db)
        .await?;
    Ok(())
}

/// Notes where to go on, or that the request is done.
async fn go_on(db: &mut PgConnection, topic: &str, next: Option<i64>) -> Result<(), sqlx::Error> {
    let statement = match next {
        Some(_) => "update flotilla.outbox_republish set next_batch = $2 where topic = $1",
        None => "delete from flotilla.outbox_republish where topic = $1 and $2 is null",
    };
    sqlx::query(statement).bind(topic).bind(next).execute(db).await?;
    Ok(())
}
