//! `./x cluster` is too slow to run after every change, so what it needs of the rest is checked here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_change_that_makes_the_next_version_applies_to_this_one() {
    let mut git = Command::new("git");
    let check = git.args(["apply", "--check", "e2e/cluster/next.patch"]).current_dir(root());
    let checked = check.output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn every_section_of_the_guide_with_commands_is_followed() {
    let guide = fs::read_to_string(root().join("docs/platform-guide.md")).unwrap();
    let followed = fs::read_to_string(root().join("e2e/src/bin/cluster/guide.rs")).unwrap();
    let mut sections = 0;
    for section in guide.split("\n## ").skip(1).filter(|section| section.contains("```sh\n")) {
        let name = section.lines().next().unwrap();
        assert!(followed.contains(&format!("follow(&run.node, \"{name}\")")), "{name}");
        sections += 1;
    }
    assert!(sections > 5, "{sections}");
}
