//! Trouble with the database: how long anybody waits for it, and what an error says about the connection that
//! it came from. One rule for all connections, separate from those who use them.

use std::io::{self, ErrorKind};
use std::time::Duration;

/// How long one use of a connection may take, with all its statements. A server that is alive has answered
/// by then: it ends a statement after 15 s. One that is silent, because its host or the way to it is gone,
/// never answers, and TCP alone notices after a quarter of an hour or not at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long a connection may take to open, and to close.
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// What an error says about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing can be done over it any more: the server is gone, silent, shutting down, or accepts no writes.
    /// Perhaps it was only this connection, or an old one of a server that is back by now: the next
    /// connection shows whether the database is away.
    Away,
    /// The server is there but executes nothing: it has no disk or no memory left.
    Full,
    /// Its state is not known, or no longer what it was. Another connection may work.
    Unusable,
    /// The server has refused a statement, and will take the next.
    Refused,
}

impl Trouble {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(answer) => match answer.code().as_deref() {
                Some(code) if code.starts_with("53") => Trouble::Full,
                Some(code) if means_away(code) => Trouble::Away,
                // "cached plan must not change result type", after a migration, and statements that the
                // server no longer knows: what was prepared is useless.
                Some("0A000" | "26000" | "42P05") => Trouble::Unusable,
                Some(_) | None => Trouble::Refused,
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed => Trouble::Away,
            // Values that could not be read or written, for example.
            _ => Trouble::Unusable,
        }
    }
}

fn means_away(code: &str) -> bool {
    // A connection exception, or an operator's intervention other than a cancelled statement.
    let class = code.starts_with("08") || code.starts_with("57P");
    // A read-only transaction: the server is a standby now. Or a session that the server has ended.
    class || ["25006", "25P03", "25P04"].contains(&code)
}

/// Waits for the database no longer than `patience`. A connection whose work was broken off is in the
/// middle of something, so it must not be used again: the error says that the database is away.
pub(crate) async fn within<T, E: From<sqlx::Error>>(
    patience: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done,
        Err(_elapsed) => {
            let text = format!("the database has not answered for {} s", patience.as_secs());
            Err(sqlx::Error::Io(io::Error::new(ErrorKind::TimedOut, text)).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    #[tokio::test]
    async fn nobody_waits_for_ever_for_a_database_that_is_silent() {
        let silent = std::future::pending::<Result<(), sqlx::Error>>();
        let error = within(Duration::from_millis(1), silent).await.expect_err("nothing answers");
        assert_eq!(Trouble::of(&error), Trouble::Away);
        assert!(error.to_string().contains("has not answered"), "{error}");
    }

    #[test]
    fn what_the_server_says_of_itself_is_told_from_what_it_says_of_a_statement() {
        for away in ["57P01", "25006", "08006"] {
            assert!(means_away(away), "{away}");
        }
        for of_a_statement in ["57014", "23505", "XX001", "42P01", "54000", "0A000", "55P03"] {
            assert!(!means_away(of_a_statement), "{of_a_statement}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_read_spoils_only_its_own_connection() {
        let error = sqlx::Error::ColumnNotFound("total".to_owned());
        assert_eq!(Trouble::of(&error), Trouble::Unusable);
        assert!(Failure::from(error).may_be_the_inputs());
    }
}
