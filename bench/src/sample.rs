//! Everything that is counted, at one moment. A report is the difference between two of these.

use std::time::{Duration, Instant};

use anyhow::Context;
use sqlx::PgPool;

use crate::fleet::{Database, Fleet, Service};
use crate::process::{self, Machine};
use crate::{metrics, postgres};

/// Takes samples of a fleet. Its connections are made beforehand, so that they are not measured.
pub struct Sampler<'a> {
    fleet: &'a Fleet,
    databases: Vec<PgPool>,
}

/// Counters at one moment; the lists in the order of the fleet's.
#[derive(Debug, Clone)]
pub struct Sample {
    pub at: Instant,
    /// Orders completed so far: everything else is divided by this.
    pub completed: u64,
    pub machine: Machine,
    pub cpu: Vec<Duration>,
    pub services: Vec<metrics::Counters>,
    pub databases: Vec<postgres::Counters>,
}

impl<'a> Sampler<'a> {
    pub async fn new(fleet: &'a Fleet) -> anyhow::Result<Self> {
        let connect = async |database: &Database| {
            let connected = postgres::connect(&database.url).await;
            connected.with_context(|| format!("no Postgres for {}", database.name))
        };
        let databases = futures::future::try_join_all(fleet.databases.iter().map(connect));
        Ok(Sampler { fleet, databases: databases.await? })
    }

    /// Reads everything. The counters that the load moves fastest are read first and together.
    pub async fn take(&self, completed: impl FnOnce() -> u64) -> anyhow::Result<Sample> {
        let at = Instant::now();
        let completed = completed();
        let machine = process::machine()?;
        let cpu = process::cpu_times(&self.fleet.processes)?;
        let read = async |db: &PgPool| postgres::Counters::read(db).await;
        let databases = futures::future::try_join_all(self.databases.iter().map(read)).await?;
        let services = self.fleet.services.iter().map(service);
        let services = futures::future::try_join_all(services).await?;
        Ok(Sample { at, completed, machine, cpu, services, databases })
    }
}

async fn service(service: &Service) -> anyhow::Result<metrics::Counters> {
    let replicas = service.replicas.iter().map(|replica| metrics::Counters::read(replica.admin));
    let counters = futures::future::try_join_all(replicas).await?;
    Ok(counters.into_iter().fold(metrics::Counters::default(), metrics::Counters::and))
}
