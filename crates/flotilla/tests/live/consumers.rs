//! `flotilla consumers`.

use crate::program::{Fleet, wait_for};

pub(crate) fn are_listed_with_what_they_have_still_to_read(fleet: &Fleet) {
    // Kafka knows of a group once it has committed.
    wait_for("the groups", || {
        let said = fleet.ok("consumers list").stdout;
        let services = ["order", "payment", "inventory", "shipping"];
        services.iter().all(|name| said.lines().any(|line| line.starts_with(name))).then_some(())
    });
    let listed = fleet.ok("--json consumers list").document();
    let all = listed["consumers"].as_array().unwrap();
    let inventory = all.iter().find(|group| group["group"] == "inventory").unwrap();
    assert_eq!((&inventory["is_service"], &inventory["stopped"]), (&true.into(), &0.into()));
    assert!(inventory["lag_by_topic"]["order.events"].is_number(), "{inventory}");
    assert!(inventory["members"][0]["partitions"].as_array().is_some_and(|all| !all.is_empty()));
    fleet.ok("consumers list -o wide").says("warehouse.stock-adjustments");
    let described = fleet.ok("consumers describe payment").says("service").says("member payment");
    described.says("order.events").says("0 unread");
    fleet.run("consumers describe nobody").with_code(5).complains("flotilla consumers list");
}
