//! `flotilla events`: what happens on the topics, decoded.

mod archive;
mod republish;

use std::mem;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use chassis::tail::{Decoder, From, Record, Tail, TailError};
use chrono::DateTime;
use clap::{Args, Subcommand};
use serde_json::json;
use tokio::runtime::Handle;

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
    /// Stop at what is the end of the topics now; fail if that is not reached, or an event cannot be decoded
    #[arg(long, requires = "from_beginning", conflicts_with = "idle_seconds")]
    until_end: bool,
}

pub(crate) async fn run(command: Events, out: &Output) -> Result<ExitCode> {
    match command {
        Events::Tail(shown) => tail(shown, out).await,
        Events::Republish(topic) => republish::run(topic, out).await,
        Events::Save(asked) => archive::save(asked, out).await,
        Events::Load(asked) => archive::load(asked, out).await,
    }
}

/// How long a topic may be silent before its end.
const SILENCE: Duration = Duration::from_secs(20);

async fn tail(mut asked: Shown, out: &Output) -> Result<ExitCode> {
    let topics: Vec<String> = match asked.topic.is_empty() {
        true => super::language()?.iter().map(|topic| topic.name.to_owned()).collect(),
        false => mem::take(&mut asked.topic),
    };
    let brokers = super::brokers()?;
    let decoder = Decoder::new(super::registry()?);
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let from = if asked.from_beginning { From::Beginning } else { From::End };
    let tail = tokio::task::block_in_place(|| Tail::new(&brokers, &names, from));
    let tail = tail.map_err(|error| unread(error, &brokers))?;
    let patience = asked.idle_seconds.map_or(Duration::MAX, Duration::from_secs);
    out.end_with_reader();
    let mut screen = Screen { asked, decoder, out, shown: 0 };
    if screen.asked.until_end {
        tokio::task::block_in_place(|| {
            tail.try_read_to_end(SILENCE, |record| {
                Handle::current().block_on(screen.show(record)).map_err(Unfinished::Record)
            })
        })
        .map_err(|error| match error {
            Unfinished::Tail(error) => unread(error, &brokers),
            Unfinished::Record(error) => error,
        })?;
    } else {
        while let Some(record) = tokio::task::block_in_place(|| tail.next(patience))? {
            screen.show(record).await?;
        }
    }
    if screen.shown == 0 {
        out.aside("no event came that was asked for");
    }
    Ok(ExitCode::SUCCESS)
}

/// Why the end of the topics was not reached.
enum Unfinished {
    Tail(TailError),
    Record(anyhow::Error),
}

impl std::convert::From<TailError> for Unfinished {
    fn from(error: TailError) -> Self {
        Unfinished::Tail(error)
    }
}

/// Where events are shown.
struct Screen<'a> {
    asked: Shown,
    decoder: Decoder,
    out: &'a Output,
    shown: u64,
}

impl Screen<'_> {
    /// Shows a record that was asked for.
    async fn show(&mut self, record: Record) -> Result<()> {
        let Shown { key, r#type, until_end, .. } = &self.asked;
        let wanted = key.as_ref().is_none_or(|key| *key == record.key)
            && r#type.as_ref().is_none_or(|name| record.event_type().ends_with(name.as_str()));
        if !wanted {
            return Ok(());
        }
        let value = match &record.value {
            Some(value) => match self.decoder.decode(value).await {
                Err(why) if *until_end => bail!(
                    "{}/{} cannot be decoded at offset {}: {why}; without --until-end it is shown all the same",
                    record.topic,
                    record.partition,
                    record.offset
                ),
                decoded => decoded.unwrap_or_else(|why| json!({ "undecoded": why })),
            },
            None => serde_json::Value::Null,
        };
        self.shown += 1;
        print(&record, &value, self.out);
        Ok(())
    }
}

fn print(record: &Record, value: &serde_json::Value, out: &Output) {
    let at = DateTime::from_timestamp_millis(record.timestamp_ms).unwrap_or_default();
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

/// Why topics cannot be read, with the next step.
fn unread(error: TailError, brokers: &str) -> anyhow::Error {
    match error {
        TailError::UnknownTopic { .. } => {
            anyhow!("{error}; `flotilla topics apply` creates those of the fleet")
        }
        TailError::Kafka(error) => {
            anyhow!("Kafka at {brokers} does not answer: {error}; {IS_IT_UP}")
        }
        TailError::Silent { .. } => error.into(),
    }
}
