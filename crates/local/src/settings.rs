//! Where everything is: one state folder, and ports counted from one base.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use uuid::Uuid;

use crate::process::surroundings;

/// The services of the fleet.
pub const SERVICES: [&str; 4] = ["order", "payment", "inventory", "shipping"];

/// The service that somebody named, or an error that tells which there are.
pub fn known_service(name: &str) -> Result<&'static str> {
    let found = SERVICES.into_iter().find(|service| *service == name);
    found
        .with_context(|| format!("no service is called {name}; there are: {}", SERVICES.join(", ")))
}

/// The first port, unless `FLOTILLA_BASE_PORT` says otherwise.
pub const DEFAULT_BASE_PORT: u16 = 7400;

/// The folder for everything that is kept, unless `FLOTILLA_STATE` says otherwise.
pub const DEFAULT_STATE: &str = ".flotilla";

/// The file that says where a fleet was started last; there is one wherever there is a fleet.
const BASE_FILE: &str = "base-port";

/// Which folder, which ports.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The state folder, absolute.
    pub root: PathBuf,
    /// The ports.
    pub ports: Ports,
    /// How Kafka's code is compiled.
    pub kafka_compiler: Compiler,
}

/// How much a Java server does to make itself faster while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compiler {
    /// The first compiler only. The second one takes a fifth of a core for a minute or two, which two
    /// cores have better uses for where a fleet is looked at, developed or tested.
    Quick,
    /// Both, as in production. After a minute or two of load Kafka needs half of the CPU.
    Thorough,
}

/// Every port of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    base: u16,
}

/// Name and distance from the base of each port.
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

/// How many ports an environment spans, with room for what comes later.
const SPAN: u16 = 32;
/// The bases that may be asked for.
const BASES: std::ops::RangeInclusive<u16> = 1024..=65_000;
/// Where free ports are looked for: above what is well known, and below what the kernel gives to outgoing
/// connections, one of which could otherwise take the port of a server that is being restarted.
const FREE: std::ops::Range<u16> = 10_000..32_000;

impl Settings {
    /// An environment in `root` with ports from `base` on.
    pub fn new(root: &Path, base: u16) -> Result<Self> {
        if root.to_str().is_none_or(|root| root.contains(char::is_control)) {
            bail!(
                "the state folder {root:?} must be UTF-8 without control characters: set FLOTILLA_STATE \
                 to another one"
            );
        }
        fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
        let root = root.canonicalize()?;
        Ok(Settings { root, ports: Ports { base }, kafka_compiler: Compiler::Quick })
    }

    /// The settings that the variables `FLOTILLA_STATE` and `FLOTILLA_BASE_PORT` ask for. Without the
    /// second, an environment stays on the ports that it was started on last.
    pub fn from_env() -> Result<Self> {
        let asked = base_from_env()?;
        let mut settings = Settings::new(&root_from_env(), DEFAULT_BASE_PORT)?;
        settings.ports.base = asked.or_else(|| settings.last_base()).unwrap_or(DEFAULT_BASE_PORT);
        Ok(settings)
    }

    /// The same, for a command that only talks to a fleet: where none was ever started nothing is
    /// created, and `None` is the answer.
    ///
    /// Ports that are not this fleet's may be another's, which would then get its commands.
    pub fn of_fleet() -> Result<Option<Self>> {
        if !root_from_env().join(BASE_FILE).exists() {
            return Ok(None);
        }
        let settings = Settings::from_env()?;
        match settings.last_base() {
            Some(base) if base != settings.ports.base => bail!(
                "FLOTILLA_BASE_PORT={}, but the fleet in {} has its ports from {base} on: leave the \
                 variable away, or name the folder of the other fleet in FLOTILLA_STATE",
                settings.ports.base,
                settings.root.display()
            ),
            Some(_) | None => Ok(Some(settings)),
        }
    }

    /// An environment in `root` on ports that are free now.
    pub fn on_free_ports(root: &Path) -> Result<Self> {
        Settings::new(root, Ports::free()?.base)
    }

    /// Where the log of a process is.
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// The base that this folder's servers were started on last.
    pub(crate) fn last_base(&self) -> Option<u16> {
        let text = fs::read_to_string(self.root.join(BASE_FILE)).ok()?;
        text.trim().parse().ok().filter(|base| BASES.contains(base))
    }

    /// Remembers the base for the commands that follow.
    pub(crate) fn remember_base(&self) -> Result<()> {
        fs::write(self.root.join(BASE_FILE), format!("{}\n", self.ports.base))?;
        Ok(())
    }
}

/// The state folder that the environment asks for; it need not exist. A relative one is absolute here:
/// whoever is told of it may stand elsewhere.
pub fn root_from_env() -> PathBuf {
    let asked = surroundings::variable("FLOTILLA_STATE");
    let root = asked.map_or_else(|| PathBuf::from(DEFAULT_STATE), PathBuf::from);
    std::path::absolute(&root).unwrap_or(root)
}

/// The first port that the environment asks for, if it does.
pub fn base_from_env() -> Result<Option<u16>> {
    let Some(text) = surroundings::variable("FLOTILLA_BASE_PORT") else { return Ok(None) };
    let text = text.to_string_lossy();
    let base = text.parse().ok().filter(|base| BASES.contains(base));
    let wanted = format!("FLOTILLA_BASE_PORT={text}: must be from 1024 to 65000");
    base.context(wanted).map(Some)
}

impl Ports {
    /// Ports from `base` on, which need not belong to a folder.
    pub fn from_base(base: u16) -> Self {
        Ports { base }
    }

    /// A block of ports that nobody listens on. It starts anywhere, so that two programs that choose at
    /// the same moment choose apart.
    fn free() -> Result<Self> {
        let blocks = u128::from((FREE.end - FREE.start) / SPAN);
        let first = Uuid::new_v4().as_u128() % blocks;
        for step in 0..blocks {
            let block = u16::try_from((first + step) % blocks)?;
            let ports = Ports { base: FREE.start + block * SPAN };
            if PLAN.iter().all(|(name, _)| bind(ports.get(name)).is_ok()) {
                return Ok(ports);
            }
        }
        bail!("no {SPAN} ports in a row are free from {} to {}", FREE.start, FREE.end)
    }

    /// The first port.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// Every port with the name of who listens there.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u16)> {
        let base = self.base;
        PLAN.iter().map(move |(name, distance)| (*name, base + distance))
    }

    /// The port of that name.
    ///
    /// # Panics
    ///
    /// When there is none: names that people type are checked with [`known_service`] before.
    pub fn get(&self, name: &str) -> u16 {
        let found = self.all().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("no port is called {name}")).1
    }

    /// Fails when somebody else listens on a port that is needed, and says who needs it.
    pub fn check_free(&self, name: &str) -> Result<()> {
        let port = self.get(name);
        if let Err(error) = bind(port) {
            let other = if self.base > 40_000 { DEFAULT_BASE_PORT } else { self.base + 1000 };
            bail!(
                "port {port}, which {name} needs, cannot be used: {error}; stop what listens there \
                 (`ss -ltnp 'sport = :{port}'` names it), or choose other ports: FLOTILLA_BASE_PORT={other}"
            );
        }
        Ok(())
    }
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
