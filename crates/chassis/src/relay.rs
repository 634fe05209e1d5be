//! The relay: publishes committed batches in the order of their numbers. One replica at a time does
//! so, under a lease with a fencing epoch; it gets its own batches handed over in memory and reads rows
//! only at start, at takeover, and for the other replicas' batches.

mod hand_over;
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

use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, mpsc};

use crate::config::Secret;
use crate::crash;
use crate::executor::{Chain, Writer};
use crate::health::Health;
use crate::pace::Pace;
use crate::telemetry::Telemetry;
pub(crate) use hand_over::{CommittedBatch, HandOver};
use hand_over::{Shared, hand_over};
use lease::{Lease, Tenure};
pub(crate) use publisher::ProducerSettings;
use publisher::{PublishError, Publisher};
#[cfg(feature = "measuring")]
pub(crate) use publisher::{Texts, headers};

/// Messages of one flush: enough to spread a request's cost, few enough to be acknowledged quickly.
const FLUSH_MESSAGES_MAX: u32 = 5_000;
/// Rows read at once when catching up, so that a long backlog needs bounded memory.
const READ_ROWS_MAX: i64 = 64;
/// How often the lease looks for rows that nobody announced: the safety net behind the wake-ups.
const POLL: Duration = Duration::from_secs(1);
/// Published rows are cleared and the lease renewed at most this often while busy. A crash in between
/// publishes at most this much twice.
const CLEAR_EVERY: Duration = Duration::from_millis(200);
/// The longest pause that lets batches gather. The executor has paced what it commits.
const PAUSE_MAX: Duration = Duration::from_millis(8);
/// A flush of so many batches is full enough.
const FULL_ENOUGH: usize = 8;
/// The pause after a failure to publish.
const FAILURE_PAUSE: Duration = Duration::from_millis(500);

/// The relay of one replica.
pub(crate) struct Relay {
    pub(crate) writer: Writer,
    pub(crate) database_url: Secret,
    pub(crate) producer: ProducerSettings,
    pub(crate) health: Arc<Health>,
    pub(crate) telemetry: Arc<Telemetry>,
    handed_over: mpsc::Receiver<CommittedBatch>,
    shared: Arc<Shared>,
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
    ) -> (Self, HandOver) {
        let (hand_over, handed_over, shared) = hand_over();
        let relay =
            Relay { writer, database_url, producer, health, telemetry, handed_over, shared };
        (relay, hand_over)
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
                    self.shared.set_leader(false);
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
        // What was handed over meanwhile is the leader's to read.
        while self.handed_over.try_recv().is_ok() {}
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
        let announcements = self.announcements().await?;
        self.shared.set_leader(true);
        self.telemetry.metrics.relay_leader.record(1, &[]);
        tracing::info!(
            epoch = tenure.epoch,
            published = tenure.published,
            "this replica publishes"
        );
        let mut round = Round {
            pace: Pace::new(PAUSE_MAX, FULL_ENOUGH),
            cleared: tenure.published,
            unread: true,
        };
        let mut last_clear = Instant::now();
        let result = loop {
            let batches = match self.next(&mut tenure, &mut round).await {
                Ok(batches) => batches,
                Err(error) => break Err(error.into()),
            };
            if batches.is_empty() && stopping.load(Relaxed) {
                break Ok(End::Stopping);
            }
            if tenure.is_doubtful() {
                // Renew before publishing: whoever took over publishes the same batches.
                if !self.clear(lease, &mut tenure, &mut round).await? {
                    break Ok(End::LeaseLost);
                }
            }
            if !batches.is_empty() {
                crash::point("relay.before_publish");
                round.pace.begin();
                let published = self.publish(&mut publisher, &batches).await;
                round.pace.end();
                if let Err(error) = published {
                    break Err(error.into());
                }
                crash::point("relay.after_publish");
                tenure.published = batches.back().map_or(tenure.published, |batch| batch.number);
            }
            if last_clear.elapsed() >= CLEAR_EVERY && tenure.published > round.cleared {
                last_clear = Instant::now();
                if !self.clear(lease, &mut tenure, &mut round).await? {
                    break Ok(End::LeaseLost);
                }
            }
            if batches.is_empty() {
                self.wait(&announcements, &tenure, &mut round).await;
            }
        };
        publisher.close().await;
        if matches!(result, Ok(End::Stopping)) {
            self.clear(lease, &mut tenure, &mut round).await?;
            lease.release(self.writer.connection().await?, tenure.epoch).await?;
        }
        result
    }

    /// The batches to publish next, without a gap.
    async fn next(
        &mut self,
        tenure: &mut Tenure,
        round: &mut Round,
    ) -> Result<VecDeque<CommittedBatch>, sqlx::Error> {
        let mut batches = VecDeque::new();
        let mut messages = 0;
        let mut expected = tenure.published + 1;
        if round.unread || self.shared.take_missed() {
            // Rows first: after a takeover, after an announcement, or where something was not handed over.
            for batch in read(self.writer.connection().await?, tenure.published).await? {
                if batch.number != expected {
                    tracing::error!(
                        expected,
                        found = batch.number,
                        "an outbox row is missing: publishing stops before it"
                    );
                    break;
                }
                expected += 1;
                batches.push_back(batch);
            }
            round.unread = batches.len() as i64 == READ_ROWS_MAX;
            return Ok(batches);
        }
        while messages < FLUSH_MESSAGES_MAX
            && let Ok(batch) = self.handed_over.try_recv()
        {
            if batch.number < expected {
                continue;
            }
            if batch.number > expected {
                // Another replica committed in between, or the hand-over was full.
                round.unread = true;
                break;
            }
            messages += batch.message_count;
            expected += 1;
            batches.push_back(batch);
        }
        Ok(batches)
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
    async fn clear(
        &mut self,
        lease: &Lease,
        tenure: &mut Tenure,
        round: &mut Round,
    ) -> Result<bool, sqlx::Error> {
        let db = self.writer.connection().await?;
        let Some(renewed) = lease.renew(db, tenure).await? else { return Ok(false) };
        tenure.renewed = renewed;
        round.cleared = tenure.published;
        Ok(true)
    }

    /// Waits for work; wakes up for the lease in any case.
    async fn wait(&mut self, announcements: &Notify, tenure: &Tenure, round: &mut Round) {
        let until_clear = match tenure.published > round.cleared {
            true => CLEAR_EVERY,
            false => POLL.min(lease::RENEW_EVERY),
        };
        tokio::select! {
            () = self.shared.wake.notified() => {
                let pause = round.pace.pause();
                if !pause.is_zero() {
                    let before = self.handed_over.len();
                    tokio::time::sleep(pause).await;
                    round.pace.gathered(before, self.handed_over.len());
                }
            }
            () = announcements.notified() => round.unread = true,
            () = tokio::time::sleep(until_clear) => round.unread = true,
        }
    }

    /// Wakes up for batches that other replicas commit.
    async fn announcements(&self) -> Result<Arc<Notify>, sqlx::Error> {
        let mut listener = PgListener::connect(&self.database_url.0).await?;
        listener.listen("flotilla_outbox").await?;
        let announced = Arc::new(Notify::new());
        let wake = Arc::downgrade(&announced);
        tokio::spawn(async move {
            // Ends with the connection or with the tenure; the poll remains either way.
            while listener.recv().await.is_ok() {
                match wake.upgrade() {
                    Some(wake) => wake.notify_one(),
                    None => break,
                }
            }
        });
        Ok(announced)
    }
}

struct Round {
    pace: Pace,
    /// The last batch whose row is cleared.
    cleared: i64,
    /// Whether there may be rows that were not handed over.
    unread: bool,
}

async fn read(db: &mut PgConnection, after: i64) -> Result<Vec<CommittedBatch>, sqlx::Error> {
    let rows: Vec<(i64, i32, Vec<u8>)> = sqlx::query_as(
        "select batch, message_count, messages from flotilla.outbox
         where batch > $1 order by batch limit $2",
    )
    .bind(after)
    .bind(READ_ROWS_MAX)
    .fetch_all(db)
    .await?;
    let batch = |(number, count, row)| CommittedBatch { number, message_count: count as u32, row };
    Ok(rows.into_iter().map(batch).collect())
}
