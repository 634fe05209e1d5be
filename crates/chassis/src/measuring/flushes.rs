//! The publisher on its own: outbox rows from memory go to Kafka as a relay sends them, and nothing is read
//! from a database or cleared there.

use std::sync::Arc;

use rdkafka::producer::Producer;

use super::row::Row;
use super::settings::config;
use crate::consume::statistics::RequestCounts;
use crate::ops::telemetry::Telemetry;
use crate::publish::relay::ProducerSettings;
use crate::publish::relay::delivery::Delivery;
use crate::publish::relay::publisher::Publisher;

/// The publisher of a service.
pub struct Flushes {
    publisher: Publisher,
}

impl Flushes {
    /// Must be called inside a runtime.
    pub fn new(service: &'static str, brokers: &str) -> anyhow::Result<Self> {
        let config = config(brokers);
        let telemetry = Arc::new(Telemetry::start(service, &config)?);
        let settings = ProducerSettings {
            brokers: config.kafka_brokers,
            compression: config.compression,
            service,
        };
        Ok(Flushes { publisher: Publisher::new(&settings, &telemetry)? })
    }

    /// Publishes a row as one flush; returns when all of it is acknowledged.
    pub async fn publish(&mut self, row: &Row) -> anyhow::Result<()> {
        let delivery = Delivery::of(&row.batches);
        let all: Vec<usize> = (0..delivery.messages.len()).collect();
        let sent = self.publisher.send(&delivery.messages, &all)?;
        sent.settled().await;
        self.publisher.rest();
        match sent.failures().pop() {
            None => Ok(()),
            Some((_, error)) => Err(error.into()),
        }
    }

    /// The requests that its producers have reported, together.
    pub fn told(&self) -> RequestCounts {
        let Publisher { prompt, gathering, .. } = &self.publisher;
        let pumps = std::iter::once(prompt).chain(gathering);
        let told = pumps.map(|pump| pump.producer().client().context().requests.told());
        let both = told.reduce(|a, b| RequestCounts {
            times: a.times.min(b.times),
            produce: a.produce + b.produce,
            fetch: a.fetch + b.fetch,
        });
        both.expect("there is one at least")
    }

    /// Drops the producers.
    pub async fn close(self) {
        self.publisher.close().await;
    }
}
