//! Where everything is: one state folder, and ports counted from one base.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The services of the fleet.
pub const SERVICES: [&str; 4] = ["order", "payment", "inventory", "shipping"];

/// The Postgres servers: one for each service, and one that the registry keeps its schemas in.
pub const CLUSTERS: [&str; 5] = ["order", "payment", "inventory", "shipping", "registry"];

/// The first port, unless `FLOTILLA_BASE_PORT` says otherwise.
pub const DEFAULT_BASE_PORT: u16 = 7400;

/// The folder for everything that is kept, unless `FLOTILLA_STATE` says otherwise.
pub const DEFAULT_STATE: &str = ".flotilla";

/// Which folder, which ports.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The state folder, absolute.
    pub root: PathBuf,
    /// The ports.
    pub ports: Ports,
}

/// Every port of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    base: Option<u16>,
    taken: Vec<(String, u16)>,
}

/// Name and offset of each port.
const PLAN: [(&str, u16); 18] = [
    ("order", 0),
    ("order-admin", 1),
    ("payment", 2),
    ("payment-admin", 3),
    ("inventory", 4),
    ("inventory-admin", 5),
    ("shipping", 6),
    ("shipping-admin", 7),
    ("sandbox", 8),
    ("kafka", 10),
    ("kafka-controller", 11),
    ("registry", 12),
    ("registry-management", 13),
    ("postgres-order", 20),
    ("postgres-payment", 21),
    ("postgres-inventory", 22),
    ("postgres-shipping", 23),
    ("postgres-registry", 24),
];

impl Settings {
    /// An environment in `root` with ports from `base` on.
    pub fn new(root: &Path, base: u16) -> Result<Self> {
        std::fs::create_dir_all(root)
            .with_context(|| format!("cannot create {}", root.display()))?;
        let root = root.canonicalize()?;
        Ok(Settings { root, ports: Ports::from_base(base) })
    }

    /// The settings that the variables `FLOTILLA_STATE` and `FLOTILLA_BASE_PORT` ask for.
    pub fn from_env() -> Result<Self> {
        let root = std::env::var("FLOTILLA_STATE").unwrap_or_else(|_| DEFAULT_STATE.to_owned());
        let base = match std::env::var("FLOTILLA_BASE_PORT") {
            Ok(text) => text.parse().ok().filter(|base| *base >= 1024 && *base <= 65_000),
            Err(_unset) => Some(DEFAULT_BASE_PORT),
        };
        let base = base.context("FLOTILLA_BASE_PORT must be a number from 1024 to 65000")?;
        Settings::new(Path::new(&root), base)
    }

    /// An environment in `root` on ports that are free now.
    pub fn on_free_ports(root: &Path) -> Result<Self> {
        let mut settings = Settings::new(root, DEFAULT_BASE_PORT)?;
        settings.ports = Ports::free()?;
        Ok(settings)
    }

    /// Where the log of a process is.
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }
}

impl Ports {
    fn from_base(base: u16) -> Self {
        let port = |(name, offset): &(&str, u16)| ((*name).to_owned(), base + offset);
        Ports { base: Some(base), taken: PLAN.iter().map(port).collect() }
    }

    /// Ports that nobody listens on. Held open together while they are chosen, so that they differ.
    fn free() -> Result<Self> {
        let mut listeners = Vec::new();
        let mut taken = Vec::new();
        for (name, _) in PLAN {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            taken.push((name.to_owned(), listener.local_addr()?.port()));
            listeners.push(listener);
        }
        Ok(Ports { base: None, taken })
    }

    /// The port of that name.
    pub fn get(&self, name: &str) -> u16 {
        let found = self.taken.iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("no port is called {name}")).1
    }

    /// Fails when somebody else listens on a port that is needed, and says who needs it.
    pub fn check_free(&self, name: &str) -> Result<()> {
        let port = self.get(name);
        if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            let advice = match self.base {
                Some(base) => format!(
                    "stop what listens there (`ss -ltnp 'sport = :{port}'` names it), or choose other \
                     ports: FLOTILLA_BASE_PORT={}",
                    if base > 40_000 { DEFAULT_BASE_PORT } else { base + 1000 }
                ),
                None => "try again".to_owned(),
            };
            bail!("port {port}, which {name} needs, cannot be used: {error}; {advice}");
        }
        Ok(())
    }
}
