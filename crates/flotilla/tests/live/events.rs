//! `flotilla events`.

use serde_json::Value;

use crate::program::Fleet;

pub(crate) fn are_shown_as_they_come(fleet: &Fleet) {
    let from = "events tail --from-beginning --until-end";
    let all = fleet.ok(&format!("{from} --topic order.events --type OrderPlaced")).says("tok_visa");
    let key = all.stdout.split_whitespace().nth(3).unwrap();
    let one = fleet.ok(&format!("{from} --key {key}"));
    assert!(one.stdout.lines().all(|line| line.contains(key)), "{}", one.stdout);
    parts_of_topics_are_shown(fleet);
    fleet.ok("events republish order.events").says("order.events has them all");
    fleet.ok("events republish payment.events --minutes 5 --no-wait").says("kept since");
    fleet.run("events republish order.events --minutes 0").with_code(1).complains("keeps nothing");
    fleet.run("events republish typo").with_code(5).complains("a topic begins with its service");
    copies_are_not_put_beside_what_is_there(fleet);
    fleet.run("events tail --topic typo").with_code(5).complains("order.events");
}

/// A copy of topics is for topics that are empty; e2e/tests/disaster puts one where it belongs.
fn copies_are_not_put_beside_what_is_there(fleet: &Fleet) {
    let folder = tempfile::TempDir::new().unwrap();
    let run = |line: &str| fleet.run_in(folder.path(), line);
    run("events save all.jsonl").with_code(0).says("warehouse.stock-adjustments");
    let one = run("events save one.jsonl --topic order.events").with_code(0);
    one.says("records of order.events are in one.jsonl");
    run("events save one.jsonl --topic order.events").with_code(1).complains("--force");
    run("events save one.jsonl --topic order.events --force").with_code(0).says("one.jsonl");
    run("events save none.jsonl --topic typo").with_code(5).complains("no topic is called typo");
    run("events load one.jsonl").with_code(1).complains("delete what is not empty");
    let typo = run("events load one.jsonl --topic typo").with_code(1);
    typo.complains("typo is not among order.events");
    run("events load none.jsonl").with_code(1).complains("cannot read none.jsonl");
}

/// By offset, partition and time; each part is what the whole has there.
fn parts_of_topics_are_shown(fleet: &Fleet) {
    let tail = "--json events tail --topic order.events";
    let shown = |options: &str| fleet.ok(&format!("{tail} {options}")).documents();
    let mut one = shown("--partition 0 --from-beginning --until-end");
    assert!(one.len() >= 3, "{one:?}");
    let part = shown("--partition 0 --from-offset 1 --to-offset 3");
    assert_eq!(part, one.drain(..).skip(1).take(2).collect::<Vec<_>>());
    let instant = part[1]["time"].as_str().unwrap();
    let is_before = |line: &Value| line["time"].as_str().unwrap() < instant;
    let before = shown(&format!("--until {instant}"));
    assert!(before.iter().all(is_before) && !before.is_empty(), "{before:?}");
    let since = shown(&format!("--since {instant} --until-end"));
    assert!(!since.iter().any(is_before) && since.contains(&part[1]), "{since:?}");
    let whole = shown("--since 10d --until-end");
    assert!(before.iter().chain(&since).all(|line| whole.contains(line)), "{whole:?}");
    fleet.ok(&format!("{} -o wide --until-end", &tail[7..])).says("order.events");
    fleet.run("events tail --until 2999-01-01T00:00:00Z").with_code(2).complains("still to come");
    fleet.run(&format!("{tail} --partition 99")).with_code(5).complains("has no partition 99");
    fleet.ok(&format!("{tail} --idle-seconds 1 --since 1s"));
}
