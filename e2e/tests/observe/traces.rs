//! One trace leads from the request that places an order through every service to the order's completion.

use std::collections::{BTreeMap, BTreeSet};

use e2e::rig::{TURN, open};
use e2e::shop::{Shop, expect, id_of, order_of, send};
use uuid::Uuid;

use crate::collector::{Collector, Span};

/// What a browser or a gateway in front of the fleet began.
const CALLER: &str = "00f067aa0ba902b7";

/// The hops of an order that is completed: who does what.
const HOPS: [(&str, &str); 10] = [
    ("order", "command order"),
    ("order", "process commands"),
    ("inventory", "process order.events"),
    ("payment", "process order.events"),
    ("payment", "process outcomes"),
    ("order", "process inventory.events"),
    ("order", "process payment.events"),
    ("shipping", "process order.events"),
    ("shipping", "process outcomes"),
    ("order", "process shipping.events"),
];

async fn restart(shop: &Shop, variables: &[(&str, &str)]) {
    let set = |fleet: flotilla::fleet::Fleet, (name, value): &(&str, &str)| {
        fleet.with_variable(name, value)
    };
    let fleet = variables.iter().fold(shop.fleet.clone(), set);
    for service in shop.fleet.services() {
        shop.fleet.stop_service(service).await.unwrap();
        fleet.start_service(service).await.unwrap();
    }
}

/// How far a span is from the caller's, if its parents lead there.
fn depth(spans: &BTreeMap<&str, &Span>, span: &Span) -> Option<usize> {
    let mut at = span;
    for depth in 1..=spans.len() {
        if at.parent == CALLER {
            return Some(depth);
        }
        at = spans.get(at.parent.as_str())?;
    }
    None
}

fn by_id(span: Span) -> (String, Span) {
    (span.id.clone(), span)
}

#[tokio::test]
async fn one_trace_leads_from_the_request_through_every_service_and_its_batches_to_completion() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let collector = Collector::of(&shop).await;
    let variables = [
        ("FLOTILLA_OTLP_ENDPOINT", collector.url.as_str()),
        ("FLOTILLA_TRACE_SAMPLING", "1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("NO_PROXY", "127.0.0.1"),
    ];
    restart(&shop, &variables).await;
    let sku = shop.item(1).await.unwrap();
    let trace = Uuid::new_v4().simple().to_string();
    let request = shop.request("POST", "order", "/orders").unwrap();
    let request = request
        .header("traceparent", format!("00-{trace}-{CALLER}-01"))
        .header("Idempotency-Key", &trace)
        .json(&order_of(&[(&sku, 1)], "DE", "tok_visa"));
    let order = id_of(&expect(201, send(request).await.unwrap()).unwrap()).unwrap();
    shop.ended(order, "completed").await.unwrap();

    let hops: BTreeSet<(&str, &str)> = HOPS.into();
    let arrived = async || {
        let mut spans = collector.spans();
        let batches: BTreeMap<String, Span> =
            spans.extract_if(.., |span| span.name.starts_with("batch ")).map(by_id).collect();
        spans.retain(|span| span.trace == trace);
        let seen: BTreeSet<_> =
            spans.iter().map(|s| (s.service.as_str(), s.name.as_str())).collect();
        let all = hops.is_subset(&seen);
        // Heard twice: the hold, and the capture.
        let payments = spans.iter().filter(|s| s.name == "process payment.events").count();
        // A batch ends after what is processed in it, so its span arrives later.
        let mut joined = spans.iter().flat_map(|span| &span.links);
        let complete = all && payments >= 2 && joined.all(|batch| batches.contains_key(batch));
        Ok(complete.then_some((spans, batches)))
    };
    let (spans, batches) = shop.wait("every hop of the order to be traced", arrived).await.unwrap();
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    for span in &spans {
        assert!(depth(&by_id, span).is_some(), "leads nowhere: {span:?}");
        let knows_order = span.name.ends_with(".events");
        assert!(!knows_order || span.order == order.to_string(), "{span:?}");
        if span.name.starts_with("process ") {
            let batch = &batches[&span.links[0]];
            assert_eq!(batch.name, format!("batch {}", span.service));
            assert!(batch.links.contains(&span.parent), "{batch:?} does not join {span:?}");
        }
    }
    let deepest = spans.iter().filter_map(|span| depth(&by_id, span)).max();
    // Placed, held, confirmed, dispatched, shipped, captured, completed: each caused by the one before.
    assert!(deepest.is_some_and(|deepest| deepest >= 9), "{deepest:?}");
    restart(&shop, &[]).await;
    collector.stop().await.unwrap();
}
