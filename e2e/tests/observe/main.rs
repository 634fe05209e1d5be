//! What can be seen of a running fleet: a real Prometheus that reads its metrics and judges our alerts, and a real
//! collector that its traces arrive at. A program of its own, as its tests stop services and freeze servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod prometheus;
mod collector;
mod metrics;
mod alerts;
mod traces;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of everything.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where `./x` has put a program that is not ours.
fn installed(what: &str) -> PathBuf {
    let found = Command::new(root().join("x")).arg(what).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(found.status.success(), "./x {what}: {}", text(&found.stderr));
    text(&found.stdout).into()
}
