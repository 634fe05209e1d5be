//! What was done, on disk: one JSON line per act, appended before the act is answered, so that a
//! simulator that is killed still knows everything it said. A thread writes everything that has
//! gathered since its last write in one go, so that callers share the cost of the disk.

mod writer;

pub use writer::{Journal, NotRecorded};

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::ledger::{Entry, Ledger};

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("cannot use the journal {}", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another simulator is writing it.
    #[error("the journal {} is in use by another process", path.display())]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// A line that this program cannot have written.
    #[error("line {line} of the journal {} is damaged: {reason}", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Whether an act reaches the disk itself before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It has been given to the operating system: it survives a kill, not a loss of power.
    Written,
    /// It is on the disk.
    Synced,
}

/// What a journal held when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many acts.
    pub acts: u64,
    /// How many bytes of an act that was being written when the writer died. It had not been
    /// answered, so it was cut off.
    pub torn_bytes: u64,
}

/// Opens or creates the journal and builds the ledger from it.
pub fn open(
    path: &Path,
    durability: Durability,
) -> Result<(Ledger, Journal, Replayed), JournalError> {
    let io = |source| JournalError::Io { path: path.into(), source };
    let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => JournalError::InUse { path: path.into() },
        TryLockError::Error(source) => io(source),
    })?;
    let mut ledger = Ledger::default();
    let (replayed, whole_bytes) = replay(&file, path, &mut ledger)?;
    if replayed.torn_bytes > 0 {
        file.set_len(whole_bytes).map_err(io)?;
    }
    let journal = Journal::start(file, durability).map_err(io)?;
    Ok((ledger, journal, replayed))
}

fn replay(file: &File, path: &Path, ledger: &mut Ledger) -> Result<(Replayed, u64), JournalError> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut replayed = Replayed { acts: 0, torn_bytes: 0 };
    let (mut line, mut whole_bytes) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        let length = read.map_err(|source| JournalError::Io { path: path.into(), source })?;
        let length = u64::try_from(length).expect("a line fits in memory");
        if line.last() != Some(&b'\n') {
            replayed.torn_bytes = length;
            return Ok((replayed, whole_bytes));
        }
        whole_bytes += length;
        replayed.acts += 1;
        apply(&line, ledger).map_err(|reason| JournalError::Damaged {
            path: path.into(),
            line: replayed.acts,
            reason,
        })?;
    }
}

/// Every line was an act that changed the ledger, by being carried out for the first time or refused, so it
/// must be so again.
fn apply(line: &[u8], ledger: &mut Ledger) -> Result<(), String> {
    let entry: Entry = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let first = match &entry {
        Entry::Payment(act) => match ledger.pay(act) {
            Ok(applied) => applied.first,
            Err(refusal) if refusal.changes() => true,
            Err(refusal) => return Err(refusal.to_string()),
        },
        Entry::Shipment(act) => ledger.ship(act).map_err(|error| error.to_string())?.first,
    };
    if first { Ok(()) } else { Err("it was carried out before".into()) }
}
