//! Orders and events as they are under load: two lines each, ids of the moment, texts of usual length.

use std::sync::Arc;

use events::{
    Currency, Events, Money, OrderId, OrderLine, OrderPlaced, OrderShipped, PaymentAuthorized,
    PaymentReceived, ShipmentDispatched, Sku, StockLine, StockReserved,
};
use order::{PlaceOrder, Price, Wanted};

const NOW: i64 = 1_790_000_000_000_000;
const SKUS: [&str; 2] = ["TEA-EARL-GREY", "COFFEE-ARABICA"];
const PRICE_MINOR: i64 = 1_250;
pub(crate) const CUSTOMER: &str = "customer-4711";
pub(crate) const TOKEN: &str = "tok_visa";
pub(crate) const AUTHORIZATION: &str = "pi_01890a5dac96774bbcceb302099a8057";

pub(crate) fn ids(count: usize) -> Vec<OrderId> {
    (0..count).map(|_| OrderId::now()).collect()
}

fn euro() -> Currency {
    "EUR".parse().expect("it is a currency")
}

fn sku(text: &str) -> Sku {
    text.parse().expect("it is a SKU")
}

pub(crate) fn total() -> Money {
    Money::new(PRICE_MINOR * SKUS.len() as i64, euro())
}

pub(crate) fn prices() -> Vec<(Sku, Price)> {
    let price = || Price {
        name: "Something to drink".to_owned(),
        unit: Money::new(PRICE_MINOR, euro()),
        sequence: 1,
    };
    SKUS.iter().map(|text| (sku(text), price())).collect()
}

pub(crate) fn place(order_id: OrderId) -> Arc<PlaceOrder> {
    let wanted = |text: &&str| Wanted { sku: sku(text), quantity: 1 };
    Arc::new(PlaceOrder {
        order_id,
        customer_id: CUSTOMER.to_owned(),
        lines: SKUS.iter().map(wanted).collect(),
        destination: "DE".to_owned(),
        payment_token: TOKEN.to_owned(),
        currency: Some(euro()),
        key: order_id.to_string().into(),
        fingerprint: [7; 32],
    })
}

pub(crate) fn placed(order_id: OrderId) -> OrderPlaced {
    let line =
        |text: &&str| OrderLine { sku: sku(text), quantity: 1, unit_price_minor: PRICE_MINOR };
    OrderPlaced {
        order_id,
        customer_id: CUSTOMER.to_owned(),
        lines: SKUS.iter().map(line).collect(),
        total_minor: total().minor,
        currency: euro(),
        payment_token: TOKEN.to_owned(),
        occurred_at: NOW,
    }
}

pub(crate) fn reserved(order_id: OrderId) -> StockReserved {
    let line = |text: &&str| StockLine { sku: sku(text), quantity: 1 };
    StockReserved { order_id, lines: SKUS.iter().map(line).collect(), occurred_at: NOW }
}

pub(crate) fn authorized(order_id: OrderId) -> PaymentAuthorized {
    PaymentAuthorized {
        order_id,
        amount_minor: total().minor,
        currency: euro(),
        authorization_id: AUTHORIZATION.to_owned(),
        occurred_at: NOW,
    }
}

pub(crate) fn dispatched(order_id: OrderId) -> ShipmentDispatched {
    ShipmentDispatched { order_id, tracking_code: "SB-7QX2M9K4".to_owned(), occurred_at: NOW }
}

pub(crate) fn shipped(order_id: OrderId) -> OrderShipped {
    OrderShipped { order_id, total_minor: total().minor, currency: euro(), occurred_at: NOW }
}

pub(crate) fn received(order_id: OrderId) -> PaymentReceived {
    PaymentReceived { order_id, amount_minor: total().minor, currency: euro(), occurred_at: NOW }
}

/// Records of the same kind for some orders.
pub(crate) fn all<R, E: Events + From<R>>(ids: &[OrderId], event: fn(OrderId) -> R) -> Vec<E> {
    ids.iter().map(|id| event(*id).into()).collect()
}
