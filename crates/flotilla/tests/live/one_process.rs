//! A fleet whose services run in one process: whoever looks at it, orders from it or audits it need not know.

use crate::program::{Fleet, wait_for};

/// The folder is that of a fleet whose services run apart, until it is forgotten.
pub(crate) fn runs_the_services_of_a_new_fleet(fleet: &Fleet) {
    fleet.ok("local up");
    fleet.run("local up --one-process").with_code(1).complains("`flotilla local reset` forgets");
    fleet.ok("local reset");
    fleet.ok("local up --one-process").says("order postgres");

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
    // Without the option as the last time.
    fleet.ok("local up");
    fleet.ok(&format!("order show {order}")).says("completed");
    fleet.ok("local status").says("postgres-fleet");
    fleet.ok("audit --wait-seconds 60").says("holds");
    fleet.ok("local reset");
}
