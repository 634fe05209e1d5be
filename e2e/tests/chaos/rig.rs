//! The fleet that all of these tests stop and kill, one after the other.

use std::time::Duration;

use e2e::shop::{Shop, expect};
use local::SERVICES;
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;

/// How long the fleet may take to come to rest after the last restart.
pub(crate) const REST: Duration = Duration::from_secs(120);

/// One at a time: they stop and kill services of the same fleet.
pub(crate) static TURN: Mutex<()> = Mutex::const_new(());

/// Opens a shop where everything runs. What a test that failed left dead is started again, so that
/// one failure is not reported as many.
pub(crate) async fn open() -> Shop {
    let shop = Shop::open().await.unwrap();
    local::testing::servers().await.unwrap().restart().await.unwrap();
    for service in SERVICES {
        shop.fleet.start_service(service).await.unwrap();
    }
    shop
}

/// What the provider has taken of an order, payment by payment.
pub(crate) async fn captured(shop: &Shop, order: Uuid) -> Vec<Value> {
    let books = shop.get("sandbox", &format!("/ledger/{order}")).await.unwrap();
    let payments = expect(200, books).unwrap()["payments"].as_array().cloned().unwrap_or_default();
    payments.into_iter().map(|payment| payment["captured_minor"].clone()).collect()
}
