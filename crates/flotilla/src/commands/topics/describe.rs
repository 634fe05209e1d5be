//! `flotilla topics describe`: what somebody has to know who wants to read or write a topic.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use chassis::topics::{self, PartitionFacts, TopicFacts};
use language::TopicInfo;
use roster::{FOREIGN_TOPICS, Member, ROSTER};
use serde_json::{Value, json};

use crate::commands::{kafka_error, language, services};
use crate::exit::{Exit, coded};
use crate::output::Output;

/// What the order of a key's events is worth.
const OWN: &str = "gapless: ce_sequence counts 1, 2, 3, … for each key, in the order of its partition; a copy of an \
                   event has the same ce_id";
const COMPACTED: &str =
    "ce_sequence counts 1, 2, 3, … for each key; earlier events go, the last one stays";
const FOREIGN: &str =
    "none: producers outside of the fleet count nothing; an event has an id of its own";
const DEAD: &str = "none: letters are set aside in the order in which they are met";

pub(super) async fn run(topic: Option<String>, brokers: &str, out: &Output) -> Result<ExitCode> {
    let (language, services) = (language()?, services()?);
    let names: Vec<String> = match &topic {
        Some(topic) => vec![topic.clone()],
        None => {
            let plan = topics::plan(&language, 1, &services);
            plan.into_iter().map(|topic| topic.name).collect()
        }
    };
    let found = topics::facts(brokers, &names).await;
    let found = found.map_err(|error| kafka_error(brokers, error))?;
    if let (Some(name), true) = (topic, found.is_empty()) {
        let hint = "`flotilla topics list` shows those that there are";
        return Err(coded(Exit::Missing, anyhow!("no topic is called {name}; {hint}")));
    }
    let mut documents = Vec::new();
    for facts in &found {
        let info = language.iter().find(|topic| topic.name == facts.name);
        let document = document(facts, info, &services);
        show(&document, out);
        documents.push(document);
    }
    out.list("topics", &json!({ "topics": documents }));
    Ok(ExitCode::SUCCESS)
}

fn document(facts: &TopicFacts, info: Option<&TopicInfo>, services: &[&str]) -> Value {
    let name = facts.name.as_str();
    let owner = roster::owner_of(name).map(|owner| owner.name);
    let foreign = FOREIGN_TOPICS.iter().find(|(topic, _)| *topic == name);
    let setter_aside = ROSTER.iter().find(|m| chassis::dead_letter_topic(m.name) == name);
    let is_here = |member: &&Member| services.contains(&member.name);
    let heard_by = ROSTER.iter().filter(is_here).filter(|member| member.hears.contains(&name));
    let heard_by: Vec<&str> = heard_by.map(|member| member.name).collect();
    let sequence = match (owner, foreign, setter_aside) {
        (Some(_), ..) if info.is_some_and(|info| info.compacted) => Some(COMPACTED),
        (Some(_), ..) => Some(OWN),
        (None, Some(_), _) => Some(FOREIGN),
        (None, None, Some(_)) => Some(DEAD),
        (None, None, None) => None,
    };
    let events: Vec<&str> = info.into_iter().flat_map(|i| i.records).map(|r| r.full_name).collect();
    let partitions: Vec<Value> = facts.partitions.iter().map(partition).collect();
    let records: i64 =
        facts.partitions.iter().filter_map(|p| p.offsets).map(|(first, end)| end - first).sum();
    json!({
        "topic": name, "records": records, "partitions": partitions,
        "written_by": owner.or(setter_aside.map(|member| member.name)),
        "written_from_outside_by": foreign.map(|(_, writer)| writer),
        "heard_by": heard_by, "key": info.map(|info| info.key), "events": events, "sequence": sequence,
        "cleanup": facts.settings.get("cleanup.policy"), "retention_ms": facts.settings.get("retention.ms"),
        "min_in_sync": facts.settings.get("min.insync.replicas"),
    })
}

fn partition(facts: &PartitionFacts) -> Value {
    let PartitionFacts { number, leader, replicas, in_sync, offsets } = facts;
    json!({ "partition": number, "first": offsets.map(|(first, _)| first), "end": offsets.map(|(_, end)| end),
            "leader": leader, "replicas": replicas, "in_sync": in_sync })
}

fn show(topic: &Value, out: &Output) {
    let field = |name: &str| topic[name].as_str().unwrap_or("-");
    let list = |name: &str, between: &str| {
        let all = topic[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        let all = all.collect::<Vec<_>>().join(between);
        if all.is_empty() { "-".to_owned() } else { all }
    };
    let writer = match (topic["written_by"].as_str(), topic["written_from_outside_by"].as_str()) {
        (Some(service), _) => service.to_owned(),
        (None, Some(outside)) => format!("{outside}, outside of the fleet"),
        (None, None) => "nobody of the fleet".to_owned(),
    };
    out.line(out.bold(field("topic")));
    out.line(format_args!("  written by  {writer}"));
    out.line(format_args!("  heard by    {}", list("heard_by", ", ")));
    out.line(format_args!("  key         {}", field("key")));
    out.line(format_args!("  events      {}", list("events", ", ")));
    out.line(format_args!("  sequence    {}", field("sequence")));
    out.line(format_args!("  kept        {}", kept(topic)));
    for partition in topic["partitions"].as_array().into_iter().flatten() {
        let leader = match (partition["leader"].as_i64(), out.is_wide()) {
            (None, _) => format!("  {}", out.bad("no leader")),
            (Some(leader), true) => format!("  leader {leader}"),
            (Some(_), false) => String::new(),
        };
        out.line(format_args!(
            "  partition {:>3}  {} to {}, {} of {} replicas in sync{leader}",
            partition["partition"],
            partition["first"],
            partition["end"],
            partition["in_sync"],
            partition["replicas"],
        ));
    }
}

/// How long records stay.
fn kept(topic: &Value) -> String {
    let policy = topic["cleanup"].as_str().unwrap_or_default();
    let millis = topic["retention_ms"].as_str().and_then(|text| text.parse::<i64>().ok());
    match (policy.contains("compact"), millis) {
        (true, _) => "the last of each key, for ever".to_owned(),
        (false, Some(millis)) if millis < 0 => "for ever".to_owned(),
        (false, Some(millis)) => format!("{} days", millis / 86_400_000),
        (false, None) => "as the brokers do by default".to_owned(),
    }
}
