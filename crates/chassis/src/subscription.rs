//! From a Kafka record to an input, or to the reason why not: the part of consuming that knows a
//! topic's events, shared by the consumer and the replay of dead letters.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use events::{Events, RecordInfo};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use crate::codec::{Datum, SchemaId, TopicDecoder};
use crate::dead_letters::Reason;
use crate::limits::ID_BYTES_MAX;
use crate::service::{Deduplication, Hears, Service};

/// A record as it arrived, from Kafka or from the dead letters.
pub(crate) struct Raw<'a> {
    pub(crate) value: Option<&'a [u8]>,
    source: Source<'a>,
    /// None where they cannot be read.
    headers: OnceLock<Option<Vec<RawHeader<'a>>>>,
}

/// A header's name and value.
pub(crate) type RawHeader<'a> = (&'a str, Option<&'a [u8]>);

enum Source<'a> {
    Kafka(&'a BorrowedMessage<'a>),
    Stored(&'a [(String, Option<Vec<u8>>)]),
}

impl<'a> Raw<'a> {
    pub(crate) fn of(message: &'a BorrowedMessage<'a>) -> Self {
        let source = Source::Kafka(message);
        Raw { value: message.payload(), source, headers: OnceLock::new() }
    }

    pub(crate) fn stored(
        value: Option<&'a [u8]>,
        headers: &'a [(String, Option<Vec<u8>>)],
    ) -> Self {
        Raw { value, source: Source::Stored(headers), headers: OnceLock::new() }
    }

    /// All headers, in their order. Parsed when first asked for: the third of all records that is
    /// ignored never needs them.
    pub(crate) fn headers(&self) -> &[RawHeader<'a>] {
        self.parsed().unwrap_or_default()
    }

    fn parsed(&self) -> Option<&[RawHeader<'a>]> {
        let parse = || match self.source {
            Source::Kafka(message) => kafka_headers(message),
            Source::Stored(headers) => {
                let header = |(name, value): &'a (String, Option<Vec<u8>>)| {
                    (name.as_str(), value.as_deref())
                };
                Some(headers.iter().map(header).collect())
            }
        };
        self.headers.get_or_init(parse).as_deref()
    }

    /// The last header of that name, as text.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        let found = self.headers().iter().rev().find(|(n, _)| *n == name);
        found.and_then(|(_, value)| std::str::from_utf8((*value)?).ok())
    }
}

/// rdkafka panics at a header whose name is no UTF-8, which anybody may send.
fn kafka_headers<'a>(message: &'a BorrowedMessage<'a>) -> Option<Vec<RawHeader<'a>>> {
    let Some(headers) = message.headers() else { return Some(Vec::new()) };
    // Their iterator does not know how many they are.
    let mut all = Vec::with_capacity(headers.count());
    let read = || all.extend(headers.iter().map(|header| (header.key, header.value)));
    catch_unwind(AssertUnwindSafe(read)).ok()?;
    Some(all)
}

/// What a record is to the service.
pub(crate) enum Heard<I> {
    Input {
        input: I,
        cause: Arc<str>,
        inbox_id: Option<String>,
        never_dead_lettered: bool,
    },
    Ignored,
    /// A record name that this build does not know.
    Unknown,
    Poison(Reason),
    /// The registry has to be asked first.
    NeedsSchema(SchemaId),
}

/// One subscribed topic, its events' type erased.
pub(crate) trait Subscription<S: Service>: Send + Sync {
    fn topic(&self) -> &'static str;
    fn read(&self, raw: &Raw<'_>) -> Heard<S::Input>;
    fn learn(&self, id: SchemaId, schema: Option<&str>);
    fn forget_missing(&self);
}

type Built<S> = Result<Box<dyn Subscription<S>>, apache_avro::Error>;
type Build<S> = fn(&[SchemaId]) -> Built<S>;

/// How a subscription is declared, before the registry's ids are known.
pub(crate) struct Declared<S: Service> {
    pub(crate) topic: &'static str,
    pub(crate) records: &'static [RecordInfo],
    pub(crate) unknown_names: Vec<&'static str>,
    pub(crate) build: Build<S>,
}

pub(crate) fn declare<S: Hears<E>, E: Events>() -> Declared<S> {
    let names = S::IGNORES.iter().chain(S::NEVER_DEAD_LETTERED).copied();
    let known = |name: &&str| E::RECORDS.iter().any(|record| record.name == *name);
    Declared {
        topic: E::TOPIC,
        records: E::RECORDS,
        unknown_names: names.filter(|name| !known(name)).collect(),
        build: |ids| {
            let mark = |names: &[&str]| {
                E::RECORDS.iter().map(|record| names.contains(&record.name)).collect()
            };
            Ok(Box::new(Typed::<E> {
                decoder: TopicDecoder::new(ids)?,
                ignored: mark(S::IGNORES),
                never_dead_lettered: mark(S::NEVER_DEAD_LETTERED),
            }))
        },
    }
}

struct Typed<E> {
    decoder: TopicDecoder<E>,
    ignored: Vec<bool>,
    never_dead_lettered: Vec<bool>,
}

impl<S: Hears<E>, E: Events> Subscription<S> for Typed<E> {
    fn topic(&self) -> &'static str {
        E::TOPIC
    }

    fn read(&self, raw: &Raw<'_>) -> Heard<S::Input> {
        let record = match self.decoder.inspect(raw.value) {
            Ok(Datum::Record(record)) if self.ignored[record] => return Heard::Ignored,
            Ok(Datum::Record(record)) => record,
            Ok(Datum::Unknown) => return Heard::Unknown,
            Ok(Datum::NeedsSchema(id)) => return Heard::NeedsSchema(id),
            Err(error) => return poison("undecodable", error.to_string()),
        };
        let (source, id) = match identity(raw, E::RECORDS[record].full_name) {
            Ok(identity) => identity,
            Err(detail) => return poison("headers", detail),
        };
        let value = raw.value.expect("inspect refuses a record without a value");
        match self.decoder.decode(value) {
            Ok(event) => match S::hear(event) {
                None => Heard::Ignored,
                Some(input) => {
                    let event_id = [source, "/", id].concat();
                    Heard::Input {
                        input,
                        cause: event_id.as_str().into(),
                        inbox_id: match S::DEDUPLICATION {
                            Deduplication::Inbox => Some(event_id),
                            Deduplication::Idempotent => None,
                        },
                        never_dead_lettered: self.never_dead_lettered[record],
                    }
                }
            },
            Err(error) => poison("undecodable", error.to_string()),
        }
    }

    fn learn(&self, id: SchemaId, schema: Option<&str>) {
        self.decoder.learn(id, schema);
    }

    fn forget_missing(&self) {
        self.decoder.forget_missing();
    }
}

/// The CloudEvents attributes that make an event identifiable: where from, which one, of what type.
fn identity<'a>(raw: &Raw<'a>, full_name: &str) -> Result<(&'a str, &'a str), String> {
    if raw.parsed().is_none() {
        return Err("a header's name is not UTF-8; the headers cannot be kept".to_owned());
    }
    let required = |name: &str| {
        let value = raw.header(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("header {name} is missing or empty"))
    };
    let event_type = required("ce_type")?;
    if event_type != full_name {
        return Err(format!("header ce_type says {event_type}, but the value is a {full_name}"));
    }
    let short = |name: &str| match required(name)? {
        value if value.len() > ID_BYTES_MAX => Err(format!(
            "header {name} has {} bytes, more than the {ID_BYTES_MAX} accepted",
            value.len()
        )),
        value => Ok(value),
    };
    Ok((short("ce_source")?, short("ce_id")?))
}

fn poison<I>(code: &'static str, detail: String) -> Heard<I> {
    Heard::Poison(Reason { code, detail })
}
