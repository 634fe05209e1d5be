//! `flotilla new`, in a folder that looks like the repository. That what it writes compiles and passes its tests is
//! `tests/it/new.rs`'.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::program::Fleet;
use crate::script::root;

/// What marks the repository, and what a new service changes in it.
const EDITED: [&str; 6] = [
    "crates/chassis/Cargo.toml",
    "crates/roster/src/lib.rs",
    "e2e/src/members.rs",
    "e2e/Cargo.toml",
    "Cargo.toml",
    "deny.toml",
];

pub(crate) fn writes_a_service_and_takes_it_away(fleet: &Fleet) {
    let folder = TempDir::new().unwrap();
    for file in EDITED {
        let copy = folder.path().join(file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(root().join(file), copy).unwrap();
    }
    let there = |file: &str| folder.path().join(file).exists();
    let run = |line: &str| fleet.run_in(folder.path(), line);
    let asked =
        "new service unheardof --hears order.events,payment.events --publishes --keyed-by order";

    run(&format!("{asked} --dry-run")).with_code(0).says("+    { crate = \"unheardof\"");
    run(asked).with_code(4).complains("--yes");
    assert!(!there("services/unheardof"));
    run(&format!("{asked} --yes")).with_code(0).says("./x up --with unheardof");
    assert!(there("services/unheardof/schemas/UnheardofNoted.avsc"));
    run(&format!("{asked} --yes")).with_code(1).complains("services/unheardof exists");
    run("new service unheardof --undo --yes").with_code(0);
    assert!(!there("services/unheardof"));

    run("new service unheardof --hears shipping.events --yes").with_code(0);
    assert!(there("services/unheardof/src/service.rs") && !there("services/unheardof/schemas"));
    run("new service order-2 --hears order.events --yes").with_code(1).complains("small letters");
    let elsewhere = fleet.run_in(Path::new("/"), "new service unheardof --undo --yes").with_code(1);
    elsewhere.complains("not in the fleet's repository");
}
