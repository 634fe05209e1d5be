//! A consumer as a process: started, read line by line, told to stop or killed.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::servers::Servers;
use super::{Consumer, Printed};

/// How long a consumer may take until its first line: runtimes start, and a group waits for a member that was killed
/// until its session is over, 45 s with most clients.
const FIRST_LINE: Duration = Duration::from_secs(120);
/// How long it may take to stop once it was told to.
const STOP: Duration = Duration::from_secs(30);
/// How long the next line of a process that has ended may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// What stands for the name of the group in an argument.
const GROUP: &str = "{group}";

/// Lets it read until it prints nothing any more.
pub(super) fn to_the_end(servers: &Servers, consumer: &Consumer, group: &str) -> Result<Printed> {
    let mut process = Process::start(servers, consumer, group)?;
    let mut printed = Printed::default();
    let mut patience = FIRST_LINE.max(consumer.idle);
    loop {
        match process.lines.recv_timeout(patience) {
            Ok(line) => printed.lines.push(line),
            Err(RecvTimeoutError::Timeout) => {
                process.signal("TERM")?;
                process.is_over_within(STOP)?;
                break;
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = process.is_over_within(STOP)?;
                printed.ended = (!status.success()).then(|| status.to_string());
                break;
            }
        }
        patience = consumer.idle;
    }
    // What it printed while it stopped.
    printed.lines.extend(process.rest());
    Ok(printed)
}

/// Kills it once it has printed so many lines.
pub(super) fn until_killed(
    servers: &Servers,
    consumer: &Consumer,
    group: &str,
    lines: usize,
) -> Result<Printed> {
    let mut process = Process::start(servers, consumer, group)?;
    let mut printed = Printed::default();
    while printed.lines.len() < lines {
        match process.lines.recv_timeout(FIRST_LINE.max(consumer.idle)) {
            Ok(line) => printed.lines.push(line),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    process.signal("KILL")?;
    process.child.wait()?;
    // What it printed before that it has handled, and nobody prints it again.
    printed.lines.extend(process.rest());
    Ok(printed)
}

struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(servers: &Servers, consumer: &Consumer, group: &str) -> Result<Self> {
        let words: Vec<String> =
            consumer.command.iter().map(|word| word.replace(GROUP, group)).collect();
        let [program, arguments @ ..] = &words[..] else {
            bail!("no command was given: say it behind --");
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env("FLOTILLA_KAFKA_BROKERS", &servers.brokers)
            .env("FLOTILLA_REGISTRY_URL", &servers.registry)
            .env("FLOTILLA_GROUP", group)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // What it starts in turn ends with it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{program} cannot be started: is it there?"))?;
        let output = child.stdout.take().context("it has no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            // What a killed process did not print to the end of its line is no line.
            while output.read_line(&mut line).is_ok_and(|_| line.ends_with('\n')) {
                let whole = std::mem::take(&mut line);
                let whole = whole.trim_end_matches(['\r', '\n']);
                if !whole.is_empty() && sender.send(whole.to_owned()).is_err() {
                    break;
                }
            }
        });
        Ok(Process { child, lines })
    }

    /// What it printed before it ended and nobody has taken yet. A process that it left behind may keep its output
    /// open, so there is an end to waiting.
    fn rest(&self) -> Vec<String> {
        std::iter::from_fn(|| self.lines.recv_timeout(LAST_WORDS).ok()).collect()
    }

    /// To all processes of its group.
    fn signal(&self, signal: &str) -> Result<()> {
        let group = format!("-{}", self.child.id());
        let sent = Command::new("kill").args(["-s", signal, "--", &group]).status();
        // It may have ended meanwhile, which is as good.
        sent.map(|_| ()).context("kill cannot be started: install procps")
    }

    fn is_over_within(&mut self, patience: Duration) -> Result<ExitStatus> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if waited >= patience {
                self.signal("KILL")?;
                self.child.wait()?;
                bail!("the consumer did not end within {} s", patience.as_secs());
            }
            thread::sleep(LOOK);
            waited += LOOK;
        }
    }
}

/// Nothing of a consumer outlives the run, however that ends.
impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _gone = self.signal("KILL");
            let _gone = self.child.wait();
        }
    }
}
