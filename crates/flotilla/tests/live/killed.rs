//! A start that is killed in the middle.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use local::Process;

use crate::program::Fleet;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_start_that_is_killed_leaves_no_process_that_status_and_down_do_not_know() {
    let fleet = Fleet::new();
    let root = fleet.root().to_str().unwrap();
    let base = fleet.settings.ports.base().to_string();
    // The first process prepares a database; among later ones are servers that are to go on.
    for processes in [1, 3, 6, 8] {
        let mut up = fleet.command();
        up.args(["local", "up"]).env("FLOTILLA_BASE_PORT", &base);
        let mut up = up.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("processes", || mentioning(root).len() >= processes);
        freeze_errands(root);
        up.kill().unwrap();
        up.wait().unwrap();
        wait_until("unknown processes to end", || {
            let known: Vec<u32> = Process::all(&fleet.settings).iter().map(|p| p.pid).collect();
            mentioning(root).iter().all(|pid| known.contains(pid))
        });
        fleet.ok("local down");
        wait_until("all processes to end", || mentioning(root).is_empty());
    }
    fleet.ok("local up");
    fleet.ok("local status");
}

/// What prepares a folder would end by itself soon, and hide that nobody knows of it.
fn freeze_errands(folder: &str) {
    for pid in mentioning(folder) {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        if words.next().is_some_and(|program| program.ends_with(b"/initdb")) {
            // It may have ended meanwhile.
            Command::new("kill").args(["-STOP", &pid.to_string()]).output().unwrap();
        }
    }
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Every process of the machine whose command line mentions the folder.
fn mentioning(folder: &str) -> Vec<u32> {
    let mentions = |pid: &u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(folder)
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(mentions).collect()
}
