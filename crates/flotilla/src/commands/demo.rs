//! The six ways an order can go, one after the other, each shown as it happens.

use anyhow::{Context, Result, bail};
use flotilla::fleet::Fleet;
use serde_json::{Value, json};
use uuid::Uuid;

use super::order::watch;
use super::{Call, Http, text};
use crate::output::Output;

/// What the shop sells: SKU, name, price in minor units, units.
const CATALOGUE: [(&str, &str, i64, i64); 5] = [
    ("tea", "Darjeeling, 100 g", 1290, 1000),
    ("cup", "Cup, stoneware", 1850, 400),
    ("kettle", "Kettle, cast iron", 8900, 60),
    ("tray", "Tray, ash", 3400, 150),
    ("scarce", "Last of its kind", 19900, 2),
];

/// Units that are always short: more are ordered than ever existed.
const TOO_MANY: i64 = 9000;

pub(crate) async fn run(fleet: &Fleet, out: &Output) -> Result<()> {
    let shop =
        Shop { http: Http::new(), order: fleet.url("order"), inventory: fleet.url("inventory") };
    shop.seed().await.context("the catalogue cannot be seeded")?;

    out.title("1. an order that completes");
    let completed = shop.place(&[("tea", 2), ("cup", 1)], "DE", "tok_visa", out).await?;
    shop.follow(&completed, "completed", out).await?;

    out.title("2. out of stock: the whole order is refused, and says which lines were short");
    let order = shop.place(&[("tea", 1), ("kettle", TOO_MANY)], "DE", "tok_visa", out).await?;
    let short = shop.follow(&order, "cancelled", out).await?;
    for line in short["shortages"].as_array().into_iter().flatten() {
        let (sku, wanted, free) = (text(&line["sku"]), &line["requested"], &line["available"]);
        out.line(format_args!("  short: {sku}, {wanted} wanted, {free} free"));
    }

    out.title("3. the card is declined: the goods go back");
    let order = shop.place(&[("cup", 2)], "DE", "tok_declined", out).await?;
    shop.follow(&order, "cancelled", out).await?;

    out.title("4. the carrier refuses: goods and money go back");
    let order = shop.place(&[("tray", 1)], "AQ", "tok_visa", out).await?;
    shop.follow(&order, "cancelled", out).await?;

    out.title("5. the customer cancels while a slow carrier is being asked");
    let order = shop.place(&[("tea", 1)], "NZ", "tok_visa", out).await?;
    shop.wait_for_event(&order, "OrderConfirmed").await?;
    shop.act(&order, "cancel").await?;
    shop.follow(&order, "cancelled", out).await?;

    out.title("6. the customer sends the first order back");
    shop.act(&completed, "return").await?;
    shop.follow(&completed, "returned", out).await?;
    Ok(())
}

struct Shop {
    http: Http,
    order: String,
    inventory: String,
}

impl Shop {
    /// Items and a first delivery; the same keys every time, so that a second demo adds nothing.
    async fn seed(&self) -> Result<()> {
        for (sku, name, price, units) in CATALOGUE {
            let item = json!({ "name": name, "unit_price_minor": price, "currency": "EUR" });
            self.http.ask(Call::put(&self.inventory, &["stock", sku])?.json(&item)).await?;
            let delivery = Call::post(&self.inventory, &["stock", sku, "adjustments"])?;
            let delivery = delivery.header("Idempotency-Key", &format!("demo-delivery-{sku}"))?;
            let delivered = json!({ "delta": units, "note": "first delivery" });
            self.http.ask(delivery.json(&delivered)).await?;
        }
        Ok(())
    }

    /// Places an order; the price list reaches the order service a moment after the catalogue.
    async fn place(
        &self,
        lines: &[(&str, i64)],
        destination: &str,
        token: &str,
        out: &Output,
    ) -> Result<String> {
        let lines: Vec<Value> =
            lines.iter().map(|(sku, n)| json!({ "sku": sku, "quantity": n })).collect();
        let body = json!({ "customer_id": "demo", "lines": lines, "destination": destination,
                           "payment_token": token });
        let mut last = None;
        for _ in 0..50 {
            let call = Call::post(&self.order, &["orders"])?;
            let call = call.header("Idempotency-Key", &Uuid::new_v4().to_string())?;
            match self.http.ask(call.json(&body)).await {
                Ok(placed) => {
                    let order = text(&placed["order_id"]);
                    out.line(format_args!("  {order}, {}", super::money(&placed)));
                    return Ok(order);
                }
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Err(last.context("nothing was tried")?)
    }

    /// Shows the order's entries as they happen; returns it at its end.
    async fn follow(&self, order: &str, end: &str, out: &Output) -> Result<Value> {
        watch(&self.http, &self.order, order, out).await?;
        let ended = Call::get(&self.order, &["orders", order])?.query("wait", "terminal");
        let found = self.http.ask(ended).await?;
        let state = text(&found["state"]);
        if state != end {
            bail!("order {order} should have ended {end}, but is {state}");
        }
        Ok(found)
    }

    async fn wait_for_event(&self, order: &str, event: &str) -> Result<()> {
        for _ in 0..600 {
            let found = self.http.ask(Call::get(&self.order, &["orders", order])?).await?;
            let history = found["history"].as_array().cloned().unwrap_or_default();
            if history.iter().any(|entry| entry["event"] == event) {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        bail!("order {order} never came to {event}");
    }

    async fn act(&self, order: &str, verb: &str) -> Result<Value> {
        self.http.ask(Call::post(&self.order, &["orders", order, verb])?).await
    }
}
