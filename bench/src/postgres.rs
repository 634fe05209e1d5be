//! The counters of a Postgres server that a report needs.

use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Row};

/// Counters of one server: commits and rows of the service's database, log of the whole server.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counters {
    pub commits: f64,
    /// Rows inserted, updated and deleted.
    pub rows: f64,
    /// Bytes of write-ahead log.
    pub wal_bytes: f64,
}

/// One connection, kept open, so that connecting is not measured.
pub async fn connect(url: &str) -> sqlx::Result<PgPool> {
    PgPoolOptions::new().max_connections(1).test_before_acquire(false).connect(url).await
}

impl Counters {
    pub async fn read(db: &PgPool) -> sqlx::Result<Self> {
        let row = sqlx::query(
            "select xact_commit::float8, (tup_inserted + tup_updated + tup_deleted)::float8,
                pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8
            from pg_stat_database where datname = current_database()",
        )
        .fetch_one(db)
        .await?;
        Ok(Counters { commits: row.get(0), rows: row.get(1), wal_bytes: row.get(2) })
    }

    /// What was counted since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Counters {
            commits: self.commits - earlier.commits,
            rows: self.rows - earlier.rows,
            wal_bytes: self.wal_bytes - earlier.wal_bytes,
        }
    }
}
