//! Starting, watching and stopping processes: in a session of their own, with their output in a log,
//! remembered by pid and start time so that a reused pid is never taken for ours.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// How much of a log is shown when a process fails.
const LOG_TAIL_BYTES: u64 = 2_000;
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long a process is to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is stopped, whatever becomes of the process that started it.
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
    /// The user to run as, where this process is root.
    pub user: Option<String>,
    /// The signal that asks it to stop.
    pub stop_signal: &'static str,
}

impl ProcessSpec {
    /// A program with a name, to be run as this user and stopped with SIGTERM.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        ProcessSpec {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            user: None,
            stop_signal: "TERM",
        }
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
    /// Its name.
    pub name: String,
    /// Its pid.
    pub pid: u32,
    started_at: u64,
    stop_signal: String,
    log: PathBuf,
    record: PathBuf,
}

impl Process {
    /// Starts a process and remembers it in the state folder.
    pub fn start(settings: &Settings, spec: &ProcessSpec, lifetime: Lifetime) -> Result<Self> {
        let (logs, run) = (settings.root.join("logs"), settings.root.join("run"));
        fs::create_dir_all(&logs)?;
        fs::create_dir_all(&run)?;
        let log = settings.log(&spec.name);
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = command(spec, lifetime);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let pid = spawn(command)
            .with_context(|| format!("cannot start {} ({})", spec.name, spec.program.display()))?;
        let process = Process {
            name: spec.name.clone(),
            pid,
            started_at: start_time(pid).unwrap_or_default(),
            stop_signal: spec.stop_signal.to_owned(),
            log,
            record: run.join(format!("{}.json", spec.name)),
        };
        fs::write(&process.record, serde_json::to_vec(&process)?)?;
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

    /// Whether it runs. A pid that another process has by now does not count, nor does a zombie.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.started_at)
    }

    /// Sends a signal, by name: `TERM`, `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        if self.is_alive() {
            let sent = Command::new("kill")
                .args([format!("-{signal}"), self.pid.to_string()])
                .stderr(Stdio::null())
                .status()?;
            if !sent.success() && self.is_alive() {
                bail!("cannot signal {} (pid {}): not permitted", self.name, self.pid);
            }
        }
        Ok(())
    }

    /// Asks it to stop and waits; kills it when it takes longer than `patience`.
    pub async fn stop(&self, patience: Duration) -> Result<()> {
        self.signal(&self.stop_signal)?;
        if !until(patience, || !self.is_alive()).await {
            self.kill().await?;
        }
        fs::remove_file(&self.record).ok();
        Ok(())
    }

    /// Kills it at once, as a power cut would.
    pub async fn kill(&self) -> Result<()> {
        self.signal("KILL")?;
        if !until(Duration::from_secs(10), || !self.is_alive()).await {
            bail!("{} (pid {}) does not die", self.name, self.pid);
        }
        Ok(())
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        log_tail(&self.log).unwrap_or_default()
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
            if ready().await {
                return Ok(());
            }
            let (name, log) = (&self.name, self.log.display());
            if !self.is_alive() {
                bail!("{name} ended while starting; the end of {log}:\n{}", self.log_tail());
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

/// Looks at a condition until it holds, for at most `patience`.
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

fn log_tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// A session of its own keeps a terminal's ctrl-C away from it. `setsid` and `setpriv` replace
/// themselves by the program, so the pid stays.
fn command(spec: &ProcessSpec, lifetime: Lifetime) -> Command {
    let mut command = Command::new("setsid");
    command.arg("setpriv");
    if lifetime == Lifetime::WithParent {
        command.args(["--pdeathsig", "KILL"]);
    }
    match &spec.user {
        // May pass through folders that only root may enter: a checkout in root's home should work.
        Some(user) if is_root() => {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
            command.args(["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]);
        }
        Some(_) | None if lifetime == Lifetime::UntilStopped => {
            // setpriv wants something to do.
            command.args(["--inh-caps", "-all"]);
        }
        Some(_) | None => {}
    }
    command.arg("--").arg(&spec.program).args(&spec.args);
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    command
}

/// The kernel ties "dies with its parent" to the *thread* that started a process. All are started by
/// one thread that never ends, and that collects those that end so that none stays a zombie.
fn spawn(command: Command) -> std::io::Result<u32> {
    type Request = (Command, mpsc::Sender<std::io::Result<u32>>);
    static SPAWNER: LazyLock<Mutex<mpsc::Sender<Request>>> = LazyLock::new(|| {
        let (requests, inbox) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                let spawned = command.spawn().map(|mut child| {
                    let pid = child.id();
                    thread::spawn(move || child.wait());
                    pid
                });
                // Whoever asked may have given up.
                let _gone = answer.send(spawned);
            }
        });
        Mutex::new(requests)
    });
    let (answer, answered) = mpsc::channel();
    let requests = SPAWNER.lock().expect("no panic under this lock").clone();
    requests.send((command, answer)).expect("the spawner never ends");
    answered.recv().expect("the spawner answers every request")
}

/// When a process started, in ticks since boot; `None` when it is gone or a zombie.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let rest = stat.rsplit_once(") ")?.1;
    let mut fields = rest.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
