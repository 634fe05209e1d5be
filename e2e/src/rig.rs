//! A fleet that the tests of a program stop and kill, one after the other. Separate from `shop`, on which tests run
//! in parallel.

use std::time::Duration;

use anyhow::Result;
use local::SERVICES;
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::shop::{Shop, expect};

/// How long the fleet may take to come to rest after the last restart.
pub const REST: Duration = Duration::from_secs(120);

/// One at a time: they stop and kill services of the same fleet.
pub static TURN: Mutex<()> = Mutex::const_new(());

/// Opens a shop where everything runs. Services that a failed test left dead are started again, so that
/// one failure is not reported as many.
pub async fn open() -> Result<Shop> {
    let shop = Shop::open().await?;
    local::testing::own_servers().await?.restart().await?;
    for service in SERVICES {
        shop.fleet.start_service(service).await?;
    }
    Ok(shop)
}

/// What the provider has captured for an order, payment by payment.
pub async fn captured(shop: &Shop, order: Uuid) -> Result<Vec<Value>> {
    let books = shop.get("sandbox", &format!("/ledger/{order}")).await?;
    let payments = expect(200, books)?["payments"].as_array().cloned().unwrap_or_default();
    Ok(payments.into_iter().map(|payment| payment["captured_minor"].clone()).collect())
}
