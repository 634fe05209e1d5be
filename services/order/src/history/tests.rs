use super::*;

#[test]
fn what_is_appended_is_read_back_in_order() {
    let mut log = Vec::new();
    for (at, kind) in (0_i64..).zip(Kind::ALL) {
        append(&mut log, *kind, 1_764_000_000_000_000 + at);
    }
    assert_eq!(log.len(), Kind::ALL.len() * ENTRY_BYTES);
    let read: Vec<_> = entries(&log).collect();
    assert_eq!(read.iter().map(|e| e.kind).collect::<Vec<_>>(), Kind::ALL);
    assert_eq!(read[3].at_micros, 1_764_000_000_000_003);
}

#[test]
fn an_entry_of_a_newer_release_is_left_out() {
    let mut log = Vec::new();
    append(&mut log, Kind::Placed, 1);
    log.push(255);
    log.extend_from_slice(&2_i64.to_be_bytes());
    append(&mut log, Kind::Confirmed, 3);
    let kinds: Vec<_> = entries(&log).map(|e| e.kind).collect();
    assert_eq!(kinds, [Kind::Placed, Kind::Confirmed]);
}

#[test]
fn only_the_events_of_order_are_its_own() {
    for kind in Kind::ALL {
        assert_eq!(kind.is_own(), kind.event().starts_with("Order"), "{kind:?}");
    }
}
