//! Events are published in the order of their commits by one replica at a time.

use std::time::Duration;

use crate::world::{World, wait};

#[tokio::test]
async fn the_replica_that_stands_by_takes_over_when_the_leader_is_killed() {
    let mut world = World::enter().await;
    let key = world.fresh_key("failover");
    world.start("a").await;
    world.wait_for_leader("a").await;
    world.start("b").await;
    // Committed by the replica that does not publish: announced, read from its row, published.
    assert_eq!(world.add("b", &key, 1).await, Ok(1));
    world.wait_until_published().await;
    world.kill("a").await;
    assert_eq!(world.add("b", &key, 1).await, Ok(2));
    world.wait_for_leader_within("b", Duration::from_secs(10)).await;
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1), (2, 2)]);
    world.stop("b").await;
}

#[tokio::test]
async fn a_leader_that_stops_gives_the_lease_back_at_once() {
    let mut world = World::enter().await;
    world.start("a").await;
    world.wait_for_leader("a").await;
    world.start("b").await;
    world.stop("a").await;
    world.wait_for_leader_within("b", Duration::from_secs(3)).await;
    world.stop("b").await;
}

#[tokio::test]
async fn batches_of_two_replicas_are_published_in_the_order_of_their_commits() {
    let mut world = World::enter().await;
    let key = world.fresh_key("order");
    world.start("a").await;
    world.start("b").await;
    for n in 1..=40 {
        let replica = if n % 2 == 0 { "a" } else { "b" };
        assert_eq!(world.add(replica, &key, 1).await, Ok(n));
    }
    world.wait_until_published().await;
    let expected: Vec<(i64, i64)> = (1..=40).map(|n| (n, n)).collect();
    assert_eq!(world.totals_told(&key), expected);
    world.stop("a").await;
    world.stop("b").await;
}

#[tokio::test]
async fn commands_are_refused_when_more_waits_to_be_published_than_may_wait() {
    let mut world = World::enter().await;
    let key = world.fresh_key("watermark");
    // Somebody else has the lease and publishes nothing.
    let lease = world.take_lease().await;
    world.start_with("a", &[("FLOTILLA_OUTBOX_MESSAGES_MAX", "3")]).await;
    let refusal = world.add_until_refused("a", &key).await;
    assert_eq!(refusal.status, 503);
    assert_eq!(refusal.code, "unavailable");
    assert!(refusal.retry_after > 0);
    let accepted = world.total(&key).await;
    assert!(accepted > 3, "only what is beyond the watermark is refused: {accepted}");
    drop(lease);
    world.give_lease_back().await;
    world.wait_until_published().await;
    world.wait_until_accepted("a", &key).await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_statement_that_fails_is_not_taken_for_a_database_that_is_away() {
    let mut world = World::enter().await;
    let key = world.fresh_key("statement");
    world.hide_lease().await;
    world.start("a").await;
    let says = world.wait_until_waiting_for("a", "relay").await;
    assert!(says.contains("relay_lease"), "what is wrong: {says}");
    assert_eq!(world.add("a", &key, 1).await, Ok(1), "commands are accepted meanwhile");
    world.show_lease().await;
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1)]);
    world.stop("a").await;
}

#[tokio::test]
async fn a_lease_that_was_written_by_a_clock_ahead_does_not_outlive_its_dead_holder() {
    let mut world = World::enter().await;
    let key = world.fresh_key("ahead");
    world.write_lease(3600).await;
    world.start("a").await;
    world.wait_for_leader("a").await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1)]);
    world.stop("a").await;
}

#[tokio::test]
async fn a_relay_that_cannot_begin_says_so_until_it_can() {
    let mut world = World::enter().await;
    let key = world.fresh_key("begins");
    world.start("a").await;
    world.wait_for_leader("a").await;
    world.hide_set_apart().await;
    world.break_connection_of_relay().await;
    wait("the relay to say what it lacks", async || {
        let says = world.wait_until_waiting_for("a", "relay").await;
        let told = says.contains("nothing is published") && says.contains("outbox_set_apart");
        if told { Ok(()) } else { Err(says) }
    })
    .await;
    world.show_set_apart().await;
    world.wait_until_not_waiting_for("a", "relay").await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1)]);
    world.stop("a").await;
}

#[tokio::test]
async fn a_relay_that_starts_again_and_again_keeps_one_connection_that_listens() {
    let mut world = World::enter().await;
    world.start("a").await;
    world.wait_for_leader("a").await;
    for _ in 0..5 {
        let before = world.lease_epoch().await;
        world.break_connection_of_relay().await;
        world.wait_until_lease_taken_after(before).await;
    }
    world.wait_for_leader("a").await;
    world.wait_for_listeners(1).await;
    world.stop("a").await;
}
