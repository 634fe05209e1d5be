//! What the relay publishes next, and when: batches that the executor hands over in memory, and rows of
//! batches that other replicas committed. Separate from publishing, as this is all about not missing
//! any, and about gathering several.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::hand_over::{CommittedBatch, HandOver, Shared, hand_over};
use crate::executor::pace::{Pace, Replicas};
use crate::postgres::connection::Writer;
use crate::postgres::trouble::{PATIENCE, within};
use crate::run::config::Secret;

/// Messages of one flush: enough to spread a request's cost, few enough to be acknowledged quickly.
const FLUSH_MESSAGES_MAX: u32 = 5_000;
/// Bytes of one flush, and of the rows read at once when catching up: at a megabyte a second that takes
/// four seconds, and a long backlog needs bounded memory. A row may be larger by itself.
const FLUSH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Rows read at once.
const READ_ROWS_MAX: i64 = 64;
/// The longest pause that lets batches gather. The executor has paced what it commits.
const PAUSE_MAX: Duration = Duration::from_millis(8);
/// A flush of this many batches is full enough.
const FULL_ENOUGH: usize = 8;

pub(super) struct Incoming {
    handed_over: mpsc::Receiver<CommittedBatch>,
    pub(super) shared: Arc<Shared>,
    announced: Arc<Announced>,
    /// The task that listens, of this tenure only. It holds a connection, and would notice the end of
    /// the tenure only with the next announcement.
    listening: JoinSet<()>,
    pub(super) pace: Pace,
    /// Whether there may be rows that were not handed over.
    unread: bool,
    /// A batch that has no row, though there is a later one. A holder that lost the lease sees this.
    gap: Option<i64>,
    /// Taken out of the hand-over and not yet returned, as the flush before it was full.
    left_over: Option<CommittedBatch>,
}

/// Batches that other replicas committed.
#[derive(Default)]
struct Announced {
    bell: Notify,
    /// Announced and not yet read.
    batches: AtomicUsize,
}

impl Incoming {
    pub(super) fn new(replicas: Replicas) -> (Self, HandOver) {
        let (hand_over, handed_over, shared) = hand_over();
        let pace = Pace::new(PAUSE_MAX, FULL_ENOUGH, replicas);
        let (announced, listening, unread) = (Arc::default(), JoinSet::new(), true);
        (
            Incoming {
                handed_over,
                shared,
                announced,
                listening,
                pace,
                unread,
                gap: None,
                left_over: None,
            },
            hand_over,
        )
    }

    /// Forgets what was handed over: the leader reads it.
    pub(super) fn discard(&mut self) {
        self.left_over = None;
        while self.handed_over.try_recv().is_ok() {}
    }

    /// A tenure begins: from here on executors hand over, or announce.
    pub(super) async fn open(&mut self, database_url: &Secret) -> Result<(), sqlx::Error> {
        // Numbers of an earlier tenure may be given again, where the database was set back.
        self.discard();
        within(PATIENCE, self.listen(database_url)).await?;
        self.unread = true;
        self.gap = None;
        self.shared.set_leader(true);
        Ok(())
    }

    /// What was returned last is not published: its rows are read again.
    pub(super) fn look_again(&mut self) {
        self.unread = true;
    }

    /// The batch that was missing when rows were read last.
    pub(super) fn gap(&self) -> Option<i64> {
        self.gap
    }

    /// The tenure is over, however it ended. Returns when nobody listens any more.
    pub(super) async fn close(&mut self) {
        self.listening.shutdown().await;
    }

    async fn listen(&mut self, database_url: &Secret) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect(&database_url.0).await?;
        listener.listen("flotilla_outbox").await?;
        let announced = Arc::new(Announced::default());
        self.announced = Arc::clone(&announced);
        self.listening.spawn(async move {
            // Ends with the connection; then only polling remains.
            while listener.recv().await.is_ok() {
                announced.batches.fetch_add(1, Relaxed);
                announced.bell.notify_one();
            }
        });
        Ok(())
    }

    /// The batches that come after `published`, without a gap.
    pub(super) async fn next(
        &mut self,
        writer: &mut Writer,
        published: i64,
    ) -> Result<VecDeque<CommittedBatch>, sqlx::Error> {
        let missed = self.shared.take_missed();
        if !self.unread && !missed {
            let batches = self.take(published);
            if !batches.is_empty() || !self.unread {
                return Ok(batches);
            }
        }
        self.read(writer, published).await
    }

    /// From the rows.
    async fn read(
        &mut self,
        writer: &mut Writer,
        published: i64,
    ) -> Result<VecDeque<CommittedBatch>, sqlx::Error> {
        self.announced.batches.store(0, Relaxed);
        self.gap = None;
        let mut batches = VecDeque::new();
        let read = rows_between(writer.connection().await?, published + 1, i64::MAX);
        let (rows, are_all) = within(PATIENCE, read).await?;
        for batch in rows {
            let expected = published + 1 + batches.len() as i64;
            if batch.number != expected {
                self.gap = Some(expected);
                break;
            }
            batches.push_back(batch);
        }
        self.unread = !are_all && self.gap.is_none();
        Ok(batches)
    }

    /// From memory, up to a gap.
    fn take(&mut self, published: i64) -> VecDeque<CommittedBatch> {
        let mut batches = VecDeque::new();
        let (mut messages, mut bytes) = (0, 0);
        while let Some(batch) = self.left_over.take().or_else(|| self.handed_over.try_recv().ok()) {
            let expected = published + 1 + batches.len() as i64;
            if batch.number < expected {
                continue;
            }
            if batch.number > expected {
                // Another replica committed in between, or the hand-over was full.
                self.unread = true;
                break;
            }
            messages += batch.message_count;
            bytes += batch.row.len();
            if !batches.is_empty() && (messages > FLUSH_MESSAGES_MAX || bytes > FLUSH_BYTES_MAX) {
                self.left_over = Some(batch);
                break;
            }
            batches.push_back(batch);
        }
        batches
    }

    /// Waits until there is something, and for more if that is worth the time; looks for rows
    /// that nobody announced after `patience`.
    pub(super) async fn wait(&mut self, patience: Duration) {
        tokio::select! {
            () = self.shared.wake.notified() => {}
            () = self.announced.bell.notified() => self.unread = true,
            () = tokio::time::sleep(patience) => return self.unread = true,
        }
        let pause = self.pace.pause();
        if !pause.is_zero() {
            let before = self.waiting();
            tokio::time::sleep(pause).await;
            self.pace.gathered(before, self.waiting());
        }
    }

    /// Batches that wait, at least one.
    fn waiting(&self) -> usize {
        (self.handed_over.len() + self.announced.batches.load(Relaxed)).max(1)
    }
}

/// Rows from one number to another, up to the limits of a flush, and whether there were no more. The rows themselves
/// are only read up to there: the length of what is stored outside of its row is known without reading it.
pub(super) async fn rows_between(
    db: &mut PgConnection,
    first: i64,
    last: i64,
) -> Result<(Vec<CommittedBatch>, bool), sqlx::Error> {
    let rows: Vec<(i64, i32, Vec<u8>)> = sqlx::query_as(
        "select batch, message_count, messages from (
             select batch, message_count, messages,
                    sum(message_count) over rows_to_here - message_count as messages_before,
                    sum(octet_length(messages)) over rows_to_here - octet_length(messages)
                        as bytes_before
             from flotilla.outbox where batch between $1 and $5
             window rows_to_here as (order by batch)
             order by batch limit $2) waiting
         where messages_before < $3 and bytes_before < $4 order by batch",
    )
    .bind(first)
    .bind(READ_ROWS_MAX)
    .bind(i64::from(FLUSH_MESSAGES_MAX))
    .bind(FLUSH_BYTES_MAX as i64)
    .bind(last)
    .fetch_all(db)
    .await?;
    let (mut messages, mut bytes) = (0, 0);
    for (_, count, row) in &rows {
        messages += *count as u32;
        bytes += row.len();
    }
    let is_full = rows.len() as i64 == READ_ROWS_MAX
        || messages >= FLUSH_MESSAGES_MAX
        || bytes >= FLUSH_BYTES_MAX;
    let batch = |(number, count, row)| CommittedBatch { number, message_count: count as u32, row };
    Ok((rows.into_iter().map(batch).collect(), !is_full))
}
