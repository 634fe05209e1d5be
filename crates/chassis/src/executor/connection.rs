//! The executor's connection: opened when needed, dropped when it may be broken, never shared.

use std::sync::Arc;

use sqlx::{Connection, PgConnection};

use super::Executor;
use crate::config::Secret;
use crate::database;
use crate::failure::Failure;
use crate::health::Health;
use crate::offsets::{self, Advance};
use crate::service::Service;
use crate::writes::Writes;

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
                    self.lost(&error.to_string());
                    return Err(error);
                }
            }
        }
        Ok(self.connection.as_mut().expect("opened above"))
    }

    /// Drops a connection whose state is unknown.
    pub(crate) fn lost(&mut self, reason: &str) {
        self.connection = None;
        self.health.set_database_up(false);
        self.health.waits_for("database", format!("the database is away: {reason}"));
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
    /// Moves offsets in a transaction of their own.
    pub(super) async fn store(&mut self, advances: &[Advance]) -> Result<(), Failure> {
        let mut writes = Writes::default();
        offsets::advance(&mut writes, advances);
        writes.execute(self.writer.connection().await?).await
    }

    /// Makes the next attempt possible: a new connection where the old one may be broken, offsets as
    /// the database has them where somebody else moved them.
    pub(super) async fn recover(&mut self, failure: &Failure) {
        if failure.is_conflict() {
            let refreshed = match self.writer.connection().await {
                Ok(db) => offsets::refresh(db, &self.positions).await,
                Err(error) => Err(error),
            };
            if let Err(error) = refreshed {
                self.writer.lost(&error.to_string());
            }
            return;
        }
        if let Failure::Retry(source) = failure {
            let alive = source
                .downcast_ref::<sqlx::Error>()
                .is_some_and(|error| error.as_database_error().is_some());
            // An error that Postgres itself answered leaves the connection usable; "57" are shutdowns.
            let code = source
                .downcast_ref::<sqlx::Error>()
                .and_then(|error| error.as_database_error()?.code().map(|code| code.into_owned()));
            if !alive || code.is_some_and(|code| code.starts_with("57P")) {
                self.writer.lost(&source.to_string());
            }
        }
    }
}
