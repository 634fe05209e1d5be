//! `flotilla events`: what happens on the topics, decoded.

mod archive;
mod republish;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use chassis::tail::{Decoder, From, Tail, TailError};
use chrono::DateTime;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{IS_IT_UP, TIME};
use crate::output::Output;
use republish::Republish;

#[derive(Subcommand)]
pub(crate) enum Events {
    /// Print events as they come, until stopped
    Tail(Shown),
    /// Publish a topic again that lost its log, from what its service keeps in its outbox
    Republish(Republish),
    /// Copy topics into a file
    Save(archive::Save),
    /// Put what `save` copied into topics that are empty: a lost one that was created again, or another cluster's
    Load(archive::Load),
}

/// Which events are printed.
#[derive(Args)]
pub(crate) struct Shown {
    /// Only these topics; all of the fleet when left out
    #[arg(long)]
    topic: Vec<String>,
    /// Only events with this key: an order's id or a SKU
    #[arg(long)]
    key: Option<String>,
    /// Only events whose type ends like this, such as OrderPlaced
    #[arg(long)]
    r#type: Option<String>,
    /// From the beginning of the topics, not only what comes from now on
    #[arg(long)]
    from_beginning: bool,
    /// Stop after this many seconds without an event
    #[arg(long)]
    idle_seconds: Option<u64>,
}

pub(crate) async fn run(command: Events, out: &Output) -> Result<ExitCode> {
    match command {
        Events::Tail(shown) => tail(shown, out).await,
        Events::Republish(topic) => republish::run(topic, out).await,
        Events::Save(asked) => archive::save(asked, out).await,
        Events::Load(asked) => archive::load(asked, out).await,
    }
}

async fn tail(shown: Shown, out: &Output) -> Result<ExitCode> {
    let Shown { topic, key, r#type, from_beginning, idle_seconds } = shown;
    let topics: Vec<String> = match topic.is_empty() {
        true => super::language()?.iter().map(|topic| topic.name.to_owned()).collect(),
        false => topic,
    };
    let brokers = super::brokers()?;
    let mut decoder = Decoder::new(super::registry()?);
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let from = if from_beginning { From::Beginning } else { From::End };
    let tail = tokio::task::block_in_place(|| Tail::new(&brokers, &names, from));
    let tail = tail.map_err(|error| unread(error, &brokers))?;
    let patience = idle_seconds.map_or(Duration::MAX, Duration::from_secs);
    out.end_with_reader();
    let mut shown = 0_u64;
    while let Some(record) = tokio::task::block_in_place(|| tail.next(patience))? {
        let wanted = key.as_ref().is_none_or(|key| *key == record.key)
            && r#type.as_ref().is_none_or(|name| record.event_type().ends_with(name.as_str()));
        if !wanted {
            continue;
        }
        let value = match &record.value {
            Some(value) => {
                decoder.decode(value).await.unwrap_or_else(|why| json!({ "undecoded": why }))
            }
            None => serde_json::Value::Null,
        };
        let at = DateTime::from_timestamp_millis(record.timestamp_ms).unwrap_or_default();
        shown += 1;
        let name = record.event_type().rsplit('.').next().unwrap_or_default();
        out.line(format_args!(
            "{} {:20} {name:28} {} {value}",
            at.format(TIME),
            format!("{}@{}", record.partition, record.offset),
            record.key,
        ));
        let headers: serde_json::Map<String, serde_json::Value> =
            record.headers.iter().map(|(n, v)| (n.clone(), v.clone().into())).collect();
        out.document(&json!({
            "topic": record.topic, "partition": record.partition, "offset": record.offset,
            "key": record.key, "time": at.format(TIME).to_string(), "headers": headers, "value": value,
        }));
    }
    if shown == 0 {
        out.aside("no event came that was asked for");
    }
    Ok(ExitCode::SUCCESS)
}

/// Why topics cannot be read, with the next step.
fn unread(error: TailError, brokers: &str) -> anyhow::Error {
    match error {
        TailError::UnknownTopic { .. } => {
            anyhow!("{error}; `flotilla topics apply` creates those of the fleet")
        }
        TailError::Kafka(error) => {
            anyhow!("Kafka at {brokers} does not answer: {error}; {IS_IT_UP}")
        }
    }
}
