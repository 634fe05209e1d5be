//! `flotilla new service`: what it writes is compiled and passes its own tests, against the crates of this build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::cli::{command, finish};

/// What a new service changes, without the workspace's manifest.
const EDITED: [&str; 4] =
    ["deny.toml", "crates/roster/src/lib.rs", "e2e/src/members.rs", "e2e/Cargo.toml"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A workspace that has nothing but what is written into it, and takes all else from the real one: of a whole copy,
/// every crate of ours would have to be compiled anew. Those of others are found as they were compiled for the real
/// one, since something here asks for the same features of them.
fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let real = root();
    // With the settings of the allocator's build: otherwise it would be built anew, and again for the next build of
    // all.
    for file in
        EDITED.into_iter().chain(["Cargo.lock", "crates/chassis/Cargo.toml", ".cargo/config.toml"])
    {
        let copy = folder.path().join(file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(real.join(file), copy).unwrap();
    }
    let manifest = fs::read_to_string(real.join("Cargo.toml")).unwrap();
    let manifest = manifest
        .replace("path = \"", &format!("path = \"{}/", real.display()))
        .replace(
            "members = [\"crates/*\", \"services/*\", \"examples/*\", \"e2e\", \"bench\"]",
            "members = [\"services/*\", \"alike/*\"]",
        )
        .replace("exclude = [\"examples/clients\"]", "exclude = [\"crates\", \"e2e\"]");
    let is_ours = manifest.contains("alike") && manifest.contains("e2e\"]");
    assert!(is_ours, "the members of the workspace are others now");
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    for parent in ["crates", "services", "examples", "."] {
        for entry in fs::read_dir(real.join(parent)).unwrap() {
            let path = entry.unwrap().path();
            let Ok(manifest) = fs::read_to_string(path.join("Cargo.toml")) else { continue };
            let name = path.file_name().unwrap().to_str().unwrap();
            let alike = folder.path().join("alike").join(name);
            fs::create_dir_all(alike.join("src")).unwrap();
            fs::write(alike.join("src/lib.rs"), "//! Nothing.\n").unwrap();
            fs::write(alike.join("Cargo.toml"), asks_for_the_same(name, &manifest)).unwrap();
        }
    }
    folder
}

/// The manifest of an empty crate that depends on what another one depends on, apart from our own crates.
fn asks_for_the_same(name: &str, manifest: &str) -> String {
    let mut same = format!("[package]\nname = \"like-{name}\"\nedition = \"2024\"\n");
    let mut is_of_dependencies = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_of_dependencies = line.ends_with("dependencies]");
        }
        let dependency = line.split(['.', ' ']).next().unwrap_or_default();
        let is_ours = ["crates", "services", "examples", "."]
            .iter()
            .any(|parent| root().join(parent).join(dependency).join("Cargo.toml").is_file());
        if is_of_dependencies && (dependency.is_empty() || !is_ours) {
            same += &line.replace(", optional = true", "");
            same.push('\n');
        }
    }
    same
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
    let edited = || {
        let files = EDITED.iter().chain(&["Cargo.toml"]);
        let texts = files.map(|file| fs::read_to_string(folder.path().join(file)).unwrap());
        texts.collect::<Vec<_>>()
    };
    let before = edited();
    let speaks = "new service unheardof --hears order.events,payment.events --publishes --yes";
    flotilla(folder.path(), speaks).await;
    flotilla(folder.path(), "new service listener --hears inventory.events --yes").await;

    // Where the programs of this build are, so that nothing is compiled twice.
    let target = Path::new(env!("CARGO_BIN_EXE_flotilla")).ancestors().nth(2).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["test", "--workspace", "--offline", "--lib", "--test", "it"])
        .current_dir(folder.path());
    cargo.env("CARGO_TARGET_DIR", target);
    let said = finish(cargo).await;
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(!said.stderr.contains("warning:"), "{}", said.stderr);
    assert_eq!(said.stdout.matches("2 passed").count(), 2, "{}", said.stdout);
    assert_eq!(said.stdout.matches("1 passed").count(), 2, "{}", said.stdout);

    flotilla(folder.path(), "new service unheardof --undo --yes").await;
    flotilla(folder.path(), "new service listener --undo --yes").await;
    assert!(fs::read_dir(folder.path().join("services")).unwrap().next().is_none());
    assert_eq!(edited(), before);
}
