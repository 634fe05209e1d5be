//! `./x`, in folders that look like a clone: one where nothing is built yet, one where everything is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::program::{Fleet, Said, clean, programs, said};

/// A clone of which only the script matters. In place of a build it notes that one was asked for.
pub(crate) struct Clone {
    pub(crate) folder: PathBuf,
}

impl Clone {
    /// With nothing built.
    fn fresh(folder: &Path) -> Self {
        let folder = folder.join("clone");
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::create_dir_all(folder.join("e2e")).unwrap();
        for file in ["x", "e2e/tools.sh"] {
            fs::copy(root().join(file), folder.join(file)).unwrap();
        }
        let cargo = folder.join("bin/cargo");
        fs::write(&cargo, "#!/bin/sh\necho \"$@\" >>\"$0.asked\"\n").unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        Clone { folder }
    }

    /// With the programs of this build.
    pub(crate) fn built(fleet: &Fleet) -> Self {
        let clone = Clone::fresh(fleet.root());
        let target = clone.folder.join("target");
        fs::create_dir_all(&target).unwrap();
        for profile in ["demo", "release"].map(|profile| target.join(profile)) {
            if !profile.exists() {
                symlink(programs(), profile).unwrap();
            }
        }
        clone
    }

    /// A command in the clone.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = clean(Command::new("sh"));
        command.args(["-c", &format!("exec {line}")]).current_dir(&self.folder);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.folder.join("bin").display()));
        // Its programs are looked for in the clone, whatever the caller of the tests has set.
        command.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET_DIR");
        command
    }

    /// What cargo was asked for, a line each time.
    fn asked(&self) -> String {
        fs::read_to_string(self.folder.join("bin/cargo.asked")).unwrap_or_default()
    }

    /// Whether a build was asked for.
    fn has_built(&self) -> bool {
        self.asked().lines().any(|line| line.starts_with("build"))
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

impl Fleet {
    /// Runs the script on this fleet, in a clone where everything is built.
    pub(crate) fn x(&self, line: &str) -> Said {
        let mut command = Clone::built(self).command(&format!("./x {line}"));
        said(line, command.env("FLOTILLA_STATE", self.root()))
    }
}

/// Everything but `demo` and `down`, which have their place in the fleet's life.
pub(crate) fn looks_at_a_fleet(fleet: &Fleet) {
    fleet.x("help").with_code(0).says("./x demo");
    fleet.x("doctor").with_code(0).says("Postgres server");
    fleet.x("status").with_code(0).says("kafka");
    fleet.x("logs kafka").with_code(0).says("Kafka Server started");
    fleet.x("logs --help").with_code(0).says("--follow");
    fleet.x("flotilla order list --customer demo").with_code(0).says("returned");
    fleet.x("flotilla --help").with_code(0).says("stock");
    fleet.x("bench --help").with_code(0).says("SCENARIO");
    fleet.x("test --help").with_code(0).says("everything that continuous integration checks");
    fleet.x("test order").with_code(1).complains("test takes no arguments");
    fleet.x("fly").with_code(1).complains("there is no command fly");
    assert!(!Clone::built(fleet).has_built(), "something was built to look at a fleet");
}

#[test]
fn a_fresh_clone_tells_what_it_can_do_and_what_is_missing_without_building() {
    let folder = TempDir::new().unwrap();
    let clone = Clone::fresh(folder.path());
    let run = |line: &str, code: i32| {
        let mut command = clone.command(line);
        command.env_remove("HOME").env("CARGO_BUILD_TARGET_DIR", "elsewhere");
        said(line, &mut command).with_code(code)
    };
    for line in ["./x", "./x --help", "./x up --help", "./x logs -h", "./x bench --help"] {
        run(line, 0).says("./x demo");
    }
    run("./x doctor", 0).says("cargo").says("nothing is built yet");
    run("./x flotilla order list", 1).complains("nothing is built yet; ./x up does it, about");
    run("./x status", 1).complains("there is no fleet in .flotilla");
    run("./x down", 0).complains("there is no fleet in .flotilla");
    assert!(!clone.has_built());

    // With few programs on the path, those that are missing are named.
    for tool in ["sh", "bash", "dirname", "id", "cut", "getent", "ls", "sed", "head", "tr", "cat"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(tool))
            .find(|program| program.exists());
        symlink(found.unwrap(), clone.folder.join("bin").join(tool)).unwrap();
    }
    let mut few = clone.command("./x doctor");
    few.env("PATH", clone.folder.join("bin"));
    let few = said("./x doctor", &mut few).with_code(1);
    few.says("maven: missing").says("apt-get install maven").says("cmake: missing");
    assert!(!clone.has_built());
}

#[test]
fn services_on_request_are_built_when_they_are_asked_for_and_when_they_were_the_last_time() {
    let folder = TempDir::new().unwrap();
    let clone = Clone::fresh(folder.path());
    fs::create_dir_all(clone.folder.join("examples/loyalty")).unwrap();
    let packages_of = |line: &str, with: &str| {
        let mut command = clone.command(line);
        command.env("FLOTILLA_WITH", with);
        // Nothing is built by the cargo of this clone, so there is no program to go on with.
        said(line, &mut command).with_code(127);
        clone.asked().lines().last().unwrap().to_owned()
    };
    for line in ["./x up --with loyalty", "./x up --with=loyalty", "./x up --with nobody,loyalty"] {
        let packages = packages_of(line, "");
        assert!(packages.contains("--package=loyalty"), "{line}: {packages}");
        assert!(!packages.contains("nobody"), "{line}: {packages}");
    }
    assert!(packages_of("./x up", "none,loyalty").contains("--package=loyalty"));
    assert!(!packages_of("./x up", "").contains("loyalty"));
    fs::create_dir_all(clone.folder.join(".flotilla")).unwrap();
    fs::write(clone.folder.join(".flotilla/with"), "loyalty\n").unwrap();
    assert!(packages_of("./x up", "").contains("--package=loyalty"));
}
