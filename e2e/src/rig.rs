//! A fleet that the tests of a program stop and kill, one after the other. Separate from `shop`, on which tests run
//! in parallel.

use std::time::Duration;

use anyhow::{Result, bail};
use futures::future::try_join_all;
use local::SERVICES;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::shop::{Shop, expect, id_of, order_of};

/// How long the fleet may take to come to rest after the last restart.
pub const REST: Duration = Duration::from_secs(120);

/// Customers who order at once.
const CUSTOMERS: usize = 20;

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

/// Sends this many mixed orders for an item of which there is plenty and one that is scarce, each until it is
/// accepted: a caller who is turned away, or whose connection breaks, asks again with the same key. A refusal is an
/// error.
pub async fn place_orders(
    shop: &Shop,
    orders: usize,
    [plenty, scarce]: [&str; 2],
    seed: u64,
) -> Result<()> {
    let mut random = SmallRng::seed_from_u64(seed);
    for round in 0..orders / CUSTOMERS {
        let bodies: Vec<Value> = (0..CUSTOMERS)
            .map(|_| {
                let sku = if random.random_bool(0.2) { scarce } else { plenty };
                let quantity = random.random_range(1..=3);
                let destinations = ["DE", "DE", "DE", "DE", "FR", "AQ"];
                let tokens =
                    ["tok_visa", "tok_visa", "tok_visa", "tok_visa", "tok_declined", "tok_error"];
                let mut one_of = |texts: [&'static str; 6]| {
                    texts.choose(&mut random).copied().unwrap_or_default()
                };
                let (destination, token) = (one_of(destinations), one_of(tokens));
                order_of(&[(sku, quantity)], destination, token)
            })
            .collect();
        let sent = bodies.iter().enumerate().map(|(n, body)| {
            let key = format!("{plenty}-{round}-{n}");
            async move { place_until_answered(shop, body, &key).await }
        });
        for order in try_join_all(sent).await? {
            // Some customers change their minds, at whatever moment.
            if random.random_bool(0.1) {
                let _refused_or_away = shop.act(order, "cancel").await;
            }
        }
    }
    Ok(())
}

async fn place_until_answered(shop: &Shop, body: &Value, key: &str) -> Result<Uuid> {
    shop.wait("an answer to an order", async || match shop.place_with_key(body, key).await {
        Ok((201, placed)) => id_of(&placed).map(Some),
        Ok((429 | 503, _)) | Err(_) => Ok(None),
        Ok((status, problem)) => bail!("{status}: {problem}"),
    })
    .await
}
