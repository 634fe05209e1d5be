//! A payment provider that forgets its idempotency keys or stands by a server error: its books show one
//! hold, and the order ends. And providers and carriers that refuse a call for good, until somebody has
//! seen to it.

use e2e::shop::{Shop, expect, send};
use flotilla::audit;
use serde_json::{Value, json};
use uuid::Uuid;

use e2e::rig::{REST, TURN, captured, open};

/// Changes how the sandbox behaves.
async fn control(shop: &Shop, change: Value) {
    let url = format!("{}/control", shop.fleet.url("sandbox"));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    expect(200, send(http.post(url).json(&change)).await.unwrap()).unwrap();
}

#[tokio::test]
async fn an_order_is_charged_once_by_a_provider_that_forgets_its_keys_and_ends_by_one_that_is_broken()
 {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
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
        assert_eq!(captured(&shop, order).await.unwrap(), [250], "{token}");
    }
    control(&shop, json!({ "key_memory_ms": 86_400_000 })).await;
    shop.fleet.stop_service("payment").await.unwrap();
    shop.fleet.start_service("payment").await.unwrap();
}

/// Waits until a call of this step stays open for the order.
async fn stuck(shop: &Shop, service: &str, order: Uuid, step: &str) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/open-calls?open_for_seconds=0", shop.fleet.admin_url(service));
    shop.wait(&format!("{step} of {order} to stay open"), async || {
        let found = expect(200, send(http.get(&url)).await?)?;
        let calls = found["open_calls"].as_array().cloned().unwrap_or_default();
        let this = |call: &Value| call["order_id"] == order.to_string() && call["step"] == step;
        Ok(calls.iter().any(this).then_some(()))
    })
    .await
    .unwrap();
}

/// Says what became of a call, with what belongs to the outcome.
async fn settle(shop: &Shop, service: &str, path: &str, mut said: Value) -> (u16, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/{path}/settle", shop.fleet.admin_url(service));
    said["settled_by"] = "ada".into();
    said["reason"] = "seen to by hand".into();
    send(http.post(url).json(&said)).await.unwrap()
}

async fn settle_payment(shop: &Shop, order: Uuid, outcome: &str) -> (u16, Value) {
    settle(shop, "payment", &format!("payments/{order}"), json!({ "outcome": outcome })).await
}

async fn settle_shipment(shop: &Shop, order: Uuid, said: Value) -> (u16, Value) {
    settle(shop, "shipping", &format!("shipments/{order}"), said).await
}

#[tokio::test]
async fn an_order_whose_hold_expired_and_one_whose_refund_came_back_end_when_somebody_has_seen_to_it()
 {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(2).await.unwrap();
    let unpaid = shop.place(&[(&sku, 1)], "DE", "tok_hold_expires").await.unwrap();
    stuck(&shop, "payment", unpaid, "capture").await;
    assert_eq!(shop.order(unpaid).await.unwrap()["state"], "shipped");
    assert_eq!(
        settle_payment(&shop, unpaid, "refunded").await.0,
        409,
        "it waits for something else"
    );
    let received = expect(200, settle_payment(&shop, unpaid, "captured").await).unwrap();
    assert_eq!(received["state"], "received");
    shop.ended(unpaid, "completed").await.unwrap();

    let returned = shop.place(&[(&sku, 1)], "DE", "tok_refund_fails").await.unwrap();
    shop.ended(returned, "completed").await.unwrap();
    expect(202, shop.act(returned, "return").await.unwrap()).unwrap();
    stuck(&shop, "payment", returned, "refund").await;
    expect(200, settle_payment(&shop, returned, "refunded").await).unwrap();
    shop.ended(returned, "returned").await.unwrap();

    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
    assert!(report.notes.iter().any(|note| note.contains("settled by hand")), "{:?}", report.notes);
}

#[tokio::test]
async fn orders_whose_booking_the_carrier_refuses_end_when_somebody_has_seen_to_it() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(4).await.unwrap();
    for (said, shipment, order_state) in [
        (json!({ "outcome": "dispatched", "tracking_code": "T1" }), "dispatched", "completed"),
        (json!({ "outcome": "refused" }), "refused", "cancelled"),
        (json!({ "outcome": "cancelled" }), "cancelled", "cancelled"),
    ] {
        let order = shop.place(&[(&sku, 1)], "ZZ", "tok_visa").await.unwrap();
        stuck(&shop, "shipping", order, "book").await;
        assert_eq!(shop.order(order).await.unwrap()["state"], "confirmed");
        let settled = expect(200, settle_shipment(&shop, order, said.clone()).await).unwrap();
        assert_eq!(settled["state"], shipment);
        assert_eq!(settled["open_call"], Value::Null);
        assert_eq!(settle_shipment(&shop, order, said).await.0, 409, "it has ended");
        shop.ended(order, order_state).await.unwrap();
    }
    // A cancellation is what such a carrier does understand.
    let asked = shop.place(&[(&sku, 1)], "ZZ", "tok_visa").await.unwrap();
    stuck(&shop, "shipping", asked, "book").await;
    expect(202, shop.act(asked, "cancel").await.unwrap()).unwrap();
    shop.ended(asked, "cancelled").await.unwrap();
    let nobodys = settle_shipment(&shop, Uuid::new_v4(), json!({ "outcome": "cancelled" })).await;
    assert_eq!(nobodys.0, 404);

    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
    let noted = |note: &String| note.contains("shipments were settled by hand");
    assert!(report.notes.iter().any(noted), "{:?}", report.notes);
}
