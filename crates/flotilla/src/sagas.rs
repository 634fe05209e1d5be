//! Recorded sagas: what the fleet published on each way that an order can go, as files below `fixtures/sagas`, for
//! whoever tests a consumer without a fleet. Separate from the kit that plays them (`contract`), as tests write them
//! and documents show them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the files mean. A build reads no other.
pub const VERSION: u32 = 1;
/// The file beside the sagas that says what they are.
pub const MANIFEST: &str = "manifest.json";
/// The records of a saga as they were on their topics, one line each.
pub const RECORDS: &str = "records.jsonl";
/// The same, decoded.
pub const EVENTS: &str = "events.jsonl";

/// What the recorded sagas are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the files.
    pub version: u32,
    /// The schemas by the ids that the records have in their frames.
    pub schemas: BTreeMap<u32, Schema>,
    /// What happens in each saga, by its folder.
    pub sagas: BTreeMap<String, String>,
}

/// The schema that a record was written with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The record's full name.
    pub record: String,
    /// Where the schema is, from the root of the repository.
    pub file: String,
    /// SHA-256 of its Parsing Canonical Form, which two schemas share that read and write the same bytes.
    pub sha256: String,
}

/// A record as it was on its topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// When it was written, in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: String,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its value in base64: a zero byte, the id of its schema in four bytes, Avro.
    pub value: String,
}

/// A record decoded, in the words that the example consumers print.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its key.
    pub key: String,
    /// The full name of its record.
    pub r#type: String,
    /// Who wrote it; with the id it names the event.
    pub source: String,
    /// Its id, which no two events of a source share.
    pub id: String,
    /// Its number among those of its key, where its source counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// Its fields.
    pub data: Value,
}

/// One recorded saga.
#[derive(Debug, Clone, PartialEq)]
pub struct Saga {
    /// Its records, in an order in which nothing comes before its cause.
    pub records: Vec<Record>,
    /// The same, decoded.
    pub events: Vec<Event>,
}

impl Record {
    /// The bytes of its value.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        STANDARD.decode(&self.value).with_context(|| format!("{} is not base64", self.value))
    }

    /// The id of its schema, and what follows the frame.
    pub fn datum(&self) -> Result<(u32, Vec<u8>)> {
        match self.bytes()?.as_slice() {
            [0, a, b, c, d, body @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), body.to_vec())),
            _ => bail!("{} of {} has no frame", self.offset, self.topic),
        }
    }

    /// The value in the form in which it is kept.
    pub fn encoded(value: &[u8]) -> String {
        STANDARD.encode(value)
    }
}

impl Saga {
    /// The saga in this folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let text = |name: &str| {
            let file = folder.join(name);
            fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))
        };
        Saga::parsed(&text(RECORDS)?, &text(EVENTS)?)
            .with_context(|| format!("{} is no saga", folder.display()))
    }

    /// The saga in the texts of its two files.
    pub fn parsed(records: &str, events: &str) -> Result<Self> {
        let records: Vec<Record> = lines(records)?;
        let events: Vec<Event> = lines(events)?;
        let place = |topic: &str, partition, offset| (topic.to_owned(), partition, offset);
        let of_records = records.iter().map(|r| place(&r.topic, r.partition, r.offset));
        let of_events = events.iter().map(|e| place(&e.topic, e.partition, e.offset));
        if !of_records.eq(of_events) {
            bail!("{RECORDS} and {EVENTS} are not about the same records: record them again");
        }
        Ok(Saga { records, events })
    }

    /// Writes both files.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(RECORDS), text(&self.records)?)?;
        fs::write(folder.join(EVENTS), text(&self.events)?)?;
        Ok(())
    }

    /// What is the same whenever it is recorded: for each topic the types in their order, each with the names of its
    /// headers, its fields with their types, and what it says in capitals, such as a reason.
    pub fn shape(&self) -> BTreeMap<&str, Vec<Value>> {
        let mut shape: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (record, event) in self.records.iter().zip(&self.events) {
            let headers: Vec<&String> = record.headers.keys().collect();
            let entry = serde_json::json!({
                "type": event.r#type, "headers": headers, "data": shape_of(&event.data),
            });
            shape.entry(&event.topic).or_default().push(entry);
        }
        shape
    }
}

impl Manifest {
    /// The manifest of the sagas in this folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let file = folder.join(MANIFEST);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        Manifest::parsed(&text)
    }

    /// The manifest in the text of its file.
    pub fn parsed(text: &str) -> Result<Self> {
        let manifest: Manifest = serde_json::from_str(text).context("the manifest is not JSON")?;
        if manifest.version != VERSION {
            bail!("the sagas are of version {}, and this build reads {VERSION}", manifest.version);
        }
        Ok(manifest)
    }

    /// Writes it.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::write(folder.join(MANIFEST), format!("{}\n", serde_json::to_string_pretty(self)?))?;
        Ok(())
    }
}

fn lines<T: for<'a> Deserialize<'a>>(text: &str) -> Result<Vec<T>> {
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("line {number}"))
    };
    (1..).zip(text.lines()).map(parse).collect()
}

fn text<T: Serialize>(all: &[T]) -> Result<String> {
    let line = |one: &T| Ok(format!("{}\n", serde_json::to_string(one)?));
    all.iter().map(line).collect()
}

fn shape_of(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shape_of(value))).collect()
        }
        Value::Array(all) => all.iter().map(shape_of).collect(),
        Value::String(text) if text.chars().all(|c| c.is_ascii_uppercase() || c == '_') => {
            value.clone()
        }
        Value::String(_) => "a text".into(),
        Value::Number(_) => "a number".into(),
        Value::Bool(_) | Value::Null => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = concat!(
        r#"{"topic":"order.events","partition":1,"offset":7,"timestamp_ms":1,"key":"k","#,
        r#""headers":{"ce_id":"k/1"},"value":"AAAAAAUC"}"#
    );
    const EVENT: &str = concat!(
        r#"{"topic":"order.events","partition":1,"offset":7,"key":"k","type":"a.B","source":"order","id":"k/1","#,
        r#""data":{"reason":"OVERDUE","at":3,"who":"x1"}}"#
    );

    #[test]
    fn a_record_has_the_id_of_its_schema_and_what_follows() {
        let saga = Saga::parsed(RECORD, EVENT).unwrap();
        assert_eq!(saga.records[0].datum().unwrap(), (5, vec![2]));
    }

    #[test]
    fn files_about_different_records_are_no_saga() {
        let other = EVENT.replace("\"offset\":7", "\"offset\":8");
        let error = Saga::parsed(RECORD, &other).unwrap_err().to_string();
        assert!(error.contains("not about the same records"), "{error}");
    }

    #[test]
    fn two_recordings_have_one_shape_though_ids_and_times_differ_and_reasons_do_not() {
        let shape = |event: &str| {
            serde_json::to_value(Saga::parsed(RECORD, event).unwrap().shape()).unwrap()
        };
        let later = EVENT.replace("\"at\":3", "\"at\":4").replace("x1", "y2").replace("k/1", "l/1");
        assert_eq!(shape(EVENT), shape(&later));
        assert_ne!(shape(EVENT), shape(&EVENT.replace("OVERDUE", "CUSTOMER")));
        assert_ne!(shape(EVENT), shape(&EVENT.replace("\"at\":3", "\"at\":null")));
    }

    #[test]
    fn a_manifest_of_another_version_is_refused() {
        let text = r#"{"version":99,"schemas":{},"sagas":{}}"#;
        assert!(Manifest::parsed(text).unwrap_err().to_string().contains("version 99"));
    }
}
