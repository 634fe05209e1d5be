//! Truncation, trailing bytes, strangers and older versions, on real events.

use events::{CatalogueEvent, Events, InventoryEvent, OrderEvent, OrderId, OrderReturned};
use uuid::Uuid;

use super::decoder::Undecodable;
use super::*;
use crate::publish::outbox::{BatchWriter, EventMeta, Packed, unpack};

const FIRST_ID: SchemaId = 100;

fn ids() -> Vec<SchemaId> {
    (0..OrderEvent::RECORDS.len() as SchemaId).map(|n| FIRST_ID + n).collect()
}

fn event() -> OrderEvent {
    let order_id = OrderId(Uuid::from_u128(7));
    OrderReturned { order_id, customer_id: Some("c7".to_owned()), occurred_at: 1_000_000 }.into()
}

fn encoded() -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.add::<OrderEvent>(&ids()).unwrap();
    let mut writer = BatchWriter::default();
    let meta = EventMeta { sequence: 1, time_micros: 1, cause: None, trace: None };
    encoder.encode(&event(), &meta, &mut writer).unwrap();
    match unpack(&writer.finish()).unwrap().remove(0) {
        Packed::Event { payload, .. } => payload.to_vec(),
        Packed::Raw { .. } => unreachable!("an event was packed"),
    }
}

fn decoder() -> TopicDecoder<OrderEvent> {
    TopicDecoder::new(&ids()).unwrap()
}

#[test]
fn an_event_decodes_to_what_was_encoded() {
    let value = encoded();
    let decoder = decoder();
    assert_eq!(decoder.inspect(Some(&value)).unwrap(), Datum::Record(event().record()));
    assert_eq!(decoder.decode(&value).unwrap(), event());
}

#[test]
fn every_strict_prefix_and_a_trailing_byte_are_refused() {
    let mut value = encoded();
    for length in FRAME_BYTES..value.len() {
        let error = decoder().decode(&value[..length]).unwrap_err();
        assert!(matches!(error, Undecodable::Truncated), "{length}: {error}");
    }
    value.push(0);
    assert!(matches!(decoder().decode(&value), Err(Undecodable::Trailing { bytes: 1 })));
}

#[test]
fn what_is_not_framed_or_empty_or_huge_is_refused_before_any_avro() {
    let decoder = decoder();
    assert!(matches!(decoder.inspect(None), Err(Undecodable::Empty)));
    assert!(matches!(decoder.inspect(Some(b"")), Err(Undecodable::Empty)));
    assert!(matches!(decoder.inspect(Some(b"{\"a\":1}")), Err(Undecodable::NotFramed)));
    assert!(matches!(decoder.inspect(Some(b"\0\0\0")), Err(Undecodable::NotFramed)));
    let huge = vec![0; MAX_VALUE_BYTES + 1];
    assert!(matches!(decoder.inspect(Some(&huge)), Err(Undecodable::TooLarge { .. })));
}

#[test]
fn a_schema_of_another_namespace_is_a_stranger_and_one_of_ours_is_merely_newer() {
    let decoder = decoder();
    let value = [0, 0, 0, 0, 9];
    assert_eq!(decoder.inspect(Some(&value)).unwrap(), Datum::NeedsSchema(9));
    let record = |name: &str| format!(r#"{{"type":"record","name":"{name}","fields":[]}}"#);
    decoder.learn(9, Some(&record("elsewhere.v1.Stranger")));
    assert!(matches!(decoder.inspect(Some(&value)), Err(Undecodable::WrongRecord { .. })));
    decoder.learn(9, Some(&record("flotilla.order.v1.OrderTeleported")));
    assert_eq!(decoder.inspect(Some(&value)).unwrap(), Datum::Unknown);
    decoder.learn(9, None);
    assert!(matches!(decoder.inspect(Some(&value)), Err(Undecodable::UnknownSchema(9))));
    decoder.forget_missing();
    assert_eq!(decoder.inspect(Some(&value)).unwrap(), Datum::NeedsSchema(9));
}

#[test]
fn a_record_of_another_topic_is_wrong_also_where_both_share_a_namespace() {
    let ids: Vec<SchemaId> = (0..CatalogueEvent::RECORDS.len() as SchemaId).collect();
    let decoder = TopicDecoder::<CatalogueEvent>::new(&ids).unwrap();
    let value = [0, 0, 0, 0, 9];
    let answer = InventoryEvent::RECORDS.iter().find(|info| info.name == "StockReserved").unwrap();
    decoder.learn(9, Some(answer.schema));
    assert!(matches!(decoder.inspect(Some(&value)), Err(Undecodable::WrongRecord { .. })));
}

#[test]
fn a_newer_version_of_a_record_resolves_to_ours() {
    let ours = OrderEvent::RECORDS[event().record()].schema;
    let mut newer: serde_json::Value = serde_json::from_str(ours).unwrap();
    let added = serde_json::json!({"name": "added", "type": "string", "default": ""});
    newer["fields"].as_array_mut().unwrap().push(added);
    let mut value = encoded();
    value[1..5].copy_from_slice(&77_u32.to_be_bytes());
    value.extend_from_slice(&[4, b'h', b'i']);
    let decoder = decoder();
    decoder.learn(77, Some(&newer.to_string()));
    assert_eq!(decoder.decode(&value).unwrap(), event());
    value.pop();
    assert!(matches!(decoder.decode(&value), Err(Undecodable::Truncated)));
}

#[test]
fn an_event_from_before_a_field_was_added_decodes_with_its_default() {
    let released = include_str!("../../../../../schemas/released/order/OrderReturned.1.avsc");
    let decoder = decoder();
    decoder.learn(77, Some(released));
    let value =
        b"\0\0\0\0\x4d\x480190a1b2-c3d4-7000-8000-00000000002a\x80\x89\xbe\xa2\xdb\xff\xad\x06";
    let order_id = "0190a1b2-c3d4-7000-8000-00000000002a".parse().unwrap();
    let expected =
        OrderReturned { order_id, customer_id: None, occurred_at: 1_790_000_000_123_456 };
    assert_eq!(decoder.decode(value).unwrap(), expected.into());
    for length in FRAME_BYTES..value.len() {
        let error = decoder.decode(&value[..length]).unwrap_err();
        assert!(matches!(error, Undecodable::Truncated), "{length}: {error}");
    }
}
