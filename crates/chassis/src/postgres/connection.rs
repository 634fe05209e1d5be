//! The connection of a writer, the executor or the relay: opened when needed, dropped when it may be broken,
//! never shared.

use std::error::Error;
use std::sync::Arc;

use sqlx::{Connection, PgConnection};

use super::database;
use super::trouble::{CONNECT_PATIENCE, Trouble, within};
use crate::failure::Failure;
use crate::ops::health::Health;
use crate::run::config::Secret;

/// A connection that writes, reopened after a failure.
pub(crate) struct Writer {
    url: Secret,
    name: &'static str,
    health: Arc<Health>,
    connection: Option<PgConnection>,
}

impl Writer {
    pub(crate) fn new(url: Secret, name: &'static str, health: Arc<Health>) -> Self {
        Writer { url, name, health, connection: None }
    }

    /// The connection, opened if there is none.
    pub(crate) async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        if self.connection.is_none() {
            match database::writer(&self.url.0, self.name).await {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.health.set_database_up(true);
                    self.health.has("database");
                }
                Err(error) => {
                    self.away(&error);
                    return Err(error);
                }
            }
        }
        Ok(self.connection.as_mut().expect("opened above"))
    }

    /// Takes the error that made a use of the connection fail. Only if the server refused a statement is the
    /// connection as good as before. A broken connection does not mean that the database is away, as other parts
    /// may use it successfully: the next attempt to connect shows.
    pub(crate) fn failed(&mut self, error: &(dyn Error + 'static)) {
        match error.downcast_ref::<sqlx::Error>() {
            Some(error) => match Trouble::of(error) {
                Trouble::Full => self.away(error),
                Trouble::Away | Trouble::Unusable => self.discard(),
                Trouble::Refused => {}
            },
            // Not an error of the connection, so its state is unknown.
            None => self.discard(),
        }
    }

    /// The same for what made a batch, or anything like it, fail.
    pub(crate) fn noted(&mut self, failure: &Failure) {
        let (Failure::Retry(source) | Failure::Permanent(source)) = failure;
        self.failed(&**source);
    }

    /// Something was committed.
    pub(crate) fn committed(&self) {
        self.health.moves("database");
    }

    /// Drops the connection, so that the next use opens a new one.
    pub(crate) fn discard(&mut self) {
        self.connection = None;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    fn away(&mut self, error: &sqlx::Error) {
        self.connection = None;
        self.health.set_database_up(false);
        self.health.blocked("database", format!("the database is away: {error}"));
    }

    pub(crate) async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = within(CONNECT_PATIENCE, connection.close()).await
        {
            tracing::debug!(error = %error, "the connection was closed already");
        }
    }
}
