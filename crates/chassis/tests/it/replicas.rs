//! Replicas share the partitions, and lose them, without applying anything twice.

use crate::world::{World, request};

#[tokio::test]
async fn nothing_is_applied_twice_or_lost_while_replicas_come_and_go_under_load() {
    let mut world = World::enter().await;
    let keys: Vec<String> = (0..12).map(|n| world.fresh_key(&format!("rebalance{n}"))).collect();
    world.start("a").await;
    for round in 0..6 {
        match round {
            1 => world.start("b").await,
            2 => world.start("c").await,
            3 => world.kill("a").await,
            4 => world.start("a").await,
            5 => world.stop("b").await,
            _ => {}
        }
        for n in 0..25 {
            for key in &keys {
                world.enqueue(&request(key, 1), &format!("{key}-{round}-{n}"));
            }
        }
        world.flush().await;
    }
    for key in &keys {
        world.wait_for_total(key, 150).await;
        assert_eq!(world.additions(key).await, 150);
    }
    world.wait_until_published().await;
    for key in &keys {
        let told = world.totals_told(key);
        let expected: Vec<(i64, i64)> = (1..=150).map(|n| (n, n)).collect();
        assert_eq!(told, expected, "{key}: sequence without gaps");
    }
    world.stop("a").await;
    world.stop("c").await;
}

#[tokio::test]
async fn a_replica_that_was_frozen_past_its_session_applies_nothing_twice() {
    let mut world = World::enter().await;
    let keys: Vec<String> = (0..6).map(|n| world.fresh_key(&format!("frozen{n}"))).collect();
    world.start("a").await;
    world.start("b").await;
    for key in &keys {
        world.send(&request(key, 1), &format!("{key}-0")).await;
        world.wait_for_total(key, 1).await;
    }
    world.freeze("a").await;
    for n in 1..20 {
        for key in &keys {
            world.enqueue(&request(key, 1), &format!("{key}-{n}"));
        }
    }
    world.flush().await;
    // Only when the session has run out does the other replica get these partitions.
    for key in &keys {
        world.wait_for_total(key, 20).await;
    }
    world.thaw("a").await;
    for key in &keys {
        world.send(&request(key, 80), &format!("{key}-last")).await;
        world.wait_for_total(key, 100).await;
        assert_eq!(world.additions(key).await, 21);
    }
    world.stop("a").await;
    world.stop("b").await;
}

#[tokio::test]
async fn what_a_replica_remembers_never_hides_what_another_has_written() {
    let mut world = World::enter().await;
    let key = world.fresh_key("remembered");
    world.start("a").await;
    world.start("b").await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    assert_eq!(world.add("a", &key, 1).await, Ok(2), "by what it remembers");
    assert_eq!(world.add("b", &key, 10).await, Ok(12));
    assert_eq!(world.add("a", &key, 100).await, Ok(112), "what it would write is verified");
    assert_eq!(world.add("b", &key, 1).await, Ok(113));
    // Nothing is added, so nothing is written that could be verified.
    assert_eq!(world.add("a", &key, 0).await, Ok(113), "it reads what it would not write");
    assert_eq!(world.additions(&key).await, 5);
    world.stop("a").await;
    world.stop("b").await;
}

#[tokio::test]
async fn rows_are_locked_where_replicas_share_them_and_where_a_race_was_lost() {
    let mut world = World::enter().await;
    let key = world.fresh_key("shared");
    world.start("a").await;
    world.wait_for_metric("a", "flotilla_replicas", "", |replicas| replicas == 1.0).await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));

    let reading_and_locking = "RowShareLock";
    let changing = world.change_total(&key).await;
    let interfere = async {
        world.wait_until_waited_for("transactionid").await;
        let lose = async {
            world.wait_until_waited_for("AccessExclusiveLock").await;
            changing.commit().await.unwrap();
        };
        let (locked, ()) = tokio::join!(world.lock_totals(), lose);
        world.wait_until_waited_for(reading_and_locking).await;
        locked.rollback().await.unwrap();
    };
    let (added, ()) = tokio::join!(world.add("a", &key, 1), interfere);
    assert_eq!(added, Ok(2));

    world.start("b").await;
    world.wait_for_metric("a", "flotilla_replicas", "", |replicas| replicas == 2.0).await;
    let locked = world.lock_totals().await;
    let unlock = async {
        world.wait_until_waited_for(reading_and_locking).await;
        locked.rollback().await.unwrap();
    };
    let (added, ()) = tokio::join!(world.add("a", &key, 1), unlock);
    assert_eq!(added, Ok(3));
    world.stop("a").await;
    world.stop("b").await;
}

#[tokio::test]
async fn every_partition_is_held_by_one_replica_which_says_how_many_it_holds() {
    let mut world = World::enter().await;
    let metric = "flotilla_partitions";
    world.start("a").await;
    world.wait_for_metric("a", metric, "", |held| held == 6.0).await;
    world.start("b").await;
    for replica in ["a", "b"] {
        world.wait_for_metric(replica, metric, "", |held| held == 3.0).await;
    }
    world.stop("a").await;
    world.wait_for_metric("b", metric, "", |held| held == 6.0).await;
    world.stop("b").await;
}
