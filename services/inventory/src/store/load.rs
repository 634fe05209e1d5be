//! Reads what a batch needs, in at most three statements. Stock rows come last: where they are locked,
//! the time between lock and commit is short.

use std::collections::BTreeSet;

use chassis::{Failure, Keyed, Remembered, Touched};
use events::{Currency, Money, OrderId, Sku};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Rows, StockRow};
use crate::domain::{self, Item, State};
use crate::service::Input;

/// What is known before anything is read.
pub(crate) struct Loading<'a> {
    pub(crate) reservations: &'a Keyed<State>,
    pub(crate) stock: &'a Remembered<Sku, StockRow>,
    /// Whether other replicas write the same items: then none is remembered and all are locked.
    pub(crate) lock: bool,
}

impl Loading<'_> {
    /// Loads the rows of a batch.
    pub(crate) async fn load(
        &self,
        db: &mut PgConnection,
        inputs: &[&Input],
    ) -> Result<Rows, Failure> {
        let Touches { orders, adjustments, mut skus } = Touches::by(inputs);
        let reservations = self.reservations.load(db, orders).await?;
        for (_, state) in reservations.iter() {
            match state {
                State::Reserved { lines } | State::Deducted { lines } => {
                    skus.extend(lines.keys().cloned());
                }
                State::New | State::Rejected | State::Released | State::Returned => {}
            }
        }
        let mut rows = Rows::of(reservations);
        rows.stock.is_locked = self.lock;
        if !adjustments.is_empty() {
            load_adjustments(db, &adjustments, &mut rows).await?;
        }
        let mut skus: Vec<Sku> = skus.into_iter().collect();
        if !self.lock {
            rows.stock.rows.extend(self.stock.take(&mut skus));
        }
        if !skus.is_empty() {
            load_stock(db, &skus, &mut rows).await?;
        }
        Ok(rows)
    }
}

/// Keys of what inputs touch.
#[derive(Default)]
struct Touches {
    orders: Vec<Touched<OrderId>>,
    adjustments: Vec<Uuid>,
    skus: BTreeSet<Sku>,
}

impl Touches {
    fn by(inputs: &[&Input]) -> Self {
        let mut touched = Touches::default();
        for input in inputs {
            match input {
                Input::Order { order, step } => {
                    let mut begins = false;
                    if let domain::Input::Placed { lines } = step {
                        begins = true;
                        touched.skus.extend(lines.keys().cloned());
                    }
                    touched.orders.push(Touched { key: *order, begins });
                }
                Input::Set { sku, .. } => {
                    touched.skus.insert(sku.clone());
                }
                Input::Adjust(adjustment) => {
                    touched.adjustments.push(adjustment.id);
                    touched.skus.insert(adjustment.sku.clone());
                }
            }
        }
        touched
    }
}

async fn load_adjustments(
    db: &mut PgConnection,
    ids: &[Uuid],
    rows: &mut Rows,
) -> Result<(), Failure> {
    let found: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "select adjustment_id, sku, delta from adjustments where adjustment_id = any($1)",
    )
    .bind(ids)
    .fetch_all(db)
    .await?;
    for (id, sku, delta) in found {
        rows.adjustments.insert(id, (sku_of(sku)?, delta));
    }
    Ok(())
}

const READ_STOCK: &str =
    "select sku, name, unit_price_minor, currency, free, reserved, shipped, adjusted, sequence
     from stock where sku = any($1)";
/// Everybody locks in the same order, so that two batches cannot wait for each other.
const READ_AND_LOCK_STOCK: &str =
    "select sku, name, unit_price_minor, currency, free, reserved, shipped, adjusted, sequence
     from stock where sku = any($1) order by sku for update";

async fn load_stock(db: &mut PgConnection, skus: &[Sku], rows: &mut Rows) -> Result<(), Failure> {
    let statement = if rows.stock.is_locked { READ_AND_LOCK_STOCK } else { READ_STOCK };
    let found: Vec<Found> = sqlx::query_as(statement)
        .bind(skus.iter().map(Sku::as_str).collect::<Vec<_>>())
        .fetch_all(db)
        .await?;
    for found in found {
        let currency: Currency = found.currency.parse().map_err(Failure::permanent)?;
        let item = Item {
            name: found.name,
            price: Money::new(found.unit_price_minor, currency),
            free: found.free,
            reserved: found.reserved,
            shipped: found.shipped,
        };
        let row = StockRow::read(item, found.adjusted, found.sequence);
        rows.stock.rows.insert(sku_of(found.sku)?, row);
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Found {
    sku: String,
    name: String,
    unit_price_minor: i64,
    currency: String,
    free: i64,
    reserved: i64,
    shipped: i64,
    adjusted: i64,
    sequence: i64,
}

fn sku_of(text: String) -> Result<Sku, Failure> {
    Sku::new(text).map_err(Failure::permanent)
}
