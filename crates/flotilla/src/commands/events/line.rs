//! An event as a line of JSON: what `tail` prints is what `publish` takes. Where it was (partition, offset, time) is
//! shown and not taken back, as it is somewhere else once it is published.

use chassis::tail::Record;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::commands::TIME;

/// A line that is to be published. Whatever else a line has is a mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// The name of the record, with or without its namespace; what `ce_type` says where it is left out.
    pub(super) r#type: Option<String>,
    /// Its topic; the one that its type is published on where it is left out.
    pub(super) topic: Option<String>,
    /// Its key; the field of the value that is the key where it is left out.
    pub(super) key: Option<String>,
    /// The registry's id of the schema; that of this build where it is left out.
    pub(super) schema_id: Option<u32>,
    /// All headers, if they have a `ce_id`; otherwise what is left out is made.
    #[serde(default)]
    pub(super) headers: Map<String, Value>,
    /// The event.
    pub(super) value: Option<Value>,
    /// What could not be decoded, in hexadecimal digits.
    pub(super) bytes: Option<String>,
    #[serde(rename = "partition")]
    _partition: Option<i32>,
    #[serde(rename = "offset")]
    _offset: Option<i64>,
    #[serde(rename = "time")]
    _time: Option<String>,
}

/// The line of a record, with its value decoded, or why it cannot be.
pub(super) fn of(record: &Record, decoded: Result<Value, &String>) -> Value {
    let headers: Map<String, Value> =
        record.headers.iter().map(|(n, v)| (n.clone(), v.clone().into())).collect();
    let mut line = json!({
        "topic": record.topic, "partition": record.partition, "offset": record.offset,
        "key": record.key, "time": time(record), "headers": headers,
    });
    if let Some(id) = record.schema_id() {
        line["schema_id"] = id.into();
    }
    match decoded {
        Ok(value) => line["value"] = value,
        Err(why) => {
            line["value"] = json!({ "undecoded": why });
            line["bytes"] = record.value.as_deref().map(hex::encode).into();
        }
    }
    line
}

/// When a record was written.
pub(super) fn time(record: &Record) -> String {
    let at = DateTime::from_timestamp_millis(record.timestamp_ms).unwrap_or_default();
    at.format(TIME).to_string()
}
