//! Partitions come, go, stand still and stop, and none is forgotten: what is held up is held up alone, is
//! told, and goes on by itself as soon as it can.

use std::time::Duration;

use crate::world::{Detour, World, headers_of, request};

const HELD: &str = "flotilla_partitions";

#[tokio::test]
async fn partitions_come_back_after_kafka_froze_twice_in_a_row() {
    let mut world = World::enter().await;
    let key = world.fresh_key("freeze");
    world.start("a").await;
    world.send(&request(&key, 1), &format!("{key}-0")).await;
    world.wait_for_total(&key, 1).await;
    // Longer than a session, then long enough to rejoin and not to be settled, then longer again.
    world.freeze_kafka(Duration::from_millis(6500)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.freeze_kafka(Duration::from_millis(6500)).await;
    world.wait_for_metric("a", HELD, "", |held| held == 6.0).await;
    world.send(&request(&key, 1), &format!("{key}-1")).await;
    world.wait_for_total(&key, 2).await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}

#[tokio::test]
async fn partitions_that_are_added_are_read_within_seconds() {
    let mut world = World::enter().await;
    world.start("a").await;
    world.wait_for_metric("a", HELD, "", |held| held == 6.0).await;
    world.add_request_partitions(8).await;
    world.wait_for_metric("a", HELD, "", |held| held == 8.0).await;
    world.stop("a").await;
    world.recreate_request_topic().await;
    world.forget_offsets().await;
}

#[tokio::test]
async fn a_schema_that_has_to_be_asked_for_holds_up_its_partition_alone() {
    let mut world = World::enter().await;
    let detour = Detour::to(&world.urls.registry);
    world.start("warm").await;
    world.stop("warm").await;
    world.start_with("a", &[("FLOTILLA_REGISTRY_URL", &detour.url)]).await;
    let newer = world.fresh_key("newer");
    let value = world.encode_newer(&request(&newer, 1)).await;
    let (held_up, _) = world.send_raw(&newer, &headers_of(&newer), Some(&value)).await;
    world.send(&request(&newer, 1), &format!("{newer}-behind")).await;
    let says = world.wait_until_waiting_for("a", "registry").await;
    assert!(says.contains(&detour.url), "{says}");

    let mut partitions = std::collections::BTreeSet::new();
    while partitions.len() < 5 {
        let key = world.fresh_key("other");
        let (partition, _) = world.send(&request(&key, 1), &key).await;
        if partition != held_up {
            world.wait_for_total(&key, 1).await;
            partitions.insert(partition);
        }
    }
    assert_eq!(world.total(&newer).await, 0, "what stands behind it waits as well");
    let lag = "flotilla_consumer_lag";
    world.wait_for_metric("a", lag, "", |lag| lag >= 2.0).await;

    let _open = detour.open().await;
    world.wait_for_total(&newer, 2).await;
    world.wait_for_metric("a", lag, "", |lag| lag == 0.0).await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_partition_whose_beginning_is_gone_stops_also_after_a_restart_until_it_is_told_where_to_go_on()
 {
    let mut world = World::enter().await;
    let (metric, gone) = ("flotilla_stopped_partitions", "reason=\"head_gone\"");
    world.recreate_request_topic().await;
    world.forget_offsets().await;
    let key = world.fresh_key("head");
    let mut place = (0, 0);
    for n in 0..3 {
        place = world.send(&request(&key, 1), &format!("{key}-{n}")).await;
    }
    let (partition, last) = place;
    world.delete_requests_before(partition, last).await;
    // Nothing was ever read, so that it would be easy to begin in the middle.
    for _restart in 0..2 {
        world.start("a").await;
        let says = world.wait_until_waiting_for("a", "offsets").await;
        assert!(says.contains("2 are gone"), "{says}");
        world.wait_for_metric("a", metric, gone, |stopped| stopped == 1.0).await;
        world.wait_for_metric("a", "flotilla_consumer_lag", "", |lag| lag == 1.0).await;
        if _restart == 0 {
            world.stop("a").await;
        }
    }
    assert_eq!(world.total(&key).await, 0, "nothing was skipped");
    world.move_offset(partition, last).await;
    world.wait_for_total(&key, 1).await;
    world.wait_for_metric("a", metric, gone, |stopped| stopped == 0.0).await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}
