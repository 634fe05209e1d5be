//! `flotilla contract`: a consumer that does right is told so, and the faults of one that does not are named.

use std::path::Path;

use crate::program::Fleet;

pub(crate) fn is_tested_on_servers_of_its_own(fleet: &Fleet) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/consumer.py");
    let consumer = |faults: &str| {
        let program = env!("CARGO_BIN_EXE_flotilla");
        format!("-- python3 {} {program} {faults}", script.display()).trim_end().to_owned()
    };
    let test = "contract test --topic order.events --idle-seconds 5";
    let right = fleet.ok(&format!("{test} {}", consumer("")));
    right.says("right read to the end").says("right killed and started again");
    let wrong = format!("{test} {}", consumer("--twice --skips OrderCompensated"));
    let wrong = fleet.run(&wrong).with_code(1);
    wrong.says("twice: OrderPlaced order/").says("missed: OrderCompensated order/");
    let crashed = format!("--json {test} {}", consumer("--knows-all"));
    let crashed = fleet.run(&crashed).with_code(1).document();
    assert_eq!(crashed["runs"][0]["faults"][0], "it ended: exit status: 3", "{crashed}");
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
