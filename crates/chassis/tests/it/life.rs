//! A process starts when its dependencies are there and says what it waits for until then; it stops
//! without losing anything.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::world::{Detour, World, request};

#[tokio::test]
async fn everything_wrong_with_the_configuration_is_listed_and_the_exit_code_is_78() {
    let world = World::enter().await;
    let wrong = [
        ("FLOTILLA_HTTP_ADDRESS", "nonsense"),
        ("FLOTILLA_KAFKA_BROKERS", "127.0.0.1:9092,nonsense"),
        ("FLOTILLA_OTLP_ENDPOINT", "nonsense"),
        ("FLOTILLA_SHUTDOWN_TIMEOUT_MS", "0"),
        ("FLOTILLA_OUTBOX_MESSAGES_MAX", "many"),
    ];
    let (code, text) = world.run_with(&wrong).await;
    assert_eq!(code, Some(78), "{text}");
    let missing = ["FLOTILLA_DATABASE_URL", "FLOTILLA_REGISTRY_URL"];
    for name in wrong.iter().map(|(name, _)| *name).chain(missing) {
        assert!(text.contains(name), "{name} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn a_dependency_that_is_away_is_named_and_the_service_is_not_ready() {
    let mut world = World::enter().await;
    for (variable, value, part) in [
        ("FLOTILLA_DATABASE_URL", "postgres://nobody:x@127.0.0.1:1/none", "database"),
        ("FLOTILLA_KAFKA_BROKERS", "127.0.0.1:1", "kafka"),
    ] {
        world.spawn("a", &[(variable, value)]).await;
        let waits = world.wait_until_waiting_for("a", part).await;
        assert!(!waits.is_empty());
        let (status, problem) = world.http("a", "POST", "/additions", "{}").await;
        assert_eq!(status, 503, "{problem}");
        world.stop("a").await;
    }
}

#[tokio::test]
async fn a_start_waits_for_the_registry_and_goes_on_when_it_is_back() {
    let mut world = World::enter().await;
    world.forget_schema_ids().await;
    let detour = Detour::to(&world.urls.registry);
    world.spawn("a", &[("FLOTILLA_REGISTRY_URL", &detour.url)]).await;
    let says = world.wait_until_waiting_for("a", "registry").await;
    assert!(says.contains(&detour.url), "which registry: {says}");
    let _open = detour.open().await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_named_with_how_to_create_it() {
    let mut world = World::enter().await;
    world.delete_dead_letter_topic().await;
    world.spawn("a", &[]).await;
    let says = world.wait_until_waiting_for("a", "kafka").await;
    assert!(says.contains("no such topic: tally.dead-letters"), "{says}");
    assert!(says.contains("flotilla topics apply"), "{says}");
    world.create_topics().await;
    world.wait_until_ready("a").await;
    world.stop("a").await;
}

#[tokio::test]
async fn an_offset_outside_the_log_stops_its_partition_and_says_so() {
    let mut world = World::enter().await;
    let key = world.fresh_key("outside");
    world.start("a").await;
    let (partition, _) = world.send(&request(&key, 1), &format!("{key}-1")).await;
    world.wait_for_total(&key, 1).await;
    world.stop("a").await;
    world.move_offset(partition, 1_000_000).await;
    world.send(&request(&key, 1), &format!("{key}-2")).await;
    world.start("a").await;
    let says = world.wait_until_waiting_for("a", "offsets").await;
    assert!(says.contains("flotilla offsets move"), "what to do: {says}");
    assert_eq!(world.total(&key).await, 1, "nothing was skipped or applied");
    world.stop("a").await;
    world.move_offset(partition, -1_000_000).await;
    world.start("a").await;
    world.wait_for_total(&key, 2).await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_topic_that_was_created_again_stops_although_it_has_records_at_the_offset() {
    let mut world = World::enter().await;
    let key = world.fresh_key("recreated");
    world.start("a").await;
    let (partition, offset) = world.send(&request(&key, 1), &format!("{key}-1")).await;
    world.wait_for_total(&key, 1).await;
    world.stop("a").await;
    world.move_offset(partition, -offset).await;
    world.recreate_request_topic().await;
    for n in 2..=4 {
        world.send(&request(&key, 1), &format!("{key}-{n}")).await;
    }
    world.start("a").await;
    let says = world.wait_until_waiting_for("a", "offsets").await;
    assert!(says.contains("created again"), "{says}");
    world.stop("a").await;
    assert_eq!(world.total(&key).await, 1, "nothing was skipped or applied");
    world.forget_offsets().await;
    world.start("a").await;
    world.wait_for_total(&key, 4).await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_stop_finishes_what_was_accepted_and_a_second_signal_changes_nothing() {
    let mut world = World::enter().await;
    let key = world.fresh_key("stop");
    world.start("a").await;
    for n in 0..500 {
        world.enqueue(&request(&key, 1), &format!("{key}-{n}"));
    }
    world.flush().await;
    world.signal("a", "TERM").await;
    world.signal("a", "TERM").await;
    assert_eq!(world.wait_for_exit("a").await, Some(0));
    world.start("a").await;
    world.wait_for_total(&key, 500).await;
    assert_eq!(world.additions(&key).await, 500);
    world.stop("a").await;
}

#[tokio::test]
async fn a_replica_that_is_told_to_stop_serves_on_until_callers_have_gone_elsewhere() {
    let mut world = World::enter().await;
    let key = world.fresh_key("elsewhere");
    world.start_with("a", &[("FLOTILLA_STOP_DELAY_MS", "5000")]).await;
    let body = format!(r#"{{"key":"{key}","amount":1}}"#);
    let head = "POST /additions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let mut kept = world.send_half("a", &request).await;
    let answer = kept.next_answer().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.contains("connection: close"), "it is not told to stop yet: {answer}");
    let (first, rest) = request.split_at(10);
    let mut before = world.send_half("a", first).await;
    world.signal("a", "TERM").await;
    let says = world.wait_until_waiting_for("a", "stop").await;
    assert!(says.contains("stopping"), "{says}");
    assert_eq!(world.admin("a", "GET", "/readyz").await.0, 503);
    let after = world.send_half("a", &request).await.answer().await;
    before.send_rest(rest).await;
    kept.send_rest(&request).await;
    for answer in [before.answer().await, after, kept.answer().await] {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    assert_eq!(world.wait_for_exit("a").await, Some(0));
    assert_eq!(world.total(&key).await, 4);
}

#[tokio::test]
async fn a_replica_that_loses_a_part_does_not_wait_for_callers_to_go_elsewhere() {
    let mut world = World::enter().await;
    let delay = Duration::from_secs(50);
    for is_told_before in [false, true] {
        let key = world.fresh_key("lost");
        let variables = [
            ("FLOTILLA_STOP_DELAY_MS", "50000"),
            ("FLOTILLA_SHUTDOWN_TIMEOUT_MS", "100000"),
            ("FLOTILLA_PANIC_AT", "relay.before_publish"),
        ];
        world.start_with("a", &variables).await;
        let told = Instant::now();
        if is_told_before {
            world.signal("a", "TERM").await;
            world.wait_until_waiting_for("a", "stop").await;
        }
        assert_eq!(world.add("a", &key, 1).await, Ok(1));
        assert_eq!(world.wait_for_exit("a").await, Some(1), "told before: {is_told_before}");
        assert!(told.elapsed() < delay, "told before: {is_told_before}");
    }
}

#[tokio::test]
async fn calls_that_are_under_way_when_a_replica_stops_are_due_at_once() {
    let mut world = World::enter().await;
    let key = Uuid::new_v4();
    world.start_with("a", &[("FLOTILLA_BONUS_TAKES_MS", "600000")]).await;
    assert_eq!(world.add("a", &key.to_string(), 1).await, Ok(1));
    assert_eq!(world.due(key).await, [false], "the call is under way");
    world.stop("a").await;
    assert_eq!(world.due(key).await, [true], "its outcome is lost");
    world.start("a").await;
    world.wait_for_total(&key.to_string(), 11).await;
    world.stop("a").await;
}

#[tokio::test]
async fn an_unknown_route_a_wrong_method_and_a_wrong_body_get_problems() {
    let mut world = World::enter().await;
    world.start("a").await;
    for (method, path, body, status, code) in [
        ("GET", "/nowhere", "", 404, "unknown_route"),
        ("GET", "/additions", "", 405, "method_not_allowed"),
        ("POST", "/docs", "", 405, "method_not_allowed"),
        ("POST", "/additions", "{", 400, "malformed_json"),
    ] {
        let (found, problem) = world.http("a", method, path, body).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
    for (method, path, status, code) in
        [("GET", "/nowhere", 404, "unknown_route"), ("POST", "/readyz", 405, "method_not_allowed")]
    {
        let (found, problem) = world.admin("a", method, path).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "admin: {problem}");
    }
    let huge = format!("\"{}\"", "x".repeat(chassis::MAX_BODY_BYTES));
    let (status, problem) = world.http("a", "POST", "/additions", &huge).await;
    assert_eq!((status, problem["code"].as_str()), (413, Some("body_too_large")), "{problem}");
    world.stop("a").await;
}

#[tokio::test]
async fn a_command_whose_caller_has_given_up_is_begun_no_more() {
    let mut world = World::enter().await;
    let key = world.fresh_key("given-up");
    world.start("a").await;
    let body = |amount| format!(r#"{{"key":"{key}","amount":{amount}}}"#);
    let (status, total) = world.http("a", "POST", "/additions", &body(1)).await;
    assert_eq!((status, total.as_i64()), (200, Some(1)));
    let held = world.change_total(&key).await;
    // One command waits for the row, the other behind it, until the patience of both is over.
    let (begun, queued) = (body(10), body(100));
    let (one, other) = tokio::join!(
        world.http("a", "POST", "/additions", &begun),
        world.http("a", "POST", "/additions", &queued),
    );
    for (status, problem) in [one, other] {
        assert_eq!((status, problem["code"].as_str()), (503, Some("outcome_unknown")), "{problem}");
    }
    // An attempt that had begun while somebody still waited comes to its end.
    world.wait_until_not_waited_for().await;
    held.rollback().await.unwrap();
    let (status, total) = world.http("a", "POST", "/additions", &body(1_000)).await;
    assert_eq!((status, total.as_i64()), (200, Some(1_001)));
    world.stop("a").await;
}

#[tokio::test]
async fn readiness_tells_when_each_dependency_was_last_of_use() {
    let mut world = World::enter().await;
    let key = world.fresh_key("progress");
    world.start("a").await;
    let mut before = world.progress("a").await;
    for n in 1..=2 {
        assert_eq!(world.add("a", &key, 1).await, Ok(n));
        world.wait_until_published().await;
        let after = world.progress("a").await;
        for dependency in ["database", "kafka"] {
            assert!(after.get(dependency) > before.get(dependency), "{before:?} {after:?}");
        }
        before = after;
    }
    world.stop("a").await;
}

#[tokio::test]
async fn half_a_request_is_answered_in_time() {
    let mut world = World::enter().await;
    world.start("a").await;
    let head = "POST /additions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let half = format!("{head}content-length: 100\r\n\r\n{{\"key\"");
    let answer = world.send_half("a", &half).await.answer().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body_too_slow"), "{answer}");
    let half = half.replace("/additions", "/outbox/republish");
    let answer = world.send_half_to_admin("a", &half).await.answer().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    world.stop("a").await;
}

#[tokio::test]
async fn a_stop_gives_back_the_lease_and_the_partitions_although_half_a_request_is_open() {
    let mut world = World::enter().await;
    world.start("a").await;
    world.wait_for_leader("a").await;
    let head = world.send_half("a", "POST /additions HT").await;
    let body = "POST /additions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{";
    let body = world.send_half("a", body).await;
    world.stop("a").await;
    assert!(world.is_lease_free().await);
    assert_eq!(world.members_of_the_group().await, 0);
    drop((head, body));
}

#[tokio::test]
async fn a_stop_gives_back_the_lease_although_kafka_does_not_answer() {
    let mut world = World::enter().await;
    let key = world.fresh_key("silent");
    world.start("a").await;
    world.wait_for_leader("a").await;
    world.silence_kafka().await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.stop("a").await;
    assert!(world.is_lease_free().await);
    world.thaw_kafka().await;
    world.start("a").await;
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1)]);
    world.stop("a").await;
}

/// What ends a service when it ends, of what starts once the dependencies are there.
const PARTS: [&str; 7] = ["executor", "relay", "consumer", "watch", "sweep", "progress", "topics"];

#[tokio::test]
async fn the_end_of_any_part_ends_the_process_with_its_reason() {
    let mut world = World::enter().await;
    for part in ["http", "admin"].into_iter().chain(PARTS) {
        let (code, said) = world.run_to_its_end(&[("FLOTILLA_PANIC_AT", part)]).await;
        assert_eq!(code, Some(1), "{part}: {said}");
        let reason = format!("it panicked: told to panic at {part}");
        assert!(said.contains(&reason), "{part}: {said}");
    }
    // What they left behind hinders nobody.
    world.start("a").await;
    let key = world.fresh_key("after");
    world.send(&request(&key, 1), &key).await;
    world.wait_for_total(&key, 1).await;
    world.stop("a").await;
}

#[tokio::test]
async fn a_service_is_unready_before_the_end_of_a_part_ends_its_process() {
    let mut world = World::enter().await;
    for part in PARTS {
        world.forget_schema_ids().await;
        let detour = Detour::to(&world.urls.registry);
        let variables = [("FLOTILLA_PANIC_AT", part), ("FLOTILLA_REGISTRY_URL", &detour.url)];
        world.spawn("a", &variables).await;
        world.wait_until_waiting_for("a", "registry").await;
        // The stop waits for the rest of it, so that there is time to look.
        let half = world.send_half("a", "POST /additions HT").await;
        let _open = detour.open().await;
        let says = world.wait_until_waiting_for("a", "process").await;
        assert!(says.contains(&format!("`{part}` has ended")), "{says}");
        let (status, answer) = world.admin("a", "GET", "/readyz").await;
        assert_eq!(status, 503, "{answer}");
        drop(half);
        assert_eq!(world.wait_for_exit("a").await, Some(1), "{part}");
    }
}

#[tokio::test]
async fn a_relay_that_panics_while_it_publishes_leaves_no_listener_and_loses_nothing() {
    let mut world = World::enter().await;
    let key = world.fresh_key("panicked");
    world.start_with("a", &[("FLOTILLA_PANIC_AT", "relay.before_publish")]).await;
    let half = world.send_half("a", "POST /additions HT").await;
    assert_eq!(world.add("a", &key, 1).await, Ok(1));
    world.wait_until_waiting_for("a", "process").await;
    // The process still waits for the rest of a request.
    world.wait_for_listeners(0).await;
    drop(half);
    assert_eq!(world.wait_for_exit("a").await, Some(1));
    world.start("a").await;
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1)]);
    world.stop("a").await;
}
