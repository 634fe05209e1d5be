//! Reads what a batch needs, in at most three statements. Stock rows come last: where they are locked,
//! the time between lock and commit is short.

use std::collections::BTreeSet;

use chassis::{Failure, Presumed, Remembered};
use events::{Currency, Money, OrderId, Sku};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Reservation, Rows, StockRow};
use crate::domain::{self, Item, Lines, State};
use crate::service::Input;

/// What is known before anything is read.
pub struct Loading<'a> {
    pub reservations: &'a Remembered<OrderId, Reservation>,
    pub stock: &'a Remembered<Sku, StockRow>,
    pub presumed: &'a Presumed<OrderId>,
    /// Whether other replicas write the same items: none is remembered then, all are locked.
    pub lock: bool,
}

impl Loading<'_> {
    /// Loads the rows of a batch.
    pub async fn load(&self, db: &mut PgConnection, inputs: &[&Input]) -> Result<Rows, Failure> {
        let Touched { mut orders, mut placed, adjustments, mut skus } = Touched::by(inputs);
        let reservations = self.reservations.take(&mut orders);
        let mut rows = Rows { reservations, ..Rows::default() };
        placed.retain(|order| !rows.reservations.contains_key(order));
        let new = self.presumed.take(placed).into_iter();
        rows.reservations.extend(new.map(|order| (order, Reservation::presumed_new())));
        orders.retain(|order| !rows.reservations.contains_key(order));
        if !orders.is_empty() {
            let orders: Vec<Uuid> = orders.into_iter().map(|order| order.0).collect();
            load_reservations(db, &orders, &mut rows).await?;
        }
        for reservation in rows.reservations.values() {
            match &reservation.state {
                State::Reserved { lines } | State::Deducted { lines } => {
                    skus.extend(lines.keys().cloned());
                }
                State::New | State::Rejected | State::Released | State::Returned => {}
            }
        }
        if !adjustments.is_empty() {
            load_adjustments(db, &adjustments, &mut rows).await?;
        }
        let mut skus: Vec<Sku> = skus.into_iter().collect();
        rows.stock.is_locked = self.lock;
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
struct Touched {
    orders: Vec<OrderId>,
    /// Those of the orders that are placed.
    placed: Vec<OrderId>,
    adjustments: Vec<Uuid>,
    skus: BTreeSet<Sku>,
}

impl Touched {
    fn by(inputs: &[&Input]) -> Self {
        let mut touched = Touched::default();
        for input in inputs {
            match input {
                Input::Order { order, step } => {
                    touched.orders.push(*order);
                    if let domain::Input::Placed { lines } = step {
                        touched.placed.push(*order);
                        touched.skus.extend(lines.keys().cloned());
                    }
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

/// Without `for update`: saving verifies the version.
async fn load_reservations(
    db: &mut PgConnection,
    orders: &[Uuid],
    rows: &mut Rows,
) -> Result<(), Failure> {
    type Row = (Uuid, i16, Option<Json<Lines>>, i64, i64);
    let found: Vec<Row> = sqlx::query_as(
        "select order_id, state, lines, sequence, version from reservations
         where order_id = any($1)",
    )
    .bind(orders)
    .fetch_all(db)
    .await?;
    for (order, state, lines, sequence, version) in found {
        let state = state_of(state, lines.map(|lines| lines.0))
            .ok_or_else(|| Failure::permanent(format!("reservation {order} is unreadable")))?;
        let row = Reservation { state, sequence, version, unread: false, changed_at_micros: None };
        rows.reservations.insert(OrderId(order), row);
    }
    Ok(())
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
/// In one order by everybody, so that two batches cannot wait for each other.
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

pub(super) const RESERVED: i16 = 1;
pub(super) const REJECTED: i16 = 2;
pub(super) const RELEASED: i16 = 3;
pub(super) const DEDUCTED: i16 = 4;
pub(super) const RETURNED: i16 = 5;

fn state_of(state: i16, lines: Option<Lines>) -> Option<State> {
    match state {
        RESERVED => Some(State::Reserved { lines: lines? }),
        REJECTED => Some(State::Rejected),
        RELEASED => Some(State::Released),
        DEDUCTED => Some(State::Deducted { lines: lines? }),
        RETURNED => Some(State::Returned),
        _unknown => None,
    }
}

fn sku_of(text: String) -> Result<Sku, Failure> {
    Sku::new(text).map_err(Failure::permanent)
}
