//! Telemetry follows the work and never holds it up.

use crate::world::World;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn a_trace_that_a_caller_began_goes_on_in_the_events() {
    let mut world = World::enter().await;
    let key = world.fresh_key("trace");
    world.start("a").await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    world.add_traced("a", &key, 1, &parent).await;
    world.wait_until_published().await;
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
    let header = world.headers_told(&key, "traceparent").remove(0);
    assert!(
        header.contains(TRACE) && header != parent,
        "a span of our own in the same trace: {header}"
    );
    world.stop("a").await;
}
