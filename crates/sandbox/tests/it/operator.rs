//! What who runs the simulator sees and sets.

use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{intent, well_behaved};

#[tokio::test]
async fn the_ledger_tells_totals_and_every_order_page_by_page() {
    let client = well_behaved().await;
    let orders: Vec<Uuid> = (0..7).map(|_| Uuid::now_v7()).collect();
    for order in &orders {
        client.authorize(*order, "tok_visa", 100).await;
        client.book(*order, "DE").await;
    }
    client.authorize(Uuid::now_v7(), "tok_declined", 100).await;
    client.capture(orders[0]).await;
    let cancel = format!("/v1/payment_intents/{}/cancel", intent(orders[1]));
    client.post(&cancel, "cancel", "").await;

    let totals = client.get("/ledger?limit=1").await.body["totals"].clone();
    assert_eq!(totals["orders"], 8);
    let money = json!({
        "payments": 8, "declined": 1, "authorized_minor": 700, "held_minor": 500,
        "voided_minor": 100, "captured_minor": 100, "refunded_minor": 0,
    });
    assert_eq!(totals["payments"], json!({ "eur": money }));
    assert_eq!(totals["shipments"], json!({ "dispatched": 7, "refused": 0, "cancelled": 0 }));

    let (mut seen, mut after) = (vec![], String::new());
    loop {
        let page = client.get(&format!("/ledger?limit=3{after}")).await.body;
        let ids = page["orders"].as_array().unwrap().iter().map(|order| order["order_id"].clone());
        seen.extend(ids);
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen.len(), 8);
    assert!(orders.iter().all(|order| seen.contains(&json!(order))));

    let one = client.get(&format!("/ledger/{}", orders[1])).await.body;
    assert_eq!(one["payments"][0]["voided_minor"], 100);
    assert_eq!(one["shipment"]["status"], "dispatched");
}

#[tokio::test]
async fn a_page_has_bounds() {
    let client = well_behaved().await;
    for query in ["limit=0", "limit=1001", "limit=x", "after=7", "offset=3"] {
        let refused = client.get(&format!("/ledger?{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert_eq!(client.get(&format!("/ledger/{}", Uuid::nil())).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn settings_are_changed_one_by_one_and_checked() {
    let client = well_behaved().await;
    let before = client.get("/control").await.body;
    let changed = client.control(&json!({ "slow_ms": 7 })).await.body;
    assert_eq!((&changed["slow_ms"], &changed["hold_ms"]), (&json!(7), &before["hold_ms"]));
    for wrong in [json!({ "failure_rate": 2 }), json!({ "latency": 5 }), json!({ "slow_ms": -1 })] {
        assert_eq!(client.control(&wrong).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(client.get("/control").await.body, changed);
}

#[tokio::test]
async fn health_needs_no_key() {
    let client = well_behaved().await;
    let url = client.request(reqwest::Method::GET, "/healthz").build().unwrap().url().clone();
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(plain.get(url).send().await.unwrap().status(), StatusCode::OK);
}
