//! Nothing that was committed is lost or held up by what cannot be published.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, request};

#[tokio::test]
async fn a_record_that_kafka_refuses_is_set_apart_with_what_is_behind_it_and_nothing_else() {
    let mut world = World::enter().await;
    let small = world.fresh_key("small");
    let large = format!("{}{}", world.fresh_key("large"), "x".repeat(4_000));
    world.set_totals("max.message.bytes", "3000").await;
    world.start("a").await;
    for n in 1..=5 {
        assert_eq!(world.add("a", &small, 1).await, Ok(n));
        assert_eq!(world.add("a", &large, 1).await, Ok(n));
    }
    world.wait_until_published().await;
    assert_eq!(world.set_apart().await, 5, "all of the key, in their order");
    let told: Vec<(i64, i64)> = (1..=5).map(|n| (n, n)).collect();
    assert_eq!(world.totals_told(&small), told);
    assert_eq!(world.headers_told(&small, "ce_sequence").len(), 5, "neighbours are published once");
    assert_eq!(world.totals_told(&large), []);
    let says = world.wait_until_waiting_for("a", "set_apart").await;
    assert!(says.contains("tally.events") && says.contains("too large"), "{says}");
    let label = "topic=\"tally.events\"";
    world.wait_for_metric("a", "flotilla_outbox_set_apart", label, |apart| apart == 5.0).await;

    // Also a replica that starts now keeps the order.
    world.stop("a").await;
    world.start("b").await;
    world.wait_for_leader("b").await;
    assert_eq!(world.add("b", &large, 1).await, Ok(6));
    world.set_totals("max.message.bytes", "1000000").await;
    world.wait_until_nothing_is_set_apart().await;
    let told: Vec<(i64, i64)> = (1..=6).map(|n| (n, n)).collect();
    assert_eq!(world.totals_told(&large), told);
    assert_eq!(world.add("b", &large, 1).await, Ok(7));
    world.wait_until_published().await;
    assert_eq!(world.set_apart().await, 0, "nothing waits behind what is published");
    world.wait_until_not_waiting_for("b", "set_apart").await;
    world.wait_for_metric("b", "flotilla_outbox_set_apart", label, |apart| apart == 0.0).await;
    world.stop("b").await;
}

#[tokio::test]
async fn a_topic_that_is_gone_holds_up_no_other_and_gets_its_events_in_order_when_it_is_back() {
    let mut world = World::enter().await;
    let key = world.fresh_key("gone");
    world.start("a").await;
    world.wait_for_leader("a").await;
    world.delete_totals_topic().await;
    for n in 1..=60 {
        assert_eq!(world.add("a", &key, 1).await, Ok(n));
    }
    let dead = world.fresh_key("dead");
    let place = world.send_raw(&dead, &[], Some(b"no Avro")).await;
    world.dead_letter(place).await;
    world.wait_until_published().await;
    assert_eq!(world.dead_letter_records(&dead).len(), 1, "another topic goes on");
    assert_eq!(world.set_apart().await, 60);
    world.create_topics().await;
    world.wait_until_nothing_is_set_apart().await;
    let told: Vec<(i64, i64)> = (1..=60).map(|n| (n, n)).collect();
    assert_eq!(world.totals_told(&key), told);
    world.stop("a").await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_publishing_before_it_and_says_so() {
    let mut world = World::enter().await;
    let key = world.fresh_key("unreadable");
    let lease = world.take_lease().await;
    world.start("a").await;
    for n in 1..=3 {
        assert_eq!(world.add("a", &key, 1).await, Ok(n));
    }
    let (batch, messages) = world.spoil_last_row().await;
    assert_eq!(world.add("a", &key, 1).await, Ok(4));
    drop(lease);
    world.give_lease_back().await;
    let says = world.wait_until_waiting_for("a", "outbox").await;
    assert!(says.contains(&format!("batch {batch}")), "{says}");
    assert_eq!(world.totals_told(&key), [(1, 1), (2, 2)]);
    // A few more looks at it publish nothing again.
    world.wait_until_lease_was_renewed_for(Duration::from_secs(4)).await;
    assert_eq!(world.headers_told(&key, "ce_sequence").len(), 2);
    world.mend_row(batch, &messages).await;
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1), (2, 2), (3, 3), (4, 4)]);
    world.wait_until_not_waiting_for("a", "outbox").await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_gap_in_the_outbox_makes_the_service_unready_until_it_is_filled_and_says_so() {
    let mut world = World::enter().await;
    let key = world.fresh_key("gap");
    let lease = world.take_lease().await;
    world.start("a").await;
    for n in 1..=2 {
        assert_eq!(world.add("a", &key, 1).await, Ok(n));
    }
    let lost = world.lose_last_row().await;
    assert_eq!(world.add("a", &key, 1).await, Ok(3));
    drop(lease);
    world.give_lease_back().await;
    let says = world.wait_until_waiting_for("a", "outbox").await;
    assert!(says.contains(&format!("batch {lost} is not in flotilla.outbox")), "{says}");
    let (status, answer) = world.admin("a", "GET", "/readyz").await;
    assert_eq!(status, 503, "{answer}");
    assert_eq!(world.totals_told(&key), [(1, 1)], "nothing overtakes it");
    world
        .operate(
            "insert into flotilla.outbox (batch, message_count, messages) values (",
            lost,
            ", 0, '\\x01000000000000');",
        )
        .await;
    world.wait_until_ready("a").await;
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1), (3, 3)]);
    world.stop("a").await;
}

#[tokio::test]
async fn an_operator_gives_up_a_row_that_is_lost_or_unreadable_as_the_runbook_says() {
    let mut world = World::enter().await;
    let key = world.fresh_key("given_up");
    let lease = world.take_lease().await;
    world.start("a").await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    let (unreadable, _) = world.spoil_last_row().await;
    assert_eq!(world.add("a", &key, 1).await, Ok(2));
    assert_eq!(world.add("a", &key, 1).await, Ok(3));
    let lost = world.lose_last_row().await;
    assert_eq!(world.add("a", &key, 1).await, Ok(4));
    drop(lease);
    world.give_lease_back().await;
    world.wait_until_waiting_for("a", "outbox").await;
    world
        .operate(
            "update flotilla.outbox set message_count = 0, messages = '\\x01000000000000' where batch = ",
            unreadable,
            ";",
        )
        .await;
    let says =
        world.wait_until_waiting_because("a", "outbox", &format!("batch {lost} is not")).await;
    assert!(says.contains("docs/runbook.md"), "{says}");
    world
        .operate(
            "insert into flotilla.outbox (batch, message_count, messages) values (",
            lost,
            ", 0, '\\x01000000000000');",
        )
        .await;
    world.wait_until_published().await;
    world.wait_until_not_waiting_for("a", "outbox").await;
    assert_eq!(world.totals_told(&key), [(2, 2), (4, 4)]);
    world.stop("a").await;
}

#[tokio::test]
async fn a_flush_that_takes_longer_than_the_lease_keeps_it() {
    let mut world = World::enter().await;
    let key = world.fresh_key("slow");
    world.start("a").await;
    world.wait_for_leader("a").await;
    world.start("b").await;
    let epoch = world.lease_epoch().await;
    world.silence_kafka().await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    // Longer than a term, all of it within one flush.
    world.wait_until_lease_was_renewed_for(Duration::from_secs(8)).await;
    assert_eq!(world.lease_epoch().await, epoch, "nobody else took it");
    let says = world.wait_until_waiting_for("a", "kafka").await;
    assert!(says.contains("events wait"), "{says}");
    world.thaw_kafka().await;
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1)]);
    world.wait_until_not_waiting_for("a", "kafka").await;
    world.stop("a").await;
    world.stop("b").await;
}

#[tokio::test]
async fn an_idle_service_says_that_kafka_is_away_and_that_it_is_back() {
    let mut world = World::enter().await;
    world.start("a").await;
    world.wait_for_leader("a").await;
    world.wait_until_published().await;
    world.kill_kafka().await;
    let says = world.wait_until_waiting_for("a", "kafka").await;
    assert!(says.contains("does not answer"), "{says}");
    world.restart_kafka().await;
    world.wait_until_not_waiting_for("a", "kafka").await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_replica_that_no_longer_publishes_says_nothing_of_publishing() {
    let mut world = World::enter().await;
    let key = world.fresh_key("deposed");
    world.start("a").await;
    world.wait_for_leader("a").await;
    world.silence_kafka().await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.wait_until_waiting_for("a", "kafka").await;
    let lease = world.take_lease().await;
    world.wait_until_not_waiting_for("a", "kafka").await;
    world.thaw_kafka().await;
    drop(lease);
    world.give_lease_back().await;
    world.wait_until_published().await;
    world.send(&request(&key, 1), &key).await;
    world.wait_for_total(&key, 2).await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_topic_that_lost_its_log_gets_its_events_again_in_order_and_before_newer_ones() {
    let mut world = World::enter().await;
    let key = world.fresh_key("lost");
    world.start("a").await;
    world.wait_for_leader("a").await;
    for n in 1..=40 {
        assert_eq!(world.add("a", &key, 1).await, Ok(n));
    }
    world.wait_until_published().await;
    world.delete_totals_topic().await;
    let again = json!({ "topic": "tally.events", "minutes": 60 });
    let (status, taken) = world.ask_admin("a", "POST", "/outbox/republish", &again).await;
    assert_eq!(status, 202, "{taken}");
    assert!(taken["batches"].as_i64() > Some(0), "{taken}");
    for n in 41..=50 {
        assert_eq!(world.add("a", &key, 1).await, Ok(n));
    }
    // Also one that takes over half-way goes on with it.
    world.kill("a").await;
    world.create_topics().await;
    world.start("b").await;
    world.wait_until_nothing_is_republished("b").await;
    world.wait_until_published().await;
    let told: Vec<(i64, i64)> = (1..=50).map(|n| (n, n)).collect();
    assert_eq!(world.totals_told(&key), told);
    world.wait_for_metric("b", "flotilla_outbox_messages", "", |waiting| waiting == 0.0).await;
    world.wait_for_metric("b", "flotilla_outbox_age_seconds", "", |age| age == 0.0).await;
    let stranger = json!({ "topic": "strange.events" });
    let (status, problem) = world.ask_admin("b", "POST", "/outbox/republish", &stranger).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("unknown_topic")), "{problem}");
    world.stop("b").await;
}

#[tokio::test]
async fn published_rows_are_kept_for_as_long_as_the_setting_says() {
    let mut world = World::enter().await;
    let key = world.fresh_key("kept");
    world.start("a").await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.wait_until_published().await;
    assert!(world.rows_of_the_outbox().await > 0);
    let (_, outbox) = world.admin("a", "GET", "/outbox").await;
    assert!(outbox["kept_since"].is_string() && outbox["waiting"] == 0, "{outbox}");
    world.stop("a").await;
    // More than are looked at between two renewals of the lease.
    world.leave_published_rows(120_000).await;
    world.start_with("a", &[("FLOTILLA_OUTBOX_KEEP_MINUTES", "0")]).await;
    assert_eq!(world.add("a", &key, 1).await, Ok(2));
    world.wait_for_rows_of_the_outbox(0).await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_topic_whose_copies_do_not_fit_its_replicas_is_told_of_and_mended() {
    let mut world = World::enter().await;
    let key = world.fresh_key("copies");
    world.set_totals("min.insync.replicas", "2").await;
    world.start("a").await;
    let says = world.wait_until_waiting_for("a", "topics").await;
    assert!(says.contains("tally.events") && says.contains("Kafka takes nothing"), "{says}");
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.create_topics().await;
    world.wait_until_published().await;
    world.wait_until_not_waiting_for("a", "topics").await;
    assert_eq!(world.totals_told(&key), [(1, 1)]);
    world.stop("a").await;
}
