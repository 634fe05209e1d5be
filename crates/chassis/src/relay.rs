//! The relay: publishes committed batches in the order of their numbers. One replica at a time does
//! so, under a lease with a fencing epoch; it gets its own batches handed over in memory and reads rows
//! only at start, at takeover, and for the other replicas' batches.

mod hand_over;
mod incoming;
mod lease;
mod publisher;
mod pump;
#[cfg(feature = "measuring")]
pub(crate) mod flushes;
#[cfg(feature = "measuring")]
pub(crate) mod clearing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::config::Secret;
use crate::crash;
use crate::executor::{Chain, Writer};
use crate::health::Health;
use crate::pace::Replicas;
use crate::telemetry::Telemetry;
pub(crate) use hand_over::{CommittedBatch, HandOver};
use incoming::Incoming;
use lease::{Lease, Tenure};
pub(crate) use publisher::ProducerSettings;
use publisher::{PublishError, Publisher};
#[cfg(feature = "measuring")]
pub(crate) use publisher::{Texts, headers};

/// How often the lease looks for rows that nobody announced: the safety net behind the wake-ups.
const POLL: Duration = Duration::from_secs(1);
/// Published rows are cleared and the lease renewed at most this often while busy. A crash in between
/// publishes at most this much twice.
const CLEAR_EVERY: Duration = Duration::from_millis(200);
/// The pause after a failure to publish.
const FAILURE_PAUSE: Duration = Duration::from_millis(500);

/// The relay of one replica.
pub(crate) struct Relay {
    pub(crate) writer: Writer,
    pub(crate) database_url: Secret,
    pub(crate) producer: ProducerSettings,
    pub(crate) health: Arc<Health>,
    pub(crate) telemetry: Arc<Telemetry>,
    incoming: Incoming,
}

/// Why a tenure ended.
enum End {
    Stopping,
    LeaseLost,
}

impl Relay {
    pub(crate) fn new(
        writer: Writer,
        database_url: Secret,
        producer: ProducerSettings,
        health: Arc<Health>,
        telemetry: Arc<Telemetry>,
        replicas: Replicas,
    ) -> (Self, HandOver) {
        let (incoming, hand_over) = Incoming::new(replicas);
        (Relay { writer, database_url, producer, health, telemetry, incoming }, hand_over)
    }

    /// Stands by, publishes while it holds the lease, and gives the lease back when told to stop and
    /// everything handed over is published.
    pub(crate) async fn run(mut self, stop: Arc<Notify>, stopping: Arc<AtomicBool>) {
        let lease = Lease::new();
        let mut first = true;
        while !stopping.load(Relaxed) {
            match self.take(&lease).await {
                Ok(Some(tenure)) => {
                    first = false;
                    match self.lead(&lease, tenure, &stopping).await {
                        Ok(End::Stopping) => break,
                        Ok(End::LeaseLost) => tracing::warn!("another replica publishes now"),
                        Err(error) => {
                            tracing::warn!(error = %error, "the relay starts again");
                            tokio::time::sleep(FAILURE_PAUSE).await;
                        }
                    }
                    self.incoming.close().await;
                    self.telemetry.metrics.relay_leader.record(0, &[]);
                }
                Ok(None) => {
                    if first {
                        tracing::info!("another replica publishes; standing by");
                        first = false;
                    }
                    self.stand_by(&stop).await;
                }
                Err(error) => {
                    self.writer.failed(&error);
                    let reason = format!("nothing is published, no lease can be had: {error}");
                    self.health.waits_for("relay", reason);
                    self.stand_by(&stop).await;
                }
            }
        }
        self.writer.close().await;
    }

    async fn take(&mut self, lease: &Lease) -> Result<Option<Tenure>, sqlx::Error> {
        let taken = lease.take(self.writer.connection().await?).await?;
        self.health.has("relay");
        Ok(taken)
    }

    async fn stand_by(&mut self, stop: &Notify) {
        self.incoming.discard();
        tokio::select! {
            () = tokio::time::sleep(lease::RETRY) => {}
            () = stop.notified() => {}
        }
    }

    async fn lead(
        &mut self,
        lease: &Lease,
        mut tenure: Tenure,
        stopping: &AtomicBool,
    ) -> anyhow::Result<End> {
        let mut publisher = Publisher::new(&self.producer, &self.telemetry)?;
        self.incoming.open(&self.database_url).await?;
        self.telemetry.metrics.relay_leader.record(1, &[]);
        tracing::info!(
            epoch = tenure.epoch,
            published = tenure.published,
            "this replica publishes"
        );
        let mut cleared = tenure.published;
        let mut last_clear = Instant::now();
        let result = loop {
            let batches = match self.incoming.next(&mut self.writer, tenure.published).await {
                Ok(batches) => batches,
                Err(error) => break Err(error.into()),
            };
            if batches.is_empty() && stopping.load(Relaxed) {
                break Ok(End::Stopping);
            }
            if tenure.is_doubtful() || self.incoming.shared.take_doubt() {
                // Renew before publishing: whoever took over publishes the same batches. And over the
                // connection of this tenure, which a database that was set back has closed.
                if !self.clear(lease, &mut tenure).await? {
                    break Ok(End::LeaseLost);
                }
                cleared = tenure.published;
            }
            if !batches.is_empty() {
                crash::point("relay.before_publish");
                self.incoming.pace.begin();
                let published = self.publish(&mut publisher, &batches).await;
                self.incoming.pace.end();
                if let Err(error) = published {
                    break Err(error.into());
                }
                crash::point("relay.after_publish");
                tenure.published = batches.back().map_or(tenure.published, |batch| batch.number);
            }
            if last_clear.elapsed() >= CLEAR_EVERY && tenure.published > cleared {
                last_clear = Instant::now();
                if !self.clear(lease, &mut tenure).await? {
                    break Ok(End::LeaseLost);
                }
                cleared = tenure.published;
            }
            if batches.is_empty() {
                // Wakes up for the lease in any case.
                let patience = match tenure.published > cleared {
                    true => CLEAR_EVERY,
                    false => POLL.min(lease::RENEW_EVERY),
                };
                self.incoming.wait(patience).await;
            }
        };
        publisher.close().await;
        if matches!(result, Ok(End::Stopping)) {
            self.clear(lease, &mut tenure).await?;
            lease.release(self.writer.connection().await?, tenure.epoch).await?;
        }
        result
    }

    async fn publish(
        &self,
        publisher: &mut Publisher,
        batches: &VecDeque<CommittedBatch>,
    ) -> Result<(), PublishError> {
        let started = Instant::now();
        let published = publisher.publish(batches).await;
        match &published {
            Ok(messages) => {
                let metrics = &self.telemetry.metrics;
                metrics.published.add(*messages, &[]);
                metrics.flush_seconds.record(started.elapsed().as_secs_f64(), &[]);
                self.health.has("kafka");
            }
            Err(error) => {
                self.health
                    .waits_for("kafka", format!("events wait in the outbox: {}", Chain(error)));
            }
        }
        published.map(|_| ())
    }

    /// Notes what is published, clears its rows and renews the lease, in one transaction. Answers
    /// whether the lease is still ours.
    async fn clear(&mut self, lease: &Lease, tenure: &mut Tenure) -> Result<bool, sqlx::Error> {
        let db = self.writer.connection().await?;
        let Some(renewed) = lease.renew(db, tenure).await? else { return Ok(false) };
        tenure.renewed = renewed;
        Ok(true)
    }
}
