//! `flotilla dlq`: letters that come to life again, and some that never will.

use serde_json::Value;

use crate::outsider;
use crate::program::{Fleet, wait_for};

pub(crate) fn letters_are_shown_retried_and_dropped(fleet: &Fleet) {
    outsider::adjusts(fleet, "late-item", 5);
    outsider::sends_garbage(fleet);
    let letters = fleet.letters();
    let id = |reason: &str| {
        let letter = letters.iter().find(|letter| letter["reason"] == reason);
        letter.unwrap_or_else(|| panic!("{reason}: {letters:?}"))["id"].clone()
    };
    let (garbage, early) = (id("undecodable"), id("refused"));

    fleet.ok("dlq list --service inventory --reason refused").says("late-item");
    fleet.ok(&format!("dlq show inventory {early}")).says("late-item");
    fleet.ok(&format!("dlq show inventory {garbage}")).says("undecoded");
    fleet.run("dlq show inventory 999999").with_code(5).complains("no such dead letter");

    // What cannot be read today cannot be read tomorrow; what came too early is right by now.
    fleet.ok("dlq retry --service inventory").says("would retry 2");
    let garbage = format!("--service inventory --id {garbage}");
    fleet.run(&format!("dlq retry {garbage} --yes")).with_code(1).says("still");
    fleet.ok("stock set late-item Late 100");
    fleet.ok(&format!("dlq retry --service inventory --id {early} --yes")).says("retried");
    fleet.ok("stock list").says("free 5");
    fleet.ok(&format!("dlq drop {garbage}")).says("would drop 1");
    fleet.ok("dlq drop --reason undecodable --yes").says("dropped");
    fleet.run("dlq retry --reason refused").with_code(5).complains("flotilla dlq list");
    fleet.ok("dlq list").says("no dead letters wait");
}

impl Fleet {
    /// The dead letters, once there are two.
    fn letters(&self) -> Vec<Value> {
        wait_for("two dead letters", || {
            let found = self.ok("--json dlq list").document();
            found["dead_letters"].as_array().filter(|letters| letters.len() >= 2).cloned()
        })
    }
}
