//! Each fault that a consumer can have is planted and found.

use super::super::stream::{Ids, woven};
use super::super::{sagas, topics_of_orders};
use super::*;

fn expected() -> Expected {
    let (manifest, sagas) = sagas().unwrap();
    let recorded = manifest.schemas.keys().map(|id| (*id, *id)).collect();
    let stream = woven(&sagas, &Ids { recorded, strange: 1, newer: 2 }).unwrap();
    let expected = Expected::of(&stream, &topics_of_orders());
    assert!(stream.len() > expected.len() + 20, "there are copies");
    expected
}

/// What a consumer prints that does everything right: topic by topic, as it may.
fn right(expected: &Expected) -> Vec<String> {
    let mut all: Vec<(&Name, &Place)> = expected.events.iter().collect();
    all.sort_by_key(|(_, place)| (&place.row, place.number));
    let line = |((source, id), _): (&Name, &Place)| {
        serde_json::json!({ "source": source, "id": id }).to_string()
    };
    all.into_iter().map(line).collect()
}

fn run(lines: Vec<String>) -> Printed {
    Printed { lines, ended: None }
}

#[test]
fn a_consumer_that_prints_each_event_once_in_the_order_of_its_key_has_no_fault() {
    let expected = expected();
    assert_eq!(judged(&expected, &[run(right(&expected))]), []);
    let strange = expected.optional.first().unwrap();
    let mut lines = right(&expected);
    lines.push(format!("{{\"ce_source\":\"{}\",\"ce_id\":\"{}\"}}", strange.0, strange.1));
    assert_eq!(judged(&expected, &[run(lines)]), [], "a type that it need not know");
}

#[test]
fn what_is_missed_printed_twice_invented_or_out_of_order_is_found() {
    let expected = expected();
    let right = right(&expected);
    let faults = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = right.clone();
        change(&mut lines);
        judged(&expected, &[run(lines)])
    };
    assert!(matches!(&faults(&|lines| _ = lines.remove(3))[..], [Fault::Missed(_)]));
    let twice = faults(&|lines| lines.push(lines[3].clone()));
    assert!(matches!(&twice[..], [Fault::Twice(_)]), "{twice:?}");
    let row = |line: &String| &expected.events[&name_of(line).unwrap()].row;
    let neighbours = right.windows(2).position(|pair| row(&pair[0]) == row(&pair[1])).unwrap();
    let order = faults(&|lines| lines.swap(neighbours, neighbours + 1));
    assert!(matches!(&order[..], [Fault::Order(_)]), "{order:?}");
    let invented = faults(&|lines| lines.push(r#"{"source":"order","id":"x/1"}"#.to_owned()));
    assert!(matches!(&invented[..], [Fault::Invented(_)]));
    let talk = faults(&|lines| lines.push("I am ready".to_owned()));
    assert!(matches!(&talk[..], [Fault::NoEvent(_)]));
}

#[test]
fn after_a_kill_events_may_come_again_and_none_may_be_missing() {
    let expected = expected();
    let right = right(&expected);
    let (first, second) = right.split_at(20);
    let overlap = [&right[15..20], second].concat();
    assert_eq!(judged(&expected, &[run(first.to_vec()), run(overlap)]), []);
    let lost = judged(&expected, &[run(first[..18].to_vec()), run(second.to_vec())]);
    assert!(matches!(&lost[..], [Fault::Missed(_), Fault::Missed(_)]), "{lost:?}");
}

#[test]
fn an_end_that_nobody_asked_for_is_told() {
    let expected = expected();
    let crashed = Printed { lines: right(&expected), ended: Some("exit status: 1".to_owned()) };
    assert_eq!(judged(&expected, &[crashed]), [Fault::Ended("exit status: 1".to_owned())]);
}
