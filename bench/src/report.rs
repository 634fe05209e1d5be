//! What a measurement has found: the differences between two samples, divided by the orders that were
//! completed between them.

mod table;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use crate::change::figures::Change;
use crate::collector::Telemetry;
use crate::drain::figures::Drain;
use crate::fleet::{self, Fleet};
use crate::generator::Generator;
use crate::latency::Summary;
use crate::plan::{Arrival, Plan};
use crate::preload::Preloaded;
use crate::process::{Memory, Part, Process};
use crate::sample::Sample;
use crate::series::Second;
pub(crate) use table::{write_line, write_row};

/// What a report is made of.
pub struct Measured<'a> {
    pub generator: &'a Generator,
    pub before: Sample,
    pub after: Sample,
    pub memory: Vec<Memory>,
}

/// A report, as it is written to JSON; its text is a table.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub plan: Plan,
    /// Replicas of the service that has the most.
    pub replicas: usize,
    /// Partitions of each topic.
    pub partitions: u16,
    /// What the services sent to a collector, where there was one.
    pub telemetry: Option<Telemetry>,
    /// Cores that this process, and any fleet that it started, may use.
    pub cores: usize,
    /// Cores of the machine that were busy, whoever used them.
    pub cores_busy: f64,
    /// Cores that the machine's host gave to others: noise in everything below.
    pub cores_stolen: f64,
    pub completed_per_second: f64,
    pub by_second: Vec<Second>,
    pub orders: Orders,
    /// From the moment an order was intended for to the answer of `POST /orders`.
    pub acknowledge: Summary,
    /// From the moment an order was intended for to its `OrderCompleted`.
    pub complete: Summary,
    /// The same, closed loop only: corrected for the orders that stalls kept from being placed.
    pub corrected: Option<Corrected>,
    pub parts: Vec<Usage>,
    pub processes: Vec<Usage>,
    pub services: Vec<Service>,
    pub databases: Vec<Database>,
    /// What was in the tables beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preloaded: Option<Preloaded>,
    /// What happened when Kafka was away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// What happened while processes came and went. Everything above is of the time before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// What became of the orders, warm-up and end included.
#[derive(Debug, Clone, Serialize)]
pub struct Orders {
    pub completed: u64,
    pub compensated: u64,
    /// Refused for good; `first_failure` is the answer to the first of them.
    pub failed: u64,
    pub first_failure: Option<String>,
    /// Intended, but neither ended nor failed when the time was over.
    pub unfinished: u64,
    /// Requests that were asked to come back later, and that broke; both were sent again.
    pub turned_away: u64,
    pub broken: u64,
    /// Ends of orders that this run did not place, or second ends.
    pub strange: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Corrected {
    pub acknowledge: Summary,
    pub complete: Summary,
}

/// What a process, or a part of the fleet, has used.
#[derive(Debug, Clone, Serialize)]
pub struct Usage {
    pub name: String,
    pub part: Part,
    pub cpu_us_per_order: f64,
    pub cores: f64,
    pub memory_mib: f64,
    pub peak_mib: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Service {
    pub name: String,
    pub inputs_per_batch: f64,
    pub batches_per_order: f64,
    pub messages_per_flush: f64,
    pub flushes_per_order: f64,
    pub produce_requests_per_order: f64,
    pub fetch_requests_per_order: f64,
    pub batch_retries: f64,
    pub dead_letters: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Database {
    pub name: String,
    pub commits_per_order: f64,
    pub rows_per_order: f64,
    pub wal_bytes_per_order: f64,
}

impl Report {
    /// Fails when nothing was completed, as there is nothing to divide by.
    pub fn of(fleet: &Fleet, plan: &Plan, measured: &Measured<'_>) -> anyhow::Result<Self> {
        let Measured { generator, before, after, .. } = measured;
        let totals = generator.ends.totals();
        let requests = &generator.requests;
        let first_failure = requests.first_failure.lock().expect("no panic under this lock");
        let orders = Orders {
            completed: totals.completed,
            compensated: totals.compensated,
            failed: totals.failed,
            first_failure: first_failure.clone(),
            unfinished: totals.outstanding,
            turned_away: requests.turned_away.load(Ordering::Relaxed),
            broken: requests.broken.load(Ordering::Relaxed),
            strange: totals.strange,
        };
        let completed = (after.completed - before.completed) as f64;
        ensure!(completed > 0.0, "no order was completed in the measuring window: {orders:?}");
        let seconds = (after.at - before.at).as_secs_f64();
        let busy = after.machine.busy.saturating_sub(before.machine.busy);
        let stolen = after.machine.stolen.saturating_sub(before.machine.stolen);
        let corrected = match plan.arrival {
            Arrival::PerSecond(_) => None,
            Arrival::InFlight(slots) => {
                let interval = Duration::from_secs_f64(slots as f64 * seconds / completed);
                Some(Corrected {
                    acknowledge: totals.acknowledge.corrected(interval).summary(),
                    complete: totals.complete.corrected(interval).summary(),
                })
            }
        };
        let processes = usages(fleet, measured, seconds, completed);
        Ok(Report {
            plan: plan.clone(),
            replicas: fleet.services.iter().map(|s| s.replicas.len()).max().unwrap_or(0),
            partitions: fleet.partitions,
            telemetry: None,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cores_busy: busy.as_secs_f64() / seconds,
            cores_stolen: stolen.as_secs_f64() / seconds,
            completed_per_second: completed / seconds,
            by_second: totals.series.seconds(plan.seconds.ceil() as usize),
            orders,
            acknowledge: totals.acknowledge.summary(),
            complete: totals.complete.summary(),
            corrected,
            parts: parts(&processes),
            processes,
            services: services(fleet, before, after, completed),
            databases: databases(fleet, before, after, completed),
            preloaded: None,
            drain: None,
            change: None,
        })
    }

    /// Why the run does not count, if it does not.
    pub fn objections(&self) -> Vec<String> {
        let orders = &self.orders;
        // Messages sent to a Kafka that was killed before it answered, or by a service that was, are published again,
        // and so are heard twice; the audit compares the copies.
        let killed = self.drain.is_some() || self.change.is_some();
        let strange = if killed { 0 } else { orders.strange };
        let failed = self.change.as_ref().map_or(0, Change::failed);
        let counted = [
            (orders.failed, "orders were refused"),
            (orders.unfinished, "orders did not end in time"),
            (orders.compensated, "orders were cancelled"),
            (failed, "requests failed while the fleet changed"),
            (strange, "ends were heard of twice, or of orders of others"),
        ];
        let mut objections: Vec<String> = counted
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        objections
            .extend(orders.first_failure.iter().map(|first| format!("first refusal: {first}")));
        let dead: f64 = self.services.iter().map(|service| service.dead_letters).sum();
        if dead > 0.0 {
            objections.push(format!("{dead} messages were dead-lettered"));
        }
        objections
    }
}

fn usages(fleet: &Fleet, measured: &Measured<'_>, seconds: f64, completed: f64) -> Vec<Usage> {
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    let Measured { before, after, memory, .. } = measured;
    let cpu = before.cpu.iter().zip(&after.cpu).map(|(then, now)| now.saturating_sub(*then));
    let usage = |((process, cpu), memory): ((&Process, Duration), &Memory)| Usage {
        name: process.name.clone(),
        part: process.part,
        cpu_us_per_order: cpu.as_secs_f64() * 1e6 / completed,
        cores: cpu.as_secs_f64() / seconds,
        memory_mib: mib(memory.bytes),
        peak_mib: memory.peak_bytes.map(mib),
    };
    fleet.processes.iter().zip(cpu).zip(memory).map(usage).collect()
}

fn parts(processes: &[Usage]) -> Vec<Usage> {
    let mut parts: BTreeMap<Part, Usage> = BTreeMap::new();
    for process in processes {
        let sum = parts.entry(process.part).or_insert_with(|| Usage {
            name: process.part.name().to_owned(),
            part: process.part,
            cpu_us_per_order: 0.0,
            cores: 0.0,
            memory_mib: 0.0,
            peak_mib: None,
        });
        sum.cpu_us_per_order += process.cpu_us_per_order;
        sum.cores += process.cores;
        sum.memory_mib += process.memory_mib;
    }
    parts.into_values().collect()
}

fn services(fleet: &Fleet, before: &Sample, after: &Sample, completed: f64) -> Vec<Service> {
    let deltas = before.services.iter().zip(&after.services).map(|(then, now)| now.since(*then));
    let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
    fleet
        .services
        .iter()
        .zip(deltas)
        .map(|(service, counted)| Service {
            name: service.name.clone(),
            inputs_per_batch: ratio(counted.inputs, counted.batches),
            batches_per_order: counted.batches / completed,
            messages_per_flush: ratio(counted.published, counted.flushes),
            flushes_per_order: counted.flushes / completed,
            produce_requests_per_order: counted.produce_requests / completed,
            fetch_requests_per_order: counted.fetch_requests / completed,
            batch_retries: counted.retries,
            dead_letters: counted.dead_letters,
        })
        .collect()
}

/// What is known of each database. Those on the same server have its log in equal parts: Postgres counts it as one.
fn databases(fleet: &Fleet, before: &Sample, after: &Sample, completed: f64) -> Vec<Database> {
    let server_of = |database: &fleet::Database| {
        database.url.rsplit_once('/').map(|(server, _)| server.to_owned())
    };
    let on_server_of = |database: &fleet::Database| {
        let server = server_of(database);
        let databases = fleet.databases.iter().filter(|other| server_of(other) == server);
        databases.map(|_| 1.0).sum::<f64>()
    };
    let deltas = before.databases.iter().zip(&after.databases).map(|(then, now)| now.since(*then));
    fleet
        .databases
        .iter()
        .zip(deltas)
        .map(|(database, counted)| Database {
            name: database.name.clone(),
            commits_per_order: counted.commits / completed,
            rows_per_order: counted.rows / completed,
            wal_bytes_per_order: counted.wal_bytes / completed / on_server_of(database),
        })
        .collect()
}

#[cfg(test)]
mod tests;
