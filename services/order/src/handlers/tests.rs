//! Every record of the four topics: what it asks of an order, how the order's history shows it, and whether it
//! may ever be set aside, with the reason.

use std::collections::BTreeSet;

use events::{
    DeclineReason, Events, InventoryDepleted, OrderId, PaymentAuthorized, PaymentDeclined,
    PaymentReceived, PaymentRefunded, PaymentVoided, RefusalReason, ShipmentCancelled,
    ShipmentDispatched, ShipmentRefused, Shortage, Sku, StockItemChanged, StockRejected,
    StockReleased, StockReserved, StockReturned,
};
use uuid::Uuid;

use super::*;
use crate::domain::Input as Asks;

/// Whether a record may be set aside, and why.
#[derive(Clone, Copy)]
enum Loss {
    /// The order becomes overdue, and everything is given back.
    EndsOverdue,
    /// The order would wait forever for this.
    NeverEnds,
}
use Loss::{EndsOverdue, NeverEnds};

const OCCURRED_AT: i64 = 1;

fn order() -> OrderId {
    OrderId(Uuid::from_u128(7))
}

fn sku() -> Sku {
    "tea".parse().unwrap()
}

/// Hears each record as it comes, and compares.
fn hears<E: Events>(table: impl IntoIterator<Item = (E, Asks, Kind, Loss)>)
where
    Orders: Hears<E>,
{
    let mut heard = BTreeSet::new();
    for (event, asks, kind, loss) in table {
        let name = E::RECORDS[event.record()].name;
        heard.insert(name);
        let asked = <Orders as Hears<E>>::hear(event, 3);
        let Some(Input::Order(step)) = asked else {
            panic!("{name} is not about an order, but {asked:?}")
        };
        assert_eq!((step.order, step.input, step.heard), (order(), asks, Some(kind)), "{name}");
        let held = <Orders as Hears<E>>::NEVER_DEAD_LETTERED.contains(&name);
        assert_eq!(held, matches!(loss, NeverEnds), "{name}");
    }
    let all: BTreeSet<&str> = E::RECORDS.iter().map(|record| record.name).collect();
    assert_eq!(heard, all, "every record of {}", E::TOPIC);
    assert!(<Orders as Hears<E>>::IGNORES.is_empty(), "order waits for all of {}", E::TOPIC);
}

#[test]
fn every_answer_of_inventory_is_a_step_of_its_order() {
    let (order_id, occurred_at) = (order(), OCCURRED_AT);
    let rejected = StockRejected { order_id, shortages: Vec::new(), occurred_at };
    let reserved = StockReserved { order_id, lines: Vec::new(), occurred_at };
    hears::<InventoryEvent>([
        (reserved.into(), Asks::StockReserved, Kind::StockReserved, EndsOverdue),
        (rejected.into(), Asks::StockRejected, Kind::StockRejected, NeverEnds),
        (
            StockReleased { order_id, occurred_at }.into(),
            Asks::StockReleased,
            Kind::StockReleased,
            NeverEnds,
        ),
        (
            StockReturned { order_id, occurred_at }.into(),
            Asks::StockReturned,
            Kind::StockReturned,
            NeverEnds,
        ),
    ]);
}

#[test]
fn every_answer_of_payment_is_a_step_of_its_order() {
    let (order_id, occurred_at) = (order(), OCCURRED_AT);
    let (amount_minor, currency) = (500, "EUR".parse().unwrap());
    let authorization_id = "pi_1".to_owned();
    let declined = |reason, kind| {
        let event = PaymentDeclined { order_id, amount_minor, currency, reason, occurred_at };
        (PaymentEvent::from(event), Asks::PaymentDeclined, kind, NeverEnds)
    };
    hears::<PaymentEvent>([
        (
            PaymentAuthorized { order_id, amount_minor, currency, authorization_id, occurred_at }
                .into(),
            Asks::PaymentAuthorized,
            Kind::PaymentAuthorized,
            EndsOverdue,
        ),
        declined(DeclineReason::Unknown, Kind::PaymentDeclined),
        declined(DeclineReason::CardDeclined, Kind::PaymentDeclinedCard),
        declined(DeclineReason::InsufficientFunds, Kind::PaymentDeclinedFunds),
        declined(DeclineReason::ExpiredCard, Kind::PaymentDeclinedExpired),
        (
            PaymentVoided { order_id, occurred_at }.into(),
            Asks::PaymentVoided,
            Kind::PaymentVoided,
            NeverEnds,
        ),
        (
            PaymentReceived { order_id, amount_minor, currency, occurred_at }.into(),
            Asks::PaymentReceived,
            Kind::PaymentReceived,
            NeverEnds,
        ),
        (
            PaymentRefunded { order_id, amount_minor, currency, occurred_at }.into(),
            Asks::PaymentRefunded,
            Kind::PaymentRefunded,
            NeverEnds,
        ),
    ]);
}

#[test]
fn every_answer_of_shipping_is_a_step_of_its_order() {
    let (order_id, occurred_at) = (order(), OCCURRED_AT);
    let refused = |reason, kind| {
        let event = ShipmentRefused { order_id, reason, occurred_at };
        (ShippingEvent::from(event), Asks::ShipmentRefused, kind, NeverEnds)
    };
    hears::<ShippingEvent>([
        (
            ShipmentDispatched { order_id, tracking_code: "P-1".to_owned(), occurred_at }.into(),
            Asks::ShipmentDispatched,
            Kind::ShipmentDispatched,
            NeverEnds,
        ),
        refused(RefusalReason::Unknown, Kind::ShipmentRefused),
        refused(RefusalReason::DestinationNotServed, Kind::ShipmentRefusedDestination),
        refused(RefusalReason::GoodsNotAccepted, Kind::ShipmentRefusedGoods),
        (
            ShipmentCancelled { order_id, occurred_at }.into(),
            Asks::ShipmentCancelled,
            Kind::ShipmentCancelled,
            NeverEnds,
        ),
    ]);
}

#[test]
fn what_an_answer_tells_beyond_its_step_is_kept_for_those_who_ask() {
    let (order_id, occurred_at) = (order(), OCCURRED_AT);
    let shortages = vec![Shortage { sku: sku(), requested: 2, available: 1 }];
    let rejected = StockRejected { order_id, shortages: shortages.clone(), occurred_at };
    let news = |asked: Option<Input>| {
        let Some(Input::Order(step)) = asked else { panic!("not about an order, but {asked:?}") };
        step.news
    };
    let told = news(Orders::hear(InventoryEvent::from(rejected), 1));
    assert!(matches!(told, News::Shortages(told) if told == shortages));
    let tracking_code = "P-1".to_owned();
    let dispatched = ShipmentDispatched { order_id, tracking_code, occurred_at };
    let told = news(Orders::hear(ShippingEvent::from(dispatched), 1));
    assert!(matches!(told, News::Tracking(code) if code == "P-1"));
}

#[test]
fn of_the_catalogue_an_item_that_changed_is_a_price_and_one_that_ran_out_is_nothing() {
    let changed = price_told(7, 0);
    assert_eq!((changed.name.as_str(), changed.unit.minor), ("Tea", 250));
    let depleted = InventoryDepleted { sku: sku(), occurred_at: OCCURRED_AT };
    assert!(Orders::hear(CatalogueEvent::from(depleted), 8).is_none());
    // Not even decoded: how much is left is inventory's answer to an order.
    assert_eq!(<Orders as Hears<CatalogueEvent>>::IGNORES, ["InventoryDepleted"]);
    // An item's next price comes by itself, and a damaged price holds up no order.
    assert!(<Orders as Hears<CatalogueEvent>>::NEVER_DEAD_LETTERED.is_empty());
}

#[test]
fn a_price_is_as_new_as_its_number_says_whatever_its_stamp() {
    const { assert!(<Orders as Hears<CatalogueEvent>>::NUMBERED) };
    assert_eq!(price_told(7, i64::MAX).sequence, 7, "a clock far ahead");
    assert_eq!(price_told(8, 0).sequence, 8, "a clock that stepped back");
}

fn price_told(sequence: i64, occurred_at: i64) -> Arc<Price> {
    let event = StockItemChanged {
        sku: sku(),
        name: "Tea".to_owned(),
        unit_price_minor: 250,
        currency: "EUR".parse().unwrap(),
        free_quantity: 1,
        occurred_at,
    };
    let asked = Orders::hear(CatalogueEvent::from(event), sequence);
    let Some(Input::Price(item, price)) = asked else { panic!("no price, but {asked:?}") };
    assert_eq!(item, sku());
    price
}
