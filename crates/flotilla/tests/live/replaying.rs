//! `flotilla events replay`: counted first, resumed where it was interrupted, and done once.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::outsider;
use crate::program::{Fleet, wait_for};

pub(crate) fn is_counted_first_resumed_and_done_once(fleet: &Fleet) {
    to_its_own_topic_it_changes_nothing(fleet);
    to_another_topic_it_is_done_once(fleet);
    interrupted_it_goes_on_where_it_was(fleet);
}

/// The ids of the events on a topic, in their order.
fn ids(fleet: &Fleet, topic: &str) -> Vec<String> {
    let shown = fleet.ok(&format!("events tail -o jsonl --until-end --topic {topic}")).documents();
    let id = |line: Value| line["headers"]["ce_id"].as_str().unwrap().to_owned();
    shown.into_iter().map(id).collect()
}

fn to_its_own_topic_it_changes_nothing(fleet: &Fleet) {
    let orders = fleet.ok("--json order list --customer anne --state returned").document();
    let order = orders["orders"][0]["order_id"].as_str().unwrap();
    let shown = || fleet.ok(&format!("--json order show {order}")).document();
    let told = || ids(fleet, &format!("order.events --key {order}")).len();
    let (before, told_before) = (shown(), told());
    let replay = format!(
        "events replay order.events --key {order} --type OrderPlaced --type OrderCompleted"
    );
    let would = fleet.ok(&format!("--json {replay}")).document();
    let count = would["events"].as_u64().unwrap() as usize;
    assert!(count >= 2 && count < told_before, "{would}");
    fleet
        .ok(&replay)
        .says(&format!("would replay {count} events of order.events to order.events;"));
    assert_eq!(told(), told_before);
    let done = format!("{count} events of order.events are on order.events");
    fleet.ok(&format!("{replay} --yes")).says(&done);
    assert_eq!(told(), told_before + count);
    // Once all of it is heard again.
    wait_for("the services", || {
        let offsets = fleet.ok("--json offsets list").document();
        let all = offsets["partitions"].as_array().unwrap();
        all.iter().all(|partition| partition["lag"] == 0).then_some(())
    });
    assert_eq!(shown(), before);
    let refused = fleet.run("events replay inventory.catalogue --yes").with_code(4);
    refused.complains("keeps only the last event of a key");
    let refused =
        fleet.run("events replay order.events --to-topic order.dead-letters").with_code(4);
    refused.complains("belongs to order");
    let refused = fleet.run("events replay order.events --to-topic payment.events").with_code(4);
    refused.complains("belongs to payment");
    fleet.ok("events replay order.events --to-topic payment.events --force-topic payment.events");
    fleet.run("events replay typo").with_code(5).complains("no topic is called typo");
}

fn to_another_topic_it_is_done_once(fleet: &Fleet) {
    outsider::creates(fleet, "replayed", 5);
    let replay =
        "events replay payment.events --to-topic replayed --since 1d --until 0s --progress p.json";
    let folder = TempDir::new().unwrap();
    let run = |line: String| fleet.run_in(folder.path(), &line).with_code(0);
    let would = run(format!("{replay} --json")).document();
    let count = would["events"].as_u64().unwrap() as usize;
    assert!(count > 10, "{count}");
    run(format!("{replay} --yes"))
        .says(&format!("{count} events of payment.events are on replayed"));
    run(format!("{replay} --yes")).says("done already").says("--again");
    assert_eq!(ids(fleet, "replayed").len(), count);
    run(format!("{replay} --yes --again"));
    let (replayed, source) = (ids(fleet, "replayed"), ids(fleet, "payment.events"));
    assert_eq!(replayed.len(), 2 * count);
    let once = BTreeSet::from_iter(&replayed);
    assert!(once.is_subset(&BTreeSet::from_iter(&source)), "{replayed:?}");
    let other =
        fleet.run_in(folder.path(), "events replay order.events --progress p.json").with_code(4);
    other.complains("about another replay");
}

/// By a power cut: what was sent after the progress was kept last is sent again, and nothing is left out.
fn interrupted_it_goes_on_where_it_was(fleet: &Fleet) {
    outsider::creates(fleet, "resumed", 3);
    let folder = TempDir::new().unwrap();
    let replay = "events replay order.events --to-topic resumed --yes --progress p.json";
    let slow = format!("{replay} --rate 10");
    let source = ids(fleet, "order.events");
    let mut running = fleet.start_in(folder.path(), &slow);
    let sent = || {
        let text = fs::read_to_string(folder.path().join("p.json")).unwrap_or_default();
        let progress: Value = serde_json::from_str(&text).unwrap_or_default();
        progress["sent"].as_u64().unwrap_or_default()
    };
    wait_for("some events", || (sent() > 0).then_some(()));
    running.kill().unwrap();
    running.wait().unwrap();
    let before = sent();
    assert!((before as usize) < source.len(), "{before} of {}", source.len());
    // From the keyboard, after which nothing is sent twice.
    let mut running = fleet.start_in(folder.path(), &slow);
    wait_for("more events", || (sent() > before).then_some(()));
    Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
    let before = sent();

    let done = fleet.run_in(folder.path(), &format!("{replay} --rate 100000")).with_code(0);
    done.says(&format!("goes on where it was: {before} events")).says("events of order.events");
    let resumed = ids(fleet, "resumed");
    let once = BTreeSet::from_iter(&resumed);
    assert!(source.iter().all(|id| once.contains(id)), "{} of {}", once.len(), source.len());
    let again = resumed.len().saturating_sub(source.len());
    assert!(again <= 20, "{again} of {} were sent twice", source.len());
    fleet.run_in(folder.path(), replay).with_code(0).says("done already");
}
