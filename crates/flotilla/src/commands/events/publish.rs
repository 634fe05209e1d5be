//! `flotilla events publish`: events that people write, for those who have no client of Kafka at hand and for tests of
//! other systems. Each is checked against the schema that it is written with, and gets the headers and the partition
//! that a service would give it.
//!
//! A topic has one writer. What only a service may say is refused, as its tables would not know of it; topics for
//! producers outside of the fleet are there to be written to.

mod compose;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use chassis::outside::{Message, Publisher};
use chassis::topics;
use clap::Args;
use roster::FOREIGN_TOPICS;
use serde_json::json;
use tokio::task::block_in_place;

use super::archive::can_be_read_twice;
use super::line::Line;
use super::writer_of;
use crate::commands::{brokers, kafka_error, language, registry};
use crate::context::consent;
use crate::exit::{Exit, coded};
use crate::output::Output;
use compose::Composer;

/// The longest line that is read: more than the largest event takes as JSON.
const LINE_BYTES_MAX: u64 = 16 << 20;

#[derive(Args)]
pub(crate) struct Publish {
    /// The file with the events, all of which are checked before the first is published; without it, or with -,
    /// they come from the standard input, and each is published as it comes
    file: Option<PathBuf>,
    /// Show what would be published
    #[arg(long)]
    dry_run: bool,
    /// Who says so, in `ce_source`, where the event does not; the outside writer of its topic when left out
    #[arg(long)]
    source: Option<String>,
    /// Publish to this topic although it belongs to a service, which will not know of the event
    #[arg(long, value_name = "TOPIC")]
    force_topic: Vec<String>,
}

pub(super) async fn run(asked: Publish, out: &Output) -> Result<ExitCode> {
    if !asked.dry_run {
        consent()?;
    }
    let brokers = brokers()?;
    let place = brokers.clone();
    let existing = tokio::task::spawn_blocking(move || topics::existing(&place)).await?;
    let partitions = existing.map_err(|error| kafka_error(&brokers, error))?;
    let composer = Composer::new(language()?, registry()?, partitions, asked.source.clone());
    let mut publishing = Publishing { asked: &asked, composer, brokers, publisher: None, count: 0 };
    match asked.file.as_ref().filter(|file| file.as_os_str() != "-") {
        Some(file) => {
            can_be_read_twice(file)?;
            let open = || {
                let opened = File::open(file).map(BufReader::new);
                opened.with_context(|| format!("cannot read {}", file.display()))
            };
            publishing.all(open()?, &mut async |_, _| Ok(())).await?;
            publishing.publish_all(open()?, out).await?;
        }
        None => publishing.publish_all(BufReader::new(stdin()), out).await?,
    }
    publishing.finish(out)
}

/// What is published, and how far it is.
struct Publishing<'a> {
    asked: &'a Publish,
    composer: Composer,
    brokers: String,
    /// Made for the first event: where nothing is published, nobody connects.
    publisher: Option<Publisher>,
    count: u64,
}

impl Publishing<'_> {
    /// Composes every event of a text, one after the other.
    async fn all(
        &mut self,
        mut text: impl BufRead,
        each: &mut impl AsyncFnMut(&mut Self, Message) -> Result<()>,
    ) -> Result<()> {
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let mut limited = text.by_ref().take(LINE_BYTES_MAX);
            if block_in_place(|| limited.read_until(b'\n', &mut line))? == 0 {
                break;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let composed = self.compose(&line).await;
            let composed = composed.with_context(|| format!("line {number}"));
            let done = match composed {
                Ok(message) => each(self, message).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                return Err(self.ended_early(error));
            }
        }
        Ok(())
    }

    async fn compose(&mut self, line: &[u8]) -> Result<Message> {
        let read = serde_json::from_slice::<Line>(line);
        let line = read.map_err(|error| coded(Exit::Usage, anyhow!("no event: {error}")))?;
        let message = self.composer.compose(line).await?;
        self.check_writer(&message.topic)?;
        Ok(message)
    }

    async fn publish_all(&mut self, text: impl BufRead, out: &Output) -> Result<()> {
        let mut publish = async |publishing: &mut Self, message| publishing.publish(message, out);
        self.all(text, &mut publish).await
    }

    /// That the topic is for those who are outside, or somebody insists.
    fn check_writer(&self, topic: &str) -> Result<()> {
        let is_foreign = FOREIGN_TOPICS.iter().any(|(name, _)| *name == topic);
        if is_foreign || self.asked.force_topic.iter().any(|forced| forced == topic) {
            return Ok(());
        }
        let why = match writer_of(topic) {
            Some(service) => format!("{topic} belongs to {service}, which alone writes there"),
            None => format!("nobody outside is known to write to {topic}"),
        };
        let open: Vec<&str> = FOREIGN_TOPICS.iter().map(|(name, _)| *name).collect();
        let error = anyhow!(
            "{why}; topics for producers outside of the fleet are: {}; --force-topic {topic} insists",
            open.join(", ")
        );
        Err(coded(Exit::Refused, error))
    }

    fn publish(&mut self, message: Message, out: &Output) -> Result<()> {
        let verb = if self.asked.dry_run { "would publish" } else { "sent" };
        let header = |name: &str| {
            let found = message.headers.iter().find(|(header, _)| header == name);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let name = header("ce_type").rsplit('.').next().unwrap_or_default();
        let (place, bytes) =
            (format!("{}/{}", message.topic, message.partition), message.value.len());
        let said = format!(
            "{verb} {name} {} to {place}, {bytes} bytes, id {}",
            message.key,
            header("ce_id")
        );
        let headers: serde_json::Map<_, _> =
            message.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let document = json!({
            "topic": message.topic, "partition": message.partition, "key": message.key,
            "headers": headers, "bytes": hex::encode(&message.value), "dry_run": self.asked.dry_run,
        });
        if !self.asked.dry_run {
            let publisher = match self.publisher.take() {
                Some(publisher) => publisher,
                None => Publisher::new(&self.brokers)?,
            };
            let publisher = self.publisher.insert(publisher);
            let sent = block_in_place(|| publisher.send(&message));
            sent.map_err(|error| kafka_error(&self.brokers, error))?;
        }
        self.count += 1;
        out.line(said);
        out.document(&document);
        Ok(())
    }

    /// What was published before something went wrong is on its topic.
    fn ended_early(&mut self, error: anyhow::Error) -> anyhow::Error {
        match (self.publisher.take(), self.count) {
            (None, _) => error.context("nothing is published"),
            (Some(publisher), count) => match block_in_place(|| publisher.finish()) {
                Ok(()) => error.context(format!("the {count} events before are published")),
                Err(lost) => {
                    error.context(format!("of the {count} events before, some may be lost: {lost}"))
                }
            },
        }
    }

    fn finish(self, out: &Output) -> Result<ExitCode> {
        if let Some(publisher) = self.publisher {
            let done = block_in_place(|| publisher.finish());
            done.map_err(|error| {
                let lost = anyhow!("not all of {} events are on their topics: {error}", self.count);
                coded(Exit::Away, lost)
            })?;
            out.line(format_args!("published {} events", self.count));
        }
        if self.count == 0 {
            out.aside("there was no event to publish");
        }
        Ok(ExitCode::SUCCESS)
    }
}
