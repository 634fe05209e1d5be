//! An event has its effect once, whatever is redelivered or crashes, and its consequence is published.

use crate::world::{World, request};

/// Sends additions with duplicates, lets the service die when it passes `window` for the second time,
/// starts it again, and expects every addition to count once and every total to be told in order.
async fn survives_a_crash_at(window: &str) {
    let mut world = World::enter().await;
    let key = world.fresh_key(window);
    world.start_crashing("a", window).await;
    // By itself and published, so that the others come to the window for the second time.
    world.send(&request(&key, 1), &format!("{key}-0")).await;
    world.wait_for_total(&key, 1).await;
    world.wait_until_published().await;
    for n in 1..40 {
        world.send(&request(&key, 1), &format!("{key}-{n}")).await;
    }
    world.wait_until_dead("a").await;
    world.start("a").await;
    for n in 0..40 {
        world.send(&request(&key, 1), &format!("{key}-{n}")).await;
    }
    world.send(&request(&key, 60), &format!("{key}-last")).await;
    world.wait_for_total(&key, 100).await;
    world.wait_until_published().await;
    let told = world.totals_told(&key);
    assert_eq!(told.last(), Some(&(41, 100)), "sequence and total of the last event");
    world.stop("a").await;
}

#[tokio::test]
async fn an_addition_counts_once_when_the_process_dies_in_the_middle_of_a_batch() {
    survives_a_crash_at("executor.before_commit").await;
}

#[tokio::test]
async fn an_addition_counts_once_when_the_process_dies_between_commit_and_publish() {
    survives_a_crash_at("executor.after_commit").await;
}

#[tokio::test]
async fn an_addition_counts_once_when_the_process_dies_between_handing_over_and_publishing() {
    survives_a_crash_at("relay.before_publish").await;
}

#[tokio::test]
async fn an_addition_counts_once_when_the_process_dies_between_publishing_and_clearing() {
    survives_a_crash_at("relay.after_publish").await;
}

#[tokio::test]
async fn the_same_event_twice_in_one_batch_counts_once() {
    let mut world = World::enter().await;
    let key = world.fresh_key("twice");
    for _ in 0..2 {
        world.send(&request(&key, 5), &format!("{key}-same")).await;
    }
    world.send(&request(&key, 1), &format!("{key}-other")).await;
    world.start("a").await;
    world.wait_for_total(&key, 6).await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_command_is_answered_after_the_commit_that_holds_its_effect() {
    let mut world = World::enter().await;
    let key = world.fresh_key("command");
    world.start("a").await;
    assert_eq!(world.add("a", &key, 3).await, Ok(3));
    assert_eq!(world.total(&key).await, 3);
    assert_eq!(world.add("a", &key, 4).await, Ok(7));
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 3), (2, 7)]);
    world.stop("a").await;
}
