//! How a process is started without a line of unsafe code: `setsid`, a shell and `setpriv` do
//! what needs doing between fork and exec. Each replaces itself with the next one, so the pid stays.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::sync::{LazyLock, Mutex};
use std::thread;

use super::{Lifetime, ProcessSpec, surroundings};

/// The process itself records who it is, before it becomes what it is to be: the one that started it may
/// be killed at any moment, and a server that nobody knows of could not be stopped. The record is complete
/// or does not exist. Its arguments are the path of the record, its end, and the program with its arguments.
const BIRTH: &str = r#"
record=$0 rest=$1
shift
read -r stat <"/proc/$$/stat" || exit 1
started=$(set -f; set -- ${stat##*) }; echo "${20}")
printf '{"pid":%s,"started_at":%s,%s' "$$" "$started" "$rest" >"$record.born" || exit 1
mv "$record.born" "$record" || exit 1
exec "$@"
"#;

/// The command line of a process. Its own session keeps a terminal's ctrl-C away from it.
pub(super) fn command(
    spec: &ProcessSpec,
    lifetime: Lifetime,
    record: &Path,
    rest: &str,
) -> Command {
    let mut changes: Vec<String> = spec.user.iter().flat_map(|user| user.changes()).collect();
    if lifetime == Lifetime::WithParent {
        changes.extend(["--pdeathsig", "KILL"].map(str::to_owned));
    }
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", BIRTH]).arg(record).arg(rest);
    if !changes.is_empty() {
        command.arg("setpriv").args(changes).arg("--");
    }
    command.arg(&spec.program).args(&spec.args);
    if spec.is_sheltered {
        surroundings::shelter(&mut command);
    } else {
        surroundings::clear(&mut command);
    }
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    command
}

/// Starts a command and returns its pid. The kernel ties "dies with its parent" to the *thread* that
/// started a process, so all are started by one thread that never ends. Each gets its own thread that waits for
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
                // The one who asked may have given up.
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
/// collects orphans it stays forever), unless threads of it are left, which hold its ports and files.
pub(super) fn start_time(pid: u32) -> Option<u64> {
    let stat = stat(pid)?;
    if stat.starts_with('Z') {
        fs::read_dir(format!("/proc/{pid}/task")).ok()?.nth(1)?.ok()?;
    }
    stat.split(' ').nth(19)?.parse().ok()
}

/// The letter of a process's present state.
pub(super) fn state(pid: u32) -> Option<char> {
    stat(pid)?.chars().next()
}

/// What the kernel says about a process, after its name: that is in parentheses and may contain anything.
fn stat(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}
