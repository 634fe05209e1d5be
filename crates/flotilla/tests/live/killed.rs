//! A start that is killed in the middle.

use std::path::Path;
use std::process::{Command, Stdio};

use local::Process;
use local::testing::processes_of;

use crate::program::{Fleet, wait_for};

#[test]
fn a_start_that_is_killed_leaves_no_process_that_status_and_down_do_not_know() {
    let fleet = Fleet::new();
    let root = fleet.root();
    let base = fleet.settings.ports.base().to_string();
    // The first process prepares a database; among later ones are servers that are to go on.
    for processes in [1, 3, 6, 8] {
        let mut up = fleet.command();
        up.args(["local", "up"]).env("FLOTILLA_BASE_PORT", &base);
        let mut up = up.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for("processes", || (processes_of(root).len() >= processes).then_some(()));
        freeze_errands(root);
        up.kill().unwrap();
        up.wait().unwrap();
        wait_for("unknown processes to end", || {
            let known: Vec<u32> = Process::all(&fleet.settings).iter().map(|p| p.pid).collect();
            processes_of(root).iter().all(|pid| known.contains(pid)).then_some(())
        });
        fleet.ok("local down");
        wait_for("all processes to end", || processes_of(root).is_empty().then_some(()));
    }
    fleet.ok("local up");
    fleet.ok("local status");
}

/// What prepares a folder would end by itself soon, and hide that nobody knows of it.
fn freeze_errands(folder: &Path) {
    for pid in processes_of(folder) {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        if words.next().is_some_and(|program| program.ends_with(b"/initdb")) {
            // It may have ended meanwhile.
            Command::new("kill").args(["-STOP", &pid.to_string()]).output().unwrap();
        }
    }
}
