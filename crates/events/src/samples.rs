//! One example of every event, and of every reason that an event can give: for tests, also those of services. All
//! that are about an order are about the same one.

#![allow(clippy::unwrap_used, missing_docs, reason = "for tests: names and types say it all")]

use uuid::Uuid;

use crate::*;

const OCCURRED_AT: i64 = 1_790_000_000_123_456;

fn order_id() -> OrderId {
    OrderId(Uuid::from_u128(0x0190_a1b2_c3d4_7000_8000_0000_0000_002a))
}

pub fn sku() -> Sku {
    Sku::new("tea-earl.grey_250").unwrap()
}

fn eur() -> Currency {
    "EUR".parse().unwrap()
}

pub fn order_placed() -> OrderPlaced {
    OrderPlaced {
        order_id: order_id(),
        customer_id: "customer-7".to_owned(),
        lines: vec![
            OrderLine { sku: sku(), quantity: 2, unit_price_minor: 1_250 },
            OrderLine { sku: Sku::new("KETTLE").unwrap(), quantity: 1, unit_price_minor: 3_900 },
        ],
        total_minor: 6_400,
        currency: eur(),
        payment_token: "tok_ok".to_owned(),
        occurred_at: OCCURRED_AT,
    }
}

pub fn order_cancelled(reason: CancelReason) -> OrderCancelled {
    OrderCancelled { order_id: order_id(), reason, occurred_at: OCCURRED_AT }
}

pub fn order_completed(customer: Option<&str>) -> OrderCompleted {
    OrderCompleted {
        order_id: order_id(),
        customer_id: customer.map(str::to_owned),
        total_minor: 6_400,
        currency: eur(),
        occurred_at: OCCURRED_AT,
    }
}

pub fn order_returned(customer: Option<&str>) -> OrderReturned {
    let customer_id = customer.map(str::to_owned);
    OrderReturned { order_id: order_id(), customer_id, occurred_at: OCCURRED_AT }
}

pub fn order() -> Vec<OrderEvent> {
    let (order_id, occurred_at) = (order_id(), OCCURRED_AT);
    let (total_minor, currency) = (6_400, eur());
    let asked = |cause| OrderCancellationRequested { order_id, cause, occurred_at }.into();
    let cancelled = |reason| order_cancelled(reason).into();
    vec![
        order_placed().into(),
        OrderConfirmed { order_id, destination: "EU-1".to_owned(), occurred_at }.into(),
        asked(CancellationCause::Unknown),
        asked(CancellationCause::Customer),
        asked(CancellationCause::Overdue),
        cancelled(CancelReason::Unknown),
        cancelled(CancelReason::OutOfStock),
        cancelled(CancelReason::PaymentDeclined),
        cancelled(CancelReason::ShipmentRefused),
        cancelled(CancelReason::Customer),
        cancelled(CancelReason::Overdue),
        OrderShipped { order_id, total_minor, currency, occurred_at }.into(),
        order_completed(Some("customer-7")).into(),
        OrderCompensated { order_id, occurred_at }.into(),
        order_returned(Some("customer-7")).into(),
    ]
}

pub fn inventory() -> Vec<InventoryEvent> {
    let (order_id, occurred_at) = (order_id(), OCCURRED_AT);
    let lines = vec![StockLine { sku: sku(), quantity: 2 }];
    let shortages = vec![Shortage { sku: sku(), requested: 2, available: 1 }];
    vec![
        StockReserved { order_id, lines, occurred_at }.into(),
        StockRejected { order_id, shortages, occurred_at }.into(),
        StockReleased { order_id, occurred_at }.into(),
        StockReturned { order_id, occurred_at }.into(),
    ]
}

pub fn payment() -> Vec<PaymentEvent> {
    let (order_id, occurred_at) = (order_id(), OCCURRED_AT);
    let (amount_minor, currency) = (i64::MAX, eur());
    let authorization_id = "pi_1".to_owned();
    let declined =
        |reason| PaymentDeclined { order_id, amount_minor, currency, reason, occurred_at }.into();
    vec![
        PaymentAuthorized { order_id, amount_minor, currency, authorization_id, occurred_at }
            .into(),
        declined(DeclineReason::Unknown),
        declined(DeclineReason::CardDeclined),
        declined(DeclineReason::InsufficientFunds),
        declined(DeclineReason::ExpiredCard),
        PaymentVoided { order_id, occurred_at }.into(),
        PaymentReceived { order_id, amount_minor, currency, occurred_at }.into(),
        PaymentRefunded { order_id, amount_minor, currency, occurred_at }.into(),
    ]
}

pub fn shipping() -> Vec<ShippingEvent> {
    let (order_id, occurred_at) = (order_id(), OCCURRED_AT);
    let refused = |reason| ShipmentRefused { order_id, reason, occurred_at }.into();
    vec![
        ShipmentDispatched { order_id, tracking_code: "TRK-1".to_owned(), occurred_at }.into(),
        refused(RefusalReason::Unknown),
        refused(RefusalReason::DestinationNotServed),
        refused(RefusalReason::GoodsNotAccepted),
        ShipmentCancelled { order_id, occurred_at }.into(),
    ]
}

pub fn catalogue() -> Vec<CatalogueEvent> {
    vec![
        StockItemChanged {
            sku: sku(),
            name: "Earl Grey, 250 g \u{2615}".to_owned(),
            unit_price_minor: 1_250,
            currency: eur(),
            free_quantity: 40,
            occurred_at: OCCURRED_AT,
        }
        .into(),
        InventoryDepleted { sku: sku(), occurred_at: OCCURRED_AT }.into(),
    ]
}

pub fn stock_adjusted() -> StockAdjusted {
    StockAdjusted {
        adjustment_id: Uuid::from_u128(7),
        sku: sku(),
        delta: -3,
        note: String::new(),
        occurred_at: OCCURRED_AT,
    }
}

pub fn warehouse() -> Vec<WarehouseEvent> {
    vec![stock_adjusted().into()]
}
