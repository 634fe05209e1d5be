//! Planted faults: each is found under its own rule.

use std::collections::HashMap;

use super::*;
use crate::audit::facts::{
    Counted, KeyFact, LedgerFact, OutboxFact, PaymentFact, PriceFact, ReservationFact,
    ShipmentFact, StockFact, TopicFact,
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
        facts.payments.insert(id, PaymentFact { money, amount_minor: 100 });
        let lines = BTreeMap::from([("tea".to_owned(), 3)]);
        facts.reservations.insert(id, ReservationFact { goods, lines });
        facts.shipments.insert(id, ShipmentFact { dispatched });
        for (topic, sequence) in topics.iter_mut().zip([4, 2, 1, 1]) {
            topic.keys.insert(id.to_string(), key(1, sequence, sequence));
            count(&mut facts, &topic.name, id, sequence);
        }
    }
    facts.topics = topics;
    let price = PriceFact { unit_minor: 100, currency: "EUR".to_owned(), sequence: 1 };
    facts.prices.insert("tea".to_owned(), price.clone());
    let tea = StockFact { free: 7, reserved: 0, shipped: 3, adjusted: 10, ledger: 10, price };
    facts.stock.insert("tea".to_owned(), tea);
    facts.catalogue.last.insert("tea".to_owned(), 1);
    facts.outboxes.push(OutboxFact { service: "order", rows: 0, apart: 0, head: 9, published: 9 });
    facts.ledger = Some(LedgerFact {
        kept_minor: [(COMPLETED, 100)].into(),
        held_minor: Default::default(),
        dispatched: [(COMPLETED, true), (RETURNED, true)].into(),
    });
    facts
}

/// Makes the topic's service say how many events of an order it has published.
fn count(facts: &mut Facts, topic: &str, order: Uuid, sequence: i64) {
    let service = topic.strip_suffix(".events").and_then(roster::find).unwrap().name;
    let new = || Counted { service, sequences: HashMap::new() };
    let counted = facts.published.entry(topic.to_owned()).or_insert_with(new);
    counted.sequences.insert(order.to_string(), sequence);
}

fn key(lowest: i64, highest: i64, different: i64) -> KeyFact {
    KeyFact { lowest, highest, different, beginning_expired: false }
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
fn what_is_set_apart_is_on_no_topic_although_its_batch_counts_as_published() {
    let outbox = OutboxFact { service: "order", rows: 1, apart: 1, head: 9, published: 9 };
    assert!(outbox.is_behind(9));
    assert!(!OutboxFact { apart: 0, ..outbox }.is_behind(9));
}

#[test]
fn what_is_not_published_is_found() {
    finds("outbox", |facts| facts.outboxes[0].rows = 1);
    finds("outbox", |facts| facts.outboxes[0].published = 8);
}

#[test]
fn a_gap_a_missing_key_and_an_event_too_many_are_found() {
    let order = COMPLETED.to_string();
    for planted in [Some((1, 4, 3)), Some((1, 3, 3)), Some((1, 5, 5)), Some((2, 4, 3)), None] {
        finds("topics hold", |facts| match planted {
            Some((l, h, d)) => drop(facts.topics[0].keys.insert(order.clone(), key(l, h, d))),
            None => drop(facts.topics[0].keys.remove(&order)),
        });
    }
}

#[test]
fn a_beginning_that_expired_is_no_gap_but_a_gap_after_it_is_one() {
    let order = COMPLETED.to_string();
    let expired = |lowest, highest, different| KeyFact {
        beginning_expired: true,
        ..key(lowest, highest, different)
    };
    let mut facts = clean();
    facts.topics[0].keys.insert(order.clone(), expired(3, 4, 2));
    assert_eq!(broken(&facts), Vec::<&str>::new());
    for planted in [expired(2, 4, 2), expired(2, 3, 2), expired(0, 4, 5)] {
        finds("topics hold", |facts| facts.topics[0].keys.insert(order.clone(), planted));
    }
}

#[test]
fn an_order_placed_before_what_is_still_there_may_have_expired_a_younger_one_may_not() {
    let placed = |ms| uuid::Builder::from_unix_timestamp_millis(ms, &[7; 10]).into_uuid();
    for (ms, fine) in [(5_000, true), (9_000, false)] {
        let mut facts = clean();
        facts.topics[3].expired_until_ms = Some(7_000);
        count(&mut facts, "shipping.events", placed(ms), 1);
        assert_eq!(broken(&facts).is_empty(), fine, "placed at {ms}: {:?}", broken(&facts));
    }
}

#[test]
fn how_old_a_key_is_that_is_no_order_is_not_known_so_its_events_may_have_expired() {
    for (until, fine) in [(Some(7_000), true), (None, false)] {
        let mut facts = clean();
        facts.topics[3].expired_until_ms = until;
        let counted = facts.published.get_mut("shipping.events").unwrap();
        counted.sequences.insert("customer-1".to_owned(), 1);
        assert_eq!(broken(&facts).is_empty(), fine, "{until:?}: {:?}", broken(&facts));
    }
}

#[test]
fn an_event_under_a_key_that_no_service_knows_is_found() {
    let unknown = Uuid::from_u128(9).to_string();
    for topic in 0..4 {
        for name in [unknown.as_str(), "no id at all"] {
            finds("every key", |facts| {
                facts.topics[topic].keys.insert(name.to_owned(), key(1, 1, 1))
            });
        }
    }
    // Known, but from a row that counts no event.
    finds("every key", |facts| count(facts, "payment.events", CANCELLED, 0));
}

#[test]
fn a_copy_that_differs_is_found() {
    finds("copies", |facts| facts.topics[1].differing = 1);
}

#[test]
fn a_foreign_record_that_nobody_set_aside_is_found_and_one_that_is_a_dead_letter_is_fine() {
    finds("no service wrote", |facts| facts.topics[2].foreign = 1);
    let mut facts = clean();
    (facts.topics[2].foreign, facts.topics[2].foreign_set_aside) = (2, 2);
    assert_eq!(broken(&facts), Vec::<&str>::new());
}

#[test]
fn a_catalogue_that_does_not_end_with_the_item_as_it_is_is_found() {
    finds("catalogue", |facts| facts.catalogue.last.remove("tea"));
    finds("catalogue", |facts| facts.catalogue.last.insert("tea".to_owned(), 2));
    finds("catalogue", |facts| facts.catalogue.last.insert("unknown".to_owned(), 1));
    finds("catalogue", |facts| facts.stock.get_mut("tea").unwrap().price.sequence = 2);
    finds("catalogue", |facts| facts.catalogue.foreign = 1);
}

#[test]
fn a_price_that_is_not_the_one_in_inventory_is_found() {
    finds("price", |facts| facts.prices.get_mut("tea").unwrap().unit_minor += 1);
    finds("price", |facts| facts.prices.get_mut("tea").unwrap().currency = "USD".to_owned());
    finds("price", |facts| facts.prices.remove("tea"));
    // Order has not heard the last, or heard what inventory never said.
    for sequence in [0, 2] {
        finds("price", |facts| facts.prices.get_mut("tea").unwrap().sequence = sequence);
    }
    let unknown = PriceFact { unit_minor: 1, currency: "EUR".to_owned(), sequence: 1 };
    finds("price", |facts| facts.prices.insert("unknown".to_owned(), unknown.clone()));
}

#[test]
fn of_a_fleet_that_moves_a_wrong_price_is_told_and_one_that_is_not_heard_yet_is_left_open() {
    for (sequence, unit_minor, found) in [(0, 90, false), (1, 90, true), (2, 100, true)] {
        let mut facts = clean();
        facts.prices.insert(
            "tea".to_owned(),
            PriceFact { unit_minor, currency: "EUR".to_owned(), sequence },
        );
        facts.after = Some(Box::new(facts.clone()));
        let named = broken(&facts).iter().any(|name| name.contains("prices of inventory"));
        assert_eq!(named, found, "event {sequence}");
    }
}

#[test]
fn of_a_fleet_that_moves_a_price_that_order_has_passed_without_hearing_it_is_told() {
    let mut facts = clean();
    facts.prices.get_mut("tea").unwrap().sequence = 0;
    for (passed, heard_since, found) in [
        (None, false, false),
        (Some(0), false, false),
        (Some(1), true, false),
        (Some(1), false, true),
    ] {
        let mut facts = facts.clone();
        facts.catalogue.passed =
            passed.map(|passed| ("tea".to_owned(), passed)).into_iter().collect();
        let mut after = facts.clone();
        if heard_since {
            after.prices.get_mut("tea").unwrap().sequence = 1;
        }
        facts.after = Some(Box::new(after));
        let rule = all(&facts).into_iter().find(|rule| rule.name.contains("prices of inventory"));
        let Rule { violations, moving, .. } = rule.unwrap();
        assert_eq!((violations, moving), if found { (1, 0) } else { (0, 1) }, "{passed:?}");
    }
}

#[test]
fn what_the_providers_have_for_an_order_that_nobody_placed_is_found() {
    let unknown = Uuid::from_u128(9);
    let ledger = |facts: &mut Facts| facts.ledger.take().unwrap();
    finds("provider", |facts| {
        let mut books = ledger(facts);
        books.kept_minor.insert(unknown, 100);
        facts.ledger = Some(books);
    });
    finds("provider", |facts| {
        let mut books = ledger(facts);
        books.held_minor.insert(unknown, 100);
        facts.ledger = Some(books);
    });
    finds("carrier", |facts| {
        let mut books = ledger(facts);
        books.dispatched.insert(unknown, true);
        facts.ledger = Some(books);
    });
}

#[test]
fn of_a_fleet_that_moves_rest_is_not_asked_for_and_all_else_is_judged() {
    let mut facts = clean();
    facts.orders.get_mut(&COMPLETED).unwrap().end = OrderEnd::Under;
    facts.outboxes[0].rows = 1;
    facts.after = Some(Box::new(facts.clone()));
    let moving = vec!["1 order has not ended".to_owned()];
    let report = crate::audit::check(&facts, moving.clone());
    assert!(!report.is_broken() && !report.is_clean(), "{report:?}");
    assert!(report.broken().contains("not at rest: 1 order has not ended"));
    assert!(report.not_judged.iter().any(|name| name.contains("every order")));
    assert_eq!(report.rules.len() + report.not_judged.len(), all(&facts).len());

    facts.stock.get_mut("tea").unwrap().free -= 1;
    assert!(crate::audit::check(&facts, moving).is_broken(), "a lost unit is lost at any moment");
}

/// The same facts on a fleet where another order is under way, and was so before and after.
fn moving() -> Facts {
    let mut facts = clean();
    let under = OrderFact { end: OrderEnd::Under, total_minor: 100, sequence: 1 };
    facts.orders.insert(Uuid::from_u128(4), under);
    count(&mut facts, "order.events", Uuid::from_u128(4), 1);
    facts.topics[0].keys.insert(Uuid::from_u128(4).to_string(), key(1, 1, 1));
    facts.after = Some(Box::new(facts.clone()));
    facts
}

fn broken_while_moving(facts: &Facts) -> Vec<&'static str> {
    let report = crate::audit::check(facts, vec!["an order".to_owned()]);
    report.rules.iter().filter(|rule| rule.violations > 0).map(|rule| rule.name).collect()
}

#[test]
fn an_order_under_way_keeps_no_rule_from_judging_those_that_ended() {
    assert_eq!(broken_while_moving(&moving()), Vec::<&str>::new());
    let finds = |rule: &str, plant: &dyn Fn(&mut Facts)| {
        let mut facts = moving();
        plant(&mut facts);
        let found = broken_while_moving(&facts);
        assert!(found.iter().any(|name| name.contains(rule)), "{rule} is not in {found:?}");
    };
    finds("money", &|f| f.payments.get_mut(&COMPLETED).unwrap().money = Money::Authorized);
    finds("captured", &|f| f.payments.get_mut(&COMPLETED).unwrap().amount_minor = 99);
    finds("goods", &|f| f.reservations.get_mut(&CANCELLED).unwrap().goods = Goods::Deducted);
    finds("dispatched", &|f| f.shipments.get_mut(&CANCELLED).unwrap().dispatched = Some(true));
    finds("provider", &|f| {
        f.ledger.as_mut().unwrap().kept_minor.insert(COMPLETED, 200);
    });
    finds("carrier", &|f| {
        f.ledger.as_mut().unwrap().dispatched.remove(&COMPLETED);
    });
    finds("topics hold", &|f| {
        f.topics[0].keys.remove(&COMPLETED.to_string());
    });
    finds("every key", &|f| {
        let unknown = Uuid::from_u128(9).to_string();
        f.topics[1].keys.insert(unknown, key(1, 1, 1));
    });
    finds("does not exist", &|f| {
        f.orders.remove(&COMPLETED);
        f.after.as_mut().unwrap().orders.remove(&COMPLETED);
    });
}

#[test]
fn wrong_money_of_an_order_under_way_is_told_at_once() {
    let under = Uuid::from_u128(4);
    let mut facts = moving();
    let payment = PaymentFact { money: Money::Authorized, amount_minor: 100 };
    facts.payments.insert(under, payment);
    facts.ledger.as_mut().unwrap().held_minor.insert(under, 100);
    assert_eq!(broken_while_moving(&facts), Vec::<&str>::new());
    facts.payments.get_mut(&under).unwrap().amount_minor = 99;
    assert_eq!(broken_while_moving(&facts), ["an order's money is where its state says"]);
    facts.payments.get_mut(&under).unwrap().amount_minor = 100;
    facts.ledger.as_mut().unwrap().held_minor.insert(under, 200);
    assert_eq!(broken_while_moving(&facts), ["the payment provider's books agree"]);
}

#[test]
fn what_moved_while_it_was_read_breaks_no_rule() {
    let mut facts = moving();
    // Returned after the tables were read, before the topics were.
    facts.payments.get_mut(&COMPLETED).unwrap().money = Money::Refunded;
    facts.topics[0].keys.insert(COMPLETED.to_string(), key(1, 5, 5));
    facts.ledger.as_mut().unwrap().kept_minor.insert(COMPLETED, 0);
    let after = facts.after.as_mut().unwrap();
    let returned = OrderFact { end: OrderEnd::Under, total_minor: 100, sequence: 5 };
    after.orders.insert(COMPLETED, returned);
    count(after, "order.events", COMPLETED, 5);
    // Placed meanwhile.
    let young = Uuid::from_u128(5);
    let placed = OrderFact { end: OrderEnd::Under, total_minor: 100, sequence: 1 };
    after.orders.insert(young, placed);
    count(after, "order.events", young, 1);
    facts.topics[0].keys.insert(young.to_string(), key(1, 1, 1));
    facts.ledger.as_mut().unwrap().held_minor.insert(young, 100);
    // Completed, and the goods not yet deducted; committed, and not yet published.
    let reserved = facts.reservations.get_mut(&COMPLETED).unwrap();
    reserved.goods = Goods::Reserved;
    facts.topics[2].keys.remove(&CANCELLED.to_string());
    facts.behind.insert("inventory");
    let tea = facts.stock.get_mut("tea").unwrap();
    (tea.shipped, tea.reserved) = (0, 3);
    assert_eq!(broken_while_moving(&facts), Vec::<&str>::new());
    facts.behind.clear();
    assert_eq!(
        broken_while_moving(&facts),
        ["the topics hold every event that was committed, and no other"]
    );
}

#[test]
fn a_payment_that_was_settled_by_hand_is_no_disagreement_unless_the_provider_has_too_much() {
    for (kept, fine) in [(0, true), (100, true), (200, false)] {
        let mut facts = clean();
        facts.payments_by_hand.insert(COMPLETED);
        facts.ledger.as_mut().unwrap().kept_minor.insert(COMPLETED, kept);
        assert_eq!(broken(&facts).is_empty(), fine, "{kept}: {:?}", broken(&facts));
    }
}

#[test]
fn a_shipment_that_was_settled_by_hand_is_no_disagreement_unless_the_carrier_has_what_was_not_sent()
{
    for (order, dispatched, fine) in [
        (COMPLETED, false, true),
        (COMPLETED, true, true),
        (CANCELLED, false, true),
        (CANCELLED, true, false),
    ] {
        let mut facts = clean();
        facts.shipments_by_hand.insert(order);
        facts.ledger.as_mut().unwrap().dispatched.insert(order, dispatched);
        assert_eq!(broken(&facts).is_empty(), fine, "{dispatched}: {:?}", broken(&facts));
    }
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
