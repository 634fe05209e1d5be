//! Partitions come, go, stand still and stop, and none is forgotten: what is held up is held up alone, is
//! told, and goes on by itself as soon as it can.

use std::time::Duration;

use serde_json::json;

use crate::world::{Detour, World, headers_of, request};

const HELD: &str = "flotilla_partitions";

#[tokio::test]
async fn partitions_come_back_after_kafka_froze_twice_in_a_row_and_no_event_is_passed_over() {
    let mut world = World::enter().await;
    let keys: Vec<String> = (0..30).map(|n| world.fresh_key(&format!("freeze{n}"))).collect();
    world.start("a").await;
    world.wait_for_metric("a", HELD, "", |held| held == 6.0).await;
    for key in &keys {
        world.enqueue(&request(key, 1), &format!("{key}-0"));
    }
    world.flush().await;
    // Longer than a session, then long enough to rejoin and not to be settled, then longer again.
    world.freeze_kafka(Duration::from_millis(6500)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.freeze_kafka(Duration::from_millis(6500)).await;
    for key in &keys {
        world.enqueue(&request(key, 1), &format!("{key}-1"));
    }
    world.flush().await;
    for key in &keys {
        world.wait_for_total(key, 2).await;
    }
    world.wait_for_metric("a", HELD, "", |held| held == 6.0).await;
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
    for restarted in [false, true] {
        world.start("a").await;
        let says = world.wait_until_waiting_for("a", "offsets").await;
        assert!(says.contains("2 are gone"), "{says}");
        world.wait_for_metric("a", metric, gone, |stopped| stopped == 1.0).await;
        world.wait_for_metric("a", "flotilla_consumer_lag", "", |lag| lag == 1.0).await;
        if !restarted {
            world.stop("a").await;
        }
    }
    assert_eq!(world.total(&key).await, 0, "nothing was skipped");
    let (_, listed) = world.admin("a", "GET", "/offsets").await;
    let listed = listed["partitions"].as_array().unwrap().clone();
    let stopped: Vec<_> = listed.iter().filter(|listed| !listed["stop"].is_null()).collect();
    assert_eq!((listed.len(), stopped.len()), (6, 1), "{listed:?}");
    assert_eq!((&stopped[0]["stored"], &stopped[0]["first"]), (&0.into(), &last.into()));

    let path = |number| format!("/offsets/tally.requests/{number}");
    let (status, problem) =
        world.ask_admin("a", "POST", &path(partition), &json!({ "to": "1" })).await;
    assert_eq!((status, &problem["code"]), (422, &"offset_outside".into()), "{problem}");
    let another = (partition + 1) % 6;
    let (status, problem) =
        world.ask_admin("a", "POST", &path(another), &json!({ "to": "first" })).await;
    assert_eq!((status, &problem["code"]), (409, &"not_stopped".into()), "{problem}");
    let (status, moved) =
        world.ask_admin("a", "POST", &path(partition), &json!({ "to": "first" })).await;
    assert_eq!((status, &moved["to"]), (200, &last.into()), "{moved}");
    world.wait_for_total(&key, 1).await;
    world.wait_for_metric("a", metric, gone, |stopped| stopped == 0.0).await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_partition_whose_beginning_goes_while_it_waits_stops_and_goes_on_where_it_is_told() {
    let mut world = World::enter().await;
    let key = world.fresh_key("goes");
    world.start("a").await;
    world.refuse_total(&key).await;
    let (partition, first) = world.send(&request(&key, 1), &format!("{key}-0")).await;
    world.wait_until_waiting_for("a", "events").await;
    let (_, last) = world.send(&request(&key, 1), &format!("{key}-1")).await;
    world.delete_requests_before(partition, last).await;
    let says = world.wait_until_waiting_for("a", "offsets").await;
    assert!(says.contains(&format!("from {first}")) && says.contains("1 are gone"), "{says}");
    world.accept_totals().await;
    let path = format!("/offsets/tally.requests/{partition}");
    let (status, moved) = world.ask_admin("a", "POST", &path, &json!({ "to": "first" })).await;
    assert_eq!((status, &moved["to"]), (200, &last.into()), "{moved}");
    world.wait_for_total(&key, 1).await;
    world.wait_until_not_waiting_for("a", "events").await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}

#[tokio::test]
async fn the_offset_follows_ignored_records_also_while_they_keep_coming() {
    let mut world = World::enter().await;
    let key = world.fresh_key("ignored");
    world.start("a").await;
    let ignored = world.unknown_record().await;
    let (partition, first) = world.send_raw(&key, &headers_of(&key), Some(&ignored)).await;
    let mut stored = first;
    // Never a second without one, in which the executor would be idle, and never so many at once that their
    // offsets were handed over for that.
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.send_raw(&key, &headers_of(&key), Some(&ignored)).await;
        let (_, listed) = world.admin("a", "GET", "/offsets").await;
        let listed = listed["partitions"].as_array().unwrap().clone();
        let ours = listed.iter().find(|listed| listed["partition"] == partition).unwrap();
        stored = ours["stored"].as_i64().unwrap();
        if stored > first + 1 {
            break;
        }
    }
    assert!(stored > first + 1, "{stored}");
    world.stop("a").await;
}

#[tokio::test]
async fn lag_is_none_after_a_transaction_whose_mark_no_reader_is_shown() {
    let mut world = World::enter().await;
    let key = world.fresh_key("transaction");
    world.start("a").await;
    let value = world.encode(&request(&key, 1));
    world.send_in_transaction(&key, &headers_of(&key), &value);
    world.wait_for_total(&key, 1).await;
    world.wait_for_metric("a", "flotilla_consumer_lag", "", |lag| lag == 0.0).await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_replica_that_its_group_does_not_take_is_not_ready_and_says_why() {
    let mut world = World::enter().await;
    let squatter = world.squat_in_group();
    world.spawn("a", &[]).await;
    let says = world.wait_until_waiting_for("a", "consumer").await;
    assert!(says.to_lowercase().contains("inconsistent"), "{says}");
    assert_eq!(world.admin("a", "GET", "/readyz").await.0, 503);
    let (metric, reason) = ("flotilla_consumer_hindered", "reason=\"inconsistent_group\"");
    world.wait_for_metric("a", metric, reason, |hindered| hindered == 1.0).await;
    drop(squatter);
    world.wait_until_ready("a").await;
    world.wait_for_metric("a", metric, reason, |hindered| hindered == 0.0).await;
    world.wait_for_metric("a", HELD, "", |held| held == 6.0).await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_topic_that_is_deleted_makes_its_readers_not_ready_until_it_is_there_again() {
    let mut world = World::enter().await;
    let key = world.fresh_key("deleted");
    world.start("a").await;
    world.wait_for_metric("a", HELD, "", |held| held == 6.0).await;
    // From here on its offsets are of this very topic.
    world.send(&request(&key, 1), &format!("{key}-before")).await;
    world.wait_for_total(&key, 1).await;
    world.delete_request_topic().await;
    let says = world.wait_until_waiting_for("a", "consumer").await;
    assert!(says.contains("tally.requests") && says.contains("flotilla topics apply"), "{says}");
    let (metric, reason) = ("flotilla_consumer_hindered", "reason=\"unknown_topic\"");
    world.wait_for_metric("a", metric, reason, |hindered| hindered == 1.0).await;
    world.create_topics().await;
    let says = world.wait_until_waiting_for("a", "offsets").await;
    assert!(says.contains("created again"), "{says}");
    world.forget_offsets().await;
    world.send(&request(&key, 1), &key).await;
    world.wait_for_total(&key, 2).await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_topic_that_comes_back_with_fewer_partitions_is_read_once_each_is_told_where_to_go_on() {
    let mut world = World::enter().await;
    let key = world.fresh_key("fewer");
    world.start("a").await;
    world.add_request_partitions(8).await;
    world.wait_for_metric("a", HELD, "", |held| held == 8.0).await;
    world.stop("a").await;
    world.recreate_request_topic().await;
    world.start("a").await;
    let says = world.wait_until_waiting_for("a", "offsets").await;
    assert!(says.contains("created again"), "{says}");
    for partition in 0..6 {
        let path = format!("/offsets/tally.requests/{partition}");
        let (status, moved) = world.ask_admin("a", "POST", &path, &json!({ "to": "first" })).await;
        assert_eq!(status, 200, "{moved}");
    }
    world.wait_until_ready("a").await;
    world.send(&request(&key, 1), &key).await;
    world.wait_for_total(&key, 1).await;
    world.stop("a").await;
    world.forget_offsets().await;
}
