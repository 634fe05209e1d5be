//! `flotilla topics` and `flotilla schema`: what is deployed before a service.

use crate::program::Fleet;

pub(crate) fn and_schemas_are_listed_and_applied(fleet: &Fleet) {
    fleet.ok("topics list").says("order.events").says("3 partitions");
    fleet.ok("topics apply --partitions 4 --replication 1").says("existed (3 partitions)");
    let described = fleet.ok("topics describe order.events -o wide").says("written by  order");
    described
        .says("payment, inventory, shipping")
        .says("order_id")
        .says("gapless")
        .says("leader 1");
    let all = fleet.ok("topics describe").says("warehouse, outside of the fleet");
    all.says("the last of each key, for ever").says("shipping.dead-letters").says("30 days");
    fleet.run("topics describe typo").with_code(5).complains("flotilla topics list");
    fleet.ok("topics check").says("order.events").says("ok");
    fleet.ok("schema check").says("ok");
    fleet.ok("schema register").says("id ");
    fleet.ok("schema history OrderPlaced").says("version 1, id ");
    fleet.ok("schema diff OrderPlaced").says("the same, but for words");
    let first =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/released/order/OrderCompleted.1.avsc");
    let diff = fleet.run(&format!("schema diff OrderCompleted --with {first}")).with_code(1);
    diff.says("customer_id: removed, with a default").says("instead: keep it");
    let listed = fleet.ok("schema list").says("flotilla.order.v1.OrderPlaced");
    assert!(!listed.stdout.contains("not registered"), "{}", listed.stdout);
}
