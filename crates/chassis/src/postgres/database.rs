//! Connections: one that the executor owns, held across batches, and a pool for reading. A transaction
//! is never cancelled half-way: a pooled connection in that state poisons its next user.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

use crate::postgres::trouble::{CONNECT_PATIENCE, within};

/// Connections for reading. A service's reads are single-row look-ups; more connections than this
/// would only queue inside Postgres.
const READERS_MAX: u32 = 8;
/// A connection that was idle for longer is tested before it is used: its server may have been
/// restarted meanwhile. Under load none is idle, so this costs nothing.
const IDLE_UNTRIED_MAX: Duration = Duration::from_secs(1);
/// How long a read waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long any one statement may run. Far beyond the largest batch, and before its client takes the
/// server for silent ([`PATIENCE`](crate::postgres::trouble::PATIENCE)).
const STATEMENT_TIMEOUT: &str = "15s";
/// How long to wait for a row that somebody else holds; then the batch runs again.
const LOCK_TIMEOUT: &str = "5s";
/// Ends a transaction whose client froze inside it, so that its locks do not outlive it.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "10s";
/// When the server gives up a client that vanished silently, and with it the locks of its
/// transaction. The client library has no such settings for its own end; there each use of a connection
/// has a deadline.
const VANISHED: [(&str, &str); 5] = [
    ("tcp_keepalives_idle", "15"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20s"),
    ("client_connection_check_interval", "5s"),
];
/// How long a connection that comes back to the pool may take to say that it can be used again.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

fn options(url: &str, application: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name(application).disable_statement_logging().options([
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("lock_timeout", LOCK_TIMEOUT),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
    ]);
    Ok(options.options(VANISHED))
}

/// A connection that writes. Its plans are steered: rows are found by their keys, whatever the size of a
/// batch. A statement prepared while its table was empty would otherwise keep a sequential scan
/// forever, and a small batch would be planned again each time, which costs more than to execute it. The
/// huge cost that a forbidden scan gets in a plan would start the JIT compiler. A server that accepts no
/// writes is refused: after a failover the address may still be that of a standby.
pub(crate) async fn writer(url: &str, application: &str) -> Result<PgConnection, sqlx::Error> {
    let steered = [
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        ("jit", "off"),
    ];
    within(CONNECT_PATIENCE, async {
        let mut connection = options(url, application)?.options(steered).connect().await?;
        let read_only: bool =
            sqlx::query_scalar("select current_setting('transaction_read_only')::boolean")
                .fetch_one(&mut connection)
                .await?;
        match read_only {
            false => Ok(connection),
            true => Err(sqlx::Error::Protocol(
                "the server takes no writes: it is a standby, or default_transaction_read_only is on"
                    .to_owned(),
            )),
        }
    })
    .await
}

/// A pool that connects when first used.
pub(crate) fn readers(url: &str, service: &str) -> Result<PgPool, sqlx::Error> {
    Ok(PgPoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move {
                if metadata.idle_for > IDLE_UNTRIED_MAX {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        // A read whose caller gave up comes back in the middle of its answer. If the server is silent, the answer
        // never ends, and the connection would be missing from the pool all that time.
        .after_release(|connection, _metadata| {
            Box::pin(async move {
                within(RELEASE_PATIENCE, connection.ping()).await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options(url, &format!("{service}-reader"))?))
}
