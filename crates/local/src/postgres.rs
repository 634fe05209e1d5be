//! Postgres servers: one per service, or one for all services that run in one process; each with a data folder, a
//! port and a superuser of its own.

mod database;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{Lifetime, Process, ProcessSpec, User, pid_lives, surroundings};
use crate::settings::Settings;

pub use database::{Database, DatabasePlace};

/// Older ones lack what the services use.
const VERSION_MIN: u32 = 15;
const READY: Duration = Duration::from_secs(60);
/// A fast shutdown waits for its checkpoint.
pub(crate) const STOP: Duration = Duration::from_secs(30);
/// How long the children of a server that was killed may hold on to its memory.
const CHILDREN_GONE: Duration = Duration::from_secs(10);

/// Settings for a small machine that is still durable: `fsync` and `synchronous_commit` stay on.
const CONFIGURATION: &str = "\
# One server of five on a small machine; the rows in use fit.
shared_buffers = '128MB'
# An executor, a relay, a sweep and eight readers per replica, or for each of four services in one process, and
# room for tools.
max_connections = 60
# The log is written over and over in files that exist: a new one is first filled with zeros, which under
# load took a tenth of the time. What a checkpoint costs is little, as only the latest pages change.
max_wal_size = '256MB'
min_wal_size = '256MB'
checkpoint_timeout = '10min'
# The relay's queue is empty most of the time; parallel plans and the JIT only cost start-up time.
max_parallel_workers_per_gather = 0
jit = off
# Updated tables leave half of each page free for new versions; vacuum early and in small steps.
autovacuum_naptime = '20s'
autovacuum_vacuum_cost_delay = '1ms'
# The loopback only, and no unix socket: the path of one may have 107 bytes, that of a checkout more.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
log_min_messages = 'warning'
";

/// One server.
pub(crate) struct Cluster<'a> {
    settings: &'a Settings,
    name: &'static str,
}

impl<'a> Cluster<'a> {
    pub(crate) fn new(settings: &'a Settings, name: &'static str) -> Self {
        Cluster { settings, name }
    }

    fn process_name(&self) -> String {
        format!("postgres-{}", self.name)
    }

    fn folder(&self) -> PathBuf {
        self.settings.root.join("postgres").join(self.name)
    }

    fn port(&self) -> u16 {
        self.settings.ports.get(&self.process_name())
    }

    /// Creates the data folder if there is none, starts the server and waits for it.
    pub(crate) async fn start(&self, lifetime: Lifetime) -> Result<()> {
        if let Some(process) = Process::find(self.settings, &self.process_name()) {
            return self.wait_ready(&process).await;
        }
        let programs = programs()?;
        let data = self.folder().join("data");
        let user = User::for_folder(&data)?;
        if !data.exists() {
            self.initialise(&programs, &data, user).await?;
        }
        repair(&data)?;
        // Written at every start, so that an old data folder gets the settings of today.
        fs::write(data.join("flotilla.conf"), CONFIGURATION)?;
        let mut spec = ProcessSpec::server(self.process_name(), programs.join("postgres"), "/")
            .args(["-D", path(&data)?, "-p"])
            .args([self.port().to_string()]);
        spec.user = user;
        // A fast shutdown: open transactions are rolled back.
        spec.stop_signal = "INT";
        let started = Instant::now();
        loop {
            let process = Process::start(self.settings, &spec, lifetime)?;
            let ready = self.wait_ready(&process).await;
            // The last children of a server that was killed; Postgres rightly refuses to start next to them.
            let held = process.output().contains("pre-existing shared memory block");
            if ready.is_ok() || !held || started.elapsed() > CHILDREN_GONE {
                return ready;
            }
        }
    }

    async fn wait_ready(&self, process: &Process) -> Result<()> {
        let url = self.superuser_url("postgres")?;
        process.wait_ready(READY, async || database::connect(&url).await.is_ok()).await
    }

    /// Created next to its place and then moved there: an interrupted one is never taken for whole.
    async fn initialise(&self, programs: &Path, data: &Path, user: Option<User>) -> Result<()> {
        let folder = self.folder();
        let (unfinished, password) = (folder.join("data.unfinished"), folder.join("password"));
        fs::remove_dir_all(&unfinished).ok();
        fs::remove_file(&password).ok();
        fs::create_dir_all(&folder)?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&password)?;
        file.write_all(self.secret("superuser")?.as_bytes())?;
        let initdb = programs.join("initdb");
        let mut command = match user {
            Some(user) => {
                user.take(&folder)?;
                user.take(&password)?;
                user.errand(&initdb)
            }
            None => surroundings::errand(initdb),
        };
        surroundings::shelter(&mut command);
        command
            .args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C"])
            .args(["--pwfile", path(&password)?, "-D", path(&unfinished)?])
            .current_dir("/");
        // It blocks; five in parallel take as long as one.
        let output = tokio::task::spawn_blocking(move || command.output());
        let output =
            output.await.context("running initdb panicked")?.context("cannot run setpriv")?;
        fs::remove_file(&password)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("initdb failed for {}: {said}", self.name);
        }
        let mut configuration =
            File::options().append(true).open(unfinished.join("postgresql.conf"))?;
        configuration.write_all(b"include 'flotilla.conf'\n")?;
        fs::rename(&unfinished, data)?;
        Ok(())
    }
}

/// Postgres finds out by itself whether the server named in an old `postmaster.pid` is gone, unless its
/// pid is in use again: then it would refuse to start forever.
fn repair(data: &Path) -> Result<()> {
    let file = data.join("postmaster.pid");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let Some(pid) = text.lines().next().and_then(|pid| pid.parse().ok()) else { return Ok(()) };
    // A Postgres server works in its data folder.
    if fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data) {
        bail!(
            "a Postgres server that this state folder does not know of (pid {pid}) runs on {}; \
             stop it: kill -INT {pid}",
            data.display()
        );
    }
    if pid_lives(pid) {
        fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// The folder of the newest server programs: where Debian puts them, otherwise where `pg_config` says.
pub(crate) fn programs() -> Result<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut candidates: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        candidates.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let versions = candidates.into_iter().filter_map(|programs| {
        let initdb = programs.join("initdb").exists();
        let version = version(&programs.join("postgres")).filter(|_| initdb)?;
        Some((version, programs))
    });
    match versions.max() {
        Some((version, programs)) if version >= VERSION_MIN => Ok(programs),
        Some((version, _)) => {
            bail!("Postgres {version} is installed; {VERSION_MIN} or newer is needed")
        }
        None => bail!("there is no Postgres server: apt-get install postgresql"),
    }
}

/// The major version that a server says it has.
fn version(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // «postgres (PostgreSQL) 15.18 (Debian …)», also «16beta1».
    let number = said.split(' ').nth(2)?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}
