//! The executor's connection: opened when needed, dropped when it may be broken, never shared.

use std::error::Error;
use std::sync::Arc;

use sqlx::error::DatabaseError;
use sqlx::{Connection, PgConnection};

use super::Executor;
use crate::config::Secret;
use crate::database;
use crate::failure::Failure;
use crate::health::Health;
use crate::offsets::{self, Advance};
use crate::service::Service;
use crate::writes::Writes;
use crate::{remembered, set_back};

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

    /// Takes what made a statement fail. Only what tells of the database counts against it, as other
    /// parts may use it with success: an error that Postgres itself answered leaves even the
    /// connection usable, unless it says ("57P") that the server shuts down.
    pub(crate) fn failed(&mut self, error: &(dyn Error + 'static)) {
        let shuts_down = |e: &dyn DatabaseError| e.code().is_some_and(|c| c.starts_with("57P"));
        match error.downcast_ref::<sqlx::Error>() {
            Some(sqlx::Error::Database(answer)) if !shuts_down(&**answer) => {}
            Some(
                error @ (sqlx::Error::Database(_)
                | sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)),
            ) => self.away(error),
            // The state of the connection is unknown.
            Some(_) | None => self.connection = None,
        }
    }

    /// Lets go of the connection, so that the next one is a new one.
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
            && let Err(error) = connection.close().await
        {
            tracing::debug!(error = %error, "the connection was closed already");
        }
    }
}

impl<S: Service> Executor<S> {
    /// Opens the connection where there is none. It may lead to a database that was set back while there
    /// was none, so nothing is taken for known that was known before: neither rows, nor offsets, nor to
    /// the relay the number of the last batch.
    pub(super) async fn connect(&mut self) -> Result<(), sqlx::Error> {
        if self.writer.is_open() {
            return Ok(());
        }
        remembered::forget();
        self.relay.doubt();
        let db = self.writer.connection().await?;
        let known = set_back::look(db, &self.positions, &self.telemetry).await;
        known.inspect_err(|_| self.writer.discard())
    }

    async fn learn_offsets(&mut self) -> Result<(), sqlx::Error> {
        self.connect().await?;
        let db = self.writer.connection().await?;
        set_back::look(db, &self.positions, &self.telemetry).await
    }

    /// Moves offsets in a transaction of their own.
    pub(super) async fn store(&mut self, advances: &[Advance]) -> Result<(), Failure> {
        self.connect().await?;
        let mut writes = Writes::default();
        offsets::advance(&mut writes, advances);
        writes.execute(self.writer.connection().await?).await
    }

    /// Makes the next attempt possible: a new connection where the old one may be broken, offsets as
    /// the database has them where somebody else moved them.
    pub(super) async fn recover(&mut self, failure: &Failure) {
        if failure.is_conflict() {
            if let Err(error) = self.learn_offsets().await {
                self.writer.failed(&error);
            }
            return;
        }
        if let Failure::Retry(source) = failure {
            self.writer.failed(&**source);
        }
    }
}
