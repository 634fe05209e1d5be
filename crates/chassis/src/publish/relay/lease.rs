//! Who publishes: one row, taken when its term has run out, with an epoch that fences the former holder.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::apart::{self, Waiting};

/// How long a lease lasts without being renewed: after a kill, publishing pauses for at most this long
/// and a retry.
const TERM: Duration = Duration::from_secs(5);
/// How often the holder renews.
pub(super) const RENEW_EVERY: Duration = Duration::from_millis(1500);
/// How often standby replicas try.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// This replica's identity.
pub(crate) struct Lease {
    holder: Uuid,
}

/// What a renewal returns.
pub(crate) struct Renewed {
    /// When it was asked for.
    pub(super) at: Instant,
    /// Whether topics are to be published again from rows that are kept: none is deleted meanwhile.
    pub(super) is_asked_to_republish: bool,
}

/// One holder's time in office.
pub(crate) struct Tenure {
    pub(super) epoch: i64,
    /// The last batch known to be published.
    pub(crate) published: i64,
    pub(super) renewed: Instant,
}

impl Tenure {
    /// Whether the lease should be renewed before anything else is published. Judged by this process's
    /// own clock, counted from before the renewal was sent, so it errs on the safe side.
    pub(super) fn is_doubtful(&self) -> bool {
        self.renewed.elapsed() >= RENEW_EVERY
    }
}

impl Lease {
    pub(crate) fn new() -> Self {
        Lease { holder: Uuid::new_v4() }
    }

    /// Takes the lease if nobody else holds it. Nobody writes a lease that runs for longer than a term,
    /// so one that does was written when the database's clock ran ahead: a live holder has renewed it
    /// since, and a dead one must not keep it until the clock gets there.
    pub(crate) async fn take(&self, db: &mut PgConnection) -> Result<Option<Tenure>, sqlx::Error> {
        let asked = Instant::now();
        let taken: Option<(i64, i64)> = sqlx::query_as(
            "update flotilla.relay_lease
             set holder = $1, epoch = epoch + 1, expires_at = now() + make_interval(secs => $2)
             where expires_at < now() or expires_at > now() + make_interval(secs => 2 * $2)
                or holder = $1
             returning epoch, published_batch",
        )
        .bind(self.holder)
        .bind(TERM.as_secs_f64())
        .fetch_optional(db)
        .await?;
        Ok(taken.map(|(epoch, published)| Tenure { epoch, published, renewed: asked }))
    }

    /// Renews the lease, notes what is published and set apart, and deletes rows that need not be kept:
    /// those after the first number, up to the second. `None` when somebody else holds the lease by now:
    /// then none of this is written. Its commit need not reach the disk: losing it only publishes once
    /// more.
    pub(crate) async fn renew(
        &self,
        db: &mut PgConnection,
        tenure: &Tenure,
        apart: &[Waiting],
        (gone, clear): (i64, i64),
    ) -> Result<Option<Renewed>, sqlx::Error> {
        let asked = Instant::now();
        let mut tx = db.begin().await?;
        sqlx::query("set local synchronous_commit = off").execute(&mut *tx).await?;
        let renewed: Option<bool> = sqlx::query_scalar(
            "with mine as (
                 update flotilla.relay_lease
                 set expires_at = now() + make_interval(secs => $3), published_batch = $4
                 where holder = $1 and epoch = $2 returning 1),
             asked as (select exists (select from flotilla.outbox_republish) as again),
             cleared as (
                 delete from flotilla.outbox where batch > $5 and batch <= $6
                 and exists (select from mine) and not (select again from asked))
             select again from mine, asked",
        )
        .bind(self.holder)
        .bind(tenure.epoch)
        .bind(TERM.as_secs_f64())
        .bind(tenure.published)
        .bind(gone)
        .bind(clear)
        .fetch_optional(&mut *tx)
        .await?;
        if renewed.is_some() {
            apart::write(&mut tx, apart).await?;
        }
        tx.commit().await?;
        Ok(renewed.map(|again| Renewed { at: asked, is_asked_to_republish: again }))
    }

    /// Gives the lease back, so that the next holder need not wait for its term to run out.
    pub(super) async fn release(
        &self,
        db: &mut PgConnection,
        epoch: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "update flotilla.relay_lease set expires_at = 'epoch' where holder = $1 and epoch = $2",
        )
        .bind(self.holder)
        .bind(epoch)
        .execute(db)
        .await?;
        Ok(())
    }
}
