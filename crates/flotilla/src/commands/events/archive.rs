//! `flotilla events save` and `load`: topics into a file and back, for backups and for another cluster.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use chassis::archive::{self, ArchiveError};
use clap::Args;
use serde_json::json;

use super::unread;
use crate::commands::{brokers, language};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Save {
    /// The file, which is replaced when the copy is whole
    file: PathBuf,
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

pub(crate) async fn save(Save { file, topic }: Save, out: &Output) -> Result<ExitCode> {
    let topics: Vec<String> = match topic.is_empty() {
        true => language()?.iter().map(|topic| topic.name.to_owned()).collect(),
        false => topic,
    };
    let brokers = brokers()?;
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut unfinished = file.clone().into_os_string();
    unfinished.push(".unfinished");
    let writing = File::create(&unfinished)
        .with_context(|| format!("cannot write {}", PathBuf::from(&unfinished).display()))?;
    let saved = tokio::task::block_in_place(|| {
        let records = archive::save(&brokers, &names, BufWriter::new(&writing))?;
        writing.sync_all()?;
        Ok(records)
    });
    let records = saved.map_err(|error| failed(error, &brokers))?;
    fs::rename(&unfinished, &file).with_context(|| format!("cannot write {}", file.display()))?;
    out.line(format_args!("{records} records of {} are in {}", topics.join(", "), file.display()));
    out.document(&json!({ "file": file, "topics": topics, "records": records }));
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn load(Load { file, topic }: Load, out: &Output) -> Result<ExitCode> {
    let brokers = brokers()?;
    let names: Vec<&str> = topic.iter().map(String::as_str).collect();
    File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let open = || File::open(&file).map(BufReader::new);
    let loaded = tokio::task::block_in_place(|| archive::load(&brokers, &names, open));
    let records = loaded.map_err(|error| failed(error, &brokers))?;
    out.line(format_args!("{records} records of {} are on their topics", file.display()));
    out.document(&json!({ "file": file, "records": records }));
    Ok(ExitCode::SUCCESS)
}

/// Why a copy failed, with the next step.
fn failed(error: ArchiveError, brokers: &str) -> anyhow::Error {
    match error {
        ArchiveError::Tail(error) => unread(error, brokers),
        other => other.into(),
    }
}
