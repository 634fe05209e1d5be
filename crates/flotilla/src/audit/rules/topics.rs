//! What was committed is on the topics, and nothing else is.

use uuid::Uuid;

use super::{Check, Rule};
use crate::audit::facts::{Facts, KeyFact, OutboxFact, TopicFact};

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

/// Per key, the topic holds the sequence from 1 to what its service counted, without a gap. A beginning that
/// retention removed is not a gap.
pub(super) fn sequences_are_complete(facts: &Facts) -> Rule {
    let all = facts.published.iter().flat_map(|(topic, counted)| {
        counted
            .sequences
            .iter()
            .map(move |(key, sequence)| (topic, counted.service, key, *sequence))
    });
    let check = |(topic, service, key, sequence): (&String, &str, &String, i64)| -> Check {
        let latest = counted(facts.latest(), topic, key).unwrap_or(sequence);
        let fact = facts.topics.iter().find(|fact| fact.name == *topic);
        let found = fact.and_then(|fact| fact.keys.get(key));
        let reached = found.map_or(0, |found| found.highest);
        if reached < sequence && facts.behind.contains(service) {
            return Check::Moving;
        }
        let fine = match found {
            Some(found) => (sequence..=latest).contains(&reached) && has_no_gap(found),
            None => fact.is_some_and(|fact| has_expired(fact, key)),
        };
        let KeyFact { lowest, highest, different, .. } = found.copied().unwrap_or_default();
        let broken = || {
            format!(
                "{topic} {key}: {sequence} committed, {different} on the topic, {lowest} to {highest}"
            )
        };
        (!fine).then(broken).into()
    };
    Rule::of(
        "the topics hold every event that was committed, and no other",
        all.filter(|(.., sequence)| *sequence > 0).map(check),
    )
}

/// How many events of a key its service says it has published.
fn counted(facts: &Facts, topic: &str, key: &str) -> Option<i64> {
    facts.published.get(topic)?.sequences.get(key).copied()
}

fn has_no_gap(found: &KeyFact) -> bool {
    found.different == found.highest - found.lowest + 1
        && (found.lowest == 1 || found.lowest > 1 && found.beginning_expired)
}

/// Whether retention may have removed all events of a key. Those of an order, if it was
/// placed, as its id says, before the first record that is still there. How old another key is, nobody knows.
fn has_expired(topic: &TopicFact, key: &str) -> bool {
    let until = topic.expired_until_ms.and_then(|until| u64::try_from(until).ok());
    let Some(until) = until else { return false };
    let Ok(order) = key.parse::<Uuid>() else { return true };
    let placed = order.get_timestamp().map(|placed| placed.to_unix().0 * 1000);
    placed.is_some_and(|placed| placed <= until)
}

/// An event that no row ever counted was published without a commit, or not by the service.
pub(super) fn every_key_is_known(facts: &Facts) -> Rule {
    let all = facts.topics.iter().flat_map(|topic| topic.keys.keys().map(|key| (&topic.name, key)));
    let check = |(topic, key): (&String, &String)| {
        let known = counted(facts.latest(), topic, key).is_some_and(|sequence| sequence > 0);
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
