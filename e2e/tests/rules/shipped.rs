//! What is shipped holds nothing that only tests and benchmarks need. Cargo itself says what a program is
//! built from; here, because a build of the whole workspace switches every feature on.

use std::process::Command;

/// Crates and features that no shipped program has: a provider who accepts a known card, a way to tell a
/// process where to crash.
const NEVER: [&str; 4] = [
    "sandbox v",
    "chassis feature \"measuring\"",
    "chassis feature \"model\"",
    "chassis feature \"testing\"",
];

#[test]
fn no_shipped_program_holds_a_simulator_or_a_way_to_crash_it() {
    let shipped: Vec<&str> = local::SERVICES.into_iter().chain(["flotilla", "fleet"]).collect();
    assert_eq!(found_in(&shipped), [""; 0]);
    // The names are right: the simulation has both a simulator and services in memory.
    assert_eq!(found_in(&["e2e"]), &NEVER[..3]);
}

fn found_in(programs: &[&str]) -> Vec<&'static str> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal,features", "--prefix", "none"])
        .args(programs.iter().map(|program| format!("--package={program}")))
        .output()
        .unwrap();
    let built_from = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let has = |name: &&str| built_from.lines().any(|line| line.starts_with(*name));
    NEVER.into_iter().filter(has).collect()
}
