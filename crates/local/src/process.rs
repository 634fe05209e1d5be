//! Starting, watching and stopping processes: in a session of their own, with their output in a log,
//! remembered by pid and start time so that a reused pid is never taken for ours.

mod spawn;
pub mod surroundings;
mod user;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::settings::Settings;

pub(crate) use user::User;

/// How much of a log is shown when a process fails.
const LOG_TAIL_BYTES: u64 = 2_000;
/// A log that has grown beyond this makes room for a new one at the next start; one old log is kept.
const LOG_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How often a condition is checked.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long a process is to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is stopped, whatever happens to the process that started it.
    UntilStopped,
    /// At most as long as the process that started it, even if that is killed.
    WithParent,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// The name of its log and of its place in the state folder.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, beside what it inherits.
    pub env: Vec<(String, String)>,
    /// The signal that asks it to stop.
    pub stop_signal: &'static str,
    /// Its working folder; the state folder by default.
    pub(crate) folder: Option<PathBuf>,
    /// Whether it sees none of the variables around it except those that every program needs.
    pub(crate) is_sheltered: bool,
    pub(crate) user: Option<User>,
}

impl ProcessSpec {
    /// A program with a name, to be run as this user and stopped with SIGTERM.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        ProcessSpec {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            stop_signal: "TERM",
            folder: None,
            is_sheltered: false,
            user: None,
        }
    }

    /// A server that is not ours, in a folder of its own: it may read files there.
    pub(crate) fn server(
        name: impl Into<String>,
        program: impl Into<PathBuf>,
        folder: impl Into<PathBuf>,
    ) -> Self {
        let folder = Some(folder.into());
        ProcessSpec { folder, is_sheltered: true, ..ProcessSpec::new(name, program) }
    }

    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to its environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

/// A process that was started, now or by an earlier run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    started_at: u64,
    /// Its name.
    pub name: String,
    stop_signal: String,
    log: PathBuf,
    /// Where in the log it began to write.
    #[serde(default)]
    log_from: u64,
    record: PathBuf,
}

impl Process {
    /// Starts a process and remembers it in the state folder.
    pub fn start(settings: &Settings, spec: &ProcessSpec, lifetime: Lifetime) -> Result<Self> {
        let (logs, run) = (settings.root.join("logs"), settings.root.join("run"));
        fs::create_dir_all(&logs)?;
        fs::create_dir_all(&run)?;
        let log = settings.log(&spec.name);
        if length(&log) > LOG_MAX_BYTES {
            fs::rename(&log, logs.join(format!("{}.old.log", spec.name)))?;
        }
        let log_from = length(&log);
        let output = File::options().create(true).append(true).open(&log)?;
        let mut process = Process {
            pid: 0,
            started_at: 0,
            name: spec.name.clone(),
            stop_signal: spec.stop_signal.to_owned(),
            log,
            log_from,
            record: run.join(format!("{}.json", spec.name)),
        };
        let record = serde_json::to_string(&process)?;
        let rest = record.strip_prefix(r#"{"pid":0,"started_at":0,"#).context("a record")?;
        let mut command = spawn::command(spec, lifetime, &process.record, rest);
        command.current_dir(spec.folder.as_ref().unwrap_or(&settings.root));
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        process.pid = spawn::spawn(command)
            .with_context(|| format!("cannot start {} ({})", spec.name, spec.program.display()))?;
        process.started_at = spawn::start_time(process.pid).unwrap_or_default();
        // The process itself writes the same, but a moment later, when somebody may already have looked.
        let unfinished = run.join(format!("{}.unfinished", spec.name));
        fs::write(&unfinished, serde_json::to_vec(&process)?)?;
        fs::rename(&unfinished, &process.record)?;
        Ok(process)
    }

    /// The process of that name that an earlier run left running.
    pub fn find(settings: &Settings, name: &str) -> Option<Self> {
        let record = settings.root.join("run").join(format!("{name}.json"));
        let process: Process = serde_json::from_slice(&fs::read(record).ok()?).ok()?;
        process.is_alive().then_some(process)
    }

    /// All processes that are remembered and alive.
    pub fn all(settings: &Settings) -> Vec<Self> {
        let Ok(records) = fs::read_dir(settings.root.join("run")) else { return Vec::new() };
        let names = records.flatten().filter_map(|entry| {
            entry.file_name().to_str()?.strip_suffix(".json").map(str::to_owned)
        });
        names.filter_map(|name| Process::find(settings, &name)).collect()
    }

    /// Whether it runs. A pid that now belongs to another process does not count, nor does a zombie.
    pub fn is_alive(&self) -> bool {
        spawn::start_time(self.pid) == Some(self.started_at)
    }

    /// Whether a signal has frozen it, as `kill -STOP` does.
    pub fn is_frozen(&self) -> bool {
        self.is_alive() && spawn::state(self.pid) == Some('T')
    }

    /// Sends a signal, by name: `TERM`, `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        if self.is_alive() {
            let sent = Command::new("kill")
                .args([format!("-{signal}"), self.pid.to_string()])
                .stderr(Stdio::null())
                .status()
                .context("cannot run kill: apt-get install procps")?;
            if !sent.success() && self.is_alive() {
                bail!("cannot signal {} (pid {}): not permitted", self.name, self.pid);
            }
        }
        Ok(())
    }

    /// Asks it to stop and waits; kills it when it takes longer than `patience`. A frozen one
    /// only notices when it goes on.
    pub async fn stop(&self, patience: Duration) -> Result<()> {
        self.signal(&self.stop_signal)?;
        self.thaw()?;
        if !until(patience, || !self.is_alive()).await {
            self.kill().await?;
        }
        fs::remove_file(&self.record).ok();
        Ok(())
    }

    /// Lets it go on, if it is frozen.
    pub fn thaw(&self) -> Result<()> {
        if self.is_frozen() { self.signal("CONT") } else { Ok(()) }
    }

    /// Kills it at once, as a power cut would.
    pub async fn kill(&self) -> Result<()> {
        self.signal("KILL")?;
        if !until(Duration::from_secs(10), || !self.is_alive()).await {
            bail!("{} (pid {}) does not die", self.name, self.pid);
        }
        Ok(())
    }

    /// What it has written so far; only the end of it if there is much.
    pub fn output(&self) -> String {
        written(&self.log, self.log_from, LOG_MAX_BYTES)
    }

    /// The end of what it wrote.
    pub fn log_tail(&self) -> String {
        written(&self.log, self.log_from, LOG_TAIL_BYTES)
    }

    /// Waits until `ready` says so. Fails with the end of the log when the process dies or takes longer
    /// than `patience`.
    pub async fn wait_ready(
        &self,
        patience: Duration,
        mut ready: impl AsyncFnMut() -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        loop {
            // Checked first: whatever answers after its death is another process.
            let (alive, name, log) = (self.is_alive(), &self.name, self.log.display());
            if !alive {
                bail!("{name} ended while starting; the end of {log}:\n{}", self.log_tail());
            }
            // A frozen server accepts the connection and says nothing.
            let left = patience.saturating_sub(started.elapsed());
            if timeout(left, ready()).await.unwrap_or(false) {
                return Ok(());
            }
            if started.elapsed() > patience {
                bail!(
                    "{name} was not ready within {} s; the end of {log}:\n{}",
                    patience.as_secs(),
                    self.log_tail()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Checks a condition until it holds, for at most `patience`.
pub(crate) async fn until(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !holds() {
        if started.elapsed() > patience {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}

/// Whether any process has this pid.
pub(crate) fn pid_lives(pid: u32) -> bool {
    spawn::start_time(pid).is_some()
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// What a log holds from a place on, at most this many bytes of its end.
fn written(log: &Path, from: u64, bytes_max: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let from = from.max(file.metadata()?.len().saturating_sub(bytes_max));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
