//! Reads what a batch needs: at most one statement per table, none where nothing is needed.

use std::collections::HashSet;
use std::sync::Arc;

use chassis::{Failure, Presumed, Remembered};
use events::{Currency, Money, OrderId, OrderLine, Sku};
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Answered, Prices, Row, Rows, StateColumns};
use crate::domain::Facts;
use crate::placement::{Placed, Price};
use crate::service::Input;

pub(crate) async fn load(
    db: &mut PgConnection,
    remembered: &Remembered<OrderId, Row>,
    presumed: &Presumed<Arc<str>>,
    inputs: &[&Input],
) -> Result<Rows, Failure> {
    let mut ids = Vec::with_capacity(inputs.len());
    let mut keys: Vec<Arc<str>> = Vec::new();
    let mut skus: Vec<&str> = Vec::new();
    for input in inputs {
        match input {
            Input::Step(step) => ids.push(step.order),
            Input::Place(place) => {
                keys.push(place.key.clone());
                skus.extend(place.lines.iter().map(|line| line.sku.as_str()));
            }
            Input::Price(sku, _) => skus.push(sku.as_str()),
        }
    }
    let mut rows = Rows { orders: remembered.take(&mut ids), ..Rows::default() };
    // Room for the new ones too.
    rows.orders.reserve(ids.len() + keys.len());
    if !ids.is_empty() {
        let mut ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        load_orders(db, &ids, &mut rows).await?;
    }
    // A client that sends a request again is rare.
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

/// Without `for update`: saving verifies the version.
async fn load_orders(db: &mut PgConnection, ids: &[Uuid], rows: &mut Rows) -> Result<(), Failure> {
    type Columns =
        (Uuid, i64, i64, i64, i16, Option<i16>, Option<i16>, Option<i16>, String, String);
    let found: Vec<Columns> = sqlx::query_as(
        "select order_id, total_minor, sequence, version, state, reason, stock_hold, payment_hold, \
                currency, destination \
           from orders where order_id = any($1)",
    )
    .bind(ids)
    .fetch_all(db)
    .await?;
    for (id, minor, sequence, version, state, reason, stock, payment, currency, destination) in
        found
    {
        let id = OrderId(id);
        let state = StateColumns { state, reason, stock, payment }.state()?;
        let facts = Facts { id, total: money(minor, &currency)?, destination };
        rows.orders.insert(id, Row::unchanged(facts, state, sequence, version));
    }
    Ok(())
}

/// The answers to requests that came before, rebuilt from columns that never change.
async fn load_answered(
    db: &mut PgConnection,
    keys: &[Arc<str>],
    rows: &mut Rows,
) -> Result<(), Failure> {
    type Columns = (String, [u8; 32], Uuid, Json<Vec<OrderLine>>, i64, String, DateTime<Utc>);
    let found: Vec<Columns> = sqlx::query_as(
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
    type Columns = (String, i64, String, String, i64);
    let found: Vec<Columns> = sqlx::query_as(
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

fn money(minor: i64, currency: &str) -> Result<Money, Failure> {
    let currency: Currency = currency.parse().map_err(Failure::permanent)?;
    Ok(Money::new(minor, currency))
}
