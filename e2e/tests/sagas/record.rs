//! What is on the topics about an order, as a saga is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chassis::tail::{self, Decoder, From, Tail};
use chassis::{Registry, subject};
use e2e::contract::{events, fingerprinted};
use events::TOPICS;
use flotilla::fleet::Fleet;
use flotilla::sagas::{Event, Manifest, Record, Saga, VERSION};
use sqlx::types::chrono::DateTime;

use crate::ways::{Played, WAYS};

/// How long a topic may be silent before its end.
const SILENCE: Duration = Duration::from_secs(20);

/// Everything that the topics have about what was played.
pub(crate) async fn recorded(fleet: &Fleet, played: &Played) -> Result<Saga> {
    let brokers = fleet.environment().kafka_brokers();
    let topics: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
    let keys = played.keys.clone();
    let read = move || -> Result<Vec<tail::Record>> {
        let mut found = Vec::new();
        let tail = Tail::new(&brokers, &topics, From::Beginning)?;
        tail.read_to_end(SILENCE, |record| {
            if keys.contains(&record.key) {
                found.push(record);
            }
        })?;
        Ok(found)
    };
    let mut found = tokio::task::spawn_blocking(read).await??;
    // A cause is committed before its effect, and all times are of one machine's clock.
    found.sort_by_key(|record| (written_at(record), record.topic.clone(), record.offset));
    let mut decoder = Decoder::new(Registry::new(&fleet.environment().registry_url()));
    let (mut records, mut events) = (Vec::new(), Vec::new());
    for record in found {
        events.push(decoded(&mut decoder, &record).await?);
        records.push(kept(record));
    }
    Ok(Saga { records, events })
}

/// What comes from outside has no time of its own: when it was written is as good.
fn written_at(record: &tail::Record) -> i64 {
    let committed =
        record.header("ce_time").and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    committed.map_or(record.timestamp_ms * 1_000, |time| time.timestamp_micros())
}

fn kept(record: tail::Record) -> Record {
    Record {
        value: Record::encoded(record.value.as_deref().unwrap_or_default()),
        headers: record.headers.into_iter().collect(),
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key,
    }
}

async fn decoded(decoder: &mut Decoder, record: &tail::Record) -> Result<Event> {
    let value = record.value.as_deref().context("a record has no value")?;
    let data = match decoder.decode(value).await {
        Ok(data) => data,
        Err(why) => bail!("{} at {} cannot be decoded: {why}", record.topic, record.offset),
    };
    let header = |name: &str| record.header(name).unwrap_or_default().to_owned();
    Ok(Event {
        topic: record.topic.clone(),
        partition: record.partition,
        offset: record.offset,
        key: record.key.clone(),
        r#type: header("ce_type"),
        source: header("ce_source"),
        id: header("ce_id"),
        sequence: record.header("ce_sequence").map(str::to_owned),
        data,
    })
}

/// What the folder of sagas says of itself: the schemas by the ids that this fleet's registry gave them.
pub(crate) async fn manifest(fleet: &Fleet) -> Result<Manifest> {
    let registry = Registry::new(&fleet.environment().registry_url());
    let mut schemas = BTreeMap::new();
    for event in events() {
        let id = registry.id_of(&subject(event.record), event.record.schema).await?;
        let id = id.with_context(|| format!("{} is not registered", event.record.full_name))?;
        schemas.insert(id, fingerprinted(&event)?);
    }
    let sagas = WAYS.iter().map(|way| (way.name.to_owned(), way.says.to_owned())).collect();
    Ok(Manifest { version: VERSION, schemas, sagas })
}
