//! `flotilla payment`: an order that is shipped and cannot be charged, as its hold has expired.

use crate::program::{Fleet, wait_for};

pub(crate) fn are_shown_and_settled_where_the_provider_refuses(fleet: &Fleet) {
    let placed = fleet.ok("--json order place --sku tea=1 --token tok_hold_expires");
    let order = placed.document()["order_id"].as_str().unwrap().to_owned();
    let capture = wait_for("the capture", || {
        let calls = fleet.ok("--json payment stuck --open-for-seconds 0").document();
        let calls = calls["open_calls"].as_array().cloned().unwrap_or_default();
        let found = calls.into_iter().find(|call| call["order_id"] == order.as_str());
        found.filter(|call| call["step"] == "capture")
    });
    assert!(capture["asked_at"].is_string(), "{capture}");
    fleet.ok("payment stuck").says("no call");
    fleet.ok(&format!("payment show {order}")).says("capturing").says("waits for: capture");
    let shown = || fleet.ok(&format!("--json payment show {order}")).document();
    assert!(shown()["open_call"]["next_attempt_at"].is_string(), "{}", shown());

    let settle =
        |said: &str| fleet.run(&format!("payment settle {order} {said} --reason transfer"));
    settle("refunded --by ada").with_code(4).complains("does not wait for this outcome");
    let held = "authorized --authorization pi_1 --by ada";
    settle(held).with_code(4).complains("does not wait for this outcome");
    settle("captured").with_code(2).complains("--by");
    settle("captured --by ada").with_code(0).says("received");
    assert!(shown()["open_call"].is_null(), "{}", shown());
    fleet.ok(&format!("order watch {order}")).says("OrderCompleted");
    settle("captured --by ada").with_code(4).complains("does not wait for this outcome");
}
