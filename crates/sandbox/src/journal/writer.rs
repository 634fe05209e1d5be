//! The thread that writes the journal. Separate from opening and replaying because it deals with the
//! order between threads: acts are queued in the order in which the ledger applied them, and each
//! caller learns when its own has been written.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::Durability;
use crate::ledger::Entry;

/// The end of a journal that is open for writing.
#[derive(Debug)]
pub struct Journal {
    queue: Arc<Queue>,
    progress: watch::Receiver<Progress>,
    writer: Option<JoinHandle<()>>,
}

/// The act could not be written. The ledger in memory is ahead of the disk from here on, so the
/// simulator must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written")]
pub struct NotRecorded;

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// How many acts have ever been queued.
    acts: u64,
    closed: bool,
}

#[derive(Debug, Clone, Copy)]
enum Progress {
    /// This many acts have been written.
    Written(u64),
    Failed,
}

impl Journal {
    pub(super) fn start(file: File, durability: Durability) -> std::io::Result<Self> {
        let queue = Arc::<Queue>::default();
        let (progress, written) = watch::channel(Progress::Written(0));
        let writer = std::thread::Builder::new().name("journal".into()).spawn({
            let queue = Arc::clone(&queue);
            move || {
                if let Err(error) = write_all(file, durability, &queue, &progress) {
                    tracing::error!(error = %error, "the journal cannot be written");
                    progress.send_replace(Progress::Failed);
                }
            }
        })?;
        Ok(Self { queue, progress: written, writer: Some(writer) })
    }

    /// Queues an act, and returns the number to wait for. Called under the ledger's lock, because the
    /// order of the lines must be the order in which the ledger applied them.
    pub fn append(&self, entry: &Entry) -> u64 {
        let mut waiting = self.queue.waiting();
        serde_json::to_writer(&mut waiting.bytes, entry).expect("an act has a JSON form");
        waiting.bytes.push(b'\n');
        waiting.acts += 1;
        self.queue.wake.notify_one();
        waiting.acts
    }

    /// The number of the last queued act.
    pub fn last(&self) -> u64 {
        self.queue.waiting().acts
    }

    /// Waits until the act with that number has been written.
    pub async fn written(&self, act: u64) -> Result<(), NotRecorded> {
        let reached = |progress: &Progress| match progress {
            Progress::Written(acts) => *acts >= act,
            Progress::Failed => true,
        };
        match self.progress.clone().wait_for(reached).await.as_deref() {
            Ok(Progress::Written(_)) => Ok(()),
            Ok(Progress::Failed) | Err(_) => Err(NotRecorded),
        }
    }

    /// Waits until the journal can no longer be written, which normally is never.
    pub async fn failed(&self) {
        let failed = |progress: &Progress| matches!(progress, Progress::Failed);
        let mut progress = self.progress.clone();
        // An error means that the writer is gone, which is a failure as well.
        let _gone = progress.wait_for(failed).await;
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.queue.waiting().closed = true;
        self.queue.wake.notify_one();
        if let Some(writer) = self.writer.take() {
            // It only panics when the lock was poisoned, and then there is nothing left to write.
            let _panicked = writer.join();
        }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_all(
    mut file: File,
    durability: Durability,
    queue: &Queue,
    progress: &watch::Sender<Progress>,
) -> std::io::Result<()> {
    let mut batch = Vec::new();
    loop {
        let acts = {
            let mut waiting = queue.waiting();
            while waiting.bytes.is_empty() {
                if waiting.closed {
                    return Ok(());
                }
                waiting = queue.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut batch, &mut waiting.bytes);
            waiting.acts
        };
        file.write_all(&batch)?;
        if durability == Durability::Synced {
            file.sync_data()?;
        }
        progress.send_replace(Progress::Written(acts));
        batch.clear();
    }
}
