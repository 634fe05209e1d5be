//! Servers for tests. Under `./x test` test programs share one set, started by `with-servers`; a test program that
//! is run alone starts its own, which dies with it. So does one that runs a fleet on its servers or kills servers:
//! programs run in parallel.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::claim::Claim;
use crate::environment::{Environment, silent};
use crate::postgres::Database;
use crate::process::{Lifetime, Process};
use crate::settings::Settings;

/// Names the file that says where the shared servers are.
const SHARED: &str = "FLOTILLA_TEST_SERVERS";
/// The claim on a folder of servers, for as long as they live.
const CLAIM: &str = "tests";
/// No more programs than this run their tests at once.
const FOLDERS_MAX: u32 = 64;

static SERVERS: OnceCell<Servers> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A set of servers.
#[derive(Debug, Clone)]
pub struct Servers {
    environment: Environment,
    are_shared: bool,
}

/// The contents of the file.
#[derive(Serialize, Deserialize)]
struct Shared {
    root: PathBuf,
    base: u16,
}

/// The servers of this test run: the shared ones, or one set for this program.
pub async fn servers() -> Result<Servers> {
    let servers = SERVERS.get_or_try_init(async || match std::env::var_os(SHARED) {
        Some(file) => join(Path::new(&file)),
        None => Servers::own().await,
    });
    servers.await.cloned()
}

/// The servers of this program alone, even if others share theirs; from then on [`servers`] returns these.
pub async fn own_servers() -> Result<Servers> {
    own_servers_with(|_usual| ()).await
}

/// The same with settings that are not the usual ones.
pub async fn own_servers_with(change: impl FnOnce(&mut Settings)) -> Result<Servers> {
    let servers = SERVERS.get_or_try_init(|| Servers::own_with(change)).await?;
    servers.check_own()?;
    Ok(servers.clone())
}

/// Runs a command whose test programs share a set of servers in `root`, on free ports. They end with the
/// command, and with this process.
pub async fn share(root: &Path, program: OsString, args: Vec<OsString>) -> Result<ExitStatus> {
    let settings = Settings::on_free_ports(root)?;
    let Some(_claim) = Claim::try_take(&settings.root, CLAIM)? else {
        bail!("other tests run in {}; wait for them, or choose another folder", root.display());
    };
    let file = settings.root.join("servers.json");
    let shared = Shared { root: settings.root.clone(), base: settings.ports.base() };
    fs::write(&file, serde_json::to_vec(&shared)?)?;
    let servers = Servers::start(settings).await?;
    let command = move || Command::new(program).args(args).env(SHARED, file).status();
    let status = tokio::task::spawn_blocking(command).await?.context("cannot run the command")?;
    servers.environment.stop(&silent).await?;
    Ok(status)
}

fn join(file: &Path) -> Result<Servers> {
    let text = fs::read(file).with_context(|| format!("{SHARED} names no file that is there"))?;
    let shared: Shared = serde_json::from_slice(&text)?;
    let settings = Settings::new(&shared.root, shared.base)?;
    Ok(Servers { environment: Environment::new(settings, Lifetime::WithParent), are_shared: true })
}

/// Every process on the machine that has to do with a folder, by its command line or by where its output
/// goes, without those that such a process has started: found the way somebody who has lost all records of
/// them would have to look for them.
pub fn processes_of(folder: &Path) -> Vec<u32> {
    let name = folder.to_string_lossy();
    let is_of_it = |pid: &u32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let outputs = [1, 2].map(|number| fs::read_link(format!("/proc/{pid}/fd/{number}")));
        let writes = |output: &std::io::Result<PathBuf>| {
            output.as_ref().is_ok_and(|output| output.starts_with(folder))
        };
        String::from_utf8_lossy(&command).contains(&*name) || outputs.iter().any(writes)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found: Vec<u32> = pids.filter(is_of_it).collect();
    let is_first = |pid: &&u32| parent_of(**pid).is_none_or(|parent| !found.contains(&parent));
    found.iter().filter(is_first).copied().collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

impl Servers {
    /// A set for this program alone, in the first folder that no other program is using. A folder is
    /// used again rather than removed: a program cannot tell when its last test has ended.
    pub async fn own() -> Result<Self> {
        Servers::own_with(|_usual| ()).await
    }

    async fn own_with(change: impl FnOnce(&mut Settings)) -> Result<Self> {
        let folder = own_folder("test-servers")?;
        let mut settings = Settings::on_free_ports(folder.path())?;
        change(&mut settings);
        // Held for as long as this program lives.
        std::mem::forget(folder);
        Servers::start(settings).await
    }

    /// What a killed run left behind is of no use to this one.
    async fn start(settings: Settings) -> Result<Self> {
        let environment = Environment::new(settings, Lifetime::WithParent);
        environment.reset(&silent).await?;
        environment.start(&silent).await?;
        Ok(Servers { environment, are_shared: false })
    }

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
        self.check_own()?;
        let process = Process::find(self.environment.settings(), name);
        process.with_context(|| format!("{name} does not run"))?.kill().await
    }

    /// Freezes a server, as if its machine were paused, or lets it go on.
    pub fn freeze(&self, name: &str, frozen: bool) -> Result<()> {
        self.check_own()?;
        let process = Process::find(self.environment.settings(), name);
        let signal = if frozen { "STOP" } else { "CONT" };
        process.with_context(|| format!("{name} does not run"))?.signal(signal)
    }

    /// Starts every server that was killed.
    pub async fn restart(&self) -> Result<()> {
        self.environment.start(&silent).await
    }

    /// A program that cannot go on without its servers must not lose them to another.
    fn check_own(&self) -> Result<()> {
        ensure!(
            !self.are_shared,
            "other programs use these servers; `own_servers` are nobody else's"
        );
        Ok(())
    }

    /// The environment itself.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// A folder that no other program uses while this is held.
#[derive(Debug)]
pub struct OwnFolder {
    path: PathBuf,
    _claim: Claim,
}

impl OwnFolder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The first folder of that name, with a number, that no other program is using. It may hold what an
/// earlier program left.
pub fn own_folder(name: &str) -> Result<OwnFolder> {
    let folder = target_folder()?;
    for number in 0..FOLDERS_MAX {
        let path = folder.join(format!("{name}-{number}"));
        if let Ok(Some(_claim)) = Claim::try_take(&path, CLAIM) {
            return Ok(OwnFolder { path, _claim });
        }
    }
    bail!("{FOLDERS_MAX} folders called {name} are in use in {}", folder.display())
}

/// Where everything else is that a build leaves: test programs are in `<target>/<profile>/deps`.
fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let deps = program.parent().filter(|folder| folder.ends_with("deps"));
    let target = deps.and_then(|deps| deps.parent()?.parent());
    Ok(target.map_or_else(std::env::temp_dir, Path::to_owned))
}
