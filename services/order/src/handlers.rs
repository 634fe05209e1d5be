//! What the order service hears, and what each event asks of the domain. All of it is idempotent:
//! `domain::decide` changes nothing when it hears a fact again, and an older price never overwrites
//! a newer one.

use std::sync::Arc;

use chassis::{Deduplication, Hears};
use events::{CatalogueEvent, InventoryEvent, Money, PaymentEvent, ShippingEvent};

use crate::domain;
use crate::history::Kind;
use crate::placement::Price;
use crate::service::{Input, News, OrderInput, Orders};

impl Hears<InventoryEvent> for Orders {
    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    /// All but `StockReserved`, whose loss only makes an order overdue: without one of the others, a
    /// cancelled or returned order would wait forever for what has long been given back.
    const NEVER_DEAD_LETTERED: &'static [&'static str] =
        &["StockRejected", "StockReleased", "StockReturned"];

    const ASKS: &'static [(&'static str, &'static str)] = &[
        ("StockReserved", "Confirms the order, once payment has said yes as well."),
        ("StockRejected", "Cancels the order, and shows its customer which lines are short."),
        ("StockReleased", "Ends a cancelled order, once its money has been given back as well."),
        ("StockReturned", "Ends a returned order, once its money has been refunded as well."),
    ];

    fn hear(event: InventoryEvent, _sequence: i64) -> Option<Input> {
        let kind = Kind::from(&event);
        let order = *event.order_id();
        let (input, news) = match event {
            InventoryEvent::StockReserved(_) => (domain::Input::StockReserved, News::None),
            InventoryEvent::StockRejected(e) => {
                (domain::Input::StockRejected, News::Shortages(e.shortages))
            }
            InventoryEvent::StockReleased(_) => (domain::Input::StockReleased, News::None),
            InventoryEvent::StockReturned(_) => (domain::Input::StockReturned, News::None),
        };
        Some(Input::Order(OrderInput { order, input, heard: Some(kind), news }))
    }
}

impl Hears<PaymentEvent> for Orders {
    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    /// All but `PaymentAuthorized`, for the same reason.
    const NEVER_DEAD_LETTERED: &'static [&'static str] =
        &["PaymentDeclined", "PaymentVoided", "PaymentReceived", "PaymentRefunded"];

    const ASKS: &'static [(&'static str, &'static str)] = &[
        ("PaymentAuthorized", "Confirms the order, once inventory has said yes as well."),
        ("PaymentDeclined", "Cancels the order."),
        ("PaymentVoided", "Ends a cancelled order, once its goods have been given back as well."),
        ("PaymentReceived", "Completes the order."),
        ("PaymentRefunded", "Ends a returned order, once its goods are back as well."),
    ];

    fn hear(event: PaymentEvent, _sequence: i64) -> Option<Input> {
        let input = match &event {
            PaymentEvent::PaymentAuthorized(_) => domain::Input::PaymentAuthorized,
            PaymentEvent::PaymentDeclined(_) => domain::Input::PaymentDeclined,
            PaymentEvent::PaymentVoided(_) => domain::Input::PaymentVoided,
            PaymentEvent::PaymentReceived(_) => domain::Input::PaymentReceived,
            PaymentEvent::PaymentRefunded(_) => domain::Input::PaymentRefunded,
        };
        let (order, heard) = (*event.order_id(), Some(Kind::from(&event)));
        Some(Input::Order(OrderInput { order, input, heard, news: News::None }))
    }
}

impl Hears<ShippingEvent> for Orders {
    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    /// Every answer of the pivot decides whether money is taken or given back.
    const NEVER_DEAD_LETTERED: &'static [&'static str] =
        &["ShipmentDispatched", "ShipmentRefused", "ShipmentCancelled"];

    const ASKS: &'static [(&'static str, &'static str)] = &[
        (
            "ShipmentDispatched",
            "Says that the order is shipped, also where its cancellation was wanted too late.",
        ),
        ("ShipmentRefused", "Cancels the order."),
        (
            "ShipmentCancelled",
            "Cancels the order, for the cause for which its cancellation was wanted.",
        ),
    ];

    fn hear(event: ShippingEvent, _sequence: i64) -> Option<Input> {
        let kind = Kind::from(&event);
        let order = *event.order_id();
        let (input, news) = match event {
            ShippingEvent::ShipmentDispatched(e) => {
                (domain::Input::ShipmentDispatched, News::Tracking(e.tracking_code))
            }
            ShippingEvent::ShipmentRefused(_) => (domain::Input::ShipmentRefused, News::None),
            ShippingEvent::ShipmentCancelled(_) => (domain::Input::ShipmentCancelled, News::None),
        };
        Some(Input::Order(OrderInput { order, input, heard: Some(kind), news }))
    }
}

impl Hears<CatalogueEvent> for Orders {
    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    /// How much is left is inventory's answer to an order, not a reason to refuse one here.
    const IGNORES: &'static [&'static str] = &["InventoryDepleted"];

    /// The number that inventory gave a price under the item's lock tells which of two is later: no
    /// replica's clock agrees with the order of commits.
    const NUMBERED: bool = true;

    const ASKS: &'static [(&'static str, &'static str)] = &[(
        "StockItemChanged",
        "Charges this price from now on, unless a later one was heard before.",
    )];

    fn hear(event: CatalogueEvent, sequence: i64) -> Option<Input> {
        match event {
            CatalogueEvent::StockItemChanged(e) => {
                let price = Price {
                    name: e.name,
                    unit: Money::new(e.unit_price_minor, e.currency),
                    sequence,
                };
                Some(Input::Price(e.sku, Arc::new(price)))
            }
            CatalogueEvent::InventoryDepleted(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
