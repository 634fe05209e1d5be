//! What is outside of the cluster: Kafka, the registry, a Postgres for each service and the sandbox, on this machine as
//! `flotilla local up` starts them. Pods reach them as `host.k8s.internal`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use flotilla::audit;
use flotilla::fleet::{Fleet, FleetSettings};
use local::{Lifetime, Process, SERVICES, Settings, silent};
use sqlx::{Connection, PgConnection};

use crate::node::Node;

/// What pods call this machine.
pub(crate) const HOST: &str = "host.k8s.internal";
/// How long the fleet may take to come to rest.
const REST: Duration = Duration::from_secs(120);
/// How long a server may take to stop.
const STOP: Duration = Duration::from_secs(30);

/// The servers; they end with this process.
pub(crate) struct Outside {
    /// A fleet without services of its own: theirs run in the cluster.
    fleet: Fleet,
}

impl Outside {
    /// Starts them in a folder, whatever is in it.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let mut settings = Settings::on_free_ports(folder)?;
        settings.kafka_elsewhere = Some(HOST.to_owned());
        let fleet = Fleet::attach(FleetSettings::new(settings, Lifetime::WithParent)?);
        fleet.reset(&silent).await?;
        fleet.start_surroundings(&silent).await?;
        Ok(Outside { fleet })
    }

    /// Lets the pods of a node reach them.
    pub(crate) fn expose(&self, node: &Node) -> Result<()> {
        let shared = ["kafka-elsewhere", "registry", "sandbox"].map(str::to_owned);
        let databases = SERVICES.map(|service| format!("postgres-{service}"));
        node.expose(shared.iter().chain(&databases).map(|name| self.port(name)))
    }

    /// The port of one of them.
    pub(crate) fn port(&self, name: &str) -> u16 {
        self.fleet.environment().settings().ports.get(name)
    }

    /// The URLs of a service's database: of the application and of the owner.
    pub(crate) async fn database(&self, service: &'static str) -> Result<[String; 2]> {
        let database = self.fleet.environment().database(service).await?;
        Ok([database.app_url, database.owner_url].map(|url| url.replace("127.0.0.1", HOST)))
    }

    /// The password of the superuser of a service's database.
    pub(crate) fn superuser_password(&self, service: &'static str) -> Result<String> {
        let url: reqwest::Url = self.fleet.environment().superuser_url(service)?.parse()?;
        Ok(url.password().unwrap_or_default().to_owned())
    }

    /// Fails unless a table of a service has this column.
    pub(crate) async fn has_column(
        &self,
        service: &'static str,
        table: &str,
        column: &str,
    ) -> Result<()> {
        let url = self.fleet.environment().superuser_url(service)?;
        let mut db = PgConnection::connect(&url).await?;
        let is_there = "select exists (select from information_schema.columns
            where table_name = $1 and column_name = $2)";
        let asked = sqlx::query_scalar(is_there).bind(table).bind(column);
        let is_there: bool = asked.fetch_one(&mut db).await?;
        ensure!(is_there, "{service}'s table {table} has no column {column}");
        Ok(())
    }

    /// Stops a service's Postgres: another one takes its place, and its port.
    pub(crate) async fn stop_database(&self, service: &str) -> Result<()> {
        let settings = self.fleet.environment().settings();
        match Process::find(settings, &format!("postgres-{service}")) {
            Some(process) => process.stop(STOP).await,
            None => Ok(()),
        }
    }

    /// Whether services have their databases here, and not in the cluster.
    pub(crate) fn has_databases(&self) -> bool {
        let settings = self.fleet.environment().settings();
        SERVICES.iter().any(|name| Process::find(settings, &format!("postgres-{name}")).is_some())
    }

    /// Stops them all.
    pub(crate) async fn stop(&self) -> Result<()> {
        self.fleet.stop(&silent).await
    }

    /// Where Kafka is for programs of this machine.
    pub(crate) fn kafka(&self) -> String {
        self.fleet.environment().kafka_brokers()
    }

    /// Where the registry is for programs of this machine.
    pub(crate) fn registry(&self) -> String {
        self.fleet.environment().registry_url()
    }

    /// Waits until all orders have ended, and checks every rule of the saga.
    pub(crate) async fn audit(&self) -> Result<()> {
        let report = audit::run(&self.fleet, REST).await?;
        ensure!(report.is_clean(), "the audit is not clean:\n{}", report.broken());
        Ok(())
    }
}
