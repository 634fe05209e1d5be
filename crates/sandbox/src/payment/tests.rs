use uuid::Uuid;

use super::{
    Account, CARD_LIMIT_MINOR, Currency, Decline, IntentId, Outcome, Refusal, Status, TOK_BROKEN,
    TOK_DECLINED, TOK_ERROR, TOK_EXPIRED, TOK_HOLD_EXPIRES, TOK_INSUFFICIENT_FUNDS,
    TOK_REFUND_FAILS, TOK_SLOW, TOK_TIMEOUT, TOK_VISA, manner, outcome,
};
use crate::manner::Manner;

fn eur() -> Currency {
    "eur".parse().unwrap()
}

fn held(amount_minor: i64) -> Account {
    Account::authorize(TOK_VISA, amount_minor, eur()).unwrap()
}

#[test]
fn every_test_card_has_its_outcome_and_its_manner() {
    let table = [
        (TOK_VISA, Outcome::Approved, Manner::Prompt),
        (TOK_DECLINED, Outcome::Declined(Decline::CardDeclined), Manner::Prompt),
        (TOK_INSUFFICIENT_FUNDS, Outcome::Declined(Decline::InsufficientFunds), Manner::Prompt),
        (TOK_EXPIRED, Outcome::Declined(Decline::ExpiredCard), Manner::Prompt),
        (TOK_TIMEOUT, Outcome::Approved, Manner::LosesAnswer),
        (TOK_ERROR, Outcome::Approved, Manner::FailsAfter),
        (TOK_SLOW, Outcome::Approved, Manner::Slow),
        (TOK_BROKEN, Outcome::Approved, Manner::Prompt),
        (TOK_HOLD_EXPIRES, Outcome::Approved, Manner::Prompt),
        (TOK_REFUND_FAILS, Outcome::Approved, Manner::Prompt),
        ("tok_viza", Outcome::Declined(Decline::CardDeclined), Manner::Prompt),
        ("", Outcome::Declined(Decline::CardDeclined), Manner::Prompt),
    ];
    for (token, expected, how) in table {
        assert_eq!(outcome(token, 100), expected, "{token}");
        assert_eq!(manner(token), how, "{token}");
    }
}

#[test]
fn a_card_covers_its_limit_and_no_more() {
    assert_eq!(outcome(TOK_VISA, CARD_LIMIT_MINOR), Outcome::Approved);
    let beyond = Outcome::Declined(Decline::InsufficientFunds);
    assert_eq!(outcome(TOK_VISA, CARD_LIMIT_MINOR + 1), beyond);
}

#[test]
fn nothing_can_be_authorized_below_one() {
    for amount_minor in [0, -1, i64::MIN] {
        let refused = Account::authorize(TOK_VISA, amount_minor, eur());
        assert_eq!(refused, Err(Refusal::AmountTooSmall));
    }
}

#[test]
fn money_is_held_then_taken_then_given_back() {
    let account = held(500);
    assert_eq!((account.authorized_minor(), account.held_minor()), (500, 500));
    let account = account.capture(None).unwrap();
    assert_eq!((account.status, account.captured_minor), (Status::Succeeded, 500));
    assert_eq!((account.held_minor(), account.voided_minor()), (0, 0));
    let account = account.refund(Some(200)).unwrap().refund(None).unwrap();
    assert_eq!(account.refunded_minor, 500);
    assert_eq!(account.refund(None), Err(Refusal::AlreadyRefunded));
}

#[test]
fn what_is_not_captured_is_let_go() {
    let account = held(500).capture(Some(499)).unwrap();
    assert_eq!((account.captured_minor, account.voided_minor()), (499, 1));
    assert_eq!(held(500).cancel().unwrap().voided_minor(), 500);
}

#[test]
fn no_step_moves_more_than_there_is() {
    assert_eq!(held(500).capture(Some(501)), Err(Refusal::AmountTooLarge { most_minor: 500 }));
    assert_eq!(held(500).capture(Some(0)), Err(Refusal::AmountTooSmall));
    let taken = held(500).capture(None).unwrap();
    assert_eq!(taken.refund(Some(501)), Err(Refusal::AmountTooLarge { most_minor: 500 }));
    assert_eq!(taken.refund(Some(-1)), Err(Refusal::AmountTooSmall));
}

#[test]
fn each_step_needs_the_money_where_it_takes_it_from() {
    let declined = Account::authorize(TOK_DECLINED, 500, eur()).unwrap();
    let captured = held(500).capture(None).unwrap();
    let canceled = held(500).cancel().unwrap();
    for account in [declined, captured, canceled] {
        assert!(account.capture(None).is_err(), "capture from {:?}", account.status);
        assert!(account.cancel().is_err(), "cancel from {:?}", account.status);
    }
    for account in [declined, held(500), canceled] {
        assert!(account.refund(None).is_err(), "refund from {:?}", account.status);
    }
    assert_eq!((declined.authorized_minor(), declined.voided_minor()), (0, 0));
}

#[test]
fn an_intent_id_tells_the_order_and_has_one_spelling() {
    let order = Uuid::from_u128(7);
    let first = IntentId::first(order);
    assert_eq!(first.to_string(), format!("pi_{}", order.simple()));
    assert_eq!(first.to_string().parse(), Ok(first));
    let second = IntentId { order, nth: 2.try_into().unwrap() };
    assert_eq!(second.to_string().parse(), Ok(second));
    for text in [format!("{first}_1"), format!("{first}_0"), format!("pi_{order}"), "pi_".into()] {
        assert!(text.parse::<IntentId>().is_err(), "{text}");
    }
}
