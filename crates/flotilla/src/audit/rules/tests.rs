//! Planted faults: each is found under its own rule.

use super::*;
use crate::audit::facts::{
    LedgerFact, OutboxFact, PaymentFact, ReservationFact, ShipmentFact, StockFact, TopicFact,
};

const COMPLETED: Uuid = Uuid::from_u128(1);
const CANCELLED: Uuid = Uuid::from_u128(2);
const RETURNED: Uuid = Uuid::from_u128(3);

/// Three orders that ended well: one completed, one cancelled, one returned, of one SKU.
fn clean() -> Facts {
    let mut facts = Facts::default();
    let ends = [
        (COMPLETED, OrderEnd::Completed, Money::Captured, Goods::Deducted, Some(true)),
        (CANCELLED, OrderEnd::Cancelled, Money::Nothing, Goods::Nothing, None),
        (RETURNED, OrderEnd::Returned, Money::Refunded, Goods::Returned, Some(true)),
    ];
    let mut topics: Vec<TopicFact> =
        ["order.events", "payment.events", "inventory.events", "shipping.events"]
            .map(|name| TopicFact { name: name.to_owned(), records: 9, ..TopicFact::default() })
            .to_vec();
    for (id, end, money, goods, dispatched) in ends {
        facts.orders.insert(id, OrderFact { end, total_minor: 100, sequence: 4 });
        facts.payments.insert(id, PaymentFact { money, amount_minor: 100, sequence: 2 });
        let lines = BTreeMap::from([("tea".to_owned(), 3)]);
        facts.reservations.insert(id, ReservationFact { goods, lines, sequence: 1 });
        facts.shipments.insert(id, ShipmentFact { dispatched, sequence: 1 });
        for (topic, sequence) in topics.iter_mut().zip([4, 2, 1, 1]) {
            topic.keys.insert(id.to_string(), (sequence, sequence));
        }
    }
    facts.topics = topics;
    let tea = StockFact { free: 7, reserved: 0, shipped: 3, adjusted: 10, ledger: 10, sequence: 1 };
    facts.stock.insert("tea".to_owned(), tea);
    facts.outboxes.push(OutboxFact { service: "order", rows: 0, head: 9, published: 9 });
    facts.ledger = Some(LedgerFact {
        kept_minor: [(COMPLETED, 100)].into(),
        held_minor: Default::default(),
        dispatched: [(COMPLETED, true), (RETURNED, true)].into(),
    });
    facts
}

fn broken(facts: &Facts) -> Vec<&'static str> {
    all(facts).into_iter().filter(|rule| rule.violations > 0).map(|rule| rule.name).collect()
}

/// Plants a fault and expects it under a rule whose name contains `rule`.
fn finds<R>(rule: &str, plant: impl FnOnce(&mut Facts) -> R) {
    let mut facts = clean();
    plant(&mut facts);
    let found = broken(&facts);
    assert!(found.iter().any(|name| name.contains(rule)), "{rule} was not found in {found:?}");
}

#[test]
fn a_fleet_that_ended_well_breaks_no_rule() {
    assert_eq!(broken(&clean()), Vec::<&str>::new());
}

#[test]
fn an_order_that_never_ended_is_found() {
    finds("every order", |facts| facts.orders.get_mut(&COMPLETED).unwrap().end = OrderEnd::Under);
}

#[test]
fn money_in_the_wrong_place_is_found() {
    for (order, money) in [
        (COMPLETED, Money::Authorized),
        (COMPLETED, Money::Nothing),
        (CANCELLED, Money::Captured),
        (CANCELLED, Money::Authorized),
        (RETURNED, Money::Captured),
    ] {
        finds("money", |facts| facts.payments.get_mut(&order).unwrap().money = money);
    }
    finds("money", |facts| facts.payments.get_mut(&COMPLETED).unwrap().amount_minor = 99);
    finds("captured", |facts| facts.payments.get_mut(&COMPLETED).unwrap().amount_minor = 99);
    finds("money", |facts| facts.payments.remove(&COMPLETED));
}

#[test]
fn goods_in_the_wrong_place_are_found() {
    for (order, goods) in [
        (COMPLETED, Goods::Reserved),
        (COMPLETED, Goods::Nothing),
        (CANCELLED, Goods::Reserved),
        (RETURNED, Goods::Deducted),
    ] {
        finds("goods", |facts| facts.reservations.get_mut(&order).unwrap().goods = goods);
    }
}

#[test]
fn a_parcel_of_a_cancelled_order_and_a_completed_order_without_one_are_found() {
    finds("dispatched", |f| f.shipments.get_mut(&CANCELLED).unwrap().dispatched = Some(true));
    finds("dispatched", |f| f.shipments.get_mut(&COMPLETED).unwrap().dispatched = None);
}

#[test]
fn what_is_held_for_an_unknown_order_is_found() {
    finds("does not exist", |facts| facts.orders.remove(&COMPLETED));
}

#[test]
fn a_lost_or_invented_unit_is_found() {
    finds("adjustments", |facts| facts.stock.get_mut("tea").unwrap().free -= 1);
    finds("adjustments", |facts| facts.stock.get_mut("tea").unwrap().ledger += 1);
    finds("counters", |facts| {
        let tea = facts.stock.get_mut("tea").unwrap();
        tea.reserved += 1;
        tea.free -= 1;
    });
}

#[test]
fn what_is_not_published_is_found() {
    finds("outbox", |facts| facts.outboxes[0].rows = 1);
    finds("outbox", |facts| facts.outboxes[0].published = 8);
}

#[test]
fn a_gap_a_missing_key_and_an_event_too_many_are_found() {
    let key = COMPLETED.to_string();
    for planted in [Some((4, 3)), Some((3, 3)), Some((5, 5)), None] {
        finds("topics hold", |facts| match planted {
            Some(found) => drop(facts.topics[0].keys.insert(key.clone(), found)),
            None => drop(facts.topics[0].keys.remove(&key)),
        });
    }
}

#[test]
fn a_copy_that_differs_is_found() {
    finds("copies", |facts| facts.topics[1].differing.push("x/1".to_owned()));
}

#[test]
fn a_provider_or_a_carrier_that_disagrees_is_found() {
    let ledger =
        |facts: &mut Facts, plant: fn(&mut LedgerFact)| plant(facts.ledger.as_mut().unwrap());
    finds("provider", |facts| {
        ledger(facts, |l| {
            l.kept_minor.insert(COMPLETED, 200);
        })
    });
    finds("provider", |facts| {
        ledger(facts, |l| {
            l.kept_minor.insert(CANCELLED, 100);
        })
    });
    finds("provider", |facts| {
        ledger(facts, |l| {
            l.held_minor.insert(CANCELLED, 100);
        })
    });
    finds("carrier", |facts| {
        ledger(facts, |l| {
            l.dispatched.insert(CANCELLED, true);
        })
    });
    finds("carrier", |facts| {
        ledger(facts, |l| {
            l.dispatched.remove(&COMPLETED);
        })
    });
}
