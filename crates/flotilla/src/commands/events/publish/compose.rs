//! From a line to a record: the schema, the key, the headers and the partition. Whatever the line says itself is
//! checked, and the rest is made.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, anyhow};
use chassis::json::Writer;
use chassis::outside::{Message, partition_of};
use chassis::{Registry, subject};
use chrono::SecondsFormat;
use language::{RecordInfo, TopicInfo};
use roster::FOREIGN_TOPICS;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Builder;

use crate::commands::events::line::Line;
use crate::commands::events::record_of;
use crate::commands::{now, registry_error};
use crate::exit::{Exit, coded};

/// The headers of an event, in the order in which services send them. Others come after them.
const HEADERS: [&str; 10] = [
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_time",
    "ce_subject",
    "ce_sequence",
    "ce_correlationid",
    "content-type",
    "ce_causationid",
];

/// Makes records of lines.
pub(super) struct Composer {
    language: Vec<TopicInfo>,
    registry: Registry,
    /// The topics that exist.
    partitions: BTreeMap<String, i32>,
    source: Option<String>,
    /// By the ids that lines give.
    writers: HashMap<u32, Writer>,
    /// By full names.
    ids: HashMap<&'static str, u32>,
}

/// Something about a line that is wrong.
fn wrong(what: impl Into<String>) -> anyhow::Error {
    coded(Exit::Usage, anyhow!(what.into()))
}

impl Composer {
    pub(super) fn new(
        language: Vec<TopicInfo>,
        registry: Registry,
        partitions: BTreeMap<String, i32>,
        source: Option<String>,
    ) -> Self {
        let (writers, ids) = (HashMap::new(), HashMap::new());
        Composer { language, registry, partitions, source, writers, ids }
    }

    pub(super) async fn compose(&mut self, line: Line) -> Result<Message> {
        if line.bytes.is_some() {
            return Err(wrong("bytes: expected an event in value, found what nobody could decode"));
        }
        let said = line.headers.get("ce_type").and_then(Value::as_str).map(str::to_owned);
        let Some(name) = line.r#type.or(said) else {
            return Err(wrong(
                "type: expected the name of an event, such as StockAdjusted, found nothing",
            ));
        };
        let known = record_of(&self.language, &name);
        let id = match (line.schema_id, &known) {
            (Some(id), _) => id,
            (None, Ok((_, record))) => self.id_of(record).await?,
            (None, Err(why)) => return Err(wrong(format!("type: {why}"))),
        };
        let value = line.value.ok_or_else(|| wrong("value: expected the event, found nothing"))?;
        let (full_name, encoded) = self.encode(id, &name, &value).await?;
        let home = known.ok().map(|(home, _)| home);
        let topic = line.topic.or(home.map(|home| home.name.to_owned()));
        let topic = topic
            .ok_or_else(|| wrong("topic: expected one, as this build does not know the type"))?;
        let key = key_of(line.key, home.as_ref(), &value)?;
        let Some(partitions) = self.partitions.get(&topic) else {
            let hint = "`flotilla topics apply` creates those of the fleet";
            return Err(coded(Exit::Missing, anyhow!("no topic is called {topic}; {hint}")));
        };
        let partition = partition_of(key.as_bytes(), *partitions);
        let made = Made { topic: &topic, key: &key, full_name: &full_name, value: &encoded };
        let headers = self.headers(line.headers, &made)?;
        Ok(Message { topic, partition, key, headers, value: encoded })
    }

    /// The full name of the event, and its value as it is on the topic.
    async fn encode(&mut self, id: u32, name: &str, value: &Value) -> Result<(String, Vec<u8>)> {
        let writer = self.writer(id).await?;
        let full_name = writer.full_name();
        if full_name != name && full_name.rsplit('.').next() != Some(name) {
            return Err(wrong(format!(
                "type: expected {full_name}, as schema {id} says, found {name}"
            )));
        }
        let encoded = writer.encode(id, value).map_err(|mismatch| coded(Exit::Usage, mismatch))?;
        Ok((full_name, encoded))
    }

    /// The registry's id of a record that this build knows.
    async fn id_of(&mut self, record: &RecordInfo) -> Result<u32> {
        if let Some(id) = self.ids.get(record.full_name) {
            return Ok(*id);
        }
        let subject = subject(record);
        let found = self.registry.id_of(&subject, record.schema).await.map_err(registry_error)?;
        let id = found.ok_or_else(|| {
            let hint = "`flotilla schema register` registers those of this build";
            coded(Exit::Missing, anyhow!("the registry has no such schema of {subject}; {hint}"))
        })?;
        self.ids.insert(record.full_name, id);
        Ok(id)
    }

    async fn writer(&mut self, id: u32) -> Result<&Writer> {
        let entry = match self.writers.entry(id) {
            Entry::Occupied(known) => return Ok(known.into_mut()),
            Entry::Vacant(entry) => entry,
        };
        let found = self.registry.schema(id).await.map_err(registry_error)?;
        let schema = found.ok_or_else(|| {
            wrong(format!("schema_id: expected one that the registry knows, found {id}"))
        })?;
        Ok(entry.insert(Writer::new(&schema).map_err(|why| anyhow!("schema {id}: {why}"))?))
    }

    /// The headers of the line if they are those of an event, otherwise what it lacks besides them.
    fn headers(&self, given: Map<String, Value>, made: &Made<'_>) -> Result<Vec<(String, String)>> {
        let mut headers = BTreeMap::new();
        for (name, value) in given {
            let Value::String(text) = value else {
                return Err(wrong(format!("headers.{name}: expected text, found {value}")));
            };
            headers.insert(name, text);
        }
        if !headers.contains_key("ce_id") {
            for (name, value) in self.missing(made) {
                headers.entry(name.to_owned()).or_insert(value);
            }
        }
        let found = headers.get("ce_type").map_or("nothing", String::as_str);
        if found != made.full_name {
            let expected = made.full_name;
            return Err(wrong(format!("headers.ce_type: expected {expected}, found {found}")));
        }
        for name in ["ce_id", "ce_source"] {
            if headers.get(name).is_none_or(String::is_empty) {
                return Err(wrong(format!("headers.{name}: expected text, found nothing")));
            }
        }
        let place =
            |name: &str| HEADERS.iter().position(|known| *known == name).unwrap_or(HEADERS.len());
        let mut headers: Vec<_> = headers.into_iter().collect();
        headers.sort_by_key(|(name, _)| place(name));
        Ok(headers)
    }

    fn missing(&self, made: &Made<'_>) -> [(&'static str, String); 8] {
        let Made { topic, key, full_name, .. } = *made;
        let writer = FOREIGN_TOPICS.iter().find(|(name, _)| *name == topic);
        let source = self.source.as_deref().or(writer.map(|(_, writer)| *writer));
        [
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", made.id()),
            ("ce_source", source.unwrap_or("flotilla-cli").to_owned()),
            ("ce_type", full_name.to_owned()),
            ("ce_time", now().to_rfc3339_opts(SecondsFormat::Micros, true)),
            ("ce_subject", key.to_owned()),
            ("ce_correlationid", key.to_owned()),
            ("content-type", "application/vnd.confluent.avro".to_owned()),
        ]
    }
}

/// What an event is made of by then.
struct Made<'a> {
    topic: &'a str,
    key: &'a str,
    full_name: &'a str,
    value: &'a [u8],
}

impl Made<'_> {
    /// The same event has the same id, so that publishing a file again tells nobody anything new.
    fn id(&self) -> String {
        let hash = Sha256::new().chain_update(self.topic).chain_update([0]).chain_update(self.key);
        let hash = hash.chain_update([0]).chain_update(self.value).finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        Builder::from_custom_bytes(first).into_uuid().to_string()
    }
}

/// The key of an event: the field that is the key on its topic, which the line may repeat.
fn key_of(said: Option<String>, home: Option<&TopicInfo>, value: &Value) -> Result<String> {
    let field = home.map(|home| home.key).unwrap_or_default();
    let text = |own: &Value| own.as_str().map_or_else(|| own.to_string(), str::to_owned);
    match (said, value.get(field).map(text)) {
        (Some(said), Some(own)) if said != own => {
            Err(wrong(format!("key: expected {own}, the event's {field}, found {said}")))
        }
        (Some(key), _) | (None, Some(key)) => Ok(key),
        (None, None) => Err(wrong("key: expected one, found nothing")),
    }
}
