//! Writes what a batch changed: orders, the keys they were placed under, prices.

use chassis::{Failure, Writes};
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{New, Prices, Rows};

pub(crate) fn save(rows: &Rows, writes: &mut Writes) -> Result<(), Failure> {
    if let Some(stranger) = rows.strangers.first() {
        let (count, first) = (rows.strangers.len(), tracing::field::display(stranger));
        tracing::warn!(count, first, "ignored answers about orders that were never placed here");
    }
    if rows.presumed && rows.rejected {
        return Err(Failure::unread("idempotency keys"));
    }
    rows.orders.save(writes)?;
    write_keys(rows, writes);
    if !rows.prices.changed.is_empty() {
        write_prices(&rows.prices, writes);
    }
    Ok(())
}

/// Two replicas that place an order under the same key meet here: the second violates the primary
/// key, which is a conflict, and its batch runs again and finds the first one's answer.
fn write_keys(rows: &Rows, writes: &mut Writes) {
    let new = rows.orders.iter().filter_map(|(_, order)| order.new.as_ref());
    let mut new: Vec<&New> = new.collect();
    if new.is_empty() {
        return;
    }
    new.sort_unstable_by_key(|new| new.placed.order_id);
    let time = |new: &&New| DateTime::from_timestamp_micros(new.placed.placed_at_micros);
    let times: Option<Vec<DateTime<Utc>>> = new.iter().map(time).collect();
    writes
        .add(
            "insert into idempotency_keys (key, fingerprint, order_id, created_at) \
             select * from {rows} v",
        )
        .column("key", new.iter().map(|new| &*new.place.key).collect::<Vec<&str>>())
        .column("fingerprint", new.iter().map(|new| &new.place.fingerprint[..]).collect::<Vec<_>>())
        .column("order_id", new.iter().map(|new| new.placed.order_id.0).collect::<Vec<Uuid>>())
        .column("created_at", times.expect("the time of a batch"))
        .expect(new.len(), "keys");
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
