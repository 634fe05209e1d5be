//! `flotilla events`.

use crate::program::Fleet;

pub(crate) fn are_shown_as_they_come(fleet: &Fleet) {
    let from = "events tail --from-beginning --until-end";
    let all = fleet.ok(&format!("{from} --topic order.events --type OrderPlaced")).says("tok_visa");
    let key = all.stdout.split_whitespace().nth(3).unwrap();
    let one = fleet.ok(&format!("{from} --key {key}"));
    assert!(one.stdout.lines().all(|line| line.contains(key)), "{}", one.stdout);
    fleet.ok("events republish order.events").says("order.events has them all");
    fleet.ok("events republish payment.events --minutes 5 --no-wait").says("kept since");
    fleet.run("events republish order.events --minutes 0").with_code(1).complains("keeps nothing");
    fleet.run("events republish typo").with_code(1).complains("a topic begins with its service");
    copies_are_not_put_beside_what_is_there(fleet);
    fleet.run("events tail --topic typo").with_code(1).complains("order.events");
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
    run("events save none.jsonl --topic typo").with_code(1).complains("no topic is called typo");
    run("events load one.jsonl").with_code(1).complains("delete what is not empty");
    let typo = run("events load one.jsonl --topic typo").with_code(1);
    typo.complains("typo is not among order.events");
    run("events load none.jsonl").with_code(1).complains("cannot read none.jsonl");
}
