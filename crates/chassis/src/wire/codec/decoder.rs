//! The way in: a record's bytes into an event, or the exact reason why it is none.

use std::collections::HashMap;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::sync::{Arc, RwLock};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use language::{Events, ReadRecord};
use serde::de::DeserializeOwned;

use super::{FRAME_BYTES, leak};
use crate::wire::limits::MAX_VALUE_BYTES;

/// The registry's id of a writer's schema.
pub(crate) type SchemaId = u32;

/// Registries number schemas with signed 32 bits. An id outside is not worth a question, which some of
/// them answer with an error that looks as if they had a problem.
const SCHEMA_ID_MAX: SchemaId = i32::MAX as SchemaId;

/// Why a value is poison. Each of these fails the same way forever.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undecodable {
    #[error("the record has no value")]
    Empty,
    #[error("the value has {bytes} bytes, more than the {MAX_VALUE_BYTES} accepted")]
    TooLarge { bytes: usize },
    #[error("the value does not begin with a zero byte and a schema id")]
    NotFramed,
    #[error("the registry knows no schema with id {0}")]
    UnknownSchema(SchemaId),
    #[error("{0} is no schema's id: registries count from 1 to {SCHEMA_ID_MAX}")]
    NoSchemaId(SchemaId),
    #[error("schema {id} is of {found}, which does not belong on {topic}")]
    WrongRecord { id: SchemaId, found: String, topic: &'static str },
    #[error("schema {id} cannot be read as the schema of this build: {detail}")]
    Incompatible { id: SchemaId, detail: String },
    #[error("the value ends before the record does")]
    Truncated,
    #[error("{bytes} bytes follow the end of the record")]
    Trailing { bytes: usize },
    #[error("the value does not match its schema: {0}")]
    Malformed(String),
}

/// What the first bytes of a value say, before any Avro is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Datum {
    /// A record of this topic, by its index in `Events::RECORDS`.
    Record(usize),
    /// A record that a newer producer writes and this build does not know. Counted and skipped.
    Unknown,
    /// A schema that nobody has looked up yet.
    NeedsSchema(SchemaId),
}

/// Decodes the events of one topic, written with any schema that the registry knows.
pub(crate) struct TopicDecoder<E> {
    schemas: RwLock<HashMap<SchemaId, Arc<Writer>>>,
    events: PhantomData<fn() -> E>,
}

/// What is known of one writer's schema.
enum Writer {
    /// The schema compiled in: decoded directly.
    Same {
        record: usize,
        reader: GenericDatumReader<'static>,
    },
    /// Another version of a known record: resolved to ours, at five times the cost.
    Other {
        record: usize,
        reader: GenericDatumReader<'static>,
    },
    Unknown,
    WrongRecord(String),
    /// A schema that cannot be read; the record if its name is one of ours.
    Incompatible {
        record: Option<usize>,
        detail: String,
    },
    Missing,
}

impl<E: Events> TopicDecoder<E> {
    /// A decoder that knows the schemas compiled in; `ids` in the order of `E::RECORDS`.
    pub(crate) fn new(ids: &[SchemaId]) -> Result<Self, apache_avro::Error> {
        let mut schemas = HashMap::new();
        for (record, (info, id)) in E::RECORDS.iter().zip(ids).enumerate() {
            let reader =
                GenericDatumReader::builder(leak(info.schema)?).human_readable(true).build()?;
            schemas.insert(*id, Arc::new(Writer::Same { record, reader }));
        }
        Ok(TopicDecoder { schemas: RwLock::new(schemas), events: PhantomData })
    }

    /// Reads the frame only.
    pub(crate) fn inspect(&self, value: Option<&[u8]>) -> Result<Datum, Undecodable> {
        let id = schema_id(value)?;
        match self.writer(id).as_deref() {
            Some(Writer::Same { record, .. } | Writer::Other { record, .. }) => {
                Ok(Datum::Record(*record))
            }
            Some(Writer::Unknown) => Ok(Datum::Unknown),
            Some(Writer::WrongRecord(found)) => {
                Err(Undecodable::WrongRecord { id, found: found.clone(), topic: E::TOPIC })
            }
            Some(Writer::Incompatible { detail, .. }) => {
                Err(Undecodable::Incompatible { id, detail: detail.clone() })
            }
            Some(Writer::Missing) => Err(Undecodable::UnknownSchema(id)),
            None => Ok(Datum::NeedsSchema(id)),
        }
    }

    /// The record that a value is meant to be, as far as its schema says, even if it cannot be read.
    pub(crate) fn meant(&self, value: Option<&[u8]>) -> Option<usize> {
        match *self.writer(schema_id(value).ok()?)? {
            Writer::Same { record, .. } | Writer::Other { record, .. } => Some(record),
            Writer::Incompatible { record, .. } => record,
            Writer::Unknown | Writer::WrongRecord(_) | Writer::Missing => None,
        }
    }

    /// Decodes a value whose frame `inspect` knew.
    pub(crate) fn decode(&self, value: &[u8]) -> Result<E, Undecodable> {
        let id = schema_id(Some(value))?;
        let writer = self.writer(id).ok_or(Undecodable::UnknownSchema(id))?;
        let mut body = Strict { rest: &value[FRAME_BYTES..], starved: false };
        let event = match &*writer {
            Writer::Same { record, reader } => E::read(*record, Direct { reader, body: &mut body }),
            Writer::Other { record, reader } => {
                E::read(*record, Resolved { reader, body: &mut body })
            }
            Writer::Unknown
            | Writer::WrongRecord(_)
            | Writer::Incompatible { .. }
            | Writer::Missing => return Err(Undecodable::UnknownSchema(id)),
        };
        if body.starved {
            return Err(Undecodable::Truncated);
        }
        let event = event.map_err(|error| Undecodable::Malformed(error.to_string()))?;
        match body.rest.len() {
            0 => Ok(event),
            bytes => Err(Undecodable::Trailing { bytes }),
        }
    }

    /// Takes what the registry said about a schema id: its text, or that there is none.
    pub(crate) fn learn(&self, id: SchemaId, text: Option<&str>) {
        let writer = text.map_or(Writer::Missing, Self::classify);
        self.schemas.write().expect("no panic under this lock").insert(id, Arc::new(writer));
    }

    /// Forgets ids that the registry did not know, so that a schema registered late is found.
    pub(crate) fn forget_missing(&self) {
        let mut schemas = self.schemas.write().expect("no panic under this lock");
        schemas.retain(|_, writer| !matches!(**writer, Writer::Missing));
    }

    fn classify(text: &str) -> Writer {
        let Ok(schema) = leak(text) else {
            let detail = "it is not an Avro schema".to_owned();
            return Writer::Incompatible { record: None, detail };
        };
        let Schema::Record(found) = schema else {
            return Writer::WrongRecord("no record".to_owned());
        };
        let full_name = found.name.fullname(None);
        let known = E::RECORDS.iter().position(|info| info.full_name == full_name);
        let Some(record) = known else {
            // A record of another topic is here by mistake, even if the two topics share a namespace.
            let elsewhere = E::LANGUAGE.iter().flat_map(|topic| topic.records);
            if elsewhere.into_iter().any(|info| info.full_name == full_name) {
                return Writer::WrongRecord(full_name);
            }
            // Same namespace: a record of this topic from a newer producer. Any other: a stranger.
            let namespace = |name: &str| name.rsplit_once('.').map(|(space, _)| space.to_owned());
            let ours = E::RECORDS.first().and_then(|info| namespace(info.full_name));
            return match namespace(&full_name) == ours {
                true => Writer::Unknown,
                false => Writer::WrongRecord(full_name),
            };
        };
        let reader = leak(E::RECORDS[record].schema).and_then(|ours| {
            GenericDatumReader::builder(schema).reader_schema(ours).human_readable(true).build()
        });
        match reader {
            Ok(reader) => Writer::Other { record, reader },
            Err(error) => Writer::Incompatible { record: Some(record), detail: error.to_string() },
        }
    }

    fn writer(&self, id: SchemaId) -> Option<Arc<Writer>> {
        self.schemas.read().expect("no panic under this lock").get(&id).cloned()
    }
}

fn schema_id(value: Option<&[u8]>) -> Result<SchemaId, Undecodable> {
    match value {
        None | Some([]) => Err(Undecodable::Empty),
        Some(value) if value.len() > MAX_VALUE_BYTES => {
            Err(Undecodable::TooLarge { bytes: value.len() })
        }
        Some([0, a, b, c, d, ..]) => match SchemaId::from_be_bytes([*a, *b, *c, *d]) {
            id @ 1..=SCHEMA_ID_MAX => Ok(id),
            id => Err(Undecodable::NoSchemaId(id)),
        },
        Some(_) => Err(Undecodable::NotFramed),
    }
}

/// A reader that remembers having run dry: apache-avro takes the end of input inside a string, a
/// boolean or a union for a null.
struct Strict<'a> {
    rest: &'a [u8],
    starved: bool,
}

impl Read for Strict<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.len() > self.rest.len() {
            self.starved = true;
        }
        self.rest.read(buffer)
    }
}

struct Direct<'a, 'b> {
    reader: &'a GenericDatumReader<'static>,
    body: &'a mut Strict<'b>,
}

impl ReadRecord for Direct<'_, '_> {
    type Error = apache_avro::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, apache_avro::Error> {
        self.reader.read_deser(self.body)
    }
}

struct Resolved<'a, 'b> {
    reader: &'a GenericDatumReader<'static>,
    body: &'a mut Strict<'b>,
}

impl ReadRecord for Resolved<'_, '_> {
    type Error = apache_avro::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, apache_avro::Error> {
        let value = self.reader.read_value(self.body)?;
        apache_avro::from_value::<T>(&value)
    }
}
