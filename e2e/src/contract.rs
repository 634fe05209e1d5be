//! What others may rely on: every event of the published language with its topic, its writer, and what each service
//! does with it. Put together from the schemas, the topics, the roster and what the services say of themselves; the
//! documents in `contract/` show nothing else, so that none of them can drift.

pub mod asyncapi;
pub mod catalogue;
mod examples;
mod fingerprints;

use std::path::{Path, PathBuf};

use chassis::HeardTopic;
use events::TOPICS;
use language::{RecordInfo, TopicInfo};
use roster::{FOREIGN_TOPICS, ROSTER, Starts, owner_of};
use serde_json::Value;

use crate::members::code_of;

pub use fingerprints::fingerprinted;

/// What the doc of the field says that is also the key of the record. A test holds that one field of each event does.
const IS_KEY: &str = "also the message key";
/// Where superseded versions are, below `schemas`.
const RELEASED: &str = "released";

/// What is said of a service that hears an event and does not say what for, as one that was just written.
pub const UNSAID: &str = "Hears it.";

/// An event, and who has to do with it.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its name, type and schema.
    pub record: &'static RecordInfo,
    /// Its topic.
    pub topic: &'static TopicInfo,
    /// Who writes it.
    pub writer: &'static str,
    /// Whether the writer is outside of the fleet.
    pub is_foreign: bool,
    /// Its schema.
    pub schema: Value,
    /// The versions of the schema that were released and superseded, the oldest first.
    pub released: Vec<Value>,
    /// The services that hear its topic.
    pub consumers: Vec<Consumer>,
}

/// A service that hears an event's topic.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// Its name.
    pub service: &'static str,
    /// Whether only some fleets have it.
    pub is_on_request: bool,
    /// What the event makes it do; `None` where it ignores it.
    pub does: Option<&'static str>,
    /// Whether it never sets the event aside, and holds its partition instead.
    pub holds: bool,
}

impl Event {
    /// What it means.
    pub fn doc(&self) -> &str {
        self.schema["doc"].as_str().unwrap_or_default()
    }

    /// The field that is also the key.
    pub fn key(&self) -> &str {
        let is_key = |field: &&Value| doc_of(field).contains(IS_KEY);
        let key = fields(&self.schema).find(is_key);
        key.map_or("", name_of)
    }

    /// The folder of its schema.
    pub fn owner(&self) -> &str {
        self.record.full_name.split('.').nth(1).unwrap_or_default()
    }

    /// Where its schema is, from the root of the repository.
    pub fn file(&self) -> String {
        format!("schemas/{}/{}.avsc", self.owner(), self.record.name)
    }
}

/// Every event of the published language, topic by topic.
pub fn events() -> Vec<Event> {
    let of_topic =
        |topic: &'static TopicInfo| topic.records.iter().map(move |record| event(topic, record));
    TOPICS.iter().flat_map(of_topic).collect()
}

fn event(topic: &'static TopicInfo, record: &'static RecordInfo) -> Event {
    let foreign = FOREIGN_TOPICS.iter().find(|(name, _)| *name == topic.name);
    let owner = owner_of(topic.name).map(|member| member.name);
    let writer = owner.or(foreign.map(|(_, writer)| *writer)).expect("every topic has a writer");
    let mut event = Event {
        record,
        topic,
        writer,
        is_foreign: foreign.is_some(),
        schema: serde_json::from_str(record.schema).expect("a schema is JSON"),
        released: Vec::new(),
        consumers: consumers(topic, record),
    };
    event.released = released(event.owner(), record.name);
    event
}

fn consumers(topic: &TopicInfo, record: &RecordInfo) -> Vec<Consumer> {
    let heard = ROSTER.iter().filter_map(|member| {
        let said = (code_of(member.name)?.describe)();
        let heard = said.hears.into_iter().find(|heard| heard.topic == topic.name)?;
        let HeardTopic { hears, asks, never_dead_lettered, .. } = heard;
        let is_heard = hears.contains(&record.name);
        Some(Consumer {
            service: member.name,
            is_on_request: member.starts == Starts::OnRequest,
            does: is_heard.then(|| asks.get(record.name).copied().unwrap_or(UNSAID)),
            holds: never_dead_lettered.contains(&record.name),
        })
    });
    heard.collect()
}

fn released(owner: &str, record: &str) -> Vec<Value> {
    let file = |version: usize| {
        let name = format!("schemas/{RELEASED}/{owner}/{record}.{version}.avsc");
        std::fs::read_to_string(root().join(name)).ok()
    };
    let versions = (1..).map_while(file);
    versions.map(|text| serde_json::from_str(&text).expect("a schema is JSON")).collect()
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The fields of a record's schema.
fn fields(schema: &Value) -> impl Iterator<Item = &Value> {
    schema["fields"].as_array().into_iter().flatten()
}

fn name_of(field: &Value) -> &str {
    field["name"].as_str().unwrap_or_default()
}

fn doc_of(field: &Value) -> &str {
    field["doc"].as_str().unwrap_or_default()
}
