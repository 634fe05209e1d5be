//! The recorded sagas as one stream that Kafka might deliver: their orders interleaved, copies among them as a relay
//! leaves them that died, and what a newer fleet would publish.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, Result};
use events::{Events, OrderEvent};
use serde_json::Value;

use crate::sagas::{Record, Saga};

/// After so many records of a saga the last two come again.
const COPIES_EVERY: usize = 4;
/// A type that no consumer knows.
pub(super) const STRANGE: &str = "flotilla.order.v1.OrderGiftWrapped";
/// Its schema.
pub(super) const STRANGE_SCHEMA: &str = r#"{
 "type": "record", "name": "OrderGiftWrapped", "namespace": "flotilla.order.v1",
 "doc": "What a fleet of tomorrow may say.", "fields": [{"name": "order_id", "type": "string", "doc": "The order."}]}"#;
/// The record of which there is a newer version.
pub(super) const NEWER: &str = "OrderCancelled";
/// The symbol that it has more, and its place among the symbols.
const NEWER_SYMBOL: (&str, i64) = ("FRAUD_SUSPECTED", 6);
/// An order that nobody placed.
const ORDER: &str = "01990000-0000-7000-8000-000000000001";

/// A record, and whether a consumer may leave it out.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) record: Record,
    pub(super) value: Vec<u8>,
    pub(super) may_be_skipped: bool,
}

/// The ids that a registry gave: of the recorded schemas by the id in the recording, and of the two of tomorrow.
#[derive(Debug, Clone, Default)]
pub(super) struct Ids {
    pub(super) recorded: BTreeMap<u32, u32>,
    pub(super) strange: u32,
    pub(super) newer: u32,
}

/// The schema of a newer [`NEWER`]: another symbol, and another field.
pub(super) fn newer_schema() -> String {
    let record = OrderEvent::RECORDS.iter().find(|record| record.name == NEWER);
    let mut schema: Value = record
        .and_then(|record| serde_json::from_str(record.schema).ok())
        .expect("a record's schema is JSON");
    let field = serde_json::json!(
        { "name": "note", "type": "string", "default": "", "doc": "What a fleet of tomorrow adds." }
    );
    let fields = schema["fields"].as_array_mut().expect("a record has fields");
    fields.push(field);
    for field in fields {
        let symbols = field.get_mut("type").and_then(|kind| kind.get_mut("symbols"));
        if let Some(symbols) = symbols.and_then(Value::as_array_mut) {
            symbols.push(NEWER_SYMBOL.0.into());
        }
    }
    schema.to_string()
}

/// All records in the order in which they are sent.
pub(super) fn woven(sagas: &[(&str, Saga)], ids: &Ids) -> Result<Vec<Sent>> {
    let mut queues: Vec<VecDeque<Sent>> =
        sagas.iter().map(|(_, saga)| with_copies(saga, ids)).collect::<Result<_>>()?;
    queues.push(tomorrow(sagas, ids)?);
    let mut stream = Vec::new();
    while queues.iter().any(|queue| !queue.is_empty()) {
        stream.extend(queues.iter_mut().filter_map(VecDeque::pop_front));
    }
    // Of one saga everything once more, as when a topic was restored.
    if let Some((_, saga)) = sagas.first() {
        stream.extend(with_copies(saga, ids)?);
    }
    Ok(stream)
}

fn with_copies(saga: &Saga, ids: &Ids) -> Result<VecDeque<Sent>> {
    let mut queue: VecDeque<Sent> = VecDeque::new();
    for (number, record) in (1..).zip(&saga.records) {
        let (id, body) = record.datum()?;
        let id = ids.recorded.get(&id).with_context(|| format!("schema {id} is not recorded"))?;
        queue.push_back(Sent {
            record: record.clone(),
            value: framed(*id, &body),
            may_be_skipped: false,
        });
        if number % COPIES_EVERY == 0 {
            let copies: Vec<Sent> = queue.range(queue.len() - 2..).cloned().collect();
            queue.extend(copies);
        }
    }
    Ok(queue)
}

/// A record of a type that nobody knows, and a newer version of one that everybody knows.
fn tomorrow(sagas: &[(&str, Saga)], ids: &Ids) -> Result<VecDeque<Sent>> {
    let like = sagas.iter().flat_map(|(_, saga)| &saga.records);
    let mut like = like.filter(|record| record.topic == OrderEvent::TOPIC);
    let like = like.next().context("no record of order is recorded")?;
    let sent = |sequence: u32, name: &str, value: Vec<u8>, may_be_skipped| {
        let mut record = like.clone();
        record.key = ORDER.to_owned();
        for (header, value) in [
            ("ce_id", format!("{ORDER}/{sequence}")),
            ("ce_type", name.to_owned()),
            ("ce_subject", ORDER.to_owned()),
            ("ce_correlationid", ORDER.to_owned()),
            ("ce_sequence", sequence.to_string()),
        ] {
            record.headers.insert(header.to_owned(), value);
        }
        Sent { record, value, may_be_skipped }
    };
    let mut cancelled = text(ORDER);
    cancelled.extend(number(NEWER_SYMBOL.1));
    cancelled.extend(number(like.timestamp_ms * 1_000));
    cancelled.extend(text("new"));
    Ok(VecDeque::from([
        sent(1, STRANGE, framed(ids.strange, &text(ORDER)), true),
        sent(2, &format!("flotilla.order.v1.{NEWER}"), framed(ids.newer, &cancelled), false),
    ]))
}

fn framed(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], body].concat()
}

/// Avro's text.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = number(text.len() as i64);
    bytes.extend(text.as_bytes());
    bytes
}

/// Avro's number: the sign in the lowest bit, seven bits a byte, the lowest first.
fn number(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_version_has_another_field_and_its_symbol_stands_where_the_number_says() {
        let schema: Value = serde_json::from_str(&newer_schema()).unwrap();
        let symbols = &schema["fields"][1]["type"]["symbols"];
        assert_eq!(symbols[NEWER_SYMBOL.1 as usize], NEWER_SYMBOL.0, "{symbols}");
        assert_eq!(schema["fields"][3]["default"], "");
    }

    #[test]
    fn numbers_and_texts_are_written_as_avro_has_them() {
        assert_eq!([number(0), number(-1), number(1)], [vec![0], vec![1], vec![2]]);
        assert_eq!(number(64), [0x80, 1]);
        assert_eq!(text("hi"), [4, b'h', b'i']);
    }
}
