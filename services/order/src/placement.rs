//! Turns a customer's request into an order: prices come from the fleet's own list, never from the
//! customer. Pure, and separate from `domain`, which begins when the prices are known.

use std::collections::HashMap;
use std::sync::Arc;

use events::{Currency, Money, OrderId, OrderLine, Sku};

/// A valid request to place an order, as the executor hears it.
#[derive(Debug)]
pub struct PlaceOrder {
    /// Made where the request arrived, so that a batch that runs twice places the same order.
    pub order_id: OrderId,
    pub customer_id: String,
    pub lines: Vec<Wanted>,
    pub destination: String,
    pub payment_token: String,
    /// The currency that the customer expects to pay in; a mistake here is refused rather than converted.
    pub currency: Option<Currency>,
    /// The request's idempotency key.
    pub key: Arc<str>,
    /// Shows whether another request with this key asks for the same.
    pub fingerprint: [u8; 32],
}

/// One line of a request.
#[derive(Debug)]
pub struct Wanted {
    pub sku: Sku,
    pub quantity: i32,
}

/// What is charged for one unit of a stock item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    pub name: String,
    pub unit: Money,
    /// Its number among inventory's events about the item: a price with a higher one is newer.
    pub sequence: i64,
}

/// An order as it was placed: the answer to the customer, now and whenever the request is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub order_id: OrderId,
    pub lines: Vec<OrderLine>,
    pub total: Money,
    pub placed_at_micros: i64,
}

/// Why an order was not placed. Lines are counted from 0, as in the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("nothing with the SKU {sku} is sold")]
    UnknownSku { line: usize, sku: Sku },
    #[error("{sku} is sold in {currency} and the line before it in {other}: place one order each")]
    MixedCurrencies { line: usize, sku: Sku, currency: Currency, other: Currency },
    #[error("the prices are in {listed}, not in {asserted}")]
    OtherCurrency { asserted: Currency, listed: Currency },
    #[error("the total is too large to be charged")]
    TotalTooLarge { line: usize },
    #[error("this key was used for another order")]
    KeyReused,
}

/// Looks up every line's price and adds up the total.
pub(crate) fn price(
    place: &PlaceOrder,
    prices: &HashMap<Sku, Price>,
) -> Result<(Vec<OrderLine>, Money), Rejection> {
    let mut lines = Vec::with_capacity(place.lines.len());
    let mut total: Option<Money> = None;
    for (line, wanted) in place.lines.iter().enumerate() {
        let Some(price) = prices.get(&wanted.sku) else {
            return Err(Rejection::UnknownSku { line, sku: wanted.sku.clone() });
        };
        let sum = total.unwrap_or(Money::new(0, price.unit.currency));
        if sum.currency != price.unit.currency {
            return Err(Rejection::MixedCurrencies {
                line,
                sku: wanted.sku.clone(),
                currency: price.unit.currency,
                other: sum.currency,
            });
        }
        let cost = price.unit.checked_mul(i64::from(wanted.quantity));
        let sum = cost.and_then(|cost| sum.checked_add(cost));
        total = Some(sum.ok_or(Rejection::TotalTooLarge { line })?);
        lines.push(OrderLine {
            sku: wanted.sku.clone(),
            quantity: wanted.quantity,
            unit_price_minor: price.unit.minor,
        });
    }
    let total = total.expect("a request without lines is refused where it comes in");
    match place.currency {
        Some(asserted) if asserted != total.currency => {
            Err(Rejection::OtherCurrency { asserted, listed: total.currency })
        }
        Some(_) | None => Ok((lines, total)),
    }
}

#[cfg(test)]
mod tests;
