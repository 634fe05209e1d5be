//! What the executor does with its connection: a new one may lead to another database than the last.

use super::Executor;
use crate::consume::offsets::{self, Advance};
use crate::consume::set_back;
use crate::failure::Failure;
use crate::postgres::trouble::{PATIENCE, within};
use crate::postgres::writes::Writes;
use crate::rows::remembered;
use crate::service::Service;

impl<S: Service> Executor<S> {
    /// Opens the connection where there is none. It may lead to a database that was set back in the
    /// meantime, so nothing known before counts as known: neither rows, nor offsets, nor, for the relay,
    /// the number of the last batch.
    pub(super) async fn connect(&mut self) -> Result<(), sqlx::Error> {
        if self.writer.is_open() {
            return Ok(());
        }
        remembered::forget();
        self.relay.doubt();
        let db = self.writer.connection().await?;
        let look = set_back::look(db, &self.positions, &self.telemetry);
        let known = within(PATIENCE, look).await;
        known.inspect_err(|_| self.writer.discard())
    }

    async fn learn_offsets(&mut self) -> Result<(), sqlx::Error> {
        self.connect().await?;
        let db = self.writer.connection().await?;
        within(PATIENCE, set_back::look(db, &self.positions, &self.telemetry)).await
    }

    /// Moves offsets in a transaction of their own.
    pub(super) async fn store(&mut self, advances: &[Advance]) -> Result<(), Failure> {
        self.connect().await?;
        let mut writes = Writes::default();
        offsets::advance(&mut writes, advances);
        within(PATIENCE, writes.execute(self.writer.connection().await?)).await
    }

    /// Makes the next attempt possible: a new connection if the old one may be broken, offsets as in
    /// the database if somebody else moved them.
    pub(super) async fn recover(&mut self, failure: &Failure) {
        if failure.is_conflict() {
            if let Err(error) = self.learn_offsets().await {
                self.writer.failed(&error);
            }
            return;
        }
        if let Failure::Retry(_) = failure {
            self.writer.noted(failure);
        }
    }
}
