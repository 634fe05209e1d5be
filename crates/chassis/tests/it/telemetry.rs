//! Telemetry follows the work and never holds it up.

use crate::world::{World, request};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn a_trace_that_a_caller_began_goes_on_in_the_events() {
    let mut world = World::enter().await;
    let key = world.fresh_key("trace");
    world.start("a").await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    world.add_traced("a", &key, 1, &parent).await;
    world.wait_until_published().await;
    assert_eq!(world.headers_told(&key, "tracestate"), ["congo=t61rcWkgMzE,rojo=1"]);
    let header = world.headers_told(&key, "traceparent");
    assert_eq!(header, [parent], "without an exporter the context is passed on as it is");
    assert_eq!(world.headers_told(&key, "ce_correlationid"), [key.as_str()]);
    assert_eq!(world.headers_told(&key, "ce_id"), [format!("{key}/1")]);
    assert_eq!(world.headers_told(&key, "ce_source"), ["tally"]);
    world.stop("a").await;
}

#[tokio::test]
async fn a_collector_that_is_away_neither_holds_up_work_nor_a_stop() {
    let mut world = World::enter().await;
    let key = world.fresh_key("collector");
    let endpoint =
        [("FLOTILLA_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("FLOTILLA_TRACE_SAMPLING", "1")];
    world.start_with("a", &endpoint).await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    world.add_traced("a", &key, 1, &parent).await;
    world.wait_until_published().await;
    assert_eq!(world.headers_told(&key, "tracestate"), ["congo=t61rcWkgMzE,rojo=1"]);
    let header = world.headers_told(&key, "traceparent").remove(0);
    assert!(
        header.contains(TRACE) && header != parent,
        "a span of our own in the same trace: {header}"
    );
    world.stop("a").await;
}

#[tokio::test]
async fn requests_to_kafka_are_counted_as_they_were_sent() {
    let mut world = World::enter().await;
    let key = world.fresh_key("requests");
    world.start("a").await;
    world.add("a", &key, 1).await.unwrap();
    for api in ["produce", "fetch"] {
        let label = format!("api=\"{api}\"");
        world.wait_for_metric("a", "flotilla_kafka_requests_total", &label, |n| n >= 1.0).await;
    }
    world.stop("a").await;
}

#[tokio::test]
async fn requests_are_timed_by_route_and_answer_and_paths_are_no_routes() {
    let mut world = World::enter().await;
    let key = world.fresh_key("timed");
    world.start("a").await;
    world.add("a", &key, 1).await.unwrap();
    let metric = "flotilla_http_request_duration_seconds_count";
    for label in ["method=\"POST\",", "status=\"200\""] {
        world.wait_for_metric("a", metric, label, |n| n >= 1.0).await;
    }
    let shown = world.metrics("a").await;
    assert!(!shown.contains(&key), "a key is no label: {shown}");
    world.stop("a").await;
}

#[tokio::test]
async fn a_replica_shows_whether_it_is_ready_what_waits_and_what_it_takes() {
    let mut world = World::enter().await;
    let key = world.fresh_key("standing");
    world.start("a").await;
    world.wait_for_metric("a", "flotilla_ready", "", |ready| ready == 1.0).await;
    let locked = world.lock_totals().await;
    world.send(&request(&key, 1), &key).await;
    let (metric, part) = ("flotilla_waits_for", "part=\"executor\"");
    world.wait_for_metric("a", metric, part, |waits| waits == 1.0).await;
    world.wait_for_metric("a", "flotilla_ready", "", |ready| ready == 0.0).await;
    locked.rollback().await.unwrap();
    world.wait_for_metric("a", "flotilla_ready", "", |ready| ready == 1.0).await;
    let shown = world.metrics("a").await;
    assert!(!shown.contains(part), "what has recovered is not shown any more");
    for process in
        ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"]
    {
        world.wait_for_metric("a", process, "", |taken| taken > 0.0).await;
    }
    world.stop("a").await;
}

#[tokio::test]
async fn the_outbox_ages_while_nobody_publishes() {
    let mut world = World::enter().await;
    let key = world.fresh_key("age");
    world.start("a").await;
    let lease = world.take_lease().await;
    world.add("a", &key, 1).await.unwrap();
    world.wait_for_metric("a", "flotilla_outbox_age_seconds", "", |age| age > 1.0).await;
    drop(lease);
    world.give_lease_back().await;
    world.wait_for_metric("a", "flotilla_outbox_age_seconds", "", |age| age == 0.0).await;
    world.wait_for_metric("a", "flotilla_outbox_messages", "", |messages| messages == 0.0).await;
    assert_eq!(world.totals_told(&key), [(1, 1)]);
    world.stop("a").await;
}

#[tokio::test]
async fn lag_is_what_the_database_is_behind() {
    let mut world = World::enter().await;
    let key = world.fresh_key("lag");
    world.start("a").await;
    let metric = "flotilla_consumer_lag";
    world.wait_for_metric("a", metric, "", |lag| lag == 0.0).await;
    let locked = world.lock_totals().await;
    for n in 0..3 {
        world.send(&request(&key, 1), &format!("{key}/{n}")).await;
    }
    world.wait_for_metric("a", metric, "", |lag| lag == 3.0).await;
    locked.rollback().await.unwrap();
    world.wait_for_metric("a", metric, "", |lag| lag == 0.0).await;
    assert_eq!(world.total(&key).await, 3);
    world.stop("a").await;
}

#[tokio::test]
async fn dead_letters_are_shown_until_they_are_settled() {
    let mut world = World::enter().await;
    let key = world.fresh_key("waiting");
    world.start("a").await;
    let place = world.send(&request(&key, 0), &key).await;
    let letter = world.dead_letter(place).await;
    let (metric, label) = ("flotilla_dead_letters_waiting", "reason=\"refused\"");
    world.wait_for_metric("a", metric, label, |waiting| waiting >= 1.0).await;
    // Other tests leave theirs: all go.
    let (_, listed) = world.admin("a", "GET", "/dead-letters?reason=refused").await;
    let listed = listed["dead_letters"].as_array().unwrap();
    assert!(listed.iter().any(|listed| listed["id"] == letter.id));
    for listed in listed {
        let path = format!("/dead-letters/{}/drop", listed["id"]);
        assert_eq!(world.admin("a", "POST", &path).await.0, 200);
    }
    world.wait_for_metric("a", metric, label, |waiting| waiting == 0.0).await;
    world.stop("a").await;
}
