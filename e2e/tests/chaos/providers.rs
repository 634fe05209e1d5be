//! A payment provider that forgets its idempotency keys or stands by a server error: its books show one
//! hold, and the order ends.

use e2e::shop::{Shop, expect, send};
use flotilla::audit;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rig::{REST, TURN, open};

/// Changes how the sandbox behaves.
async fn control(shop: &Shop, change: Value) {
    let url = format!("{}/control", shop.fleet.url("sandbox"));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    expect(200, send(http.post(url).json(&change)).await.unwrap()).unwrap();
}

/// What the provider has taken of an order, payment by payment.
async fn captured(shop: &Shop, order: Uuid) -> Vec<Value> {
    let books = shop.get("sandbox", &format!("/ledger/{order}")).await.unwrap();
    let payments = expect(200, books).unwrap()["payments"].as_array().cloned().unwrap_or_default();
    payments.into_iter().map(|payment| payment["captured_minor"].clone()).collect()
}

#[tokio::test]
async fn an_order_is_charged_once_by_a_provider_that_forgets_its_keys_and_ends_by_one_that_is_broken()
 {
    let _turn = TURN.lock().await;
    let shop = open().await;
    let sku = shop.item(3).await.unwrap();
    let wary = shop.fleet.with_variable("FLOTILLA_PROVIDER_KEYS_KEPT_SECONDS", "1");
    let wary = wary.with_variable("FLOTILLA_PROVIDER_SEARCH_SETTLES_SECONDS", "0");
    shop.fleet.stop_service("payment").await.unwrap();
    wary.start_service("payment").await.unwrap();
    for (memory_ms, token) in
        [(0, "tok_timeout"), (60_000, "tok_broken"), (60_000, "tok_broken_after")]
    {
        control(&shop, json!({ "key_memory_ms": memory_ms })).await;
        let order = shop.place(&[(&sku, 1)], "DE", token).await.unwrap();
        shop.ended(order, "completed").await.unwrap();
        assert_eq!(captured(&shop, order).await, [250], "{token}");
    }
    control(&shop, json!({ "key_memory_ms": 86_400_000 })).await;
    shop.fleet.stop_service("payment").await.unwrap();
    shop.fleet.start_service("payment").await.unwrap();
}

/// Waits until a call of this step stays open for the order.
async fn stuck(shop: &Shop, order: Uuid, step: &str) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/open-calls?open_for_seconds=0", shop.fleet.admin_url("payment"));
    shop.wait(&format!("{step} of {order} to stay open"), async || {
        let found = expect(200, send(http.get(&url)).await?)?;
        let calls = found["open_calls"].as_array().cloned().unwrap_or_default();
        let this = |call: &Value| call["order_id"] == order.to_string() && call["step"] == step;
        Ok(calls.iter().any(this).then_some(()))
    })
    .await
    .unwrap();
}

async fn settle(shop: &Shop, order: Uuid, outcome: &str) -> (u16, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/payments/{order}/settle", shop.fleet.admin_url("payment"));
    let body = json!({ "outcome": outcome, "settled_by": "ada", "reason": "seen to by hand" });
    send(http.post(url).json(&body)).await.unwrap()
}

#[tokio::test]
async fn an_order_whose_hold_expired_and_one_whose_refund_came_back_end_when_somebody_has_seen_to_it()
 {
    let _turn = TURN.lock().await;
    let shop = open().await;
    let sku = shop.item(2).await.unwrap();
    let unpaid = shop.place(&[(&sku, 1)], "DE", "tok_hold_expires").await.unwrap();
    stuck(&shop, unpaid, "capture").await;
    assert_eq!(shop.order(unpaid).await.unwrap()["state"], "shipped");
    assert_eq!(settle(&shop, unpaid, "refunded").await.0, 409, "it waits for something else");
    let received = expect(200, settle(&shop, unpaid, "captured").await).unwrap();
    assert_eq!(received["state"], "received");
    shop.ended(unpaid, "completed").await.unwrap();

    let returned = shop.place(&[(&sku, 1)], "DE", "tok_refund_fails").await.unwrap();
    shop.ended(returned, "completed").await.unwrap();
    expect(202, shop.act(returned, "return").await.unwrap()).unwrap();
    stuck(&shop, returned, "refund").await;
    expect(200, settle(&shop, returned, "refunded").await).unwrap();
    shop.ended(returned, "returned").await.unwrap();

    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
    assert!(report.notes.iter().any(|note| note.contains("settled by hand")), "{:?}", report.notes);
}
