//! Single processes: programs of the shell in place of servers.

use std::time::Duration;

use local::{Lifetime, Process, ProcessSpec, Settings};
use serde_json::Value;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);

struct World {
    folder: TempDir,
    settings: Settings,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let settings = Settings::new(folder.path(), 7400).unwrap();
        World { folder, settings }
    }

    fn start(&self, script: &str) -> Process {
        let spec = ProcessSpec::new("thing", "sh").args(["-c", script]);
        Process::start(&self.settings, &spec, Lifetime::WithParent).unwrap()
    }

    fn find(&self) -> Option<Process> {
        Process::find(&self.settings, "thing")
    }
}

#[tokio::test]
async fn a_process_is_found_again_until_it_is_stopped() {
    let world = World::new();
    let process = world.start("echo ready; exec sleep 600");
    process.wait_ready(SOON, async || process.output().contains("ready")).await.unwrap();
    assert_eq!(world.find().unwrap().pid, process.pid);
    process.stop(SOON).await.unwrap();
    assert!(world.find().is_none());
    assert!(Process::all(&world.settings).is_empty());
    process.stop(SOON).await.unwrap();
}

#[tokio::test]
async fn a_process_is_known_also_when_whoever_starts_it_cannot_note_it_any_more() {
    let world = World::new();
    // As far as a start gets that is killed right after the process has begun.
    std::fs::create_dir_all(world.folder.path().join("run/thing.unfinished")).unwrap();
    let spec = ProcessSpec::new("thing", "sh").args(["-c", "exec sleep 600"]);
    Process::start(&world.settings, &spec, Lifetime::UntilStopped).unwrap_err();

    let started = std::time::Instant::now();
    while world.find().is_none() {
        assert!(started.elapsed() < SOON, "nobody knows of it");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.find().unwrap().stop(SOON).await.unwrap();
    assert!(Process::all(&world.settings).is_empty());
}

#[tokio::test]
async fn a_frozen_process_is_stopped_in_good_order() {
    let world = World::new();
    let process =
        world.start("trap 'echo goodbye; exit' TERM; echo ready; while :; do sleep 0.05; done");
    process.wait_ready(SOON, async || process.output().contains("ready")).await.unwrap();
    process.signal("STOP").unwrap();
    let started = std::time::Instant::now();
    while !process.is_frozen() && started.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.stop(Duration::from_secs(600)).await.unwrap();
    assert!(process.output().contains("goodbye"), "{}", process.output());
}

#[tokio::test]
async fn a_process_that_will_not_stop_is_killed() {
    let world = World::new();
    let process = world.start("trap '' TERM; echo deaf; while :; do sleep 600; done");
    process.wait_ready(SOON, async || process.output().contains("deaf")).await.unwrap();
    process.stop(Duration::from_millis(300)).await.unwrap();
    assert!(!process.is_alive());
}

#[tokio::test]
async fn a_process_that_ends_while_starting_is_quoted() {
    let world = World::new();
    world.start("echo words of an earlier run; exit 1");
    let deadline = std::time::Instant::now() + SOON;
    while world.find().is_some() && std::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let process = world.start("echo no such luck >&2; exit 1");
    let error = process.wait_ready(SOON, async || false).await.unwrap_err().to_string();
    assert!(error.contains("thing ended while starting"), "{error}");
    assert!(error.contains("no such luck"), "{error}");
    assert!(!error.contains("earlier run"), "{error}");
}

#[tokio::test]
async fn a_process_that_is_never_ready_is_quoted_too() {
    let world = World::new();
    let process = world.start("echo still thinking; exec sleep 600");
    process.wait_ready(SOON, async || process.output().contains("still")).await.unwrap();
    let error = process.wait_ready(Duration::from_millis(100), async || false).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("was not ready within") && said.contains("still thinking"), "{said}");
    process.kill().await.unwrap();
}

#[tokio::test]
async fn a_pid_that_another_process_has_by_now_is_left_alone() {
    let world = World::new();
    let process = world.start("exec sleep 600");
    let record = world.folder.path().join("run/thing.json");
    let mut text: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let started_at = text["started_at"].as_u64().unwrap();
    text["started_at"] = (started_at - 1).into();
    std::fs::write(&record, text.to_string()).unwrap();

    assert!(world.find().is_none());
    let stranger: Process = serde_json::from_value(text).unwrap();
    stranger.kill().await.unwrap();
    assert!(process.is_alive(), "the signal went to a process that is not ours");
    process.kill().await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let world = World::new();
    let spec = ProcessSpec::new("thing", world.folder.path().join("no-such-program"));
    let process = Process::start(&world.settings, &spec, Lifetime::UntilStopped).unwrap();
    let error = process.wait_ready(SOON, async || false).await.unwrap_err().to_string();
    assert!(error.contains("no-such-program"), "{error}");
}

#[tokio::test]
async fn a_log_that_has_grown_large_makes_room() {
    let world = World::new();
    std::fs::create_dir_all(world.folder.path().join("logs")).unwrap();
    let log = world.settings.log("thing");
    let old = std::fs::File::create(&log).unwrap();
    old.set_len(17 * 1024 * 1024).unwrap();

    let process = world.start("echo fresh; exec sleep 600");
    process.wait_ready(SOON, async || process.output() == "fresh\n").await.unwrap();
    assert_eq!(log.metadata().unwrap().len(), 6);
    assert!(world.folder.path().join("logs/thing.old.log").exists());
    process.kill().await.unwrap();
}
