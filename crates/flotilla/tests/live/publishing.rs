//! `flotilla events publish` and `sample`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Fleet, wait_for};

pub(crate) fn is_checked_and_takes_effect_once(fleet: &Fleet) {
    let folder = TempDir::new().unwrap();
    what_tail_prints_is_taken_back_byte_for_byte(fleet, folder.path());
    an_adjustment_that_is_published_twice_is_applied_once(fleet, folder.path());
    what_is_wrong_is_named_before_anything_is_published(fleet, folder.path());
    a_topic_has_one_writer(fleet, folder.path());
}

/// Every event of every topic of the fleet, with its key, headers, bytes, and the partition that its service chose.
fn what_tail_prints_is_taken_back_byte_for_byte(fleet: &Fleet, folder: &Path) {
    let topics = [
        "order.events",
        "inventory.events",
        "payment.events",
        "shipping.events",
        "inventory.catalogue",
    ];
    let chosen = |option: &str| topics.map(|topic| format!("--{option} {topic}")).join(" ");
    fleet.run_in(folder, &format!("events save raw.jsonl {}", chosen("topic"))).with_code(0);
    let printed = fleet.ok(&format!("events tail --until-end -o jsonl {}", chosen("topic"))).stdout;
    let publish = format!("events publish --dry-run -o jsonl {}", chosen("force-topic"));
    let composed = fleet.run_with(folder, &publish, &printed).with_code(0).documents();

    let raw = fs::read_to_string(folder.join("raw.jsonl")).unwrap();
    let raw = raw.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let saved: BTreeSet<String> =
        raw.filter_map(|line| Some(of_saved(line.get("record")?))).collect();
    assert!(saved.len() > 50, "{}", saved.len());
    let composed: BTreeSet<String> = composed.iter().map(of_composed).collect();
    // More may have happened in between.
    let missing: Vec<_> = saved.difference(&composed).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn of_saved(record: &Value) -> String {
    let text =
        |hex: &Value| String::from_utf8(hex::decode(hex.as_str().unwrap()).unwrap()).unwrap();
    let headers = record["headers"].as_array().unwrap().iter();
    let headers: Vec<_> = headers
        .map(|header| format!("{}={}", header[0].as_str().unwrap(), text(&header[1])))
        .collect();
    described(record, &text(&record["key"]), headers, &record["value"])
}

fn of_composed(message: &Value) -> String {
    let headers = message["headers"].as_object().unwrap().iter();
    let headers =
        headers.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
    described(message, message["key"].as_str().unwrap(), headers, &message["bytes"])
}

fn described(at: &Value, key: &str, mut headers: Vec<String>, value: &Value) -> String {
    headers.sort();
    format!("{}/{} {key} {} {value}", at["topic"], at["partition"], headers.join(" "))
}

fn free(fleet: &Fleet, sku: &str) -> i64 {
    let stock = fleet.ok("--json stock list").document();
    let mut items = stock["items"].as_array().unwrap().iter();
    items.find(|item| item["sku"] == sku).unwrap()["free"].as_i64().unwrap()
}

fn an_adjustment_that_is_published_twice_is_applied_once(fleet: &Fleet, folder: &Path) {
    fleet.ok("stock set published Published 100");
    let sample = fleet.ok("events sample StockAdjusted");
    assert_eq!(fleet.ok("events sample flotilla.warehouse.v1.StockAdjusted").stdout, sample.stdout);
    let event = sample.stdout.replace("\"tea\"", "\"published\"");
    fs::write(folder.join("events.jsonl"), format!("\n{event}")).unwrap();

    let dry = fleet.run_in(folder, "events publish --dry-run --source shelf events.jsonl");
    dry.with_code(0).says("would publish StockAdjusted published to warehouse.stock-adjustments/");
    let first = fleet.run_in(folder, "--json events publish events.jsonl").with_code(0).document();
    assert_eq!(first["headers"]["ce_source"], "warehouse", "{first}");
    let second = fleet.run_with(folder, "--json events publish", &event).with_code(0).document();
    assert_eq!(first["headers"]["ce_id"], second["headers"]["ce_id"]);
    // Behind both, so that they were heard when this one is.
    let id = "01990000-0000-7000-8000-000000000001";
    let other = event.replace(id, "01990000-0000-7000-8000-000000000002");
    fleet.run_with(folder, "events publish -", &other).with_code(0).says("published 1 events");
    wait_for("the adjustments", || (free(fleet, "published") == 2).then_some(()));
    // Nobody who reads the answer, and no room for it: what was begun is done all the same.
    let to = |stdout: Stdio, digit: char| {
        let events =
            ['a', 'b'].map(|last| event.replace(id, &format!("{}{digit}{last}", &id[..34])));
        fs::write(folder.join("more.jsonl"), events.concat()).unwrap();
        let mut command = fleet.command();
        command.args(["events", "publish", "more.jsonl"]).current_dir(folder).stdout(stdout);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait().unwrap().code()
    };
    assert_eq!(to(Stdio::piped(), '1'), Some(0));
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(to(full.into(), '2'), Some(1));
    wait_for("the other adjustments", || (free(fleet, "published") == 6).then_some(()));
    fleet.run("events sample Typo").with_code(5).complains("StockAdjusted");
}

fn what_is_wrong_is_named_before_anything_is_published(fleet: &Fleet, folder: &Path) {
    let good = fleet.ok("events sample StockAdjusted").stdout;
    let refused = |what: &str, lines: &str| {
        fs::write(folder.join("wrong.jsonl"), lines).unwrap();
        let said = fleet.run_in(folder, "events publish wrong.jsonl").with_code(2);
        said.complains("nothing is published: line 2").complains(what);
    };
    let second = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        format!("{good}{}", good.replace(from, to))
    };
    refused("value.delta: expected a number", &second("\"delta\":1", "\"delta\":\"one\""));
    refused("value.dleta: expected one of the fields", &second("\"delta\"", "\"dleta\""));
    refused(
        "key: expected tea, the event's sku, found milk",
        &second("\"key\":\"tea\"", "\"key\":\"milk\""),
    );
    refused(
        "no event is called flotilla.warehouse.v1.Moved; there are",
        &second("StockAdjusted", "Moved"),
    );
    refused("no event: expected", &format!("{good}no JSON\n"));
    let absent = fleet.run_in(folder, "events publish absent.jsonl").with_code(1);
    absent.complains("cannot read absent.jsonl");
    // Where events are published as they come, those before the wrong one are.
    let known = good.replace("\"tea\"", "\"published\"");
    let mixed = format!("{known}{{\"type\":\"StockAdjusted\"}}\n");
    let said = fleet.run_with(folder, "events publish", &mixed).with_code(2);
    said.complains("the 1 events before are published: line 2: value: expected the event");
}

fn a_topic_has_one_writer(fleet: &Fleet, folder: &Path) {
    let event = fleet.ok("events sample OrderCancelled").stdout;
    let said = fleet.run_with(folder, "events publish --dry-run", &event).with_code(4);
    said.complains("order.events belongs to order").complains("warehouse.stock-adjustments");
    let forced = "events publish --dry-run --force-topic order.events";
    fleet.run_with(folder, forced, &event).with_code(0).says("to order.events/");
}
