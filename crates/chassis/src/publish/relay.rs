//! The relay: publishes committed batches in the order of their numbers. One replica at a time does this
//! under a lease with a fencing epoch; it gets its own batches in memory and reads rows
//! only at start, at takeover, and for the other replicas' batches.

mod again;
mod apart;
pub(crate) mod delivery;
pub(crate) mod hand_over;
pub(crate) mod headers;
mod incoming;
mod keeping;
pub(crate) mod lease;
mod office;
pub(crate) mod publisher;
mod publishing;
mod pump;
mod verdict;
mod republish;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::executor::pace::Replicas;
use crate::failure::Chain;
use crate::ops::health::Health;
use crate::ops::telemetry::Telemetry;
use crate::postgres::connection::Writer;
use crate::postgres::trouble::{PATIENCE, within};
use crate::run::config::{Kept, Secret};
use hand_over::HandOver;
use incoming::Incoming;
use lease::{Lease, Tenure};
use office::Office;
pub(crate) use publisher::ProducerSettings;
use publishing::Published;
use watch::Traffic;

/// How often the leader looks for rows that nobody announced: a safety net for missed wake-ups.
const POLL: Duration = Duration::from_secs(1);
/// Published rows are cleared and the lease renewed at most this often while busy. A crash in between
/// publishes at most this much twice.
pub(crate) const CLEAR_EVERY: Duration = Duration::from_millis(200);
/// The pause after a failure of the relay itself.
const FAILURE_PAUSE: Duration = Duration::from_millis(500);
/// What only the relay can report about itself: cleared when it no longer publishes.
const PARTS: [&str; 3] = ["kafka", "outbox", "set_apart"];

/// The relay of one replica.
pub(crate) struct Relay {
    pub(crate) writer: Writer,
    pub(crate) database_url: Secret,
    pub(crate) producer: ProducerSettings,
    pub(crate) health: Arc<Health>,
    pub(crate) telemetry: Arc<Telemetry>,
    kept: Kept,
    incoming: Incoming,
    lease: Lease,
    traffic: Arc<Traffic>,
    stopping: CancellationToken,
}

/// Why a tenure ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stopping,
    LeaseLost,
}

impl Relay {
    pub(crate) fn new(
        writer: Writer,
        database_url: Secret,
        producer: ProducerSettings,
        kept: Kept,
        health: Arc<Health>,
        telemetry: Arc<Telemetry>,
        replicas: Replicas,
    ) -> (Self, HandOver) {
        let (incoming, hand_over) = Incoming::new(replicas);
        let (lease, traffic, stopping) = (Lease::new(), Arc::default(), CancellationToken::new());
        let relay = Relay {
            writer,
            database_url,
            producer,
            health,
            telemetry,
            kept,
            incoming,
            lease,
            traffic,
            stopping,
        };
        (relay, hand_over)
    }

    /// Stands by, publishes while it holds the lease, and gives the lease back when told to stop, once
    /// everything handed over is published, or cannot be.
    pub(crate) async fn run(mut self, stopping: CancellationToken) {
        self.stopping = stopping;
        let mut first = true;
        while !self.stopping.is_cancelled() {
            match self.take().await {
                Ok(Some(tenure)) => {
                    first = false;
                    let end = self.lead(tenure).await;
                    self.resign().await;
                    match end {
                        Ok(End::Stopping) => break,
                        Ok(End::LeaseLost) => tracing::warn!("another replica publishes now"),
                        Err(error) => {
                            let reason = format!("nothing is published: {error:#}");
                            self.health.waits_for("relay", reason);
                            if let Some(error) = error.downcast_ref::<sqlx::Error>() {
                                self.writer.failed(error);
                            }
                            self.pause(FAILURE_PAUSE).await;
                        }
                    }
                }
                Ok(None) => {
                    self.health.has("relay");
                    if first {
                        tracing::info!("another replica publishes; standing by");
                        first = false;
                    }
                    self.stand_by().await;
                }
                Err(error) => {
                    self.writer.failed(&error);
                    let reason =
                        format!("nothing is published, no lease can be had: {}", Chain(&error));
                    self.health.waits_for("relay", reason);
                    self.stand_by().await;
                }
            }
        }
        self.writer.close().await;
    }

    async fn take(&mut self) -> Result<Option<Tenure>, sqlx::Error> {
        let db = self.writer.connection().await?;
        within(PATIENCE, self.lease.take(db)).await
    }

    async fn stand_by(&mut self) {
        self.incoming.discard();
        self.pause(lease::RETRY).await;
    }

    /// Cut short by a stop.
    async fn pause(&self, time: Duration) {
        self.stopping.run_until_cancelled(tokio::time::sleep(time)).await;
    }

    /// A tenure, from its first look at the outbox to the end of its producers.
    async fn lead(&mut self, tenure: Tenure) -> anyhow::Result<End> {
        self.incoming.open(&self.database_url).await?;
        let Some(mut office) = self.enter_office(tenure).await? else {
            return Ok(End::LeaseLost);
        };
        self.telemetry.metrics.relay_leader.record(1, &[]);
        let (epoch, published) = (office.tenure.epoch, office.tenure.published);
        tracing::info!(epoch, published, "this replica publishes");
        let watch = watch::run(self);
        let end = tokio::select! {
            end = self.govern(&mut office) => end,
            never = watch => match never {},
        };
        let given_back = match end {
            Ok(End::Stopping) => self.give_back(&mut office).await,
            Ok(End::LeaseLost) | Err(_) => Ok(()),
        };
        // Whatever failed: the replica that publishes next should not run into messages of these producers.
        office.publisher.close().await;
        given_back?;
        end
    }

    async fn give_back(&mut self, office: &mut Office) -> Result<(), sqlx::Error> {
        self.note(office).await?;
        let db = self.writer.connection().await?;
        within(PATIENCE, self.lease.release(db, office.tenure.epoch)).await
    }

    async fn resign(&mut self) {
        self.retire();
        self.incoming.close().await;
    }

    /// Nothing is handed over to this relay any more. The replica that publishes next reports how it goes.
    fn retire(&self) {
        self.incoming.shared.set_leader(false);
        self.traffic.rest();
        self.telemetry.metrics.relay_leader.record(0, &[]);
        PARTS.iter().for_each(|part| self.health.has(part));
    }

    async fn govern(&mut self, office: &mut Office) -> anyhow::Result<End> {
        loop {
            let rows = self.incoming.next(&mut self.writer, office.tenure.published).await?;
            if rows.is_empty() && self.stopping.is_cancelled() {
                return Ok(End::Stopping);
            }
            // Before publishing: another replica that took over publishes the same batches. Over the connection of
            // this tenure, which a database that was set back has closed. And before a gap is believed:
            // one also shows where the replica that took over has cleared what it published.
            let doubtful = office.tenure.is_doubtful()
                || self.incoming.shared.take_doubt()
                || self.incoming.gap().is_some();
            if doubtful && !self.note(office).await? {
                return Ok(End::LeaseLost);
            }
            if let Some(end) = self.republish(office).await? {
                return Ok(end);
            }
            let mut unreadable = None;
            if !rows.is_empty() {
                match self.publish(office, &rows).await? {
                    Published::All => {}
                    Published::UpTo(batch) => unreadable = Some(batch),
                    Published::Ended(end) => return Ok(end),
                }
            }
            self.tell_of_the_outbox(unreadable);
            if unreadable.is_some() && self.stopping.is_cancelled() {
                return Ok(End::Stopping);
            }
            if office.is_note_due() && !self.note(office).await? {
                return Ok(End::LeaseLost);
            }
            if let Some(end) = self.try_again(office).await? {
                return Ok(end);
            }
            if rows.is_empty() || unreadable.is_some() {
                let patience = office.patience();
                self.stopping.run_until_cancelled(self.incoming.wait(patience)).await;
            }
        }
    }

    /// What keeps rows from being published, if anything does.
    fn tell_of_the_outbox(&self, unreadable: Option<i64>) {
        let reason = match (unreadable, self.incoming.gap()) {
            (Some(batch), _) => format!(
                "batch {batch} in flotilla.outbox is not of a version that this build reads: nothing is \
                 published from there on; start the build that wrote it, or see docs/runbook.md"
            ),
            // Lost, so nobody will bring it: callers should not be told that their orders are on their way.
            (None, Some(batch)) => {
                let reason = format!(
                    "batch {batch} is not in flotilla.outbox, though later ones are: nothing is published \
                     from there on; docs/runbook.md says what to do"
                );
                return self.health.blocked("outbox", reason);
            }
            (None, None) => return self.health.has("outbox"),
        };
        self.health.waits_for("outbox", reason);
    }
}

impl Drop for Relay {
    /// Also when its task is cancelled or panics. Its listener ends with it, and its producers close on
    /// threads of their own.
    fn drop(&mut self) {
        self.retire();
    }
}
