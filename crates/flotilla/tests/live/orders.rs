//! `flotilla order`.

use crate::program::Fleet;

pub(crate) fn are_placed_watched_and_ended(fleet: &Fleet) {
    let placed =
        fleet.ok("--json order place --sku tea=1 --sku cup=2 --customer anne --key anne-1");
    let order = placed.document()["order_id"].as_str().unwrap().to_owned();
    let again = fleet.ok("--json order place --sku tea=1 --sku cup=2 --customer anne --key anne-1");
    assert_eq!(again.document()["order_id"], order.as_str());

    fleet.ok(&format!("order watch {order}")).says("OrderPlaced").says("OrderCompleted");
    fleet.ok(&format!("order show {order}")).says("completed").says("2 x cup");
    fleet.run(&format!("order cancel {order}")).with_code(4).complains("completed");
    fleet.ok(&format!("order return {order}")).says("return");
    fleet.ok(&format!("order watch {order}")).says("OrderReturned");

    let slow = "order place --sku tea=1 --destination NZ --token tok_visa --customer anne";
    let slow = fleet.ok(slow);
    let slow = slow.stdout.split(' ').next().unwrap();
    fleet.ok(&format!("order cancel {slow}"));
    fleet.ok("order place --sku tea=1 --watch").says("OrderCompleted").says("  completed");
    let declined = "order place --sku tea=1 --token tok_declined --watch";
    fleet.run(declined).with_code(1).says("cancelled, PAYMENT_DECLINED");
    let declined = fleet.run(&format!("--json {declined}")).with_code(1).documents();
    assert_eq!(declined.last().unwrap()["state"], "cancelled");

    fleet.ok("order list --customer anne --state returned").says(&order);
    let page = fleet.ok("--json order list --customer anne --limit 1").document();
    let cursor = page["next_cursor"].as_str().unwrap();
    fleet.ok(&format!("order list --customer anne --cursor {cursor}")).says(&order);
    fleet.run("order list --state bought").with_code(4).complains("state");
    fleet.run("order place --sku no-such-sku=1").with_code(4).complains("no-such-sku");
    fleet.run("order place --sku tea").with_code(2).complains("NAME=NUMBER");
}
