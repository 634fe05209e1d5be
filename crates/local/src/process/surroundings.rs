//! Which of the variables around a command reach the programs that it starts. A shell is full of settings for other
//! programs: an option for every Java, the TLS mode of somebody else's Postgres.

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// All that a server needs to know about the machine; everything else is in its own files.
const NEEDED: [&str; 7] = ["PATH", "HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "LD_LIBRARY_PATH"];

/// What Postgres clients read by themselves, ours too, even when they are given a whole address.
const OF_OTHER_DATABASES: [&str; 13] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGDATABASE",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGAPPNAME",
    "PGOPTIONS",
];

/// What every Java reads, whoever starts it.
const OF_OTHER_JAVAS: [&str; 4] =
    ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"];

/// The variables around this process that would change what the clients in it do. A process cannot get
/// rid of its own; it can only start again without them.
pub fn misleading() -> Vec<&'static str> {
    OF_OTHER_DATABASES.into_iter().filter(|name| std::env::var_os(name).is_some()).collect()
}

/// The value of a variable; one that is empty counts as not set.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Leaves a server only what it needs. File names are UTF-8 to it, whatever the shell's language:
/// Java would not find a folder whose name it cannot encode.
pub(crate) fn shelter(command: &mut Command) {
    command.env_clear().env("LC_ALL", "C.UTF-8");
    for name in NEEDED {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// Keeps other programs' settings from a program of ours, which may need any others.
pub(crate) fn clear(command: &mut Command) {
    for name in OF_OTHER_DATABASES.iter().chain(&OF_OTHER_JAVAS) {
        command.env_remove(name);
    }
}

/// The exit code of an errand whose program does not exist.
pub(crate) const NO_PROGRAM: i32 = 127;

/// A command that is waited for, and ends with this process even if that is killed: nobody would know of
/// it afterwards.
pub fn errand(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    clear(&mut command);
    command
}
