//! What executor and relay share: a committed batch is handed over in memory where possible, so that the relay
//! need not read back the row that was written a moment ago.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Relaxed, SeqCst},
};

use tokio::sync::{Notify, mpsc};

/// Batches that may wait in memory. A relay that is further behind reads rows, as after a takeover.
const BATCHES_MAX: usize = 64;
/// The largest batch that is handed over in memory; with the number above it bounds the memory to 16 MiB.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// A batch that was committed a moment ago, or read from its row.
pub(crate) struct CommittedBatch {
    pub(crate) number: i64,
    pub(crate) message_count: u32,
    pub(crate) row: Vec<u8>,
}

/// What both sides share.
#[derive(Default)]
pub(crate) struct Shared {
    leader: AtomicBool,
    /// Whether some batch could not be handed over, so that rows have to be read.
    missed: AtomicBool,
    /// Whether numbering may have begun again from an earlier number.
    doubt: AtomicBool,
    pub(super) wake: Notify,
}

impl Shared {
    pub(crate) fn set_leader(&self, leader: bool) {
        self.leader.store(leader, Relaxed);
    }

    /// Whether rows have to be read; true only once.
    pub(super) fn take_missed(&self) -> bool {
        self.missed.swap(false, Relaxed)
    }

    /// Whether numbering may have begun again from an earlier number; true only once.
    pub(super) fn take_doubt(&self) -> bool {
        self.doubt.swap(false, SeqCst)
    }
}

/// The executor's side.
#[derive(Clone)]
pub(crate) struct HandOver {
    batches: mpsc::Sender<CommittedBatch>,
    shared: Arc<Shared>,
}

pub(crate) fn hand_over() -> (HandOver, mpsc::Receiver<CommittedBatch>, Arc<Shared>) {
    let (batches, handed_over) = mpsc::channel(BATCHES_MAX);
    let shared = Arc::new(Shared::default());
    (HandOver { batches, shared: Arc::clone(&shared) }, handed_over, shared)
}

impl HandOver {
    /// For a replica whose relay never leads: its rows stay in the table.
    #[cfg(feature = "testing")]
    pub(crate) fn to_nobody() -> Self {
        hand_over().0
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.shared.leader.load(Relaxed)
    }

    /// The executor writes over a new connection: to a database that may have been set back, and may give
    /// out numbers again that the relay has seen. What the relay is handed from now on is not the next batch
    /// until its own connection has confirmed it.
    pub(crate) fn doubt(&self) {
        self.shared.doubt.store(true, SeqCst);
    }

    /// Hands a batch over, or tells the relay to read its row.
    pub(crate) fn committed(&self, batch: CommittedBatch) {
        if !self.is_leader() {
            return;
        }
        if batch.row.len() > BATCH_BYTES_MAX || self.batches.try_send(batch).is_err() {
            self.shared.missed.store(true, Relaxed);
        }
        self.shared.wake.notify_one();
    }
}
