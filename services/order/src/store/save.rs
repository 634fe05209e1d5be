//! Writes what a batch changed: one statement per table and kind of change, in the order of the ids,
//! so that replicas that touch the same orders meet in the same order and do not deadlock.

use chassis::{Failure, Writes};
use events::{OrderId, OrderLine, Shortage};
use sqlx::types::Json;
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{New, Prices, Row, Rows, StateColumns};

pub(crate) fn save(rows: &Rows, writes: &mut Writes) -> Result<(), Failure> {
    if let Some(stranger) = rows.strangers.first() {
        let (count, first) = (rows.strangers.len(), tracing::field::display(stranger));
        tracing::warn!(count, first, "ignored answers about orders that were never placed here");
    }
    if rows.orders.values().any(|row| row.unread && !row.changed) {
        return Err(Failure::unread("orders"));
    }
    if rows.presumed && rows.refused {
        return Err(Failure::unread("idempotency keys"));
    }
    let mut changed: Vec<(&OrderId, &Row)> =
        rows.orders.iter().filter(|(_, row)| row.changed).collect();
    changed.sort_unstable_by_key(|(id, _)| **id);
    let mut inserts = Inserts::default();
    let mut updates = Updates::default();
    for (id, row) in changed {
        match &row.new {
            Some(new) => inserts.push(id.0, row, new),
            None => updates.push(id.0, row),
        }
    }
    if !inserts.ids.is_empty() {
        inserts.write(writes);
        inserts.write_keys(writes);
    }
    if !updates.ids.is_empty() {
        updates.write(writes);
    }
    if !rows.prices.changed.is_empty() {
        write_prices(&rows.prices, writes);
    }
    Ok(())
}

/// The columns that every write of an order sets, column by column.
#[derive(Default)]
struct Common<'a> {
    sequences: Vec<i64>,
    states: Vec<i16>,
    reasons: Vec<Option<i16>>,
    stock_holds: Vec<Option<i16>>,
    payment_holds: Vec<Option<i16>>,
    histories: Vec<&'a [u8]>,
    tracking_codes: Vec<Option<&'a str>>,
    shortages: Vec<Option<Json<&'a [Shortage]>>>,
}

impl<'a> Common<'a> {
    fn push(&mut self, row: &'a Row) {
        let columns = StateColumns::of(&row.state);
        self.sequences.push(row.sequence);
        self.states.push(columns.state);
        self.reasons.push(columns.reason);
        self.stock_holds.push(columns.stock);
        self.payment_holds.push(columns.payment);
        self.histories.push(&row.log);
        self.tracking_codes.push(row.tracking_code.as_deref());
        self.shortages.push(row.shortages.as_deref().map(Json));
    }
}

#[derive(Default)]
struct Inserts<'a> {
    ids: Vec<Uuid>,
    common: Common<'a>,
    totals: Vec<i64>,
    placed_at: Vec<DateTime<Utc>>,
    customers: Vec<&'a str>,
    currencies: Vec<&'a str>,
    destinations: Vec<&'a str>,
    lines: Vec<Json<&'a [OrderLine]>>,
    keys: Vec<&'a str>,
    fingerprints: Vec<&'a [u8]>,
}

impl<'a> Inserts<'a> {
    fn push(&mut self, id: Uuid, row: &'a Row, New { place, placed }: &'a New) {
        self.ids.push(id);
        self.common.push(row);
        self.totals.push(placed.total.minor);
        let placed_at = DateTime::from_timestamp_micros(placed.placed_at_micros);
        self.placed_at.push(placed_at.expect("the time of a batch"));
        self.customers.push(&place.customer_id);
        self.currencies.push(placed.total.currency.as_str());
        self.destinations.push(&row.facts.destination);
        self.lines.push(Json(&placed.lines));
        self.keys.push(&place.key);
        self.fingerprints.push(&place.fingerprint);
    }

    fn write(&self, writes: &mut Writes) {
        let common = &self.common;
        writes
            .add(
                "insert into orders (order_id, total_minor, placed_at, sequence, version, state, \
                    reason, stock_hold, payment_hold, customer_id, currency, destination, lines, \
                    tracking_code, shortages, history) \
             select order_id, total_minor, placed_at, sequence, 1, state, \
                    reason, stock_hold, payment_hold, customer_id, currency, destination, lines, \
                    tracking_code, shortages, history \
               from {rows} v",
            )
            .column("order_id", &self.ids)
            .column("total_minor", &self.totals)
            .column("placed_at", &self.placed_at)
            .column("sequence", &common.sequences)
            .column("state", &common.states)
            .column("reason", &common.reasons)
            .column("stock_hold", &common.stock_holds)
            .column("payment_hold", &common.payment_holds)
            .column("customer_id", &self.customers)
            .column("currency", &self.currencies)
            .column("destination", &self.destinations)
            .column("lines", &self.lines)
            .column("tracking_code", &common.tracking_codes)
            .column("shortages", &common.shortages)
            .column("history", &common.histories)
            .expect(self.ids.len(), "orders");
    }

    /// Two replicas that place an order under the same key meet here: the second violates the primary
    /// key, which is a conflict, and its batch runs again and finds the first one's answer.
    fn write_keys(&self, writes: &mut Writes) {
        writes
            .add(
                "insert into idempotency_keys (key, fingerprint, order_id, created_at) \
             select * from {rows} v",
            )
            .column("key", &self.keys)
            .column("fingerprint", &self.fingerprints)
            .column("order_id", &self.ids)
            .column("created_at", &self.placed_at)
            .expect(self.ids.len(), "keys");
    }
}

#[derive(Default)]
struct Updates<'a> {
    ids: Vec<Uuid>,
    versions: Vec<i64>,
    common: Common<'a>,
}

impl<'a> Updates<'a> {
    fn push(&mut self, id: Uuid, row: &'a Row) {
        self.ids.push(id);
        self.versions.push(row.version);
        self.common.push(row);
    }

    fn write(&self, writes: &mut Writes) {
        let common = &self.common;
        writes
            .add(
                "update orders o \
                set sequence = v.sequence, version = o.version + 1, state = v.state, \
                    reason = v.reason, stock_hold = v.stock_hold, payment_hold = v.payment_hold, \
                    history = o.history || v.history, \
                    tracking_code = coalesce(v.tracking_code, o.tracking_code), \
                    shortages = coalesce(v.shortages, o.shortages) \
               from {rows} v \
              where o.order_id = v.order_id and o.version = v.version",
            )
            .column("order_id", &self.ids)
            .column("version", &self.versions)
            .column("sequence", &common.sequences)
            .column("state", &common.states)
            .column("reason", &common.reasons)
            .column("stock_hold", &common.stock_holds)
            .column("payment_hold", &common.payment_holds)
            .column("history", &common.histories)
            .column("tracking_code", &common.tracking_codes)
            .column("shortages", &common.shortages)
            .expect(self.ids.len(), "orders");
    }
}

/// The guard on the sequence is repeated here because another replica may have been faster.
fn write_prices(prices: &Prices, writes: &mut Writes) {
    let rows: Vec<_> = prices.changed.iter().map(|sku| &prices.listed[sku]).collect();
    let skus: Vec<&str> = prices.changed.iter().map(|sku| sku.as_str()).collect();
    let minors: Vec<i64> = rows.iter().map(|price| price.unit.minor).collect();
    let currencies: Vec<&str> = rows.iter().map(|price| price.unit.currency.as_str()).collect();
    let names: Vec<&str> = rows.iter().map(|price| price.name.as_str()).collect();
    let sequences: Vec<i64> = rows.iter().map(|price| price.sequence).collect();
    writes
        .add(
            "insert into prices (sku, unit_price_minor, currency, name, sequence) \
         select * from {rows} v \
             on conflict (sku) do update \
            set unit_price_minor = excluded.unit_price_minor, currency = excluded.currency, \
                name = excluded.name, sequence = excluded.sequence \
          where prices.sequence < excluded.sequence",
        )
        .column("sku", &skus)
        .column("unit_price_minor", &minors)
        .column("currency", &currencies)
        .column("name", &names)
        .column("sequence", &sequences);
}
