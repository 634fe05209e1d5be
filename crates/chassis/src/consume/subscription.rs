//! From a Kafka record to an input, or to the reason why it is none: the part of consuming that knows a
//! topic's events, shared by the consumer and the replay of dead letters.

use std::sync::{Arc, OnceLock};

use language::{Events, RecordInfo};
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use crate::consume::dead_letters::Reason;
#[cfg(feature = "model")]
use crate::model::fact::Fact;
use crate::service::{Deduplication, Hears, Service};
use crate::wire::codec::{Datum, SchemaId, TopicDecoder};
use crate::wire::headers::{self, RawHeader};
use crate::wire::limits::ID_BYTES_MAX;
use crate::wire::trace::TraceContext;

/// A record as it arrived, from Kafka or from the dead letters.
pub(crate) struct Raw<'a> {
    pub(crate) value: Option<&'a [u8]>,
    source: Source<'a>,
    /// None where they cannot be read.
    headers: OnceLock<Option<Vec<RawHeader<'a>>>>,
}

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
            Source::Kafka(message) => headers::of(message),
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
        std::str::from_utf8(self.last(name)??).ok()
    }

    /// The trace that the record belongs to.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        let parent = self.header("traceparent").and_then(TraceContext::parse)?;
        Some(parent.with_state(self.header("tracestate")))
    }

    /// The value of the last header of that name, if any; the value itself may be missing.
    fn last(&self, name: &str) -> Option<Option<&'a [u8]>> {
        let found = self.headers().iter().rev().find(|(n, _)| *n == name);
        found.map(|(_, value)| *value)
    }
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
    /// It can never be processed. Whether it is set aside or holds its partition is another matter: one
    /// that is, or claims to be, a compensation waits until somebody repairs it.
    Poison {
        reason: Reason,
        never_dead_lettered: bool,
    },
    /// The registry has to be asked first.
    NeedsSchema(SchemaId),
}

/// One subscribed topic, its events' type erased.
pub(crate) trait Subscription<S: Service>: Send + Sync {
    fn topic(&self) -> &'static str;
    fn read(&self, raw: &Raw<'_>) -> Heard<S::Input>;
    /// The same for an event of this topic that never was a record.
    #[cfg(feature = "model")]
    fn hear(&self, fact: &Fact) -> Heard<S::Input>;
    fn learn(&self, id: SchemaId, schema: Option<&str>);
    fn forget_missing(&self);
}

type Built<S> = Result<Box<dyn Subscription<S>>, apache_avro::Error>;
type Build<S> = fn(&[SchemaId]) -> Built<S>;

/// How a subscription is declared, before the registry's ids are known.
pub(crate) struct Declared<S: Service> {
    pub(crate) topic: &'static str,
    pub(crate) records: &'static [RecordInfo],
    pub(crate) ignores: &'static [&'static str],
    pub(crate) never_dead_lettered: &'static [&'static str],
    pub(crate) asks: &'static [(&'static str, &'static str)],
    pub(crate) deduplication: Deduplication,
    pub(crate) is_numbered: bool,
    pub(crate) unknown_names: Vec<&'static str>,
    pub(crate) build: Build<S>,
}

pub(crate) fn declare<S: Hears<E>, E: Events>() -> Declared<S> {
    let asking = S::ASKS.iter().map(|(name, _)| *name);
    let names = S::IGNORES.iter().chain(S::NEVER_DEAD_LETTERED).copied().chain(asking);
    let known = |name: &&str| E::RECORDS.iter().any(|record| record.name == *name);
    Declared {
        topic: E::TOPIC,
        records: E::RECORDS,
        ignores: S::IGNORES,
        never_dead_lettered: S::NEVER_DEAD_LETTERED,
        asks: S::ASKS,
        deduplication: S::DEDUPLICATION,
        is_numbered: S::NUMBERED,
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
            Err(error) => return self.poison(raw, "undecodable", error.to_string()),
        };
        let value = raw.value.expect("inspect refuses a record without a value");
        let event = match self.decoder.decode(value) {
            Ok(event) => event,
            Err(error) => return self.poison(raw, "undecodable", error.to_string()),
        };
        let own_id = S::id_of(&event);
        let identified = identity(raw, &E::RECORDS[record], own_id.as_deref(), S::NUMBERED);
        let (event_id, sequence) = match identified {
            Ok(identified) => identified,
            Err(detail) => return self.poison(raw, "headers", detail),
        };
        let Some(input) = S::hear(event, sequence) else { return Heard::Ignored };
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

    #[cfg(feature = "model")]
    fn hear(&self, fact: &Fact) -> Heard<S::Input> {
        let event: &E = fact.event().expect("the fact is of this topic");
        let record = event.record();
        if self.ignored[record] {
            return Heard::Ignored;
        }
        let Some(input) = S::hear(event.clone(), fact.sequence()) else { return Heard::Ignored };
        Heard::Input {
            input,
            cause: Arc::clone(fact.id()),
            inbox_id: match S::DEDUPLICATION {
                Deduplication::Inbox => Some(fact.id().as_ref().to_owned()),
                Deduplication::Idempotent => None,
            },
            never_dead_lettered: self.never_dead_lettered[record],
        }
    }

    fn learn(&self, id: SchemaId, schema: Option<&str>) {
        self.decoder.learn(id, schema);
    }

    fn forget_missing(&self) {
        self.decoder.forget_missing();
    }
}

impl<E: Events> Typed<E> {
    /// A damaged compensation is still one, whether its schema or its header says so: setting it aside
    /// would keep somebody's money or goods as surely as if it had been read.
    fn poison<I>(&self, raw: &Raw<'_>, code: &'static str, detail: String) -> Heard<I> {
        let meant = self.decoder.meant(raw.value);
        let claims = |info: &RecordInfo| raw.header("ce_type") == Some(info.full_name);
        let claimed = E::RECORDS.iter().position(claims);
        let mut records = meant.into_iter().chain(claimed);
        let never_dead_lettered = records.any(|record| self.never_dead_lettered[record]);
        Heard::Poison { reason: Reason { code, detail }, never_dead_lettered }
    }
}

/// The CloudEvents attributes that make an event identifiable, `<source>/<id>`, and its number among those
/// of its key; the type is checked. What an outsider's headers leave out comes from the topic and the record.
/// All faults are named at once: whoever repairs a producer should not learn of one header per attempt.
fn identity(
    raw: &Raw<'_>,
    record: &RecordInfo,
    own_id: Option<&str>,
    numbered: bool,
) -> Result<(String, i64), String> {
    if raw.parsed().is_none() {
        return Err("a header's name is not UTF-8; the headers cannot be kept".to_owned());
    }
    let mut wrong = Vec::new();
    let outside = own_id.is_some();
    let event_type = attribute(raw, "ce_type", outside.then_some(record.full_name), &mut wrong);
    let source = attribute(raw, "ce_source", outside.then_some(record.topic), &mut wrong);
    let id = attribute(raw, "ce_id", own_id, &mut wrong);
    if event_type.is_some_and(|found| found != record.full_name) {
        let (says, is) = (event_type.unwrap_or_default(), record.full_name);
        wrong.push(format!("header ce_type says {says}, but the value is a {is}"));
    }
    let sequence = number(raw, numbered).unwrap_or_else(|why| {
        wrong.push(why);
        0
    });
    match (source, id) {
        (Some(source), Some(id)) if wrong.is_empty() => Ok(([source, "/", id].concat(), sequence)),
        _ => Err(wrong.join("; ")),
    }
}

/// The event's number among those of its key, which the fleet's own producers always send.
fn number(raw: &Raw<'_>, needed: bool) -> Result<i64, String> {
    let text = raw.header("ce_sequence");
    match text.and_then(|text| text.parse().ok()).filter(|number| *number > 0) {
        Some(number) => Ok(number),
        None if needed => Err(format!(
            "header ce_sequence must be a number from 1 on, as only the latest event of a key counts \
             here; it is {}",
            if text.is_some() { "something else" } else { "missing" }
        )),
        None => Ok(0),
    }
}

/// The text of a header, or what replaces it where it is missing.
fn attribute<'o, 'a: 'o>(
    raw: &Raw<'a>,
    name: &str,
    own: Option<&'o str>,
    wrong: &mut Vec<String>,
) -> Option<&'o str> {
    let found = match (raw.last(name), own) {
        (None, Some(own)) => Ok(own),
        (None, None) => Err("is missing".to_owned()),
        (Some(value), _) => text_of(value),
    };
    found.map_err(|why| wrong.push(format!("header {name} {why}"))).ok()
}

fn text_of(value: Option<&[u8]>) -> Result<&str, String> {
    match value.map(std::str::from_utf8) {
        None | Some(Ok("")) => Err("is empty".to_owned()),
        Some(Ok(text)) if text.len() > ID_BYTES_MAX => {
            Err(format!("has {} bytes, more than the {ID_BYTES_MAX} accepted", text.len()))
        }
        Some(Ok(text)) => Ok(text),
        Some(Err(_)) => Err("is not UTF-8".to_owned()),
    }
}

#[cfg(test)]
mod numbers;

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: RecordInfo = RecordInfo {
        name: "Counted",
        full_name: "test.v1.Counted",
        topic: "test.counts",
        schema: "",
    };

    fn identity_of(headers: &[(&str, &str)], own_id: Option<&str>) -> Result<String, String> {
        let owned = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec())));
        let owned: Vec<_> = owned.collect();
        identity(&Raw::stored(None, &owned), &RECORD, own_id, false).map(|(id, _)| id)
    }

    #[test]
    fn every_header_that_is_missing_or_wrong_is_named_at_once() {
        let missing = identity_of(&[], None).unwrap_err();
        for name in ["ce_type", "ce_source", "ce_id"] {
            assert!(missing.contains(&format!("header {name} is missing")), "{missing}");
        }
        let wrong = [("ce_type", "test.v1.Other"), ("ce_source", ""), ("ce_id", "7")];
        let wrong = identity_of(&wrong, None).unwrap_err();
        assert!(wrong.contains("ce_type says test.v1.Other"), "{wrong}");
        assert!(wrong.contains("ce_source is empty"), "{wrong}");
    }

    #[test]
    fn what_an_outsider_leaves_out_comes_from_its_record_and_what_it_says_is_checked() {
        let own = Some("42");
        assert_eq!(identity_of(&[], own).unwrap(), "test.counts/42");
        assert_eq!(identity_of(&[("ce_id", "7")], own).unwrap(), "test.counts/7");
        assert_eq!(identity_of(&[("ce_source", "shelf")], own).unwrap(), "shelf/42");
        let long = "x".repeat(ID_BYTES_MAX + 1);
        for (name, value) in [("ce_type", "test.v1.Other"), ("ce_id", ""), ("ce_source", &long)] {
            assert!(identity_of(&[(name, value)], own).unwrap_err().contains(name), "{name}");
        }
    }
}
