//! Bringing the tables of a service up to date, and whether they are. Separate from `database`, whose connections are
//! the application's: these are the owner's.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::backoff::Backoff;

/// The chassis' own tables.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long a migration waits for a table that is in use. All who want the table after it wait behind it, so it is well
/// below what a request may take; then it lets them go, and tries again.
const LOCK_TIMEOUT: &str = "2s";
/// How long it is tried: longer than another replica takes to make an index on a large table.
const PATIENCE: Duration = Duration::from_secs(600);
/// The pauses in between, from the first to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_LAST: Duration = Duration::from_secs(5);
/// Postgres' code for a lock that did not come in time (appendix A, class 55).
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Applies the chassis' and then the service's migrations, as the owner of the schema; then lets the
/// application's role read and write rows, and nothing more.
pub(crate) async fn migrate(
    owner_url: &str,
    service: &'static Migrator,
    app_role: Option<&str>,
) -> anyhow::Result<()> {
    let (started, mut backoff) = (Instant::now(), Backoff::new(PAUSE_FIRST, PAUSE_LAST));
    loop {
        match attempt(owner_url, service, app_role).await {
            Err(error) if is_in_use(&error) && started.elapsed() < PATIENCE => {
                tracing::info!(error = %format!("{error:#}"), "a table is in use; it is tried again");
                backoff.pause().await;
            }
            Err(error) if is_in_use(&error) => {
                return Err(error).context(
                    "a table has been in use all the time, by a transaction that does not end or by \
                     another migration: pg_stat_activity says by whom",
                );
            }
            done => return done,
        }
    }
}

/// With connections of its own: what failed in between may still hold the lock that keeps migrations apart.
async fn attempt(
    owner_url: &str,
    service: &'static Migrator,
    app_role: Option<&str>,
) -> anyhow::Result<()> {
    let connect = |path: &'static str| async move {
        let options: PgConnectOptions = owner_url.parse()?;
        let options = options.options([("search_path", path), ("lock_timeout", LOCK_TIMEOUT)]);
        options.disable_statement_logging().connect().await
    };
    let mut db = connect("public").await?;
    sqlx::query("create schema if not exists flotilla").execute(&mut db).await?;
    // Each migrator keeps its records in its own schema; in one table they would collide.
    let mut own = connect("flotilla").await?;
    knowing_less(&MIGRATIONS).run(&mut own).await?;
    knowing_less(service).run(&mut db).await?;
    if let Some(role) = app_role {
        grant(&mut db, role).await?;
    }
    own.close().await?;
    db.close().await?;
    Ok(())
}

/// Whether somebody held what the migration wanted.
fn is_in_use(error: &anyhow::Error) -> bool {
    let of_database = |error: &sqlx::Error| {
        let answer = error.as_database_error();
        answer.and_then(|answer| answer.code()).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
    };
    error.chain().any(|cause| match cause.downcast_ref::<MigrateError>() {
        Some(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            of_database(error)
        }
        _other => cause.downcast_ref::<sqlx::Error>().is_some_and(of_database),
    })
}

/// The same migrations, for a database that may have newer ones: a former version comes back with a rollback, or on
/// another node during an upgrade. Schemas only grow.
fn knowing_less(known: &Migrator) -> Migrator {
    Migrator { ignore_missing: true, migrations: known.migrations.clone(), ..Migrator::DEFAULT }
}

async fn grant(db: &mut PgConnection, role: &str) -> anyhow::Result<()> {
    let role: String =
        sqlx::query_scalar("select quote_ident($1)").bind(role).fetch_one(&mut *db).await?;
    for schema in ["public", "flotilla"] {
        for grant in [
            format!("grant usage on schema {schema} to {role}"),
            format!(
                "grant select, insert, update, delete on all tables in schema {schema} to {role}"
            ),
            format!("grant usage on all sequences in schema {schema} to {role}"),
            format!("revoke insert, update, delete on {schema}._sqlx_migrations from {role}"),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(grant)).execute(&mut *db).await?;
        }
    }
    Ok(())
}

/// Which migrations are missing, if any. Newer ones than this build knows are fine: schemas only grow.
pub(crate) async fn missing_migration(
    db: &mut PgConnection,
    service: &'static Migrator,
) -> Result<Option<String>, sqlx::Error> {
    for (schema, migrator) in [("flotilla", &MIGRATIONS), ("public", service)] {
        let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(format!("{schema}._sqlx_migrations"))
            .fetch_one(&mut *db)
            .await?;
        let applied: Vec<i64> = match (exists, schema) {
            (false, _) => Vec::new(),
            (true, "flotilla") => {
                applied(db, "select version from flotilla._sqlx_migrations where success").await?
            }
            (true, _) => {
                applied(db, "select version from public._sqlx_migrations where success").await?
            }
        };
        let missing = migrator.iter().find(|migration| !applied.contains(&migration.version));
        if let Some(missing) = missing {
            return Ok(Some(format!("{} {} ({schema})", missing.version, missing.description)));
        }
    }
    Ok(None)
}

async fn applied(db: &mut PgConnection, query: &'static str) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar(query).fetch_all(db).await
}

#[cfg(test)]
mod tests;
