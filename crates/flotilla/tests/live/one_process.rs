//! A fleet whose services run in one process, on three brokers: whoever looks at it, orders from it or audits it need
//! not know.

use local::Process;

use crate::program::{Fleet, wait_for};

/// The folder is that of a fleet whose services run apart, until it is forgotten.
pub(crate) fn runs_the_services_of_a_new_fleet(fleet: &Fleet) {
    fleet.ok("local up");
    fleet.run("local up --one-process").with_code(1).complains("`flotilla local reset` forgets");
    fleet.run("local up --brokers 3").with_code(1).complains("`flotilla local reset` forgets");
    fleet.ok("local reset");
    fleet.run("local up --brokers 2").with_code(1).complains("1 or 3 brokers");
    fleet.ok("local up --one-process --brokers 3").says("order postgres");
    keeps_every_record_on_three_brokers(fleet);

    let listed = fleet.ok("--json local status").document();
    let processes = listed["processes"].as_array().unwrap();
    let of = |name: &str| processes.iter().find(|process| process["name"] == name).unwrap();
    for service in local::SERVICES {
        assert_eq!(of(service)["pid"], of("order")["pid"], "{listed}");
        assert_eq!(of(service)["state"], "up", "{listed}");
    }
    assert_eq!(of("postgres-fleet")["state"], "up", "{listed}");
    assert!(!listed.to_string().contains("postgres-order"), "{listed}");

    fleet.ok("stock set tea Tea 450");
    fleet.ok("stock adjust tea 5");
    // The catalogue reaches the order service over Kafka.
    let placed = wait_for("tea to be sold", || {
        let placed = fleet.run("--json order place --sku tea=1");
        (placed.code == 0).then(|| placed.document())
    });
    let order = placed["order_id"].as_str().unwrap();
    fleet.ok(&format!("order watch {order}")).says("OrderCompleted");
    fleet.ok("local logs shipping").says("\"service\":\"shipping\"");
    fleet.ok("local down");
    // Without the options as the last time; and the brokers find each other on other ports too.
    fleet.run_on_ports_from(fleet.settings.ports.base(), "local up").with_code(0);
    fleet.ok(&format!("order show {order}")).says("completed");
    fleet.ok("local status").says("postgres-fleet");
    fleet.ok("audit --wait-seconds 60").says("holds");
    fleet.ok("local reset");
}

fn keeps_every_record_on_three_brokers(fleet: &Fleet) {
    for name in ["kafka", "kafka-2", "kafka-3"] {
        fleet.ok("local status").says(&format!("{name:20} up"));
        fleet.ok(&format!("local logs {name}")).says("Kafka Server started");
    }
    let topics = fleet.ok("--json topics check").document();
    for topic in topics["topics"].as_array().unwrap() {
        assert_eq!((&topic["replicas"], &topic["in_sync"]), (&3.into(), &2.into()), "{topic}");
    }
    // Whichever of them is lost, commands find the others.
    Process::find(&fleet.settings, "kafka").unwrap().signal("KILL").unwrap();
    fleet.ok("topics list");
    fleet.ok("local up");
}
