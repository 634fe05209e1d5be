//! `flotilla topics` and `flotilla schema`: what is deployed before a service.

use crate::program::Fleet;

pub(crate) fn and_schemas_are_listed_and_applied(fleet: &Fleet) {
    fleet.ok("topics list").says("order.events").says("3 partitions");
    fleet.ok("topics apply --partitions 4 --replication 1").says("existed (3 partitions)");
    fleet.ok("topics check").says("order.events").says("ok");
    fleet.ok("schema check").says("ok");
    fleet.ok("schema register").says("id ");
    let listed = fleet.ok("schema list").says("flotilla.order.v1.OrderPlaced");
    assert!(!listed.stdout.contains("not registered"), "{}", listed.stdout);
}
