//! The fleet that a scenario wants, from its start to its end: with the right providers, old orders in its
//! tables, as many replicas as asked for, and a collector of telemetry where one belongs to it.

use std::time::Duration;

use anyhow::{Context, Result};
use flotilla::audit::{self, Report as Audit};
use flotilla::fleet::{Fleet, FleetSettings, Providers};
use futures::future::try_join_all;
use local::{Lifetime, Process, Progress, SERVICES, Settings};
use uuid::Uuid;

use crate::collector::{self, Collector};
use crate::fleet::{Database, Fleet as Measured, Service};
use crate::preload::{self, Preloaded};
use crate::process::{Part, Process as Watched};
use crate::report::Report;
use crate::scenario::{Options, Scenario};
use crate::{change, drain, replicas, run, stock};

/// How long a program may take to stop; longer than a service's own limit.
const STOP: Duration = Duration::from_secs(25);

/// What a service does by default, and not in a local fleet, which has no load balancer in front of it.
const STOP_DELAY: [&str; 2] = ["FLOTILLA_STOP_DELAY_MS", "1000"];

/// A running fleet that is to be measured.
pub struct Rig {
    pub fleet: Fleet,
    services: Vec<Service>,
    partitions: u16,
    collector: Option<Collector>,
    preloaded: Option<Preloaded>,
}

impl Rig {
    /// Starts what does not run yet, and fills the tables where old orders are to be in them.
    pub async fn start(
        settings: Settings,
        options: &Options,
        progress: Progress<'_>,
    ) -> Result<Self> {
        let mut fleet = FleetSettings::new(settings, Lifetime::WithParent)?;
        fleet.providers = match options.scenario {
            Scenario::HttpProviders => Providers::Sandbox,
            _others => Providers::InProcess,
        };
        let partitions = options.partitions();
        fleet.partitions = partitions.into();
        fleet.variables.push(("FLOTILLA_LOG".to_owned(), "warn".to_owned()));
        if options.scenario == Scenario::Change {
            fleet.variables.push(STOP_DELAY.map(str::to_owned).into());
        }
        let collector = match options.scenario {
            Scenario::Telemetry => Some(Collector::start(&fleet, options.sampling).await?),
            _others => None,
        };
        fleet.variables.extend(collector.iter().flat_map(Collector::variables));
        let fleet = Fleet::start(fleet, progress).await?;
        let preloaded = match options.preload() {
            0 => None,
            orders => Some(fill(&fleet, orders).await.context("the tables cannot be filled")?),
        };
        let services = replicas::start(&fleet, options.replicas()).await?;
        Ok(Rig { fleet, services, partitions, collector, preloaded })
    }

    /// Fills the catalogue and measures.
    pub async fn measure(&self, options: &Options) -> Result<Report> {
        let plan = options.plan();
        let measured = describe(&self.fleet, self.services.clone(), self.partitions)?;
        stock::fill(&measured, plan.skus).await.context("the catalogue cannot be filled")?;
        let mut report = match options.scenario {
            Scenario::Drain => {
                let away = Duration::from_secs_f64(options.away);
                drain::run(&measured, self.fleet.environment(), &plan, away).await?
            }
            Scenario::Change => change::run(&self.fleet, &measured, &plan).await?,
            _all_stay => run::run(&measured, &plan).await?,
        };
        report.preloaded = self.preloaded.clone();
        if let Some(collector) = &self.collector {
            report.telemetry = Some(collector.telemetry().await?);
        }
        Ok(report)
    }

    /// Compares the books of the fleet, once it is at rest. Orders loaded beforehand are on no topic.
    pub async fn audit(&self, rest: Duration) -> Result<Audit> {
        let first = self.preloaded.as_ref().map_or(Uuid::nil(), |old| old.first_id_after);
        audit::run_from(&self.fleet, rest, first).await
    }

    /// Stops everything but the servers. Programs that send telemetry stop before its collector.
    pub async fn stop(self) -> Result<()> {
        let running = Process::all(self.fleet.environment().settings());
        for parts in [&[Part::Services, Part::Providers][..], &[Part::Collector]] {
            let of = running
                .iter()
                .filter(|process| part_of(&process.name).is_some_and(|part| parts.contains(&part)));
            try_join_all(of.map(|process| process.stop(STOP))).await?;
        }
        Ok(())
    }
}

/// The running fleet as a measurement sees it.
pub fn describe(fleet: &Fleet, services: Vec<Service>, partitions: u16) -> Result<Measured> {
    let environment = fleet.environment();
    let watched = |process: Process| {
        let part = part_of(&process.name)?;
        Some(Watched { name: process.name, part, pid: process.pid })
    };
    let running = Process::all(environment.settings());
    let mut processes: Vec<Watched> = running.into_iter().filter_map(watched).collect();
    let pid = std::process::id();
    processes.push(Watched { name: "generator".to_owned(), part: Part::Generator, pid });
    processes.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    let (brokers, databases) = (environment.kafka_brokers(), databases(fleet)?);
    Ok(Measured { brokers, partitions, services, databases, processes })
}

/// Loads old orders while the services are stopped.
async fn fill(fleet: &Fleet, orders: u64) -> Result<Preloaded> {
    fleet.stop_services().await?;
    let preloaded = preload::load(&databases(fleet)?, orders).await?;
    fleet.start_services().await?;
    Ok(preloaded)
}

fn databases(fleet: &Fleet) -> Result<Vec<Database>> {
    let database = |name: &'static str| {
        Ok(Database { name: name.to_owned(), url: fleet.environment().superuser_url(name)? })
    };
    SERVICES.into_iter().map(database).collect()
}

/// What a process belongs to; the registry's Postgres does no work per order.
fn part_of(name: &str) -> Option<Part> {
    match name {
        name if name == "kafka" || name.starts_with("kafka-") => Some(Part::Kafka),
        "registry" => Some(Part::Registry),
        "sandbox" => Some(Part::Providers),
        collector::NAME => Some(Part::Collector),
        "postgres-registry" => None,
        name if name.starts_with("postgres-") => Some(Part::Postgres),
        "fleet" => Some(Part::Services),
        name if is_service(name) => Some(Part::Services),
        _unknown => None,
    }
}

/// Whether it is a replica of a service: `order`, or `order-2`.
fn is_service(name: &str) -> bool {
    SERVICES.iter().any(|service| {
        name.strip_prefix(service).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_of_the_fleet_belongs_to_a_part() {
        let services = ["order", "order-2", "inventory-3", "fleet"].map(part_of);
        assert_eq!(services, [Some(Part::Services); 4]);
        assert_eq!(part_of("postgres-order"), Some(Part::Postgres));
        assert_eq!(part_of("collector"), Some(Part::Collector));
        assert_eq!(["postgres-registry", "orders", "sshd"].map(part_of), [None; 3]);
    }
}
