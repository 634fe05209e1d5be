//! `flotilla events save` and `load`: topics into a file and back, for backups and for another cluster.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use chassis::archive::{self, ArchiveError};
use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;

use super::unread;
use crate::commands::{brokers, language};
use crate::context::consent;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Save {
    /// The file, which is there when the copy is whole
    file: PathBuf,
    /// Replace the file if it is there already
    #[arg(long)]
    force: bool,
    /// Only these topics; all of the fleet's events when left out
    #[arg(long)]
    topic: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Load {
    /// The file that `save` wrote
    file: PathBuf,
    /// Only these topics; all that are in the file when left out
    #[arg(long)]
    topic: Vec<String>,
}

pub(crate) async fn save(Save { file, force, topic }: Save, out: &Output) -> Result<ExitCode> {
    let topics: Vec<String> = match topic.is_empty() {
        true => language()?.iter().map(|topic| topic.name.to_owned()).collect(),
        false => topic,
    };
    let folder = folder_for(&file, force)?;
    let brokers = brokers()?;
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let cannot_write = || format!("cannot write {}; choose another place", file.display());
    // Its name is nobody else's, nobody else may read it, and it goes when this fails.
    let unfinished = NamedTempFile::new_in(folder).with_context(cannot_write)?;
    let saved = tokio::task::block_in_place(|| {
        let saved = archive::save(&brokers, &names, BufWriter::new(unfinished.as_file()))?;
        unfinished.as_file().sync_all()?;
        Ok(saved)
    });
    let saved = saved.map_err(|error| failed(error, &brokers))?;
    match force {
        true => unfinished.persist(&file).map(drop),
        false => unfinished.persist_noclobber(&file).map(drop),
    }
    .with_context(cannot_write)?;
    // The name is on the disk when the folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot_write)?;
    let records = saved.records;
    out.line(format_args!("{records} records of {} are in {}", topics.join(", "), file.display()));
    let mut missing = Vec::new();
    for ((topic, partition), count) in &saved.missing {
        out.aside(format_args!(
            "{topic}/{partition}: {count} offsets have no record, as is usual where a topic is compacted"
        ));
        missing.push(json!({ "topic": topic, "partition": partition, "offsets": count }));
    }
    out.document(
        &json!({ "file": file, "topics": topics, "records": records, "missing": missing }),
    );
    Ok(ExitCode::SUCCESS)
}

/// The folder of a file that is to be written.
fn folder_for(file: &Path, force: bool) -> Result<&Path> {
    match fs::metadata(file) {
        Ok(there) if !there.is_file() => bail!("{} is no regular file: name one", file.display()),
        Ok(_) if !force => bail!("{} is there already; --force replaces it", file.display()),
        _ => {}
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    Ok(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

pub(crate) async fn load(Load { file, topic }: Load, out: &Output) -> Result<ExitCode> {
    consent()?;
    let brokers = brokers()?;
    let names: Vec<&str> = topic.iter().map(String::as_str).collect();
    can_be_read_twice(&file)?;
    let open = || File::open(&file).map(BufReader::new);
    let loaded = tokio::task::block_in_place(|| archive::load(&brokers, &names, open));
    let records = loaded.map_err(|error| failed(error, &brokers))?;
    out.line(format_args!("{records} records of {} are on their topics", file.display()));
    out.document(&json!({ "file": file, "records": records }));
    Ok(ExitCode::SUCCESS)
}

/// A pipe is empty the second time.
pub(super) fn can_be_read_twice(file: &Path) -> Result<()> {
    let there = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?;
    if !there.is_file() {
        bail!("{} is no regular file: copy it into one", file.display());
    }
    Ok(())
}

/// Why a copy failed, with the next step.
fn failed(error: ArchiveError, brokers: &str) -> anyhow::Error {
    match error {
        ArchiveError::Tail(error) => unread(error, brokers),
        other => other.into(),
    }
}
