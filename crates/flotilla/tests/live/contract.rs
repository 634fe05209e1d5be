//! `flotilla contract`: a consumer that does right is told so, and the faults of one that does not are named.

use std::path::Path;

use crate::program::Fleet;

pub(crate) fn is_tested_on_servers_of_its_own(fleet: &Fleet) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/consumer.py");
    let consumer = |faults: &str| {
        let program = env!("CARGO_BIN_EXE_flotilla");
        format!("-- python3 {} {program} {faults}", script.display())
    };
    let test = "contract test --topic order.events --idle-seconds 5";
    let right = fleet.ok(&format!("{test} {}", consumer("")));
    right.says("right read to the end").says("right killed and started again");
    for (fault, told) in [
        ("--twice", "twice: OrderPlaced order/"),
        ("--skips OrderCompensated", "missed: OrderCompensated order/"),
        ("--knows-all", "it ended: exit status: 3"),
    ] {
        fleet.run(&format!("{test} {}", consumer(fault))).with_code(1).says(told);
    }
    // Where the topics of a fleet hold something, nothing is published.
    let environment =
        local::Environment::new(fleet.settings.clone(), local::Lifetime::UntilStopped);
    let servers = format!(
        "--brokers {} --registry {}",
        environment.kafka_brokers(),
        environment.registry_url()
    );
    let refused = fleet.run(&format!("{test} {servers} {}", consumer("")));
    refused.with_code(1).complains("holds");
}
