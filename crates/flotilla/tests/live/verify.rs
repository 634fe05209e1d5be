//! `flotilla verify` and `flotilla explain`.

use crate::program::Fleet;

/// After everything else that was done to the fleet, which is at rest.
pub(crate) fn makes_every_decision_again(fleet: &Fleet) {
    let programs = flotilla::fleet::programs().unwrap().display().to_string();
    let verified = fleet.ok(&format!("--json verify --quiet 0 --keys 5000 --programs {programs}"));
    for report in verified.document()["services"].as_array().unwrap() {
        assert_eq!(report["different"], 0, "{report}");
        assert!(report["same"].as_u64().unwrap() > 0, "{report}");
    }
    fleet.ok("verify --service order --quiet 0").says("the same, 0 different");

    let orders = fleet.ok("--json order list --state completed").document();
    let order = orders["orders"][0]["order_id"].as_str().unwrap().to_owned();
    let explained = fleet.ok(&format!("explain {order}"));
    explained.says("not placed -> AwaitingBoth; said OrderPlaced").says("said ShipmentDispatched");
    let of_one = format!("explain {order} --service payment --programs {programs}");
    fleet.ok(&of_one).says("Capturing -> Received; said PaymentReceived");
}
