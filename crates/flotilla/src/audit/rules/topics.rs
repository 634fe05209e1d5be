//! What was committed stands on the topics, and nothing else does.

use uuid::Uuid;

use super::{Check, Rule};
use crate::audit::facts::{Facts, KeyFact, OutboxFact, TopicFact};

/// A topic of events about orders, and the rows that count them.
struct Topic {
    name: &'static str,
    service: &'static str,
    /// Each row with the number of its events.
    rows: fn(&Facts) -> Vec<(Uuid, i64)>,
    /// That number of one row.
    counted: fn(&Facts, &Uuid) -> Option<i64>,
}

const TOPICS: [Topic; 4] = [
    Topic {
        name: "order.events",
        service: "order",
        rows: |facts| facts.orders.iter().map(|(id, row)| (*id, row.sequence)).collect(),
        counted: |facts, id| facts.orders.get(id).map(|row| row.sequence),
    },
    Topic {
        name: "payment.events",
        service: "payment",
        rows: |facts| facts.payments.iter().map(|(id, row)| (*id, row.sequence)).collect(),
        counted: |facts, id| facts.payments.get(id).map(|row| row.sequence),
    },
    Topic {
        name: "inventory.events",
        service: "inventory",
        rows: |facts| facts.reservations.iter().map(|(id, row)| (*id, row.sequence)).collect(),
        counted: |facts, id| facts.reservations.get(id).map(|row| row.sequence),
    },
    Topic {
        name: "shipping.events",
        service: "shipping",
        rows: |facts| facts.shipments.iter().map(|(id, row)| (*id, row.sequence)).collect(),
        counted: |facts, id| facts.shipments.get(id).map(|row| row.sequence),
    },
];

pub(super) fn everything_committed_is_published(facts: &Facts) -> Rule {
    let check = |outbox: &OutboxFact| {
        (outbox.rows != 0 || outbox.head != outbox.published).then(|| {
            format!(
                "{}: {} rows wait, batch {} committed, {} published",
                outbox.service, outbox.rows, outbox.head, outbox.published
            )
        })
    };
    Rule::of(
        "every outbox is empty, and its last batch published",
        facts.outboxes.iter().map(check),
    )
}

/// Per key, the topic holds the sequence from 1 to what the row counted, without a gap. A beginning that
/// retention removed is no gap.
pub(super) fn sequences_are_complete(facts: &Facts) -> Rule {
    let all = TOPICS.iter().flat_map(|topic| {
        (topic.rows)(facts).into_iter().map(move |(id, sequence)| (topic, id, sequence))
    });
    let check = |(topic, id, sequence): (&Topic, Uuid, i64)| -> Check {
        let latest = (topic.counted)(facts.latest(), &id).unwrap_or(sequence);
        let fact = facts.topics.iter().find(|fact| fact.name == topic.name);
        let found = fact.and_then(|fact| fact.keys.get(&id.to_string()));
        let reached = found.map_or(0, |found| found.highest);
        if reached < sequence && facts.behind.contains(topic.service) {
            return Check::Moving;
        }
        let fine = match found {
            Some(found) => (sequence..=latest).contains(&reached) && has_no_gap(found),
            None => fact.is_some_and(|fact| has_expired(fact, &id)),
        };
        let KeyFact { lowest, highest, different, .. } = found.copied().unwrap_or_default();
        let broken = || {
            let name = topic.name;
            format!(
                "{name} {id}: {sequence} committed, {different} on the topic, {lowest} to {highest}"
            )
        };
        (!fine).then(broken).into()
    };
    Rule::of(
        "the topics hold every event that was committed, and no other",
        all.filter(|(.., sequence)| *sequence > 0).map(check),
    )
}

fn has_no_gap(found: &KeyFact) -> bool {
    found.different == found.highest - found.lowest + 1
        && (found.lowest == 1 || found.lowest > 1 && found.beginning_expired)
}

/// Whether retention may have removed all events of an order: it was placed, says its id, before the
/// first record that is still there.
fn has_expired(topic: &TopicFact, id: &Uuid) -> bool {
    let placed = id.get_timestamp().map(|placed| placed.to_unix().0 * 1000);
    let until = topic.expired_until_ms.and_then(|until| u64::try_from(until).ok());
    placed.zip(until).is_some_and(|(placed, until)| placed <= until)
}

/// An event that no row ever counted was published without a commit, or not by the service.
pub(super) fn every_key_is_known(facts: &Facts) -> Rule {
    let counted = |name: &str, key: &str| {
        let topic = TOPICS.iter().find(|topic| topic.name == name)?;
        (topic.counted)(facts.latest(), &key.parse().ok()?)
    };
    let all = facts.topics.iter().flat_map(|topic| topic.keys.keys().map(|key| (&topic.name, key)));
    let check = |(topic, key): (&String, &String)| {
        let known = counted(topic, key).is_some_and(|sequence| sequence > 0);
        (!known).then(|| format!("{topic} {key}: no row of its service counts its events"))
    };
    Rule::of("every key on the topics is known to the service that writes there", all.map(check))
}

pub(super) fn copies_are_identical(facts: &Facts) -> Rule {
    let check = |topic: &TopicFact| {
        (topic.differing > 0).then(|| {
            let (name, count, one) = (&topic.name, topic.differing, &topic.differing_example);
            format!("{name}: {count} copies differ from the first, such as of {one}")
        })
    };
    Rule::of("copies of an event are identical", facts.topics.iter().map(check))
}

/// Anybody who may write to a topic can put a record there; it must not have become an input.
pub(super) fn foreign_records_are_set_aside(facts: &Facts) -> Rule {
    let check = |topic: &TopicFact| {
        let missed = topic.foreign.saturating_sub(topic.foreign_set_aside);
        (missed > 0).then(|| {
            let example = topic.foreign_example;
            let example = example.map_or_else(String::new, |(p, at)| format!(", such as {p}@{at}"));
            let (name, all) = (&topic.name, topic.foreign);
            format!("{name}: {missed} of {all} are not known to be dead letters{example}")
        })
    };
    Rule::of("what no service wrote was set aside as a dead letter", facts.topics.iter().map(check))
}

/// Compaction keeps the last record of a SKU, so that one must be the last that was committed.
pub(super) fn the_catalogue_is_current(facts: &Facts) -> Rule {
    let last = &facts.catalogue.last;
    let latest = &facts.latest().stock;
    let items = facts.stock.iter().map(|(sku, item)| -> Check {
        let found = last.get(sku).copied().unwrap_or_default();
        let committed = item.price.sequence;
        if found < committed && facts.behind.contains("inventory") {
            return Check::Moving;
        }
        let until = latest.get(sku).map_or(committed, |item| item.price.sequence);
        let broken = || format!("{sku}: {committed} committed, the last is {found}");
        (!(committed..=until).contains(&found)).then(broken).into()
    });
    let unknown = last.keys().filter(|sku| !latest.contains_key(*sku));
    let unknown = unknown.map(|sku| Check::Broken(format!("{sku}: inventory has no such item")));
    let foreign = facts.catalogue.foreign;
    let foreign = (foreign > 0).then(|| Check::Broken(format!("{foreign} records by no service")));
    Rule::of(
        "the catalogue's topic ends with each item as it is",
        items.chain(unknown).chain(foreign),
    )
}
