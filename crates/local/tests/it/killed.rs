//! The supervisor is killed: its servers die too, and the folder is good for the next.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use local::testing::processes_of;
use local::{Environment, Lifetime, Process, Settings};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(90);

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "waited for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Servers around a command that touches a file when they are ready, and ends with its input.
fn with_servers(folder: &TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_with-servers"))
        .arg(folder.path())
        .args(["sh", "-c", "touch \"$0\"; cat"])
        .arg(folder.path().join("ready"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_killed_supervisor_leaves_no_process_behind_and_the_next_one_starts() {
    let folder = TempDir::new().unwrap();
    let mut first = with_servers(&folder);
    let ready = folder.path().join("ready");
    wait_until("servers", || ready.exists()).await;
    let base = std::fs::read_to_string(folder.path().join("base-port")).unwrap();
    let settings = Settings::new(folder.path(), base.trim().parse().unwrap()).unwrap();
    let servers = Process::all(&settings);
    assert_eq!(servers.len(), 7, "{servers:?}");

    first.kill().unwrap();
    first.wait().unwrap();
    drop(first.stdin.take());
    wait_until("the death of all servers", || servers.iter().all(|server| !server.is_alive()))
        .await;
    wait_until("nothing to be left", || processes_of(folder.path()).is_empty()).await;

    std::fs::remove_file(&ready).unwrap();
    let mut second = with_servers(&folder);
    wait_until("servers again", || ready.exists()).await;
    drop(second.stdin.take());
    assert!(second.wait().unwrap().success());
    assert!(processes_of(folder.path()).is_empty());
    let stopped = Environment::new(settings, Lifetime::WithParent).status();
    assert!(stopped.iter().all(|server| server.pid.is_none()), "{stopped:?}");
}
