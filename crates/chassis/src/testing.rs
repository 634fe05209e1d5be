//! What tests need to reach into a running fleet, or to make its tables: putting bytes on a topic as an
//! outside producer or a vandal would, and encoding events for it.

mod harness;

use std::time::Duration;

use anyhow::Context;
use language::Events;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use sqlx::migrate::Migrator;

pub use crate::measuring::wire::{Record, Wire};
use crate::publish::outbox::{BatchWriter, EventMeta, Packed, unpack};
use crate::wire::codec::Encoder;
use crate::wire::limits::CLIENT_BYTES;
use crate::wire::registry::{Registry, subject};
pub use harness::Harness;

/// How long a message may take to be acknowledged.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the tables of a service and of the chassis, as `<service> migrate` does.
pub async fn migrate(owner_url: &str, service: &'static Migrator) -> anyhow::Result<()> {
    crate::postgres::migrations::migrate(owner_url, service, None).await
}

/// Deletes a topic with all that it holds, as somebody does by mistake.
pub async fn delete_topic(brokers: &str, topic: &str) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    for deleted in admin.delete_topics(&[topic], &AdminOptions::new()).await? {
        deleted.map_err(|(topic, why)| anyhow::anyhow!("{topic} is not deleted: {why}"))?;
    }
    Ok(())
}

/// A producer outside the fleet.
pub struct Outsider {
    producer: FutureProducer,
}

impl Outsider {
    /// Connects when first used.
    pub fn new(brokers: &str) -> Result<Self, KafkaError> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("partitioner", "murmur2_random")
            .set("acks", "all")
            .set("linger.ms", "0")
            // The broker alone decides what is too large.
            .set("message.max.bytes", CLIENT_BYTES.to_string())
            .create()?;
        Ok(Outsider { producer })
    }

    /// Sends one record, whatever it contains, and waits for the acknowledgement. Returns its partition
    /// and offset.
    pub async fn send(
        &self,
        topic: &str,
        key: &str,
        headers: &[(&str, &str)],
        value: Option<&[u8]>,
    ) -> Result<(i32, i64), KafkaError> {
        let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(*value) })
        });
        let mut record = FutureRecord::<str, [u8]>::to(topic).key(key).headers(headers);
        record.payload = value;
        let sent = self.producer.send(record, TIMEOUT).await.map_err(|(error, _)| error)?;
        Ok((sent.partition, sent.offset))
    }

    /// Sends an event as a well-behaved producer does: framed with the registry's id, with the headers
    /// of a CloudEvent.
    pub async fn publish<E: Events>(
        &self,
        framer: &Framer,
        source: &str,
        id: &str,
        event: &E,
    ) -> anyhow::Result<(i32, i64)> {
        let value = framer.value(event)?;
        let record = &E::RECORDS[event.record()];
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", id),
            ("ce_source", source),
            ("ce_type", record.full_name),
        ];
        Ok(self.send(E::TOPIC, &event.key(), &headers, Some(&value)).await?)
    }
}

/// Makes values of events as they are on their topic.
pub struct Framer {
    encoder: Encoder,
}

impl Framer {
    /// Asks the registry for the ids of a topic's records.
    pub async fn new<E: Events>(registry: &Registry) -> anyhow::Result<Self> {
        let mut ids = Vec::new();
        for record in E::RECORDS {
            let id = registry.id_of(&subject(record), record.schema).await?;
            ids.push(id.with_context(|| format!("{} is not registered", subject(record)))?);
        }
        let mut encoder = Encoder::default();
        encoder.add::<E>(&ids)?;
        Ok(Framer { encoder })
    }

    /// The value of an event.
    pub fn value<E: Events>(&self, event: &E) -> anyhow::Result<Vec<u8>> {
        let mut writer = BatchWriter::default();
        let meta = EventMeta { sequence: 1, time_micros: 0, cause: None, trace: None };
        self.encoder.encode(event, &meta, &mut writer)?;
        match unpack(&writer.finish())?.pop() {
            Some(Packed::Event { payload, .. }) => Ok(payload.to_vec()),
            Some(Packed::Raw { .. }) | None => anyhow::bail!("the event was not packed"),
        }
    }
}
