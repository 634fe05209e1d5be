//! The catalogue that a benchmark's orders need, written over HTTP like any other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::http::Client;
use crate::request::{order_json, sku};

/// Units of each SKU: more than a day of orders for a single SKU at full speed.
const UNITS: u64 = 1_000_000_000;
/// Requests under way at once.
const REQUESTS: usize = 32;
/// The most lines that an order may have.
const LINES_MAX: usize = 100;
/// How long prices may take from inventory to order.
const PATIENCE: Duration = Duration::from_secs(60);

/// Puts SKUs into stock and waits until the order service knows what they cost.
pub async fn fill(fleet: &Fleet, skus: u32) -> anyhow::Result<()> {
    let inventory = *fleet.http("inventory").first().context("the fleet has no inventory")?;
    let order = *fleet.http("order").first().context("the fleet has no order service")?;
    futures::stream::iter(0..skus)
        .map(|number| put(inventory, number))
        .buffer_unordered(REQUESTS)
        .try_collect::<()>()
        .await?;
    let numbers: Vec<u32> = (0..skus).collect();
    for numbers in numbers.chunks(LINES_MAX) {
        order_one_of_each(order, numbers).await?;
    }
    Ok(())
}

async fn put(inventory: SocketAddr, number: u32) -> anyhow::Result<()> {
    let mut client = Client::new(inventory);
    let path = format!("/stock/{}", sku(number));
    let item = r#"{"name":"Benchmark","unit_price_minor":1000,"currency":"EUR"}"#;
    let response = client.send_json("PUT", &path, "", item).await?;
    ensure!(
        (200..300).contains(&response.status),
        "PUT {path} answers {}: {}",
        response.status,
        String::from_utf8_lossy(response.body)
    );
    let path = format!("{path}/adjustments");
    let delta = format!(r#"{{"delta":{UNITS},"note":"benchmark"}}"#);
    let key = format!("idempotency-key: {}\r\n", Uuid::now_v7());
    let response = client.send_json("POST", &path, &key, &delta).await?;
    ensure!(
        (200..300).contains(&response.status),
        "POST {path} answers {}: {}",
        response.status,
        String::from_utf8_lossy(response.body)
    );
    Ok(())
}

/// The order service refuses an unknown SKU, so an accepted order shows that it knows them all. The order is
/// watched to its end, so that the measurement does not hear of it.
async fn order_one_of_each(order: SocketAddr, numbers: &[u32]) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let body = order_json(numbers.iter().copied());
    let key = format!("idempotency-key: stock-{}\r\n", Uuid::now_v7());
    let mut client = Client::new(order);
    loop {
        let response = client.send_json("POST", "/orders?wait=terminal", &key, &body).await?;
        match response.status {
            200 => return Ok(()),
            202 => {
                bail!("the first orders do not end; `flotilla order list` says what they wait for")
            }
            422 | 429 | 503 if Instant::now() < deadline => {}
            status => bail!(
                "the order service does not accept orders of new SKUs, it answers {status}: {}",
                String::from_utf8_lossy(response.body)
            ),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
