//! Intents: the calls that decisions asked for, written in the transaction of the decisions, and found
//! again when no outcome came back. Separate from making the calls, as this is what outlives the process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::postgres::writes::Writes;

/// Calls that one sweep makes again: a batch's worth. The last row taken may hold more.
const DUE_MAX: i64 = 512;

/// When the call of a row is made again, should its outcome not have arrived by then. `None` if the
/// row has no open call. It searches all open calls, so it is for a single row, not for a batch.
pub(crate) async fn next_attempt_at(
    db: impl PgExecutor<'_>,
    key: Uuid,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar("select max(due_at) from flotilla.intents where keys @> array[$1]")
        .bind(key)
        .fetch_one(db)
        .await
}

/// The keys of calls that were asked for longer ago than that, with when, the oldest first: at most
/// `limit` of them. Among calls in one row the oldest counts, and a call that was answered a moment ago may still
/// be included. For people to look at.
pub(crate) async fn open_for(
    db: &mut PgConnection,
    longer_than: Duration,
    limit: i64,
) -> Result<Vec<(Uuid, DateTime<Utc>)>, sqlx::Error> {
    sqlx::query_as(
        "select key, min(asked_at) from flotilla.intents, unnest(keys) key \
          where asked_at < now() - make_interval(secs => $1) \
          group by key order by min(asked_at), key limit $2",
    )
    .bind(longer_than.as_secs_f64())
    .bind(limit)
    .fetch_all(db)
    .await
}

/// Adds the intents of a batch to its writes, under an id of their own. `ages` says how long ago each was
/// first asked for; the row keeps the longest.
pub(crate) fn write(writes: &mut Writes, id: Uuid, keys: &[Uuid], ages: &[Duration]) {
    writes
        .add(
            "insert into flotilla.intents (id, keys, due_at, asked_at) \
             select id, array_agg(key), now() + interval '30 seconds', \
                    now() - make_interval(secs => max(age)) \
               from {rows} v group by id",
        )
        .column("id", vec![id; keys.len()])
        .column("key", keys)
        .column("age", ages.iter().map(Duration::as_secs_f64).collect::<Vec<f64>>());
}

/// Takes the keys of calls that are due, with how long ago they were asked for, the longest wait first. Those that
/// are still open must be written again in the same transaction. Rows that another replica is taking are left to it.
pub(crate) async fn take_due(
    tx: &mut PgConnection,
) -> Result<HashMap<Uuid, Duration>, sqlx::Error> {
    let due: Vec<(Uuid, f64)> = sqlx::query_as(
        "with due as materialized ( \
             select id, keys, due_at from flotilla.intents where due_at < now() \
              order by due_at limit $1 for update skip locked), \
         counted as ( \
             select id, sum(cardinality(keys)) over (order by due_at, id) - cardinality(keys) as before \
               from due), \
         taken as ( \
             delete from flotilla.intents i using counted c \
              where i.id = c.id and c.before < $1 returning i.keys, i.asked_at) \
         select key, extract(epoch from now() - min(asked_at))::float8 \
           from taken, unnest(keys) key group by key",
    )
    .bind(DUE_MAX)
    .fetch_all(tx)
    .await?;
    // A clock that was set back must not give a negative age.
    let age = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Ok(due.into_iter().map(|(key, seconds)| (key, age(seconds))).collect())
}

/// Whether anything is due: asked by the sweep every second, without a transaction.
pub(crate) async fn is_any_due(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from flotilla.intents where due_at < now())")
        .fetch_one(db)
        .await
}

/// Deletes intents whose calls have all been answered.
pub(crate) async fn delete(db: &mut PgConnection, answered: &[Uuid]) -> Result<(), sqlx::Error> {
    if !answered.is_empty() {
        sqlx::query("delete from flotilla.intents where id = any($1)")
            .bind(answered)
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Makes intents due at once, as nobody here takes the outcomes of their calls any more.
pub(crate) async fn make_due(db: &mut PgConnection, ids: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query("update flotilla.intents set due_at = now() where id = any($1)")
        .bind(ids)
        .execute(db)
        .await?;
    Ok(())
}

/// The intents whose calls this replica makes. Only in memory: those of a replica that dies become due, and are found
/// to be closed where all outcomes were committed.
#[derive(Default)]
pub(crate) struct Own {
    /// Those with calls without a committed outcome. What counts these calls is gone when no outcome will come.
    open: HashMap<Uuid, Weak<OpenCalls>>,
    /// Those whose outcomes are all committed, until they are deleted.
    answered: Vec<Uuid>,
}

impl Own {
    pub(crate) fn take_answered(&mut self) -> Vec<Uuid> {
        std::mem::take(&mut self.answered)
    }

    pub(crate) fn take_open(&mut self) -> Vec<Uuid> {
        self.open.drain().map(|(id, _calls)| id).collect()
    }

    /// Forgets those of which no outcome will come: they become due by themselves.
    pub(crate) fn forget_lost(&mut self) {
        self.open.retain(|_id, calls| calls.strong_count() > 0);
    }
}

/// The open calls of one batch, as the replica that makes them sees it.
pub(crate) struct OpenCalls {
    id: Uuid,
    open: AtomicUsize,
    own: Arc<Mutex<Own>>,
}

impl OpenCalls {
    pub(crate) fn new(id: Uuid, calls: usize, own: &Arc<Mutex<Own>>) -> Arc<Self> {
        let open = OpenCalls { id, open: AtomicUsize::new(calls), own: Arc::clone(own) };
        let open = Arc::new(open);
        let mut own = own.lock().expect("no panic under this lock");
        own.open.insert(id, Arc::downgrade(&open));
        open
    }

    /// The outcome of one of them is committed.
    pub(crate) fn close_one(&self) {
        if self.open.fetch_sub(1, AcqRel) == 1 {
            let mut own = self.own.lock().expect("no panic under this lock");
            own.open.remove(&self.id);
            own.answered.push(self.id);
        }
    }
}

#[cfg(test)]
mod tests;
