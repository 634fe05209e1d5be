//! A payment provider that forgets its idempotency keys or stands by a server error: its books show one
//! hold, and the order ends.

use e2e::shop::{Shop, expect, send};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rig::{TURN, open};

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
