//! The servers that are measured: those of any benchmark, with a catalogue in the tables. The services
//! themselves are stopped: this process does their work, part by part.

use anyhow::{Context, Result};
use flotilla::fleet::{Fleet, FleetSettings, Providers};
use futures::future::try_join_all;
use local::{Lifetime, SERVICES, Settings};

use crate::fleet::Fleet as Measured;
use crate::process::{Part, Process};
use crate::{replicas, rig, stock};

/// Items that are ordered, evenly; as in `throughput`.
pub(super) const SKUS: u32 = 1_000;
/// Partitions of each topic. More would only cost requests.
const PARTITIONS: u16 = 1;

/// Servers without services.
pub(super) struct Servers {
    fleet: Fleet,
    /// With the superuser's URLs.
    pub(super) measured: Measured,
}

impl Servers {
    /// Starts a fleet, fills its catalogue and stops its services.
    pub(super) async fn start(settings: Settings, progress: local::Progress<'_>) -> Result<Self> {
        let mut plan = FleetSettings::new(settings, Lifetime::WithParent)?;
        plan.providers = Providers::InProcess;
        plan.partitions = PARTITIONS.into();
        plan.variables.push(("FLOTILLA_LOG".to_owned(), "warn".to_owned()));
        let fleet = Fleet::start(plan, progress).await?;
        let services = replicas::start(&fleet, 1).await?;
        let whole = rig::describe(&fleet, services, PARTITIONS)?;
        stock::fill(&whole, SKUS).await.context("the catalogue cannot be filled")?;
        try_join_all(SERVICES.map(|service| fleet.stop_service(service))).await?;
        let measured = rig::describe(&fleet, Vec::new(), PARTITIONS)?;
        Ok(Servers { fleet, measured })
    }

    /// The URL by which a service reaches its database.
    pub(super) async fn app_url(&self, service: &'static str) -> Result<String> {
        Ok(self.fleet.environment().database(service).await?.app_url)
    }

    /// The Postgres of a service.
    pub(super) fn postgres(&self, service: &str) -> Result<Process> {
        self.process(&format!("postgres-{service}"))
    }

    pub(super) fn kafka(&self) -> Result<Process> {
        self.process("kafka")
    }

    fn process(&self, name: &str) -> Result<Process> {
        let found = self.measured.processes.iter().find(|process| process.name == name);
        found.cloned().with_context(|| format!("{name} does not run"))
    }
}

/// This process, without those that it started.
pub(super) fn own() -> Process {
    Process { name: "self".to_owned(), part: Part::Generator, pid: std::process::id() }
}
