//! `flotilla new service`: what it writes is compiled and passes its own tests, against the crates of this build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::cli::{command, finish};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A workspace that has nothing but what is written into it, and takes all else from the real one. Of a whole copy,
/// every crate would have to be compiled anew in each run; these are found where the run before has left them.
fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let real = root();
    // With what cargo is told of the allocator: it would be built anew, and again for the next build of all.
    for file in ["Cargo.lock", "deny.toml", "crates/chassis/Cargo.toml", ".cargo/config.toml"] {
        let copy = folder.path().join(file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(real.join(file), copy).unwrap();
    }
    let manifest = fs::read_to_string(real.join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("path = \"", &format!("path = \"{}/", real.display())).replace(
        "members = [\"crates/*\", \"services/*\", \"examples/*\", \"e2e\", \"bench\"]",
        "members = [\"services/*\"]\nexclude = [\"crates/chassis\"]",
    );
    assert!(manifest.contains("exclude"), "the members of the workspace are others now");
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    folder
}

async fn flotilla(folder: &Path, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = command(&folder.join("state"), &words);
    command.current_dir(folder);
    let said = finish(command).await;
    assert_eq!(said.code, 0, "flotilla {line}: {}{}", said.stdout, said.stderr);
}

#[tokio::test]
async fn a_service_that_is_written_passes_its_own_tests_and_leaves_no_trace_when_taken_away() {
    let folder = workspace();
    let edited = || fs::read_to_string(folder.path().join("deny.toml")).unwrap();
    let before = edited();
    let speaks = "new service ledger --hears order.events,payment.events --publishes --yes";
    flotilla(folder.path(), speaks).await;
    flotilla(folder.path(), "new service listener --hears inventory.events --yes").await;

    // Where the programs of this build are, so that nothing is compiled twice.
    let target = Path::new(env!("CARGO_BIN_EXE_flotilla")).ancestors().nth(2).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--workspace", "--offline"]).current_dir(folder.path());
    cargo.env("CARGO_TARGET_DIR", target);
    let said = finish(cargo).await;
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(!said.stderr.contains("warning:"), "{}", said.stderr);
    assert_eq!(said.stdout.matches("2 passed").count(), 2, "{}", said.stdout);
    assert_eq!(said.stdout.matches("1 passed").count(), 2, "{}", said.stdout);

    flotilla(folder.path(), "new service ledger --undo --yes").await;
    flotilla(folder.path(), "new service listener --undo --yes").await;
    assert!(fs::read_dir(folder.path().join("services")).unwrap().next().is_none());
    assert_eq!(edited(), before);
}
