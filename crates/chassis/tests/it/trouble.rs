//! Trouble with the database that is not simply away: it is silent, takes no writes, refuses one input, or
//! was changed under statements that are prepared. Nobody waits for ever, and nobody waits for others.

use std::time::Duration;

use crate::world::{Detour, World, headers_of, request};

#[tokio::test]
async fn every_connection_of_a_database_that_went_silent_is_given_up_and_opened_anew() {
    let mut world = World::enter().await;
    let (key, other) = (world.fresh_key("silent"), world.fresh_key("silent"));
    let detour = Detour::to(&world.urls.app);
    let _open = detour.open().await;
    world.start_with("a", &[("FLOTILLA_DATABASE_URL", &detour.url)]).await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.wait_until_published().await;

    detour.silence();
    // Nobody knows yet; the caller is told that it is not known to be done.
    assert_eq!(world.add("a", &key, 1).await, Err(503));
    world.wait_until_waiting_for("a", "executor").await;
    world.wait_until_accepted("a", &key).await;
    world.wait_until_ready("a").await;
    world.send(&request(&other, 7), &format!("{other}-1")).await;
    world.wait_for_total(&other, 7).await;
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&other), [(1, 7)]);
    world.stop("a").await;
}

#[tokio::test]
async fn the_service_is_observed_again_after_the_observers_connection_broke() {
    let mut world = World::enter().await;
    let key = world.fresh_key("observed");
    world.start("a").await;
    world.end_sessions("sweep").await;
    let lease = world.take_lease().await;
    world.wait_until_accepted("a", &key).await;
    let waiting = |messages| messages > 0.0;
    world.wait_for_metric("a", "flotilla_outbox_messages", "", waiting).await;
    drop(lease);
    world.give_lease_back().await;
    world.wait_until_published().await;
    world.stop("a").await;
}

#[tokio::test]
async fn an_event_that_postgres_refuses_again_and_again_keeps_only_its_partition_waiting() {
    let mut world = World::enter().await;
    let bad = world.fresh_key("refused");
    world.refuse_total(&bad).await;
    world.start("a").await;
    let (partition, offset) = world.send(&request(&bad, 1), &format!("{bad}-1")).await;
    let says = world.wait_until_waiting_for("a", "events").await;
    assert!(
        says.contains(&format!("tally.requests/{partition} stands at offset {offset}")),
        "{says}"
    );
    assert!(says.contains("a page is corrupt"), "{says}");
    // In other partitions everything goes on, and callers get their answers.
    let mut elsewhere = 0;
    while elsewhere < 3 {
        let key = world.fresh_key("elsewhere");
        let (found, _) = world.send(&request(&key, 1), &format!("{key}-1")).await;
        if found != partition {
            world.wait_for_total(&key, 1).await;
            elsewhere += 1;
        }
    }
    assert_eq!(world.add("a", &bad, 1).await, Err(500));
    let good = world.fresh_key("good");
    assert_eq!(world.add("a", &good, 2).await, Ok(2));
    assert_eq!(world.total(&bad).await, 0);

    world.accept_totals().await;
    world.wait_for_total(&bad, 1).await;
    world.wait_until_not_waiting_for("a", "events").await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_batch_that_takes_longer_than_there_is_time_is_split_until_its_parts_get_through() {
    let mut world = World::enter().await;
    let key = world.fresh_key("slow");
    // Each statement ends before its own time is over, and both together do not before the batch's is.
    let time = Duration::from_millis(10_200);
    world.slow_down("flotilla.dead_letters", time).await;
    world.slow_down("totals", time).await;
    world.start("a").await;
    // While this one is carried out all others wait, and are one batch.
    let first = world.fresh_key("first");
    world.send(&request(&first, 1), &first).await;
    world.wait_until_executor_sleeps().await;
    let mut poison = Vec::new();
    for n in 0..2 {
        let headers = headers_of(&format!("{key}-poison{n}"));
        poison.push(world.send_raw(&key, &headers, Some(b"junk")).await);
    }
    for n in 0..2 {
        world.send(&request(&key, 1), &format!("{key}-{n}")).await;
    }
    for place in poison {
        world.dead_letter(place).await;
    }
    world.wait_for_total(&key, 2).await;
    assert_ne!(
        world.transaction_of("totals", &format!("key = '{key}'")).await,
        world.transaction_of("flotilla.dead_letters", "true").await,
        "a batch of its own"
    );
    world.speed_up().await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}

#[tokio::test]
async fn an_operator_is_told_what_postgres_refused_and_not_that_it_is_away() {
    let mut world = World::enter().await;
    world.start("a").await;
    world.hide_set_apart().await;
    let (status, problem) = world.admin("a", "GET", "/outbox").await;
    assert_eq!((status, problem["code"].as_str()), (500, Some("failed")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("the database refused it: "), "{detail}");
    assert!(detail.contains("outbox_set_apart"), "{detail}");
    world.show_set_apart().await;
    assert_eq!(world.admin("a", "GET", "/outbox").await.0, 200);
    world.stop("a").await;
}

#[tokio::test]
async fn a_table_that_changes_under_prepared_statements_is_read_over_a_new_connection() {
    let mut world = World::enter().await;
    world.start("a").await;
    for kind in ["varchar(9999)", "text"] {
        // A key that is not remembered, so that the statement is prepared, and then one that uses it.
        let (before, after) = (world.fresh_key("plan"), world.fresh_key("plan"));
        assert_eq!(world.add("a", &before, 1).await, Ok(1));
        world.change_key_type(kind).await;
        assert_eq!(world.add("a", &after, 1).await, Ok(1), "after the key became {kind}");
    }
    world.stop("a").await;
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_none_to_work_with_and_the_service_says_so() {
    let mut world = World::enter().await;
    let key = world.fresh_key("standby");
    world.start("a").await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.make_standby(true).await;
    world.end_sessions("executor").await;
    assert_eq!(world.add("a", &key, 1).await, Err(503));
    let says = world.wait_until_waiting_for("a", "database").await;
    assert!(says.contains("takes no writes"), "{says}");
    world.make_standby(false).await;
    world.wait_until_accepted("a", &key).await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}
