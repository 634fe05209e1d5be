//! Events as JSON that people write: turned into Avro by the writer's schema, with the place of what does not fit, and
//! an example of an event to begin with. Separate from the codec, which knows the records that are compiled in. It
//! takes what `tail` shows: a value that was read becomes the same bytes again.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{Name, RecordSchema, UnionSchema};
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::wire::limits::MAX_VALUE_BYTES;

/// The id and the time of every example.
const EXAMPLE_ID: &str = "01990000-0000-7000-8000-000000000001";
const EXAMPLE_MICROS: i64 = 1_790_000_000_000_000;

/// What does not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, found {found}")]
pub struct Mismatch {
    /// Where, such as `value.lines[0].quantity`.
    pub field: String,
    /// What the schema has there.
    pub expected: String,
    /// What there is.
    pub found: String,
}

/// A schema that events are written with. It stays in memory until the program ends: a program uses a handful.
pub struct Writer {
    schema: &'static Schema,
    writer: GenericDatumWriter<'static>,
    named: HashMap<Name, &'static Schema>,
}

impl Writer {
    /// The writer of a schema's text.
    pub fn new(schema: &str) -> Result<Self, String> {
        let schema = Schema::parse_str(schema).map_err(|error| error.to_string())?;
        let schema: &'static Schema = Box::leak(Box::new(schema));
        let writer = GenericDatumWriter::builder(schema).human_readable(true).build();
        let mut named = HashMap::new();
        collect(schema, &mut named);
        Ok(Writer { schema, writer: writer.map_err(|error| error.to_string())?, named })
    }

    /// The full name of its record; empty if it is of none.
    pub fn full_name(&self) -> String {
        self.schema.name().map(|name| name.fullname(None)).unwrap_or_default()
    }

    /// The value of a record: the frame with the schema's id, and the datum.
    pub fn encode(&self, id: u32, value: &Json) -> Result<Vec<u8>, Mismatch> {
        let datum = self.value(self.schema, value, "value")?;
        let mut bytes = vec![0];
        bytes.extend_from_slice(&id.to_be_bytes());
        self.writer
            .write_value_ref(&mut bytes, &datum)
            .map_err(|error| mismatch("value", self.full_name(), error.to_string()))?;
        match bytes.len() > MAX_VALUE_BYTES {
            true => Err(mismatch(
                "value",
                format!("at most {MAX_VALUE_BYTES} bytes"),
                format!("{} bytes", bytes.len()),
            )),
            false => Ok(bytes),
        }
    }

    /// An event that the schema takes, the same each time. `hint` knows what a field of a name should hold.
    pub fn example(&self, hint: &dyn Fn(&str) -> Option<Json>) -> Json {
        self.example_of(self.schema, "value", hint)
    }

    fn value(&self, schema: &Schema, json: &Json, at: &str) -> Result<Value, Mismatch> {
        let wrong = |expected: &str| mismatch(at, expected.to_owned(), shown(json));
        let long = |expected| json.as_i64().ok_or_else(|| wrong(expected));
        let int = |expected| {
            json.as_i64()
                .and_then(|number| i32::try_from(number).ok())
                .ok_or_else(|| wrong(expected))
        };
        Ok(match schema {
            Schema::Null if json.is_null() => Value::Null,
            Schema::Null => return Err(wrong("null")),
            Schema::Boolean => {
                Value::Boolean(json.as_bool().ok_or_else(|| wrong("true or false"))?)
            }
            Schema::Int => Value::Int(int("a number of 32 bits")?),
            Schema::Date => Value::Date(int("days since 1970")?),
            Schema::TimeMillis => Value::TimeMillis(int("milliseconds since midnight")?),
            Schema::Long => Value::Long(long("a number of 64 bits")?),
            Schema::TimeMicros => Value::TimeMicros(long("microseconds since midnight")?),
            Schema::TimestampMillis => Value::TimestampMillis(match instant(json) {
                Some(time) => time.timestamp_millis(),
                None => long("milliseconds since 1970, or a time such as 2026-01-31T12:00:00Z")?,
            }),
            Schema::TimestampMicros => Value::TimestampMicros(match instant(json) {
                Some(time) => time.timestamp_micros(),
                None => long("microseconds since 1970, or a time such as 2026-01-31T12:00:00Z")?,
            }),
            Schema::Float => Value::Float(json.as_f64().ok_or_else(|| wrong("a number"))? as f32),
            Schema::Double => Value::Double(json.as_f64().ok_or_else(|| wrong("a number"))?),
            Schema::String => Value::String(json.as_str().ok_or_else(|| wrong("text"))?.to_owned()),
            Schema::Uuid(_) => {
                let id = json.as_str().and_then(|text| text.parse::<Uuid>().ok());
                Value::Uuid(id.ok_or_else(|| wrong("a UUID"))?)
            }
            Schema::Bytes => Value::Bytes(bytes(json).ok_or_else(|| wrong("a list of bytes"))?),
            Schema::Fixed(fixed) => {
                let found = bytes(json).filter(|found| found.len() == fixed.size);
                let found =
                    found.ok_or_else(|| wrong(&format!("a list of {} bytes", fixed.size)))?;
                Value::Fixed(fixed.size, found)
            }
            Schema::Enum(symbols) => {
                let place =
                    json.as_str().and_then(|name| symbols.symbols.iter().position(|s| s == name));
                let place = place
                    .ok_or_else(|| wrong(&format!("one of {}", symbols.symbols.join(", "))))?;
                Value::Enum(place as u32, symbols.symbols[place].clone())
            }
            Schema::Array(array) => {
                let items = json.as_array().ok_or_else(|| wrong("a list"))?.iter().enumerate();
                let each = |(n, item)| self.value(&array.items, item, &format!("{at}[{n}]"));
                Value::Array(items.map(each).collect::<Result<_, _>>()?)
            }
            Schema::Map(map) => {
                let entries = json.as_object().ok_or_else(|| wrong("an object"))?.iter();
                let each = |(name, item): (&String, _)| {
                    Ok((name.clone(), self.value(&map.types, item, &format!("{at}.{name}"))?))
                };
                Value::Map(entries.map(each).collect::<Result<_, _>>()?)
            }
            Schema::Union(union) => self.branch(union, json, at)?,
            Schema::Record(record) => self.record(record, json, at)?,
            Schema::Ref { name } => match self.named.get(name) {
                Some(schema) => return self.value(schema, json, at),
                None => return Err(wrong(&name.fullname(None))),
            },
            other => return Err(wrong(&format!("nothing that can be written as JSON: {other:?}"))),
        })
    }

    /// The first branch that takes the value, as `tail` does not show which one it was. Where there is one besides
    /// null, what is wrong is said by it.
    fn branch(&self, union: &UnionSchema, json: &Json, at: &str) -> Result<Value, Mismatch> {
        let mut complaints = Vec::new();
        for (place, branch) in union.variants().iter().enumerate() {
            match self.value(branch, json, at) {
                Ok(value) => return Ok(Value::Union(place as u32, Box::new(value))),
                Err(complaint) if !matches!(branch, Schema::Null) => complaints.push(complaint),
                Err(_null) => {}
            }
        }
        match complaints.len() {
            1 => Err(complaints.remove(0)),
            _ => {
                let all: Vec<_> = complaints.into_iter().map(|one| one.expected).collect();
                Err(mismatch(at, all.join(", or "), shown(json)))
            }
        }
    }

    fn record(&self, record: &RecordSchema, json: &Json, at: &str) -> Result<Value, Mismatch> {
        let name = record.name.fullname(None);
        let Some(given) = json.as_object() else {
            return Err(mismatch(at, format!("an object, {name}"), shown(json)));
        };
        let known: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
        if let Some(strange) = given.keys().find(|name| !known.contains(&name.as_str())) {
            let expected = format!("one of the fields of {name} ({})", known.join(", "));
            return Err(mismatch(&format!("{at}.{strange}"), expected, "another".to_owned()));
        }
        let mut fields = Vec::with_capacity(known.len());
        for field in &record.fields {
            let place = format!("{at}.{}", field.name);
            let value = match given.get(&field.name).or(field.default.as_ref()) {
                Some(value) => self.value(&field.schema, value, &place)?,
                None => {
                    let doc = field.doc.as_deref().unwrap_or("a value");
                    return Err(mismatch(&place, doc.to_owned(), "nothing".to_owned()));
                }
            };
            fields.push((field.name.clone(), value));
        }
        Ok(Value::Record(fields))
    }

    fn example_of(
        &self,
        schema: &Schema,
        field: &str,
        hint: &dyn Fn(&str) -> Option<Json>,
    ) -> Json {
        match schema {
            Schema::Boolean => json!(true),
            Schema::Int | Schema::Long | Schema::Date => json!(1),
            Schema::TimeMillis | Schema::TimeMicros => json!(0),
            Schema::TimestampMillis => json!(EXAMPLE_MICROS / 1000),
            Schema::TimestampMicros => json!(EXAMPLE_MICROS),
            Schema::Float | Schema::Double => json!(1.5),
            Schema::String => {
                json!(format!("{}-1", field.trim_end_matches("_id").replace('_', "-")))
            }
            Schema::Uuid(_) => json!(EXAMPLE_ID),
            Schema::Bytes => json!([1]),
            Schema::Fixed(fixed) => json!(vec![0; fixed.size]),
            Schema::Enum(symbols) => {
                let is_plain = |symbol: &&String| Some(*symbol) != symbols.default.as_ref();
                json!(symbols.symbols.iter().find(is_plain).or(symbols.symbols.first()))
            }
            Schema::Array(array) => json!([self.example_of(&array.items, field, hint)]),
            Schema::Map(map) => json!({ "key": self.example_of(&map.types, field, hint) }),
            Schema::Union(union) => {
                let full = union.variants().iter().find(|branch| !matches!(branch, Schema::Null));
                full.map_or(Json::Null, |branch| self.example_of(branch, field, hint))
            }
            Schema::Record(record) => {
                let each = record.fields.iter().map(|field| {
                    let value = hint(&field.name).or_else(|| field.default.clone());
                    let value = value.filter(|value| !value.is_null());
                    let value =
                        value.unwrap_or_else(|| self.example_of(&field.schema, &field.name, hint));
                    (field.name.clone(), value)
                });
                Json::Object(each.collect::<Map<_, _>>())
            }
            Schema::Ref { name } => {
                let named = self.named.get(name);
                named.map_or(Json::Null, |schema| self.example_of(schema, field, hint))
            }
            _other => Json::Null,
        }
    }
}

/// The schemas with a name, for the places that refer to them.
fn collect(schema: &'static Schema, named: &mut HashMap<Name, &'static Schema>) {
    if let Some(name) = schema.name()
        && !matches!(schema, Schema::Ref { .. })
    {
        named.insert(name.clone(), schema);
    }
    match schema {
        Schema::Record(record) => {
            record.fields.iter().for_each(|field| collect(&field.schema, named))
        }
        Schema::Array(array) => collect(&array.items, named),
        Schema::Map(map) => collect(&map.types, named),
        Schema::Union(union) => union.variants().iter().for_each(|branch| collect(branch, named)),
        _no_schema_inside => {}
    }
}

fn mismatch(field: &str, expected: String, found: String) -> Mismatch {
    Mismatch { field: field.to_owned(), expected, found }
}

/// A value in an error: its beginning.
fn shown(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn instant(json: &Json) -> Option<DateTime<Utc>> {
    json.as_str()?.parse().ok()
}

fn bytes(json: &Json) -> Option<Vec<u8>> {
    let byte = |item: &Json| item.as_u64().and_then(|number| u8::try_from(number).ok());
    json.as_array()?.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tail::Decoder;

    fn records() -> impl Iterator<Item = &'static language::RecordInfo> {
        events::TOPICS.iter().flat_map(|topic| topic.records)
    }

    fn no_hint(_: &str) -> Option<Json> {
        None
    }

    #[test]
    fn the_example_of_every_event_is_taken_and_read_again_as_it_was() {
        for record in records() {
            let writer = Writer::new(record.schema).unwrap();
            assert_eq!(writer.full_name(), record.full_name);
            let example = writer.example(&no_hint);
            let bytes = writer.encode(7, &example).unwrap();
            let read = Decoder::decode_as(record.schema, &bytes).unwrap();
            assert_eq!(read, example, "{}", record.full_name);
            assert_eq!(writer.encode(7, &read).unwrap(), bytes);
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place_and_what_is_expected() {
        let schema = |name: &str| records().find(|record| record.name == name).unwrap().schema;
        let wrong = |name: &str, change: &dyn Fn(&mut Json)| {
            let writer = Writer::new(schema(name)).unwrap();
            let mut event = writer.example(&no_hint);
            change(&mut event);
            writer.encode(1, &event).unwrap_err().to_string()
        };
        let said = wrong("OrderPlaced", &|event| event["lines"][0]["quantity"] = json!("two"));
        assert!(said.starts_with("value.lines[0].quantity: expected a number"), "{said}");
        assert!(said.ends_with("found \"two\""), "{said}");
        let said = wrong("StockAdjusted", &|event| event["dleta"] = json!(1));
        assert!(said.starts_with("value.dleta: expected one of the fields of"), "{said}");
        let said =
            wrong("StockAdjusted", &|event| _ = event.as_object_mut().unwrap().remove("delta"));
        assert!(said.starts_with("value.delta: expected Change of the units on hand"), "{said}");
        let said = wrong("OrderCancelled", &|event| event["reason"] = json!("BORED"));
        assert!(said.contains("one of UNKNOWN, OUT_OF_STOCK"), "{said}");
        let said = wrong("OrderCancelled", &|event| event["order_id"] = json!(1));
        assert!(said.contains("expected a UUID, found 1"), "{said}");
    }

    #[test]
    fn a_default_fills_in_and_a_time_may_be_written_as_one() {
        let record = records().find(|record| record.name == "StockAdjusted").unwrap();
        let writer = Writer::new(record.schema).unwrap();
        let mut event = writer.example(&no_hint);
        let whole = writer.encode(1, &event).unwrap();
        event.as_object_mut().unwrap().remove("note");
        event["occurred_at"] = json!("2026-09-21T14:13:20Z");
        assert_eq!(writer.encode(1, &event).unwrap(), whole);
    }
}
