//! What is written is read back, and nothing else is.

use super::*;
use crate::wire::trace::TraceContext;

fn meta(trace: Option<&TraceContext>) -> EventMeta<'_> {
    EventMeta { sequence: 7, time_micros: 42, cause: Some("order/a/1"), trace }
}

fn packed() -> Vec<u8> {
    let mut writer = BatchWriter::default();
    let trace = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let trace = trace.map(|trace| trace.with_state(Some("congo=t61rcWkgMzE")));
    let put = |bytes: &'static [u8]| {
        move |body: &mut Vec<u8>| {
            body.extend_from_slice(bytes);
            Ok::<(), ()>(())
        }
    };
    writer.event("a.events", "A", "k", &meta(None), put(b"one")).unwrap();
    writer.event("a.events", "B", "k", &meta(trace.as_ref()), put(b"")).unwrap();
    writer.event("a.events", "B", "k", &meta(None), |_| Err(())).unwrap_err();
    writer.raw("a.dead-letters", None, [("h", None)], Some(b"raw"));
    writer.finish()
}

#[test]
fn a_batch_unpacks_to_what_was_packed_and_a_failed_event_leaves_no_trace() {
    let row = packed();
    let messages = unpack(&row).unwrap();
    assert_eq!(messages.len(), 3);
    assert!(matches!(messages[0], Packed::Event { event_type: "A", payload: b"one", .. }));
    let Packed::Event { trace: Some(trace), payload: b"", .. } = &messages[1] else {
        panic!("{:?}", messages[1])
    };
    assert_eq!(trace.state.as_deref(), Some("congo=t61rcWkgMzE"));
    assert!(matches!(&messages[2], Packed::Raw { key: None, headers, .. } if headers.len() == 1));
}

#[test]
fn a_message_that_is_packed_again_by_itself_is_the_same_message() {
    let row = packed();
    for message in unpack(&row).unwrap() {
        let again = pack_again(&message);
        assert_eq!(unpack(&again).unwrap(), [message]);
    }
}

#[test]
fn a_message_packed_alone_unpacks_to_itself_and_fills_its_allocation() {
    let headers: [(&str, Option<&[u8]>); 2] = [("a", Some(b"1")), ("none", None)];
    let row = pack_one(Some(b"key"), &headers, None);
    let raw =
        Packed::Raw { topic: "", key: Some(b"key"), headers: headers.to_vec(), payload: None };
    assert_eq!(unpack(&row).unwrap(), [raw]);
    assert_eq!(row.capacity(), row.len());
}

#[test]
fn every_prefix_and_every_extension_of_a_row_is_refused() {
    let mut row = packed();
    for length in 0..row.len() {
        assert!(unpack(&row[..length]).is_err(), "prefix of {length} bytes");
    }
    row.push(0);
    assert!(unpack(&row).is_err());
}
