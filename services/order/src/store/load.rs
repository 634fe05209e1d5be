//! Reads what a batch needs: at most one statement per table, and none where nothing is needed.

use std::collections::HashSet;
use std::sync::Arc;

use chassis::{Failure, Keyed, Presumed};
use events::{Currency, Money, OrderId, OrderLine, Sku};
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Answered, OrderState, Prices, Rows};
use crate::placement::{Placed, Price};
use crate::service::Input;

pub(crate) async fn load(
    db: &mut PgConnection,
    orders: &Keyed<OrderState>,
    presumed: &Presumed<Arc<str>>,
    inputs: &[&Input],
) -> Result<Rows, Failure> {
    let mut ids = Vec::with_capacity(inputs.len());
    let mut keys: Vec<Arc<str>> = Vec::new();
    let mut skus: Vec<&str> = Vec::new();
    for input in inputs {
        match input {
            Input::Order(step) => ids.push(step.order),
            Input::Place(place) => {
                keys.push(place.key.clone());
                skus.extend(place.lines.iter().map(|line| line.sku.as_str()));
            }
            Input::Price(sku, _) => skus.push(sku.as_str()),
        }
    }
    let mut rows = Rows { orders: orders.load_existing(db, ids).await?, ..Rows::default() };
    // It is rare that a client sends a request again.
    let new: HashSet<Arc<str>> = presumed.take(keys.iter().cloned()).into_iter().collect();
    rows.presumed = !new.is_empty();
    keys.retain(|key| !new.contains(key));
    if !keys.is_empty() {
        load_answered(db, &keys, &mut rows).await?;
    }
    if !skus.is_empty() {
        skus.sort_unstable();
        skus.dedup();
        rows.prices = load_prices(db, &skus).await?;
    }
    Ok(rows)
}

/// The answers to requests that came before, rebuilt from columns that never change.
async fn load_answered(
    db: &mut PgConnection,
    keys: &[Arc<str>],
    rows: &mut Rows,
) -> Result<(), Failure> {
    type Selected = (String, [u8; 32], Uuid, Json<Vec<OrderLine>>, i64, String, DateTime<Utc>);
    let found: Vec<Selected> = sqlx::query_as(
        "select k.key, k.fingerprint, o.order_id, o.lines, o.total_minor, o.currency, o.placed_at \
           from idempotency_keys k join orders o on o.order_id = k.order_id \
          where k.key = any($1)",
    )
    .bind(keys.iter().map(|key| &**key).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    for (key, fingerprint, order_id, Json(lines), minor, currency, placed_at) in found {
        let placed = Arc::new(Placed {
            order_id: OrderId(order_id),
            lines,
            total: money(minor, &currency)?,
            placed_at_micros: placed_at.timestamp_micros(),
        });
        rows.answered.insert(key.into(), Answered { fingerprint, placed });
    }
    Ok(())
}

async fn load_prices(db: &mut PgConnection, skus: &[&str]) -> Result<Prices, Failure> {
    type Selected = (String, i64, String, String, i64);
    let found: Vec<Selected> = sqlx::query_as(
        "select sku, unit_price_minor, currency, name, sequence from prices where sku = any($1)",
    )
    .bind(skus)
    .fetch_all(db)
    .await?;
    let mut prices = Prices::default();
    prices.listed.reserve(found.len());
    for (sku, minor, currency, name, sequence) in found {
        let price = Price { name, unit: money(minor, &currency)?, sequence };
        prices.list(Sku::new(sku).map_err(Failure::permanent)?, price);
    }
    Ok(prices)
}

pub(super) fn money(minor: i64, currency: &str) -> Result<Money, Failure> {
    let currency: Currency = currency.parse().map_err(Failure::permanent)?;
    Ok(Money::new(minor, currency))
}
