//! How far a replay is, in a file: what it is about, what is left of each partition, and when it was done. It is
//! replaced as a whole, after what it counts is acknowledged; a crash in between repeats some events, and loses none.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use chassis::tail::Ranges;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::commands::{TIME, now};
use crate::context::folder;
use crate::exit::{Exit, coded};

/// What is in the file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// What is replayed.
    pub(super) replay: Value,
    /// By partition, the next record and the one that is no longer meant.
    pub(super) left: BTreeMap<i32, (i64, i64)>,
    /// From when on and until when records are meant, in milliseconds since the Unix epoch: "two hours ago" is another
    /// time when it goes on.
    pub(super) since_ms: Option<i64>,
    pub(super) until_ms: Option<i64>,
    /// How many events were replayed.
    pub(super) sent: u64,
    /// When all of it was done.
    pub(super) finished_at: Option<String>,
}

pub(super) struct Progress {
    file: PathBuf,
    stored: Stored,
}

impl Progress {
    /// The progress of this replay; none yet where there is no file.
    pub(super) fn open(file: Option<&Path>, replay: &Value) -> Result<Self> {
        let file = match file {
            Some(file) => file.to_owned(),
            None => {
                let name = hex::encode(&Sha256::digest(replay.to_string())[..12]);
                let folder = folder("XDG_STATE_HOME", ".local/state")?;
                folder.join("replays").join(format!("{name}.json"))
            }
        };
        let name = file.display();
        let stored = match fs::read(&file) {
            Ok(text) => serde_json::from_slice::<Stored>(&text)
                .with_context(|| format!("{name} is no progress of a replay"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Stored { replay: replay.clone(), ..Stored::default() }
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
        };
        if stored.replay != *replay {
            let other =
                anyhow!("{name} is about another replay: {}; name another file", stored.replay);
            return Err(coded(Exit::Refused, other));
        }
        Ok(Progress { file, stored })
    }

    pub(super) fn stored(&self) -> &Stored {
        &self.stored
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn is_finished(&self) -> bool {
        self.stored.finished_at.is_some()
    }

    /// From when on and until when records are meant, in milliseconds since the Unix epoch.
    pub(super) fn times(&self) -> (Option<i64>, Option<i64>) {
        (self.stored.since_ms, self.stored.until_ms)
    }

    /// Whether nothing is left to be read.
    pub(super) fn is_read(&self) -> bool {
        self.stored.left.values().all(|(next, end)| next >= end)
    }

    /// Begins with these ranges, and the times that led to them, whatever was done before.
    pub(super) fn begin(&mut self, ranges: Ranges, since_ms: Option<i64>, until_ms: Option<i64>) {
        let left = ranges.into_iter().map(|((_, partition), range)| (partition, range));
        let replay = self.stored.replay.take();
        let left = left.collect();
        self.stored = Stored { replay, left, since_ms, until_ms, ..Stored::default() };
    }

    pub(super) fn ranges(&self, topic: &str) -> Ranges {
        let left = self.stored.left.iter();
        left.map(|(partition, range)| ((topic.to_owned(), *partition), *range)).collect()
    }

    /// Keeps that so many more were sent, and what is left.
    pub(super) fn advance(&mut self, left: &Ranges, sent: u64) -> io::Result<()> {
        self.stored.left =
            left.iter().map(|((_, partition), range)| (*partition, *range)).collect();
        self.stored.sent += sent;
        self.write()
    }

    pub(super) fn finish(&mut self) -> Result<()> {
        self.stored.finished_at = Some(now().format(TIME).to_string());
        self.keep()
    }

    /// Writes the file, which fails early where that is not possible.
    pub(super) fn keep(&mut self) -> Result<()> {
        let name = self.file.display().to_string();
        self.write().with_context(|| format!("cannot write {name}; --progress names another file"))
    }

    fn write(&self) -> io::Result<()> {
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, &self.stored)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.file).map(drop).map_err(|error| error.error)
    }
}
