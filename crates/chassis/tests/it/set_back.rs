//! A database that was set back under a replica that runs: what it has lost is done again, and nothing is
//! taken for known that it no longer knows. A whole server that is set back is among the fleet's tests.

use crate::world::{World, request};

#[tokio::test]
async fn events_whose_effects_the_database_has_lost_are_processed_again_though_nothing_else_is_heard()
 {
    let mut world = World::enter().await;
    let key = world.fresh_key("set-back");
    world.start("a").await;
    let first = world.send(&request(&key, 1), &format!("{key}-1")).await;
    for n in 2..=5 {
        world.send(&request(&key, 1), &format!("{key}-{n}")).await;
    }
    world.wait_for_total(&key, 5).await;
    world.lose(&key, first).await;
    assert_eq!(world.additions(&key).await, 0, "it is lost");
    world.wait_for_total(&key, 5).await;
    world.wait_for_metric("a", "flotilla_partitions_set_back_total", "", |n| n == 1.0).await;
    assert_eq!(world.additions(&key).await, 5);
    world.stop("a").await;
}

#[tokio::test]
async fn a_row_of_another_history_with_the_version_that_is_remembered_is_not_taken_for_it() {
    let mut world = World::enter().await;
    let key = world.fresh_key("history");
    world.start("a").await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.replace_total(&key, 100).await;
    world.end_sessions("executor").await;
    assert_eq!(world.add("a", &key, 1).await, Ok(101));
    world.stop("a").await;
}
