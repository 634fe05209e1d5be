use uuid::Uuid;

use super::{Ledger, PaymentAct, PaymentError, PaymentStep, ShipmentAct, ShipmentFigures};
use crate::payment::{IntentId, Refusal, Status, TOK_DECLINED, TOK_VISA};

fn act(key: &str, step: PaymentStep) -> PaymentAct {
    PaymentAct { key: key.into(), at_seconds: 1, keys_since_seconds: i64::MIN, step }
}

fn authorize(order: Uuid, token: &str, minor: i64) -> PaymentStep {
    PaymentStep::Authorize { order, token: token.into(), minor, currency: "eur".parse().unwrap() }
}

const ORDER: Uuid = Uuid::from_u128(1);

/// Journals outlive the release that wrote them.
#[test]
fn an_authorization_in_the_spelling_of_earlier_releases_is_still_read() {
    let written = serde_json::to_string(&act("a", authorize(ORDER, TOK_VISA, 500))).unwrap();
    let earlier = written.replace("authorize", "authorise");
    assert_ne!(earlier, written);
    let read: PaymentAct = serde_json::from_str(&earlier).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
}

#[test]
fn the_same_key_gives_the_answer_of_then() {
    let mut ledger = Ledger::default();
    let create = act("a", authorize(ORDER, TOK_VISA, 500));
    let created = ledger.pay(&create).unwrap();
    assert!(created.first);
    let intent = created.answer.id;
    ledger.pay(&act("c", PaymentStep::Capture { intent, minor: None })).unwrap();

    let again = ledger.pay(&create).unwrap();
    assert!(!again.first);
    assert_eq!(again.answer, created.answer);
    assert_eq!(ledger.payment(intent).unwrap().account.status, Status::Succeeded);
}

#[test]
fn a_key_belongs_to_one_call() {
    let mut ledger = Ledger::default();
    ledger.pay(&act("a", authorize(ORDER, TOK_VISA, 500))).unwrap();
    let others = [
        authorize(ORDER, TOK_VISA, 501),
        authorize(ORDER, TOK_DECLINED, 500),
        authorize(Uuid::from_u128(2), TOK_VISA, 500),
        PaymentStep::Capture { intent: IntentId::first(ORDER), minor: None },
    ];
    for other in others {
        assert_eq!(ledger.pay(&act("a", other)).unwrap_err(), PaymentError::KeyReused);
    }
    assert_eq!(ledger.order(ORDER).unwrap().payments[0].held_minor, 500);
}

#[test]
fn a_refusal_is_not_remembered_under_its_key() {
    let mut ledger = Ledger::default();
    let capture = act("c", PaymentStep::Capture { intent: IntentId::first(ORDER), minor: None });
    assert_eq!(
        ledger.pay(&capture).unwrap_err(),
        PaymentError::UnknownIntent(IntentId::first(ORDER))
    );
    ledger.pay(&act("a", authorize(ORDER, TOK_VISA, 500))).unwrap();
    assert!(ledger.pay(&capture).unwrap().first);
}

#[test]
fn a_second_payment_of_an_order_is_seen() {
    let mut ledger = Ledger::default();
    ledger.pay(&act("a", authorize(ORDER, TOK_VISA, 500))).unwrap();
    ledger.pay(&act("b", authorize(ORDER, TOK_VISA, 500))).unwrap();
    let figures = ledger.order(ORDER).unwrap();
    let ids = figures.payments.iter().map(|payment| payment.id.to_string());
    let first = format!("pi_{}", ORDER.simple());
    assert_eq!(ids.collect::<Vec<_>>(), [first.clone(), format!("{first}_2")]);
}

#[test]
fn refunds_of_one_payment_are_numbered() {
    let mut ledger = Ledger::default();
    let intent = IntentId::first(ORDER);
    ledger.pay(&act("a", authorize(ORDER, TOK_VISA, 500))).unwrap();
    ledger.pay(&act("c", PaymentStep::Capture { intent, minor: None })).unwrap();
    let first = ledger.pay(&act("r1", PaymentStep::Refund { intent, minor: Some(200) })).unwrap();
    let rest = ledger.pay(&act("r2", PaymentStep::Refund { intent, minor: None })).unwrap();
    let refunds = [first, rest].map(|applied| applied.answer.refund.unwrap());
    assert_eq!(refunds.map(|refund| (refund.nth, refund.minor)), [(1, 200), (2, 300)]);
    let more = ledger.pay(&act("r3", PaymentStep::Refund { intent, minor: None }));
    let refused = more.unwrap_err();
    assert!(
        matches!(refused, PaymentError::Refused { refusal: Refusal::AlreadyRefunded, .. }),
        "{refused:?}"
    );
}

#[test]
fn the_totals_are_the_sums_of_the_orders() {
    let mut ledger = Ledger::default();
    for n in 0_u8..60 {
        let order = Uuid::from_u128(n.into());
        let token = if n % 5 == 0 { TOK_DECLINED } else { TOK_VISA };
        ledger.pay(&act(&format!("a{n}"), authorize(order, token, 100 + i64::from(n)))).unwrap();
        let intent = IntentId::first(order);
        let step = match n % 3 {
            0 => PaymentStep::Capture { intent, minor: Some(90) },
            1 => PaymentStep::Cancel { intent },
            _two => continue,
        };
        // A step on a declined payment is refused and must not be counted.
        let stepped = ledger.pay(&act(&format!("b{n}"), step));
        assert_eq!(stepped.is_ok(), token == TOK_VISA);
        let _ = ledger.pay(&act(&format!("r{n}"), PaymentStep::Refund { intent, minor: Some(9) }));
    }
    let orders = ledger.page(None, 100).orders;
    let figures = ledger.totals().payments.values().next().copied().unwrap();
    let sum = |part: fn(&super::PaymentFigures) -> i64| -> i128 {
        orders.iter().flat_map(|o| &o.payments).map(|p| i128::from(part(p))).sum()
    };
    assert_eq!((ledger.totals().orders, figures.payments, figures.declined), (60, 60, 12));
    assert_eq!(figures.authorized_minor, sum(|p| p.authorized_minor));
    assert_eq!(figures.held_minor, sum(|p| p.held_minor));
    assert_eq!(figures.voided_minor, sum(|p| p.voided_minor));
    assert_eq!(figures.captured_minor, sum(|p| p.captured_minor));
    assert_eq!(figures.refunded_minor, sum(|p| p.refunded_minor));
    assert_eq!(
        figures.authorized_minor,
        figures.held_minor + figures.voided_minor + figures.captured_minor
    );
    assert!(figures.refunded_minor > 0);
}

#[test]
fn pages_cover_every_order_once() {
    let mut ledger = Ledger::default();
    for n in 0_u8..10 {
        let order = Uuid::from_u128(n.into());
        ledger.ship(&ShipmentAct::Book { order, destination: "DE".into() }).unwrap();
    }
    let (mut seen, mut after) = (vec![], None);
    loop {
        let page = ledger.page(after, 3);
        assert!(page.orders.len() <= 3);
        seen.extend(page.orders.iter().map(|order| order.order_id.as_u128()));
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(seen, (0..10).collect::<Vec<u128>>());
    assert_eq!(ledger.page(None, 10).next, None);
}

#[test]
fn a_cancelled_shipment_stays_cancelled_and_a_dispatched_one_dispatched() {
    let mut ledger = Ledger::default();
    let [early, late] = [1, 2].map(Uuid::from_u128);
    let book = |order| ShipmentAct::Book { order, destination: "DE".into() };
    assert!(ledger.ship(&ShipmentAct::Cancel { order: early }).unwrap().first);
    assert!(!ledger.ship(&book(early)).unwrap().first);
    ledger.ship(&book(late)).unwrap();
    ledger.ship(&ShipmentAct::Cancel { order: late }).unwrap();
    assert_eq!(ledger.order(early).unwrap().shipment, Some(ShipmentFigures::Cancelled));
    let shipment = ledger.order(late).unwrap().shipment.unwrap();
    assert!(matches!(shipment, ShipmentFigures::Dispatched { .. }), "{shipment:?}");
    let totals = ledger.totals().shipments;
    assert_eq!((totals.dispatched, totals.refused, totals.cancelled), (1, 0, 1));
}
