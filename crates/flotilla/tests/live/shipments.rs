//! `flotilla shipment`: orders to a destination that the carrier does not understand, whatever is booked.

use uuid::Uuid;

use crate::program::Fleet;

pub(crate) fn are_shown_and_settled_where_the_carrier_refuses(fleet: &Fleet) {
    let sent = stuck(fleet);
    fleet.ok("shipment stuck").says("no call to the carrier");
    fleet.ok(&format!("shipment show {sent}")).says("booking").says("waits for: book");
    let settle = |order: &str, said: &str| {
        fleet.run(&format!("shipment settle {order} {said} --reason courier-4711"))
    };
    settle(&sent, "dispatched --by ada").with_code(4).complains("tracking_code is needed");
    settle(&sent, "refused --tracking T1 --by ada").with_code(4).complains("dispatched only");
    settle(&sent, "dispatched --tracking T1").with_code(2).complains("--by");
    let unknown = Uuid::new_v4().to_string();
    settle(&unknown, "cancelled --by ada").with_code(5).complains("no such shipment");
    settle(&sent, "dispatched --tracking T1 --by ada").with_code(0).says("dispatched, T1");
    fleet.ok(&format!("order watch {sent}")).says("OrderCompleted");
    settle(&sent, "cancelled --by ada").with_code(4).complains("does not wait for this outcome");

    let refused = stuck(fleet);
    let why = "refused --refusal goods_not_accepted --by ada";
    settle(&refused, why).with_code(0).says("refused, goods_not_accepted");
    fleet.run(&format!("order watch {refused}")).with_code(1).says("OrderCancelled");
}

/// An order whose booking stays open.
fn stuck(fleet: &Fleet) -> String {
    let placed = fleet.ok("--json order place --sku tea=1 --destination ZZ");
    let order = placed.document()["order_id"].as_str().unwrap().to_owned();
    loop {
        let calls = fleet.ok("--json shipment stuck --open-for-seconds 0").document();
        let calls = calls["open_calls"].as_array().cloned().unwrap_or_default();
        if let Some(call) = calls.iter().find(|call| call["order_id"] == order.as_str()) {
            assert_eq!(call["step"], "book");
            assert!(call["asked_at"].as_str().is_some_and(|at| !at.is_empty()), "{call}");
            return order;
        }
    }
}
