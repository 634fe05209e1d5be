//! Kafka and the registry that a consumer is tested on: of its own, or given, with empty topics.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use chassis::tail::{From, Tail};
use chassis::{Registry, archive, subject, topics};
use events::{Events, OrderEvent, RecordInfo, TOPICS};
use local::{Environment, Lifetime, Progress, Settings};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::stream::{Ids, NEWER, STRANGE, STRANGE_SCHEMA, Sent, newer_schema};
use crate::sagas::Manifest;

/// The number of partitions that the fleet had that was recorded: keys stay where they were.
const PARTITIONS: i32 = 3;

/// Where they are.
#[derive(Debug)]
pub struct Servers {
    /// Kafka.
    pub brokers: String,
    /// The root of the registry's Confluent API.
    pub registry: String,
    started: Option<Environment>,
}

/// Servers of its own in this folder; they end with this process at the latest.
pub async fn own(folder: &Path, progress: Progress<'_>) -> Result<Servers> {
    let environment = Environment::new(Settings::on_free_ports(folder)?, Lifetime::WithParent);
    environment.start(progress).await?;
    Ok(Servers {
        brokers: environment.kafka_brokers(),
        registry: environment.registry_url(),
        started: Some(environment),
    })
}

/// Servers that run already. Topics of the fleet must be empty there.
pub fn given(brokers: String, registry: String) -> Servers {
    Servers { brokers, registry, started: None }
}

impl Servers {
    /// Stops those of its own.
    pub async fn stop(&self, progress: Progress<'_>) -> Result<()> {
        match &self.started {
            Some(environment) => environment.reset(progress).await,
            None => Ok(()),
        }
    }

    /// Makes topics, and registers every schema, those of tomorrow too. Returns their ids here. Where a fleet has
    /// written, nothing is done.
    pub(super) async fn prepare(&self, manifest: &Manifest) -> Result<Ids> {
        let brokers = self.brokers.clone();
        tokio::task::spawn_blocking(move || check_empty(&brokers)).await??;
        topics::apply(&self.brokers, &topics::plan(TOPICS, PARTITIONS, &[]), 1)
            .await
            .context("topics cannot be created")?;
        let registry = Registry::new(&self.registry);
        let records = || TOPICS.iter().flat_map(|topic| topic.records);
        let mut ids = Ids::default();
        for (recorded, schema) in &manifest.schemas {
            let record = records().find(|record| record.full_name == schema.record);
            let record = record.with_context(|| format!("there is no {}", schema.record))?;
            ids.recorded.insert(*recorded, registered(&registry, record).await?);
        }
        let like = &OrderEvent::RECORDS[0];
        let strange = RecordInfo { full_name: STRANGE, schema: STRANGE_SCHEMA, ..*like };
        ids.strange = registered(&registry, &strange).await?;
        let newer = OrderEvent::RECORDS.iter().find(|record| record.name == NEWER).unwrap_or(like);
        // It is registered once in the life of a process.
        let schema: &'static str = newer_schema().leak();
        ids.newer = registered(&registry, &RecordInfo { schema, ..*newer }).await?;
        Ok(ids)
    }

    /// Puts a stream on the topics, in its order, if they are empty.
    pub(super) async fn load(&self, stream: &[Sent]) -> Result<()> {
        let (copy, brokers) = (copy_of(stream), self.brokers.clone());
        let load = move || archive::load(&brokers, &[], || Ok(copy.as_bytes()));
        tokio::task::spawn_blocking(load).await??;
        Ok(())
    }
}

fn check_empty(brokers: &str) -> Result<()> {
    let existing = topics::existing(brokers).context("Kafka does not answer")?;
    for topic in TOPICS.iter().filter(|topic| existing.contains_key(topic.name)) {
        let (_, records) = Tail::new(brokers, &[topic.name], From::Beginning)?.extent();
        ensure!(
            records == 0,
            "{} holds {records} records: name servers whose topics are empty, or none",
            topic.name
        );
    }
    Ok(())
}

async fn registered(registry: &Registry, record: &RecordInfo) -> Result<u32> {
    let subject = subject(record);
    registry.register(record).await.with_context(|| format!("registering {subject}"))
}

/// The stream in the form of `flotilla events save`.
fn copy_of(stream: &[Sent]) -> String {
    let topics: BTreeMap<&str, i32> =
        stream.iter().map(|sent| (sent.record.topic.as_str(), PARTITIONS)).collect();
    let mut lines = format!("{}\n", json!({ "copy": { "version": 1, "topics": topics } }));
    for Sent { record, value, .. } in stream {
        let headers: Vec<(&str, String)> =
            record.headers.iter().map(|(n, v)| (n.as_str(), hex::encode(v))).collect();
        let line = json!({ "record": {
            "topic": record.topic, "partition": record.partition,
            "timestamp_ms": record.timestamp_ms, "key": hex::encode(&record.key),
            "headers": headers, "value": hex::encode(value),
        } });
        lines.push_str(&format!("{line}\n"));
    }
    let sha256 = hex::encode(Sha256::digest(&lines));
    lines.push_str(&format!(
        "{}\n",
        json!({ "end": { "records": stream.len(), "sha256": sha256 } })
    ));
    lines
}
