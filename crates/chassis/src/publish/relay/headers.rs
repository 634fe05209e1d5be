//! The headers of an event, and the record that it becomes. Separate from sending: they are derived from the
//! row in the same way each time, so that an event that is published twice is the same twice.

use std::fmt::Write as _;

use chrono::{SecondsFormat, TimeZone, Utc};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;

use crate::publish::outbox::Packed;

/// Texts of headers. A flush is thousands of messages: each overwrites the texts of the one before.
#[derive(Default)]
pub(crate) struct Texts {
    time_micros: i64,
    /// The same for all messages of a batch.
    time: String,
    /// The key and the sequence.
    id: String,
}

impl Texts {
    fn write(&mut self, key: &str, sequence: i64, time_micros: i64) {
        if self.time.is_empty() || self.time_micros != time_micros {
            let time = Utc.timestamp_micros(time_micros).single().unwrap_or_default();
            self.time = time.to_rfc3339_opts(SecondsFormat::Micros, true);
            self.time_micros = time_micros;
        }
        self.id.clear();
        write!(self.id, "{key}/{sequence}").expect("a string takes everything");
    }
}

/// The record of a message. Its number comes back with its acknowledgement.
pub(super) fn record<'a>(
    message: &'a Packed<'_>,
    service: &str,
    number: usize,
    texts: &mut Texts,
) -> BaseRecord<'a, [u8], [u8], usize> {
    match message {
        Packed::Event { topic, key, payload, .. } => BaseRecord::with_opaque_to(topic, number)
            .key(key.as_bytes())
            .payload(*payload)
            .headers(headers(service, message, texts)),
        Packed::Raw { topic, key, headers, payload } => {
            let mut owned = OwnedHeaders::new_with_capacity(headers.len());
            for (name, value) in headers {
                owned = owned.insert(Header { key: name, value: *value });
            }
            let mut record = BaseRecord::with_opaque_to(topic, number).headers(owned);
            record.key = *key;
            record.payload = *payload;
            record
        }
    }
}

/// CloudEvents in binary mode, W3C trace context, and the event's place: which order it
/// belongs to, what caused it, its place in the sequence of its key.
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>
pub(crate) fn headers(service: &str, message: &Packed<'_>, texts: &mut Texts) -> OwnedHeaders {
    let Packed::Event { event_type, key, sequence, time_micros, cause, trace, .. } = message else {
        unreachable!("only events get derived headers")
    };
    texts.write(key, *sequence, *time_micros);
    let sequence = &texts.id[key.len() + 1..];
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", &texts.id),
        ("ce_source", service),
        ("ce_type", event_type),
        ("ce_time", &texts.time),
        ("ce_subject", key),
        ("ce_sequence", sequence),
        ("ce_correlationid", key),
        ("content-type", "application/vnd.confluent.avro"),
    ];
    let mut owned = OwnedHeaders::new_with_capacity(headers.len() + 3);
    for (name, value) in headers {
        owned = owned.insert(Header { key: name, value: Some(value) });
    }
    if let Some(cause) = cause {
        owned = owned.insert(Header { key: "ce_causationid", value: Some(*cause) });
    }
    if let Some(trace) = trace {
        owned = owned.insert(Header { key: "traceparent", value: Some(&trace.header()) });
        if let Some(state) = &trace.state {
            owned = owned.insert(Header { key: "tracestate", value: Some(&**state) });
        }
    }
    owned
}
