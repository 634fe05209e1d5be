//! Kafka by itself: what services have published is published again, flush by flush, and read by as many
//! groups as read it in a fleet. The next flush waits until all of them have read it, as a service
//! publishes nothing before it has heard what it answers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chassis::measuring::{Flushes, Reader, RequestCounts, Row};
use local::SERVICES;
use serde::Serialize;

use super::Options;
use super::saga::{Round, in_process};
use super::servers::{Servers, own};
use super::stretch::{Stretch, repeat};
use crate::process::Process;

/// How long clients may take to report their requests; they do so once a second.
const TELLING: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What flushes of this many orders took.
#[derive(Debug, Clone, Serialize)]
pub struct Traffic {
    pub orders: f64,
    pub orders_per_second: f64,
    pub broker_us_per_order: f64,
    /// All producers and consumers: this process.
    pub clients_us_per_order: f64,
    pub records_per_order: f64,
    pub produce_requests_per_order: f64,
    pub fetch_requests_per_order: f64,
}

/// Publishers and readers of the four services.
pub(super) struct Broker {
    publishers: HashMap<&'static str, Flushes>,
    readers: Vec<Reader>,
    /// Kafka, and this process.
    processes: [Process; 2],
}

/// A row, and how many of its records each reader hears.
struct Flush<'r> {
    row: &'r Row,
    records: usize,
    heard: Vec<usize>,
}

impl Broker {
    pub(super) async fn start(servers: &Servers) -> Result<Self> {
        let brokers = &servers.measured.brokers;
        let publisher = |name| Ok((name, Flushes::new(name, brokers)?));
        let env = &mut in_process();
        let readers = vec![
            Reader::start(&order::app(env), brokers).await?,
            Reader::start(&payment::app(env), brokers).await?,
            Reader::start(&inventory::app(env), brokers).await?,
            Reader::start(&shipping::app(env), brokers).await?,
        ];
        Ok(Broker {
            publishers: SERVICES.into_iter().map(publisher).collect::<Result<_>>()?,
            readers,
            processes: [servers.kafka()?, own()],
        })
    }

    /// Measures rounds of this many orders, always the same ones.
    pub(super) async fn measure(
        &mut self,
        orders: usize,
        rounds: &[Round],
        options: &Options,
    ) -> Result<Traffic> {
        let rounds = rounds.iter().map(|round| round.iter().map(|row| self.flush(row)).collect());
        let rounds: Vec<Vec<Flush<'_>>> = rounds.collect();
        let records: usize = rounds.iter().flatten().map(|flush| flush.records).sum();
        let mut next = rounds.iter().cycle();
        repeat(options.warmup, async || self.publish(next.next()).await).await?;
        let (before, processes) = (self.requests().await?, self.processes.clone());
        let publish = async || self.publish(next.next()).await;
        let stretch = Stretch::of(&processes, options.seconds, publish).await?;
        let after = self.requests().await?;
        let (done, cpu) = (stretch.divisor(orders), stretch.cpu_us(orders));
        Ok(Traffic {
            orders: done,
            orders_per_second: done / stretch.took.as_secs_f64(),
            broker_us_per_order: cpu[0],
            clients_us_per_order: cpu[1],
            records_per_order: records as f64 / (rounds.len() * orders) as f64,
            produce_requests_per_order: (after.0 - before.0) as f64 / done,
            fetch_requests_per_order: (after.1 - before.1) as f64 / done,
        })
    }

    fn flush<'r>(&self, row: &'r Row) -> Flush<'r> {
        let records = row.records();
        let heard = |reader: &Reader| records.iter().filter(|r| reader.hears(r.topic())).count();
        Flush { row, records: records.len(), heard: self.readers.iter().map(heard).collect() }
    }

    /// Publishes the flushes of a round, each after the previous one has been read.
    async fn publish(&mut self, round: Option<&Vec<Flush<'_>>>) -> Result<()> {
        for Flush { row, heard, .. } in round.context("no round was kept")? {
            for (reader, records) in self.readers.iter().zip(heard) {
                reader.expect(*records as u64);
            }
            let publisher = self.publishers.get_mut(row.service());
            publisher.context("a row of an unknown service")?.publish(row).await?;
            for reader in &self.readers {
                reader.caught_up().await?;
            }
        }
        Ok(())
    }

    /// Produce and fetch requests sent until now.
    async fn requests(&self) -> Result<(u64, u64)> {
        let tell = || {
            let readers = self.readers.iter().map(Reader::told);
            self.publishers.values().map(Flushes::told).chain(readers).collect::<Vec<_>>()
        };
        let (asked, deadline) = (tell(), Instant::now() + TELLING);
        loop {
            let told = tell();
            if asked.iter().zip(&told).all(|(then, now)| now.times >= then.times + 2) {
                let sum = |of: fn(&RequestCounts) -> u64| told.iter().map(of).sum::<u64>();
                return Ok((sum(|told| told.produce), sum(|told| told.fetch)));
            }
            ensure!(Instant::now() < deadline, "a client of Kafka tells nothing: {told:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(super) async fn close(self) {
        for publisher in self.publishers.into_values() {
            publisher.close().await;
        }
    }
}
