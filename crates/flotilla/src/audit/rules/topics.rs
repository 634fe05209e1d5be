//! What was committed stands on the topics, and nothing else does.

use uuid::Uuid;

use super::Rule;
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

/// Per key, the topic holds the sequence from 1 to what the row counted, without a gap. A beginning that
/// retention removed is no gap.
pub(super) fn sequences_are_complete(facts: &Facts) -> Rule {
    let orders = facts.orders.iter().map(|(id, o)| ("order.events", id, o.sequence));
    let payments = facts.payments.iter().map(|(id, p)| ("payment.events", id, p.sequence));
    let goods = facts.reservations.iter().map(|(id, r)| ("inventory.events", id, r.sequence));
    let parcels = facts.shipments.iter().map(|(id, s)| ("shipping.events", id, s.sequence));
    let all = orders.chain(payments).chain(goods).chain(parcels);
    let check = |(topic, id, sequence): (&str, &Uuid, i64)| {
        let fact = facts.topics.iter().find(|fact| fact.name == topic);
        let found = fact.and_then(|fact| fact.keys.get(&id.to_string()));
        let fine = match found {
            Some(found) => is_complete(found, sequence),
            None => fact.is_some_and(|fact| has_expired(fact, id)),
        };
        let KeyFact { lowest, highest, different, .. } = found.copied().unwrap_or_default();
        (!fine).then(|| {
            format!(
                "{topic} {id}: {sequence} committed, {different} on the topic, {lowest} to {highest}"
            )
        })
    };
    Rule::of(
        "the topics hold every event that was committed, and no other",
        all.filter(|(.., sequence)| *sequence > 0).map(check),
    )
}

fn is_complete(found: &KeyFact, committed: i64) -> bool {
    found.highest == committed
        && found.different == found.highest - found.lowest + 1
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
    let counted = |topic: &str, key: &str| {
        let id: Uuid = key.parse().ok()?;
        match topic {
            "order.events" => facts.orders.get(&id).map(|order| order.sequence),
            "payment.events" => facts.payments.get(&id).map(|payment| payment.sequence),
            "inventory.events" => facts.reservations.get(&id).map(|r| r.sequence),
            "shipping.events" => facts.shipments.get(&id).map(|shipment| shipment.sequence),
            _no_topic_about_orders => None,
        }
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
    let items = facts.stock.iter().map(|(sku, item)| {
        let found = last.get(sku).copied().unwrap_or_default();
        let committed = item.sequence;
        (found != committed).then(|| format!("{sku}: {committed} committed, the last is {found}"))
    });
    let unknown = last.keys().filter(|sku| !facts.stock.contains_key(*sku));
    let unknown = unknown.map(|sku| Some(format!("{sku}: inventory has no such item")));
    let foreign = facts.catalogue.foreign;
    let foreign = (foreign > 0).then(|| Some(format!("{foreign} records by no service")));
    Rule::of(
        "the catalogue's topic ends with each item as it is",
        items.chain(unknown).chain(foreign),
    )
}
