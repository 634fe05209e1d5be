//! How a process comes into the world without a line of unsafe code: `setsid` and `setpriv` do what needs
//! doing between fork and exec. Both replace themselves by the program, so the pid stays.

use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::sync::{LazyLock, Mutex};
use std::thread;

use super::{Lifetime, ProcessSpec};

/// The command line of a process. Its own session keeps a terminal's ctrl-C away from it.
pub(super) fn command(spec: &ProcessSpec, lifetime: Lifetime) -> Command {
    let mut changes: Vec<String> = spec.user.iter().flat_map(|user| user.changes()).collect();
    if lifetime == Lifetime::WithParent {
        changes.extend(["--pdeathsig", "KILL"].map(str::to_owned));
    }
    let mut command = Command::new("setsid");
    if !changes.is_empty() {
        command.arg("setpriv").args(changes).arg("--");
    }
    command.arg(&spec.program).args(&spec.args);
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    command
}

/// Starts a command and answers its pid. The kernel ties "dies with its parent" to the *thread* that
/// started a process, so all are started by one thread that never ends. Each gets a thread that waits for
/// its end, so that none stays a zombie.
pub(super) fn spawn(command: Command) -> std::io::Result<u32> {
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

/// When a process started, in ticks since boot; `None` when it is gone. A zombie is gone (where nobody
/// collects orphans it stays for ever), unless threads of it are left, which hold its ports and files.
pub(super) fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let rest = stat.rsplit_once(") ")?.1;
    let mut fields = rest.split(' ');
    if fields.next()? == "Z" {
        fs::read_dir(format!("/proc/{pid}/task")).ok()?.nth(1)?.ok()?;
    }
    fields.nth(18)?.parse().ok()
}
