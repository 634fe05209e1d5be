//! What is on the topics, as our own code reads it: what a consumer should have printed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chassis::tail::{From, Record, Tail};
use e2e::shop::Shop;
use serde_json::Value;
use uuid::Uuid;

/// The topics that an order's saga is on.
pub(crate) const TOPICS: [&str; 4] =
    ["order.events", "payment.events", "inventory.events", "shipping.events"];

/// The events of each topic in the order of their first delivery, each by its type, source and id.
pub(crate) type Told = BTreeMap<String, Vec<[String; 3]>>;

/// All records of some keys on some topics.
pub(crate) fn of(shop: &Shop, topics: &[&str], keys: &[String]) -> Vec<Record> {
    let brokers = shop.fleet.environment().kafka_brokers();
    let tail = Tail::new(&brokers, topics, From::Beginning).unwrap();
    let mut records = Vec::new();
    let mut keep = |record: Record| {
        if keys.contains(&record.key) {
            records.push(record);
        }
    };
    tokio::task::block_in_place(|| tail.read_to_end(Duration::from_secs(20), &mut keep)).unwrap();
    records
}

/// Everything that happened to an order.
pub(crate) fn of_order(shop: &Shop, order: Uuid) -> Vec<Record> {
    of(shop, &TOPICS, &[order.to_string()])
}

/// What these records tell.
pub(crate) fn told(records: &[Record]) -> Told {
    let event = |record: &Record| {
        let header = |name| record.header(name).unwrap_or_default().to_owned();
        (record.topic.clone(), ["ce_type", "ce_source", "ce_id"].map(header))
    };
    by_topic(records.iter().map(event), true)
}

/// What a consumer printed, which has to know repetitions itself.
pub(crate) fn printed(lines: &[Value]) -> Told {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let event =
        |line: &Value| (text(line, "topic"), ["type", "source", "id"].map(|name| text(line, name)));
    by_topic(lines.iter().map(event), false)
}

fn by_topic(events: impl Iterator<Item = (String, [String; 3])>, once: bool) -> Told {
    let (mut told, mut seen) = (Told::new(), BTreeSet::new());
    for (topic, event) in events {
        if seen.insert(event.clone()) || !once {
            told.entry(topic).or_default().push(event);
        }
    }
    told
}
