//! All servers together: started in parallel, stopped in an order in which nothing is cut off.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde::Serialize;

use crate::claim::Claim;
use crate::postgres::{self, Cluster, Database, DatabasePlace};
use crate::process::{Lifetime, Process};
use crate::settings::Settings;
use crate::{answer, java, kafka, registry};

/// Told what is being done and, when it is done, how long it took.
pub type Progress<'a> = &'a (dyn Fn(&str, Option<Duration>) + Sync);

/// Reports nothing.
pub fn silent(_step: &str, _took: Option<Duration>) {}

/// How long a service may take to stop in good order; longer than its own limit.
const SERVICE_STOP: Duration = Duration::from_secs(25);

/// How long another command's start or stop is waited for; a first start downloads.
const TURN: Duration = Duration::from_secs(300);

/// The name of the registry, and of its database's server.
const REGISTRY: &str = "registry";
const REGISTRY_DATABASE: &str = "postgres-registry";

/// Servers that a fleet needs.
#[derive(Debug, Clone)]
pub struct Environment {
    settings: Settings,
    lifetime: Lifetime,
}

/// One server or service of an environment.
#[derive(Debug, Clone, Serialize)]
pub struct ServerStatus {
    /// Its name.
    pub name: String,
    /// The pid of the process that it runs in, when it runs.
    pub pid: Option<u32>,
    /// Whether a signal has frozen it.
    pub is_frozen: bool,
    /// Where it listens.
    pub port: u16,
    /// The log of that process.
    pub log: String,
}

impl Environment {
    /// An environment that is not started yet, or was by an earlier run.
    pub fn new(settings: Settings, lifetime: Lifetime) -> Self {
        Environment { settings, lifetime }
    }

    /// Where everything is.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Downloads what is missing and starts what does not run. Idempotent.
    pub async fn start(&self, progress: Progress<'_>) -> Result<()> {
        let _turn = self.turn().await?;
        self.check_base()?;
        self.check_ports()?;
        // A frozen process counts as running and would never be ready.
        Process::all(&self.settings).iter().try_for_each(Process::thaw)?;
        self.download(progress).await?;
        let homes = self.settings.homes().into_iter();
        let clusters = try_join_all(homes.map(|(name, has)| self.start_cluster(name, has)));
        let registry = async {
            self.start_cluster("registry", Vec::new()).await?;
            registry::start(&self.settings, self.lifetime).await
        };
        let kafka = kafka::start(&self.settings, self.lifetime);
        timed(progress, "start Postgres, Kafka and the registry", async {
            tokio::try_join!(kafka, registry, clusters)?;
            Ok(())
        })
        .await
    }

    /// The right to start or stop a fleet around these servers, until it is dropped: two commands at once
    /// would start every program twice.
    pub async fn claim(&self, progress: Progress<'_>) -> Result<Claim> {
        let folder = &self.settings.root;
        if let Some(claim) = Claim::try_take(folder, "fleet")? {
            return Ok(claim);
        }
        timed(progress, "wait for another command", Claim::take(folder, "fleet", TURN)).await
    }

    /// The same for the servers alone.
    async fn turn(&self) -> Result<Claim> {
        Claim::take(&self.settings.root, "environment", TURN).await
    }

    /// Running servers cannot be moved to other ports.
    fn check_base(&self) -> Result<()> {
        let (wanted, root) = (self.settings.ports.base(), self.settings.root.display());
        match self.settings.last_base() {
            Some(base) if base != wanted && !Process::all(&self.settings).is_empty() => bail!(
                "the servers in {root} run on ports from {base} on; stop them before you start them on \
                 ports from {wanted} on, or leave FLOTILLA_BASE_PORT away"
            ),
            Some(_) | None => self.settings.remember(),
        }
    }

    /// Before anything is started, so that nothing is half started.
    fn check_ports(&self) -> Result<()> {
        let check = |name: &str, ports: &[&str]| match Process::find(&self.settings, name) {
            Some(_) => Ok(()),
            None => ports.iter().try_for_each(|port| self.settings.ports.check_free(port)),
        };
        self.databases().iter().try_for_each(|name| check(name, &[name]))?;
        self.shared_servers().iter().try_for_each(|(name, ports)| check(name, ports))
    }

    /// The servers that all services share, with the ports that each listens on.
    fn shared_servers(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let database = (REGISTRY_DATABASE, vec![REGISTRY_DATABASE]);
        let nodes = kafka::nodes(&self.settings).iter();
        let nodes = nodes.map(|node| (node.name, vec![node.name, node.controller]));
        let registry = (REGISTRY, vec![REGISTRY, "registry-management"]);
        [database].into_iter().chain(nodes).chain([registry]).collect()
    }

    /// The servers of the services' databases.
    fn databases(&self) -> Vec<String> {
        self.settings.homes().iter().map(|(home, _)| format!("postgres-{home}")).collect()
    }

    async fn download(&self, progress: Progress<'_>) -> Result<()> {
        postgres::programs()?;
        if !java::is_there()? {
            timed(progress, "download Java 25 (60 MB)", blocking(java::find)).await?;
        }
        if !kafka::is_downloaded()? {
            timed(progress, "download Apache Kafka (54 MB)", blocking(kafka::download)).await?;
        }
        if !registry::is_downloaded()? {
            let download = blocking(registry::download);
            timed(progress, "download the schema registry (159 MB)", download).await?;
        }
        Ok(())
    }

    async fn start_cluster(&self, name: &'static str, has: Vec<&'static str>) -> Result<()> {
        let cluster = Cluster::new(&self.settings, name);
        // On the heap: as many of these as there are databases are part of one future.
        Box::pin(cluster.start(self.lifetime)).await?;
        for service in has {
            cluster.database(service).await?;
        }
        Ok(())
    }

    /// Stops everything that runs: first what depends on others.
    pub async fn stop(&self, progress: Progress<'_>) -> Result<()> {
        let _turn = self.turn().await?;
        let running = Process::all(&self.settings);
        // A service that stops in good order says goodbye to Kafka, which must not be frozen then.
        running.iter().try_for_each(Process::thaw)?;
        let of = |wanted: fn(&str) -> bool| running.iter().filter(move |p| wanted(&p.name));
        timed(progress, "stop the services", async {
            let services = of(|name| !is_server(name));
            try_join_all(services.map(|process| process.stop(SERVICE_STOP))).await?;
            Ok(())
        })
        .await?;
        timed(progress, "stop Kafka, the registry and Postgres", async {
            let kafka = of(kafka::is_node).map(|process| process.stop(kafka::STOP));
            let registry = of(|n| n == "registry").map(|process| process.stop(registry::STOP));
            try_join_all(kafka.chain(registry).collect::<Vec<_>>()).await?;
            let clusters = of(|n| n.starts_with("postgres-"));
            try_join_all(clusters.map(|process| process.stop(postgres::STOP))).await?;
            Ok(())
        })
        .await
    }

    /// Stops everything and forgets it: databases, topics, schemas, secrets.
    pub async fn reset(&self, progress: Progress<'_>) -> Result<()> {
        self.stop(progress).await?;
        let parts = ["postgres", "secrets", "logs", "run", "sandbox", "tmp"].into_iter();
        // Also those of nodes that an earlier fleet in this folder had.
        for part in parts.chain(kafka::NODES.map(|node| node.name)) {
            let folder = self.settings.root.join(part);
            if folder.exists() {
                fs::remove_dir_all(&folder)
                    .with_context(|| format!("cannot remove {}", folder.display()))?;
            }
        }
        self.settings.forget();
        Ok(())
    }

    /// Every server, and every other process of ours, running or not.
    pub fn status(&self) -> Vec<ServerStatus> {
        let (databases, services) = (self.databases(), self.settings.services());
        let shared = self.shared_servers().into_iter().map(|(name, _)| name).chain(["sandbox"]);
        let names = databases.iter().map(String::as_str).chain(shared).chain(services);
        names.map(|name| self.status_of(name)).collect()
    }

    fn status_of(&self, name: &str) -> ServerStatus {
        let home = self.settings.home_of(name);
        let process = Process::find(&self.settings, home);
        ServerStatus {
            name: name.to_owned(),
            pid: process.as_ref().map(|process| process.pid),
            is_frozen: process.is_some_and(|process| process.is_frozen()),
            port: self.settings.ports.get(name),
            log: self.settings.log(home).display().to_string(),
        }
    }

    /// Whether something that runs answers on its port in that port's protocol: a server that hangs
    /// goes on listening.
    pub async fn answers(&self, name: &str) -> bool {
        let port = self.settings.ports.get(name);
        match name {
            kafka if kafka::is_node(kafka) => answer::kafka(port).await,
            "registry" => answer::http(port, "/apis/ccompat/v7/subjects").await,
            "sandbox" => answer::http(port, "/healthz").await,
            postgres if postgres.starts_with("postgres-") => answer::postgres(port).await,
            // A service says more than that, on its admin port.
            _service => {
                answer::http(self.settings.ports.get(&format!("{name}-admin")), "/livez").await
            }
        }
    }

    /// The database of a service.
    pub async fn database(&self, service: &'static str) -> Result<Database> {
        self.cluster_of(service).database(service).await
    }

    /// The server of a service's database.
    fn cluster_of(&self, service: &'static str) -> Cluster<'_> {
        Cluster::new(&self.settings, self.settings.home_of(service))
    }

    /// A further database in the order service's server, for tests.
    pub(crate) async fn extra_database(&self, name: &str) -> Result<Database> {
        self.cluster_of("order").database(name).await
    }

    /// The superuser's URL of a server's database, for measuring and auditing.
    pub fn superuser_url(&self, service: &'static str) -> Result<String> {
        let database = if service == "registry" { "registry" } else { service };
        let cluster = self.cluster_of(service);
        // A secret generated now would be one that no server knows.
        if !cluster.was_started() {
            let home = self.settings.home_of(service);
            bail!("postgres-{home} was never started here; `flotilla local up` starts it");
        }
        cluster.superuser_url(database)
    }

    /// Where a service's database is, for people who want to look into it.
    pub fn database_place(&self, service: &'static str) -> DatabasePlace {
        self.cluster_of(service).place(service)
    }

    /// Where Kafka is: all of its brokers, separated by commas.
    pub fn kafka_brokers(&self) -> String {
        let address = |name: &&str| format!("127.0.0.1:{}", self.settings.ports.get(name));
        self.brokers().iter().map(address).collect::<Vec<_>>().join(",")
    }

    /// The names of Kafka's brokers.
    pub fn brokers(&self) -> Vec<&'static str> {
        kafka::nodes(&self.settings).iter().map(|node| node.name).collect()
    }

    /// The root of the registry's Confluent API.
    pub fn registry_url(&self) -> String {
        registry::url(&self.settings)
    }
}

fn is_server(name: &str) -> bool {
    name.starts_with("postgres-") || name == REGISTRY || kafka::is_node(name)
}

async fn blocking<T: Send + 'static>(work: fn() -> Result<T>) -> Result<()> {
    tokio::task::spawn_blocking(work).await.context("a download panicked")??;
    Ok(())
}

async fn timed<T>(
    progress: Progress<'_>,
    step: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    progress(step, None);
    let started = Instant::now();
    let done = work.await.with_context(|| format!("cannot {step}"))?;
    progress(step, Some(started.elapsed()));
    Ok(done)
}
