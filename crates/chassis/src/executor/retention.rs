//! What a service forgets: rows that are no longer needed and would only accumulate. Each kind has a stated life
//! (`docs/retention.md`), a promise in both directions: no row is deleted before its end, and all are soon after. Every
//! replica deletes a few in each sweep, so that no amount of old rows holds up what becomes due.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgConnection};

use crate::run::config::Config;

/// Rows of one kind that a sweep forgets: ten to thirty milliseconds' worth, and more in a second than a replica adds.
const ROWS_MAX: i64 = 2_000;
/// How long nothing is searched for after everything old was found.
const PAUSE: Duration = Duration::from_secs(10);

/// Ids of processed events, which tell the same event from a new one. A dead letter that waits may have a
/// copy that was processed, and may be sent again at any time: what came within one life before it stays.
const INBOX: &str = "\
    delete from flotilla.inbox where ctid = any(array( \
        select ctid from flotilla.inbox \
         where processed_at < coalesce((select created_at from flotilla.dead_letters \
                                         where state = 'waiting' order by id limit 1), now()) \
                              - make_interval(secs => $1) \
         order by processed_at limit $2 for update skip locked))";

/// What a settled dead letter holds. Its place stays, to recognise it should its record be read again.
const DEAD_LETTERS: &str = "\
    update flotilla.dead_letters \
       set message_key = null, headers = '[]', payload = null, detail = '', forgotten_at = now() \
     where id = any(array( \
        select id from flotilla.dead_letters \
         where settled_at < now() - make_interval(secs => $1) and forgotten_at is null \
         order by settled_at limit $2 for update skip locked))";

/// A table of a service whose rows have a life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    pub(crate) table: &'static str,
    /// The column with the time from which a row's life counts. It needs an index.
    pub(crate) since: &'static str,
    pub(crate) kept: Duration,
}

/// Everything that a service forgets.
pub(crate) struct Retention {
    kinds: Vec<Kind>,
    /// When to look next.
    next: Instant,
}

struct Kind {
    statement: String,
    kept: Duration,
}

impl Retention {
    pub(crate) fn new(config: &Config, of_service: &[Life]) -> Self {
        let mut kinds = vec![
            Kind { statement: INBOX.to_owned(), kept: config.inbox_kept },
            Kind { statement: DEAD_LETTERS.to_owned(), kept: config.dead_letters_kept },
        ];
        kinds.extend(of_service.iter().map(|Life { table, since, kept }| Kind {
            statement: format!(
                "delete from {table} where ctid = any(array( \
                    select ctid from {table} where {since} < now() - make_interval(secs => $1) \
                     order by {since} limit $2 for update skip locked))"
            ),
            kept: *kept,
        }));
        Retention { kinds, next: Instant::now() }
    }

    /// Forgets some of what is old, if it is time to look. Rows that another replica is forgetting are left to it.
    pub(crate) async fn sweep(&mut self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        if Instant::now() < self.next {
            return Ok(());
        }
        // Postponed before the attempt, so that a failure is not repeated with every sweep.
        self.next = Instant::now() + PAUSE;
        if self.forget(db, ROWS_MAX).await? {
            self.next = Instant::now();
        }
        Ok(())
    }

    /// Forgets at most this many rows of each kind. Returns whether there may be more.
    pub(crate) async fn forget(
        &self,
        db: &mut PgConnection,
        rows_max: i64,
    ) -> Result<bool, sqlx::Error> {
        let mut more = false;
        for Kind { statement, kept } in &self.kinds {
            let forgotten = sqlx::query(AssertSqlSafe(statement.clone()))
                .bind(kept.as_secs_f64())
                .bind(rows_max)
                .execute(&mut *db)
                .await?;
            more |= forgotten.rows_affected() >= rows_max as u64;
        }
        Ok(more)
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
