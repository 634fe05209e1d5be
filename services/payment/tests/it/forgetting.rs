//! A provider that forgets its idempotency keys, or stands by a server error for as long as it knows one:
//! its books show one hold, and no order waits for a day.

use std::time::Duration;

use events::{DeclineReason, OrderId};
use payment::domain::Input;
use payment::provider::{Http, Memory};
use sandbox::conduct::Change;

use crate::asked::Provider as _;
use crate::simulator::{self, FRESH, OLD, Provider, eur};

/// A provider that knows no key a moment later.
async fn forgetful() -> Provider {
    simulator::start_with(Change { key_memory_ms: Some(0), ..Change::default() }).await
}

/// A client for which whatever was done is found after so long.
fn client(provider: &Provider, search_settles: Duration) -> Http {
    provider.client().with_memory(Memory { search_settles, ..Memory::default() })
}

async fn holds(provider: &Provider, order: OrderId) -> Vec<i64> {
    provider.payments(order).await.iter().map(|payment| payment.held_minor).collect()
}

#[tokio::test]
async fn a_hold_whose_answer_was_lost_and_whose_key_is_forgotten_is_found_by_its_order() {
    let provider = forgetful().await;
    let (client, order) = (provider.client(), OrderId::now());
    client.authorize(order, eur(700), "tok_timeout", FRESH).await.unwrap_err();
    let id = provider.payments(order).await[0].id.to_string();
    let answer = client.authorize(order, eur(700), "tok_timeout", OLD).await.unwrap();
    assert_eq!(answer, Input::Authorized { authorization: id });
    assert_eq!(holds(&provider, order).await, [700]);
}

#[tokio::test]
async fn an_old_authorization_that_the_provider_never_heard_of_is_asked_for() {
    let provider = forgetful().await;
    let (client, order) = (provider.client(), OrderId::now());
    let answer = client.authorize(order, eur(700), "tok_visa", OLD).await.unwrap();
    assert!(matches!(answer, Input::Authorized { .. }), "{answer:?}");
    assert_eq!(holds(&provider, order).await, [700]);
}

#[tokio::test]
async fn a_decline_whose_key_is_forgotten_is_no_second_attempt() {
    let provider = forgetful().await;
    let (client, order) = (provider.client(), OrderId::now());
    let declined = Input::Declined { reason: DeclineReason::InsufficientFunds };
    for age in [FRESH, OLD] {
        let answer = client.authorize(order, eur(700), "tok_insufficient_funds", age).await;
        assert_eq!(answer.unwrap(), declined);
    }
    assert_eq!(provider.payments(order).await.len(), 1);
}

#[tokio::test]
async fn every_later_step_is_done_once_although_its_key_is_forgotten() {
    let provider = forgetful().await;
    let (client, order) = (provider.client(), OrderId::now());
    client.authorize(order, eur(700), "tok_visa", FRESH).await.unwrap();
    let id = provider.payments(order).await[0].id.to_string();
    for _ in 0..2 {
        client.capture(order, &id, eur(700)).await.unwrap();
    }
    for _ in 0..2 {
        client.refund(order, &id, eur(700)).await.unwrap();
    }
    let [payment] = &provider.payments(order).await[..] else { panic!("authorized twice") };
    assert_eq!((payment.captured_minor, payment.refunded_minor), (700, 700));
}

#[tokio::test]
async fn a_server_error_that_stands_under_a_key_is_asked_round_by_another_key() {
    let provider = simulator::start().await;
    let (client, order) = (client(&provider, Duration::ZERO), OrderId::now());
    client.authorize(order, eur(700), "tok_broken", FRESH).await.unwrap_err();
    for _ in 0..2 {
        let answer = client.authorize(order, eur(700), "tok_broken", FRESH).await.unwrap();
        assert!(matches!(answer, Input::Authorized { .. }), "{answer:?}");
    }
    assert_eq!(holds(&provider, order).await, [700]);
}

#[tokio::test]
async fn a_hold_behind_a_server_error_is_found_and_not_made_again() {
    let provider = simulator::start().await;
    let (client, order) = (client(&provider, Duration::ZERO), OrderId::now());
    client.authorize(order, eur(700), "tok_broken_after", FRESH).await.unwrap_err();
    let id = provider.payments(order).await[0].id.to_string();
    let answer = client.authorize(order, eur(700), "tok_broken_after", FRESH).await.unwrap();
    assert_eq!(answer, Input::Authorized { authorization: id });
    assert_eq!(holds(&provider, order).await, [700]);
}

#[tokio::test]
async fn no_other_key_is_tried_before_a_hold_would_be_found() {
    let hour = Change { search_lag_ms: Some(3_600_000), ..Change::default() };
    let provider = simulator::start_with(hour).await;
    let (client, order) = (client(&provider, Duration::from_secs(3_600)), OrderId::now());
    for _ in 0..3 {
        client.authorize(order, eur(700), "tok_broken_after", FRESH).await.unwrap_err();
    }
    provider.change(Change { search_lag_ms: Some(0), ..Change::default() });
    client.authorize(order, eur(700), "tok_broken_after", FRESH).await.unwrap();
    assert_eq!(holds(&provider, order).await, [700]);
}

#[tokio::test]
async fn a_refund_that_is_on_its_way_is_done_when_it_has_arrived_and_not_when_it_came_back() {
    for (token, arrives) in [("tok_refund_pending", true), ("tok_refund_fails", false)] {
        let provider = simulator::start().await;
        let (client, order) = (provider.client(), OrderId::now());
        client.authorize(order, eur(700), token, FRESH).await.unwrap();
        let id = provider.payments(order).await[0].id.to_string();
        client.capture(order, &id, eur(700)).await.unwrap();
        assert_eq!(client.refund(order, &id, eur(700)).await.is_ok(), arrives, "{token}");
    }
}
