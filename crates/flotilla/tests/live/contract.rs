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
    wrong.says("twice: Order").says("missed: OrderCompensated order/");
    // Where the topics of a fleet hold something, nothing is published, and no schema of tomorrow is registered.
    let environment =
        local::Environment::new(fleet.settings.clone(), local::Lifetime::UntilStopped);
    let servers = format!(
        "--brokers {} --registry {}",
        environment.kafka_brokers(),
        environment.registry_url()
    );
    let refused = fleet.run(&format!("{test} {servers} {}", consumer("")));
    refused.with_code(1).complains("name servers whose topics are empty");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = chassis::Registry::new(&environment.registry_url());
    let subjects = runtime.block_on(registry.subjects()).unwrap();
    let strange: Vec<&String> = subjects.iter().filter(|s| s.contains("GiftWrapped")).collect();
    assert!(subjects.len() > 10 && strange.is_empty(), "{strange:?}");
}
