//! Finds the orders whose time is over. Order ids begin with the time they were made, so overdue
//! orders are a range of the primary key: no index on the state is needed, which would make every
//! step of every order more expensive.

use std::sync::Mutex;
use std::time::Duration;

use chassis::Failure;
use events::OrderId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::columns::CANCELLABLE;

/// Overdue orders taken in one search: a batch's worth.
const FOUND_MAX: i64 = 500;
/// Orders looked at in one search, so that a replica that begins far behind does not stall.
const LOOKED_AT_MAX: i64 = 20_000;
/// An id is made when the request comes in, and its commit comes later: a command waits for ten seconds at
/// most, and then its last attempt may wait for a lock and be carried out. Before this, no further order
/// can appear.
const LATE_COMMIT_MS: u64 = 120_000;
/// How far the search has come is written down whenever it has moved this far.
pub(super) const WRITE_EVERY_MS: u64 = 60_000;
/// A new replica begins this far before the point that is written down, for the sake of orders whose commit
/// another replica's trouble delayed.
const BEGIN_BEFORE_MS: u64 = 600_000;

/// How far the search is. Every replica searches on its own: an order that two of them find is
/// cancelled once, because `decide` does nothing the second time.
#[derive(Debug)]
pub(crate) struct OverdueSearch {
    deadline_ms: u64,
    /// `None` until it is read from the table.
    progress: Mutex<Option<Progress>>,
}

/// Orders before `searched` have been dealt with.
#[derive(Debug, Clone, Copy)]
struct Progress {
    searched: Uuid,
    written: Uuid,
}

impl OverdueSearch {
    pub(crate) fn new(deadline: Duration) -> Self {
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        OverdueSearch { deadline_ms, progress: Mutex::new(None) }
    }

    /// The orders that were overdue at a time by the database's clock and can still be cancelled, oldest
    /// first. Those found stay in reach of the search until they have changed, so a failed batch loses
    /// none.
    pub(crate) async fn next(
        &self,
        db: &mut PgConnection,
        until_micros: i64,
    ) -> Result<Vec<OrderId>, Failure> {
        let known = *self.progress.lock().expect("no panic under this lock");
        let mut progress = match known {
            Some(progress) => progress,
            None => written_down(db).await?,
        };
        let until_ms = u64::try_from(until_micros / 1_000).unwrap_or_default();
        let end_ms = until_ms.saturating_sub(self.deadline_ms);
        let end = first_id_of(end_ms);
        // Before this, every order has appeared.
        let settled = first_id_of(end_ms.min(until_ms.saturating_sub(LATE_COMMIT_MS)));
        // A clock that was ahead may have led the search here, or the database's was set back.
        progress.searched = progress.searched.min(settled);
        let (found, last, looked_at) = search(db, progress.searched, end).await?;
        let reached = match (found.first(), last) {
            (Some(first), _) => *first,
            (None, Some(last)) if looked_at == LOOKED_AT_MAX => last,
            (None, _) => end,
        };
        progress.searched = progress.searched.max(reached.min(settled));
        if ms_of(progress.searched) >= ms_of(progress.written) + WRITE_EVERY_MS {
            sqlx::query("update overdue_search set searched = $1 where searched < $1")
                .bind(progress.searched)
                .execute(&mut *db)
                .await?;
            progress.written = progress.searched;
        }
        *self.progress.lock().expect("no panic under this lock") = Some(progress);
        Ok(found.into_iter().map(OrderId).collect())
    }
}

/// The cancellable orders of a range, the last order looked at, and how many were looked at.
async fn search(
    db: &mut PgConnection,
    begin: Uuid,
    end: Uuid,
) -> Result<(Vec<Uuid>, Option<Uuid>, i64), Failure> {
    let row = sqlx::query_as(
        "with range as materialized ( \
             select order_id, state from orders where order_id >= $1 and order_id < $2 \
              order by order_id limit $3) \
         select array(select order_id from range where state = any($4) \
                       order by order_id limit $5), \
                (select order_id from range order by order_id desc limit 1), \
                (select count(*) from range)",
    )
    .bind(begin)
    .bind(end)
    .bind(LOOKED_AT_MAX)
    .bind(CANCELLABLE)
    .bind(FOUND_MAX)
    .fetch_one(db)
    .await?;
    Ok(row)
}

async fn written_down(db: &mut PgConnection) -> Result<Progress, Failure> {
    let written: Uuid =
        sqlx::query_scalar("select searched from overdue_search").fetch_one(db).await?;
    let begin_ms = ms_of(written).saturating_sub(BEGIN_BEFORE_MS);
    Ok(Progress { searched: first_id_of(begin_ms), written })
}

/// The database's time, from which ids are made too.
pub(super) async fn now_ms(db: &mut PgConnection) -> Result<u64, Failure> {
    let now: i64 =
        sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1000)::bigint")
            .fetch_one(db)
            .await?;
    Ok(u64::try_from(now).unwrap_or_default())
}

/// The milliseconds since the Unix epoch that a UUIDv7 begins with.
pub(super) fn ms_of(id: Uuid) -> u64 {
    let (high, _) = id.as_u64_pair();
    high >> 16
}

/// Less than every UUIDv7 made at `ms` or later.
pub(super) fn first_id_of(ms: u64) -> Uuid {
    Uuid::from_u64_pair(ms << 16, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lie_between_the_bounds_of_their_millisecond() {
        let id = Uuid::now_v7();
        let ms = ms_of(id);
        assert!(first_id_of(ms) <= id);
        assert!(id < first_id_of(ms + 1));
        assert_eq!(OrderId(id).created_at_micros().unwrap() / 1_000, ms as i64);
    }
}
