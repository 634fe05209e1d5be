//! `flotilla consumers`: who reads the topics, of the fleet and of others, and how far they are. Kafka knows groups and
//! what they committed; a service of the fleet says itself where it stands and why a partition is stopped, as its own
//! database leads.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use chassis::groups::{self, Group, Position};
use chassis::tail::TailError;
use chassis::topics;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Http, brokers, kafka_error, offsets, services, text};
use crate::exit::{Exit, coded};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Consumers {
    /// The groups of the cluster, with their members and what each has still to read
    List,
    /// One group: who reads which partition, and how far
    Describe {
        /// The group; a service's has its name
        group: String,
    },
}

/// A group with what is known of it.
struct Consumer {
    group: Group,
    positions: Vec<Position>,
    /// Of a service, what it says of its partitions, or why it says nothing.
    own: Option<Result<Vec<Value>, String>>,
}

pub(crate) async fn run(command: Consumers, out: &Output) -> Result<ExitCode> {
    match command {
        Consumers::List => {
            let found = consumers(None).await?;
            for consumer in &found {
                summary(consumer, out);
                let rows = rows(consumer).into_iter();
                rows.filter(|row| !row["stop"].is_null()).for_each(|row| show(&row, out));
            }
            if found.is_empty() {
                out.line("no group of consumers is known to Kafka");
            }
            let documents: Vec<Value> = found.iter().map(document).collect();
            out.list("consumers", &json!({ "consumers": documents }));
        }
        Consumers::Describe { group } => {
            let found = consumers(Some(group.clone())).await?;
            let consumer = found.first().ok_or_else(|| {
                let hint = "`flotilla consumers list` shows those that there are";
                coded(Exit::Missing, anyhow!("no group is called {group}; {hint}"))
            })?;
            summary(consumer, out);
            members(&consumer.group, out);
            rows(consumer).iter().for_each(|row| show(row, out));
            out.document(&document(consumer));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn consumers(name: Option<String>) -> Result<Vec<Consumer>> {
    let brokers = brokers()?;
    let place = brokers.clone();
    let asked = tokio::task::spawn_blocking(move || by_kafka(&place, name.as_deref()));
    let found = asked.await?.map_err(|error| kafka_error(&brokers, error))?;
    let (services, http) = (services()?, Http::new());
    let mut consumers = Vec::new();
    for (group, positions) in found {
        let own = match services.contains(&group.name.as_str()) {
            true => Some(offsets::partitions(&http, &group.name).await),
            false => None,
        };
        let own = own.map(|own| own.map_err(|error| format!("{error:#}")));
        // Kafka answers for a name that nobody ever had, with a group that is dead.
        if !positions.is_empty() || !group.members.is_empty() || own.is_some() {
            consumers.push(Consumer { group, positions, own });
        }
    }
    Ok(consumers)
}

/// What Kafka knows of the groups.
fn by_kafka(brokers: &str, name: Option<&str>) -> Result<Vec<(Group, Vec<Position>)>, TailError> {
    let existing = topics::existing(brokers)?;
    let mut found = Vec::new();
    for group in groups::list(brokers, name)? {
        let positions = groups::positions(brokers, &group.name, &existing)?;
        found.push((group, positions));
    }
    Ok(found)
}

/// The partitions that a group reads.
fn rows(Consumer { group, positions, own }: &Consumer) -> Vec<Value> {
    let member = |topic: &str, partition: i64| {
        let reads = |(t, p): &(String, i32)| t == topic && i64::from(*p) == partition;
        let found = group.members.iter().find(|member| member.partitions.iter().any(reads));
        found.map(|member| member.client.clone())
    };
    match own {
        Some(Ok(partitions)) => partitions
            .iter()
            .map(|said| {
                let topic = text(&said["topic"]);
                let reader = member(&topic, said["partition"].as_i64().unwrap_or(-1));
                json!({ "topic": topic, "partition": said["partition"], "next": said["stored"],
                        "first": said["first"], "end": said["end"], "lag": said["lag"], "member": reader,
                        "stop": said["stop"] })
            })
            .collect(),
        _by_kafka => positions
            .iter()
            .map(|position| {
                let Position { topic, partition, committed, first, end } = position;
                let reader = member(topic, i64::from(*partition));
                json!({ "topic": topic, "partition": partition, "next": committed, "first": first, "end": end,
                        "lag": position.lag(), "member": reader, "stop": null })
            })
            .collect(),
    }
}

fn document(consumer: &Consumer) -> Value {
    let rows = rows(consumer);
    let mut lags: BTreeMap<String, i64> = BTreeMap::new();
    for row in &rows {
        *lags.entry(text(&row["topic"])).or_default() += row["lag"].as_i64().unwrap_or_default();
    }
    let stopped = rows.iter().filter(|row| !row["stop"].is_null()).count();
    let members = consumer.group.members.iter().map(|member| {
        let partitions: Vec<_> = member
            .partitions
            .iter()
            .map(|(topic, partition)| format!("{topic}/{partition}"))
            .collect();
        json!({ "client": member.client, "host": member.host, "partitions": partitions })
    });
    let silent = consumer.own.as_ref().and_then(|own| own.as_ref().err());
    json!({
        "group": consumer.group.name, "is_service": consumer.own.is_some(),
        "state": consumer.group.state, "members": members.collect::<Vec<_>>(),
        "lag": lags.values().sum::<i64>(), "lag_by_topic": lags, "stopped": stopped,
        "partitions": rows, "silent": silent,
    })
}

fn summary(consumer: &Consumer, out: &Output) {
    let whole = document(consumer);
    let kind = if consumer.own.is_some() { "service" } else { "outside" };
    let Group { name, state, members } = &consumer.group;
    let stopped = match whole["stopped"].as_u64() {
        Some(0) | None => String::new(),
        Some(count) => out.bad(format!("  {count} partitions stopped")),
    };
    out.line(format_args!(
        "{name:24} {kind:8} {state:20} {:>3} members  {:>8} unread{stopped}",
        members.len(),
        whole["lag"]
    ));
    if out.is_wide() {
        let topics = whole["lag_by_topic"].as_object().into_iter().flatten();
        topics.for_each(|(topic, lag)| out.line(format_args!("  {topic:40} {lag:>8} unread")));
    }
    if let Some(why) = whole["silent"].as_str() {
        out.line(format_args!("  {}", out.bad(format_args!("it does not say itself: {why}"))));
    }
}

fn members(group: &Group, out: &Output) {
    for member in &group.members {
        let topics: BTreeSet<&str> =
            member.partitions.iter().map(|(topic, _)| topic.as_str()).collect();
        let count = member.partitions.len();
        let topics = topics.into_iter().collect::<Vec<_>>().join(", ");
        out.line(format_args!(
            "  member {} at {}: {count} partitions of {topics}",
            member.client, member.host
        ));
    }
}

fn show(row: &Value, out: &Output) {
    let state = match row["stop"].as_str() {
        Some(stop) => out.bad(format_args!("stopped: {stop}")),
        None => format!("{} unread", row["lag"]),
    };
    out.line(format_args!(
        "  {:27} {:>4}  at {:>10} of {:>10} to {:>10}  {:16} {state}",
        text(&row["topic"]),
        row["partition"],
        row["next"],
        row["first"],
        row["end"],
        row["member"].as_str().unwrap_or("nobody"),
    ));
}
