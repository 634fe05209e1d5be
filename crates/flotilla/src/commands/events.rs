//! `flotilla events`: what happens on the topics, decoded; and events that people publish, once more or for the first
//! time.

mod archive;
mod line;
mod publish;
mod replay;
mod republish;
mod sample;
mod selection;
mod tail;

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use chassis::tail::TailError;
use clap::Subcommand;
use language::{RecordInfo, TopicInfo};
use roster::{Member, ROSTER};

use super::kafka_error;
use crate::exit::{Exit, coded};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Events {
    /// Print events as they come, or those of the past
    Tail(tail::Shown),
    /// Publish events that are written as JSON, one on each line, as `tail` and `sample` print them
    Publish(publish::Publish),
    /// An event that `publish` takes, made from its schema; the same each time
    Sample(sample::Sample),
    /// Send events of a topic once more, byte for byte and with the same ids: services notice, and nothing happens
    /// twice. It goes on where it was interrupted
    Replay(replay::Replay),
    /// Publish a topic again that lost its log, from what its service keeps in its outbox
    Republish(republish::Republish),
    /// Copy topics into a file
    Save(archive::Save),
    /// Put what `save` copied into topics that are empty: a lost one that was created again, or another cluster's
    Load(archive::Load),
}

pub(crate) async fn run(command: Events, out: &Output) -> Result<ExitCode> {
    match command {
        Events::Tail(shown) => tail::run(shown, out).await,
        Events::Publish(asked) => publish::run(asked, out).await,
        Events::Sample(asked) => sample::run(&asked, out),
        Events::Replay(asked) => replay::run(asked, out).await,
        Events::Republish(topic) => republish::run(topic, out).await,
        Events::Save(asked) => archive::save(asked, out).await,
        Events::Load(asked) => archive::load(asked, out).await,
    }
}

/// The record of this name, with or without its namespace, and its topic.
fn record_of(
    language: &[TopicInfo],
    name: &str,
) -> Result<(TopicInfo, &'static RecordInfo), String> {
    let all = || language.iter().flat_map(|topic| topic.records.iter().map(|r| (*topic, r)));
    let found = all().find(|(_, record)| record.full_name == name || record.name == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = all().map(|(_, record)| record.name).collect();
        format!("no event is called {name}; there are: {}", known.join(", "))
    })
}

/// The service that alone writes to a topic, its dead letters included.
fn writer_of(topic: &str) -> Option<&'static str> {
    let sets_aside = |member: &&Member| chassis::dead_letter_topic(member.name) == topic;
    let writer = roster::owner_of(topic).or_else(|| ROSTER.iter().find(sets_aside));
    writer.map(|member| member.name)
}

/// Why topics cannot be read, with the next step.
fn unread(error: TailError, brokers: &str) -> anyhow::Error {
    match error {
        TailError::UnknownTopic { .. } => {
            let hint = "`flotilla topics apply` creates those of the fleet";
            coded(Exit::Missing, anyhow!("{error}; {hint}"))
        }
        TailError::UnknownPartition { .. } => coded(Exit::Missing, error),
        TailError::Kafka(error) => kafka_error(brokers, error),
        TailError::Silent { .. } => coded(Exit::Away, error),
    }
}
