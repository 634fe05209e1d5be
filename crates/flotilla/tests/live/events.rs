//! `flotilla events`.

use crate::program::Fleet;

pub(crate) fn are_shown_as_they_come(fleet: &Fleet) {
    let from = "events tail --from-beginning --idle-seconds 3";
    let all = fleet.ok(&format!("{from} --topic order.events --type OrderPlaced")).says("tok_visa");
    let key = all.stdout.split_whitespace().nth(3).unwrap();
    let one = fleet.ok(&format!("{from} --key {key}"));
    assert!(one.stdout.lines().all(|line| line.contains(key)), "{}", one.stdout);
    fleet.ok("events republish order.events").says("order.events has them all");
    fleet.ok("events republish payment.events --minutes 5 --no-wait").says("kept since");
    fleet.run("events republish order.events --minutes 0").with_code(1).complains("keeps nothing");
    fleet.run("events republish typo").with_code(1).complains("a topic begins with its service");
    fleet.run("events tail --topic typo").with_code(1).complains("order.events");
}
