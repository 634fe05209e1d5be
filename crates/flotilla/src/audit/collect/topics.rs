//! Reading the topics, one after the other. What is kept of them grows with the orders, not with what
//! was published twice or by others.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use anyhow::{Context, Result};
use chassis::tail::{From, Record, Tail};

use super::connect;
use crate::audit::CATALOGUE;
use crate::audit::facts::{CatalogueFact, Facts, KeyFact, TopicFact};
use crate::audit::topics_of;
use crate::fleet::Fleet;

/// How long a topic may be silent while it is read to its end.
const SILENCE: Duration = Duration::from_secs(20);
/// Foreign records of a topic that are looked up among the dead letters. An audit that finds more shows that
/// something is wrong, and need not list each.
const FOREIGN_MAX: usize = 10_000;

/// The bytes of the time at an event's end: as a variable-length number in microseconds, 8 until the year 3111.
const TIME_BYTES: usize = 8;

/// Partition and offset.
type Position = (i32, i64);

pub(super) async fn collect(fleet: &Fleet, facts: &mut Facts) -> Result<()> {
    for name in fleet.services().into_iter().flat_map(topics_of) {
        let brokers = fleet.environment().kafka_brokers();
        let read = tokio::task::spawn_blocking(move || read_events(&brokers, name));
        let (mut fact, foreign) = read.await.context("reading a topic panicked")??;
        let unexplained = not_set_aside(fleet, name, foreign.iter().copied().collect()).await?;
        fact.foreign_set_aside = (foreign.len() - unexplained.len()) as u64;
        fact.foreign_example = unexplained.into_iter().min();
        facts.topics.push(fact);
    }
    let brokers = fleet.environment().kafka_brokers();
    // Before the views are read for the last time: what order had heard by here it charges there.
    let next = next_offsets(fleet, "order", CATALOGUE).await?;
    let read = tokio::task::spawn_blocking(move || read_catalogue(&brokers, &next));
    facts.catalogue = read.await.context("reading a topic panicked")??;
    Ok(())
}

/// Where a service goes on, by partition. What is before was processed or set aside.
async fn next_offsets(
    fleet: &Fleet,
    service: &'static str,
    topic: &str,
) -> Result<HashMap<i32, i64>> {
    let mut db = connect(fleet, service).await?;
    let rows: Vec<Position> =
        sqlx::query_as("select partition, next_offset from audit.offsets where topic = $1")
            .bind(topic)
            .fetch_all(&mut db)
            .await?;
    Ok(rows.into_iter().collect())
}

/// The places for which no service has a dead letter.
async fn not_set_aside(
    fleet: &Fleet,
    topic: &str,
    mut places: HashSet<Position>,
) -> Result<HashSet<Position>> {
    for service in fleet.services() {
        if places.is_empty() {
            break;
        }
        let mut db = connect(fleet, service).await?;
        let found: Vec<Position> = sqlx::query_as(
            "select distinct partition, message_offset from audit.dead_letters
             where topic = $1 and (partition, message_offset) in
                   (select * from unnest($2::int[], $3::bigint[]))",
        )
        .bind(topic)
        .bind(places.iter().map(|place| place.0).collect::<Vec<_>>())
        .bind(places.iter().map(|place| place.1).collect::<Vec<_>>())
        .fetch_all(&mut db)
        .await?;
        let found: HashSet<Position> = found.into_iter().collect();
        places.retain(|place| !found.contains(place));
    }
    Ok(places)
}

fn sequence(record: &Record) -> Option<i64> {
    record.header("ce_sequence").and_then(|text| text.parse().ok())
}

/// What is known of a key while its topic is read: a digest of each event, and one of everything but its time.
#[derive(Default)]
struct Seen {
    values: HashMap<i64, (u64, u64)>,
    beginning_expired: bool,
}

fn read_events(brokers: &str, name: &str) -> Result<(TopicFact, Vec<Position>)> {
    let tail = Tail::new(brokers, &[name], From::Beginning)
        .with_context(|| format!("{name} cannot be read from Kafka at {brokers}"))?;
    let mut fact = TopicFact { name: name.to_owned(), ..TopicFact::default() };
    let mut seen: HashMap<String, Seen> = HashMap::new();
    let mut foreign = Vec::new();
    let expired: HashSet<i32> = tail.expired().map(|(_, partition, _)| partition).collect();
    let mut without_first = expired.clone();
    tail.read_to_end(SILENCE, |record| {
        fact.records += 1;
        if without_first.remove(&record.partition) {
            fact.expired_until_ms = fact.expired_until_ms.max(Some(record.timestamp_ms));
        }
        let Some(sequence) = sequence(&record) else {
            fact.foreign += 1;
            if foreign.len() < FOREIGN_MAX {
                foreign.push((record.partition, record.offset));
            }
            return;
        };
        let value = record.value.as_deref().unwrap_or_default();
        let told = (digest(value), digest(&value[..value.len().saturating_sub(TIME_BYTES)]));
        let key = seen.entry(record.key.clone()).or_default();
        key.beginning_expired |= expired.contains(&record.partition);
        // The first one counts; any that differs from it is a fault.
        let first =
            *key.values.entry(sequence).and_modify(|_| fact.duplicates += 1).or_insert(told);
        if first.1 == told.1 {
            fact.told_again += u64::from(first.0 != told.0);
        } else {
            fact.differing += 1;
            fact.differing_example = format!("{}/{sequence}", record.key);
        }
    })
    .with_context(|| format!("{name} cannot be read to its end"))?;
    if !without_first.is_empty() {
        // All of a partition has expired: even the youngest key may have been there.
        fact.expired_until_ms = Some(i64::MAX);
    }
    let of_key = |seen: Seen| KeyFact {
        lowest: seen.values.keys().copied().min().unwrap_or_default(),
        highest: seen.values.keys().copied().max().unwrap_or_default(),
        different: seen.values.len() as i64,
        beginning_expired: seen.beginning_expired,
    };
    fact.keys = seen.into_iter().map(|(key, seen)| (key, of_key(seen))).collect();
    Ok((fact, foreign))
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn read_catalogue(brokers: &str, next: &HashMap<i32, i64>) -> Result<CatalogueFact> {
    let tail = Tail::new(brokers, &[CATALOGUE], From::Beginning)
        .with_context(|| format!("{CATALOGUE} cannot be read from Kafka at {brokers}"))?;
    let mut fact = CatalogueFact::default();
    tail.read_to_end(SILENCE, |record| match sequence(&record) {
        Some(sequence) => {
            if next.get(&record.partition).is_some_and(|next| record.offset < *next) {
                fact.passed.insert((record.key.clone(), sequence));
            }
            fact.last.insert(record.key, sequence);
        }
        None => fact.foreign += 1,
    })
    .with_context(|| format!("{CATALOGUE} cannot be read to its end"))?;
    Ok(fact)
}
