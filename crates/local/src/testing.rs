//! Servers for tests. Under `./x test` all test programs share one set, started by `with-servers`; a test
//! program that is run alone starts its own, which dies with it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use anyhow::{Context, Result};
use tokio::sync::OnceCell;

use crate::environment::{Environment, silent};
use crate::postgres::Database;
use crate::process::{Lifetime, Process};
use crate::settings::Settings;

/// Names the state folder of the shared servers, and the variable with their first port.
pub const SHARED: &str = "FLOTILLA_TEST_SERVERS";

static OWN: OnceCell<Servers> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A set of servers.
#[derive(Debug, Clone)]
pub struct Servers {
    environment: Environment,
}

/// The servers of this test run: the shared ones, or one set for this program.
pub async fn servers() -> Result<Servers> {
    OWN.get_or_try_init(join_or_start).await.cloned()
}

async fn join_or_start() -> Result<Servers> {
    if let Some(shared) = std::env::var_os(SHARED) {
        let text = std::fs::read_to_string(&shared)
            .with_context(|| format!("{SHARED} names no environment"))?;
        let (root, base) = text.split_once('\n').context("the shared environment is unreadable")?;
        let settings = Settings::new(&PathBuf::from(root), base.trim().parse()?)?;
        return Ok(Servers { environment: Environment::new(settings, Lifetime::WithParent) });
    }
    let root = std::env::temp_dir().join(format!("flotilla-test-{}", std::process::id()));
    let settings = Settings::on_free_ports(&root)?;
    let environment = Environment::new(settings, Lifetime::WithParent);
    environment.start(&silent).await?;
    Ok(Servers { environment })
}

impl Servers {
    /// Where Kafka is.
    pub fn kafka_brokers(&self) -> String {
        self.environment.kafka_brokers()
    }

    /// The root of the registry's Confluent API.
    pub fn registry_url(&self) -> String {
        self.environment.registry_url()
    }

    /// An empty database with its two roles, which nobody else uses.
    pub async fn fresh_database(&self, name: &str) -> Result<Database> {
        let number = DATABASES.fetch_add(1, Relaxed);
        let name = format!("{name}_{}_{number}", std::process::id());
        self.environment.extra_database(&name).await
    }

    /// Kills a server as a power cut would.
    pub async fn kill(&self, name: &str) -> Result<()> {
        let process = Process::find(self.environment.settings(), name);
        process.with_context(|| format!("{name} does not run"))?.kill().await
    }

    /// Starts every server that was killed. Shared ones must outlive the test that killed them; whoever
    /// started them stops these as well.
    pub async fn restart(&self) -> Result<()> {
        let lifetime = match std::env::var_os(SHARED) {
            Some(_) => Lifetime::UntilStopped,
            None => Lifetime::WithParent,
        };
        let settings = self.environment.settings().clone();
        Environment::new(settings, lifetime).start(&silent).await
    }

    /// The environment itself.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }
}
