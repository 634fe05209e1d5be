//! `flotilla events tail`: events as they come, or those of the past.

use std::mem;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use chassis::tail::{Decoder, From, Record, Scope, Tail, TailError, To};
use clap::Args;
use serde_json::Value;
use tokio::runtime::Handle;

use super::selection::Selection;
use super::{line, unread};
use crate::commands::{brokers, kafka_error, language, registry};
use crate::output::Output;

/// Which events are printed.
#[derive(Args)]
pub(crate) struct Shown {
    /// Only these topics; all of the fleet when left out
    #[arg(long)]
    topic: Vec<String>,
    #[command(flatten)]
    selection: Selection,
    /// Only this partition of each topic
    #[arg(long)]
    partition: Option<i32>,
    /// From the beginning of the topics, not only what comes from now on
    #[arg(long, conflicts_with_all = ["since", "from_offset"])]
    from_beginning: bool,
    /// From this offset of each partition on, or from the nearest one that is there
    #[arg(long, value_name = "OFFSET", conflicts_with = "since")]
    from_offset: Option<i64>,
    /// Up to this offset of each partition, without it
    #[arg(long, value_name = "OFFSET", conflicts_with_all = ["until", "until_end", "idle_seconds"])]
    to_offset: Option<i64>,
    /// Stop after this many seconds without an event
    #[arg(long, conflicts_with = "until")]
    idle_seconds: Option<u64>,
    /// Stop at what is the end of the topics now; fail if that is not reached, or an event cannot be decoded
    #[arg(long, conflicts_with_all = ["idle_seconds", "until"])]
    until_end: bool,
}

impl Shown {
    /// Whether reading stops at a place that is known beforehand.
    fn has_end(&self) -> bool {
        self.until_end || self.selection.until.is_some() || self.to_offset.is_some()
    }

    /// What has an end and no beginning is read from the beginning of the topics.
    fn scope(&self) -> Scope {
        let from = match (&self.selection.since, self.from_offset) {
            (Some(since), _) => From::Time(since.millis()),
            (None, Some(offset)) => From::Offset(offset),
            (None, None) if self.from_beginning || self.has_end() => From::Beginning,
            (None, None) => From::End,
        };
        let to = match (&self.selection.until, self.to_offset) {
            (Some(until), _) => To::Time(until.millis()),
            (None, Some(offset)) => To::Offset(offset),
            (None, None) => To::End,
        };
        Scope { from, to, partition: self.partition }
    }
}

/// How long a topic may be silent before its end.
const SILENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(mut asked: Shown, out: &Output) -> Result<ExitCode> {
    let topics: Vec<String> = match asked.topic.is_empty() {
        true => language()?.iter().map(|topic| topic.name.to_owned()).collect(),
        false => mem::take(&mut asked.topic),
    };
    let brokers = brokers()?;
    let decoder = Decoder::new(registry()?);
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let scope = asked.scope();
    let tail = tokio::task::block_in_place(|| Tail::within(&brokers, &names, scope));
    let tail = tail.map_err(|error| unread(error, &brokers))?;
    let patience = asked.idle_seconds.map_or(Duration::MAX, Duration::from_secs);
    out.end_with_reader();
    let has_end = asked.has_end();
    let mut screen = Screen { asked, decoder, out, shown: 0 };
    if has_end {
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
        let next = || tokio::task::block_in_place(|| tail.next(patience));
        while let Some(record) = next().map_err(|error| kafka_error(&brokers, error))? {
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
        if !self.asked.selection.wants(&record) {
            return Ok(());
        }
        let decoded = match &record.value {
            Some(value) => self.decoder.decode(value).await,
            None => Ok(Value::Null),
        };
        if let (Err(why), true) = (&decoded, self.asked.until_end) {
            bail!(
                "{}/{} cannot be decoded at offset {}: {why}; without --until-end it is shown all the same",
                record.topic,
                record.partition,
                record.offset
            );
        }
        self.shown += 1;
        print(&record, line::of(&record, decoded.as_ref().cloned()), self.out);
        Ok(())
    }
}

fn print(record: &Record, line: Value, out: &Output) {
    let name = record.event_type().rsplit('.').next().unwrap_or_default();
    let place = format!("{}@{}", record.partition, record.offset);
    let (time, key, value) = (line::time(record), &record.key, &line["value"]);
    match out.is_wide() {
        true => {
            let (topic, id) = (&record.topic, record.header("ce_id").unwrap_or("-"));
            out.line(format_args!("{time} {topic:27} {place:20} {name:28} {key} {id} {value}"));
        }
        false => out.line(format_args!("{time} {place:20} {name:28} {key} {value}")),
    }
    out.document(&line);
}
