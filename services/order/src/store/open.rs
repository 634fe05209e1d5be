//! Counts the orders that are on their way, by state; those of them that take too long, by whom they wait for; and
//! finds the oldest. There is no index on the state, so the search keeps in mind which orders were open, reads those
//! by their ids, and otherwise only orders placed since it last looked: an order that has ended is read once or twice.

use std::sync::Mutex;

use chassis::Failure;
use sqlx::PgConnection;
use uuid::Uuid;

use super::columns::{StateColumns, codes_of};
use super::overdue::{WRITE_EVERY_MS, first_id_of, ms_of, now_ms};
use crate::phase::Phase;

/// Orders looked at in one search: more than are placed between two searches, and about ten milliseconds' work.
const LOOKED_AT_MAX: i64 = 50_000;
/// Open orders kept in mind. Where there are more, the search does not go past the first one too many:
/// the counts are then too low, but the age is still right.
const KEPT_MAX: usize = 10_000;

/// An order that is open for longer than this is stuck: most take less than a second, and a provider or carrier that
/// was away for a moment has answered by then.
const STUCK_MS: u64 = 300_000;

/// An order's commit comes a little later than its id. An order committed later than this is only missing
/// from the figures.
const LATE_COMMIT_MS: u64 = 2_000;

/// Orders on their way to their first end. One that is returned after completion is old, and has long
/// been out of the search's reach.
const OPEN: [Phase; 5] = [
    Phase::Placed,
    Phase::Confirmed,
    Phase::CancellationRequested,
    Phase::Shipped,
    Phase::Cancelling,
];

/// Whom an order can wait for.
const PARTICIPANTS: [&str; 3] = ["inventory", "payment", "shipping"];

/// The open orders.
#[derive(Debug, PartialEq)]
pub(crate) struct OpenOrders {
    pub by_phase: [(Phase, usize); OPEN.len()],
    /// Those that are stuck, by whom they wait for. One that waits for two is counted for both.
    pub stuck: [(&'static str, usize); PARTICIPANTS.len()],
    /// 0 where there is none.
    pub oldest_seconds: f64,
}

/// An open order, or the last one looked at.
#[derive(Debug, sqlx::FromRow)]
struct Found {
    order_id: Uuid,
    #[sqlx(flatten)]
    columns: StateColumns,
}

impl Found {
    fn waits_for(&self, service: &str) -> bool {
        // What a newer release wrote waits for nobody that this one knows.
        let state = self.columns.state().ok();
        state.is_some_and(|state| state.waits_for().iter().any(|waits| waits.service == service))
    }
}

/// How far the search is in this replica; each has its own.
#[derive(Debug, Default)]
pub(crate) struct OpenSearch {
    /// `None` until it is read from the table.
    progress: Mutex<Option<Progress>>,
}

#[derive(Debug, Clone)]
struct Progress {
    /// Orders before this one have ended, or are kept.
    searched: Uuid,
    /// Open orders before `searched`, oldest first.
    kept: Vec<Uuid>,
    /// Orders before this one have ended, according to the table.
    written: Uuid,
}

impl OpenSearch {
    pub(crate) async fn look(&self, db: &mut PgConnection) -> Result<OpenOrders, Failure> {
        let known = self.progress.lock().expect("no panic under this lock").clone();
        let mut progress = match known {
            Some(progress) => progress,
            None => written_down(db).await?,
        };
        let now_ms = now_ms(db).await?;
        let mut open = still_open(db, &progress.kept).await?;
        let recent = since(db, progress.searched).await?;
        let looked_at = recent.last().map_or(progress.searched, |last| last.order_id);
        let codes = open_codes();
        open.extend(recent.into_iter().filter(|found| codes.contains(&found.columns.state)));

        let reached = looked_at.min(first_id_of(now_ms.saturating_sub(LATE_COMMIT_MS)));
        progress.searched = progress.searched.max(reached);
        if let Some(first_too_many) = open.get(KEPT_MAX) {
            progress.searched = progress.searched.min(first_too_many.order_id);
        }
        let before = open.iter().map(|found| found.order_id);
        let before = before.take_while(|id| *id < progress.searched);
        progress.kept = before.collect();
        let ended = progress.kept.first().copied().unwrap_or(progress.searched);
        if ms_of(ended) >= ms_of(progress.written) + WRITE_EVERY_MS {
            sqlx::query("update open_search set ended = $1 where ended < $1")
                .bind(ended)
                .execute(&mut *db)
                .await?;
            progress.written = ended;
        }
        *self.progress.lock().expect("no panic under this lock") = Some(progress);
        Ok(summary(&open, now_ms))
    }
}

fn summary(open: &[Found], now_ms: u64) -> OpenOrders {
    let count = |phase| {
        let codes = codes_of(Some(phase));
        (phase, open.iter().filter(|found| codes.contains(&found.columns.state)).count())
    };
    let age_ms = |found: &Found| now_ms.saturating_sub(ms_of(found.order_id));
    let stuck: Vec<&Found> = open.iter().take_while(|found| age_ms(found) > STUCK_MS).collect();
    let waiting =
        |service| (service, stuck.iter().filter(|found| found.waits_for(service)).count());
    OpenOrders {
        by_phase: OPEN.map(count),
        stuck: PARTICIPANTS.map(waiting),
        oldest_seconds: open.first().map_or(0, age_ms) as f64 / 1e3,
    }
}

/// The stored states of open orders.
fn open_codes() -> Vec<i16> {
    OPEN.iter().flat_map(|phase| codes_of(Some(*phase))).copied().collect()
}

async fn still_open(db: &mut PgConnection, kept: &[Uuid]) -> Result<Vec<Found>, Failure> {
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let open = sqlx::query_as(
        "select order_id, state, reason, stock_hold, payment_hold from orders \
          where order_id = any($1) and state = any($2) order by order_id",
    )
    .bind(kept)
    .bind(open_codes())
    .fetch_all(db)
    .await?;
    Ok(open)
}

/// The open orders from one on, and the last order looked at whatever its state.
async fn since(db: &mut PgConnection, begin: Uuid) -> Result<Vec<Found>, Failure> {
    let found = sqlx::query_as(
        "with range as materialized ( \
             select order_id, state, reason, stock_hold, payment_hold from orders \
              where order_id >= $1 order by order_id limit $2) \
         select * from range \
          where state = any($3) \
             or order_id = (select order_id from range order by order_id desc limit 1) \
          order by order_id",
    )
    .bind(begin)
    .bind(LOOKED_AT_MAX)
    .bind(open_codes())
    .fetch_all(db)
    .await?;
    Ok(found)
}

async fn written_down(db: &mut PgConnection) -> Result<Progress, Failure> {
    let written: Uuid = sqlx::query_scalar("select ended from open_search").fetch_one(db).await?;
    Ok(Progress { searched: written, kept: Vec::new(), written })
}
