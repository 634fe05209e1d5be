//! What both adapters promise alike: outcomes by input, and the same answer for the same call. Run
//! against the simulator over HTTP and against the provider in the process.

use chassis::Unanswered;
use events::{DeclineReason, OrderId};
use payment::domain::Input;
use payment::provider::InProcess;

use crate::asked::Provider;
use crate::simulator::{self, FRESH, eur};

/// Makes a call again until it is answered, as the chassis does.
async fn insist<T, F: Future<Output = Result<T, Unanswered>>>(call: impl Fn() -> F) -> T {
    for _attempt in 0..20 {
        if let Ok(answer) = call().await {
            return answer;
        }
    }
    panic!("never answered");
}

async fn authorize(provider: &impl Provider, order: OrderId, minor: i64, token: &str) -> Input {
    insist(|| provider.authorize(order, eur(minor), token, FRESH)).await
}

fn id(answer: Input) -> String {
    let Input::Authorized { authorization } = answer else { panic!("not held: {answer:?}") };
    authorization
}

async fn outcomes_follow_from_the_card(provider: &impl Provider) {
    for (token, minor, reason) in [
        ("tok_declined", 100, DeclineReason::CardDeclined),
        ("tok_nobody_knows", 100, DeclineReason::CardDeclined),
        ("tok_insufficient_funds", 100, DeclineReason::InsufficientFunds),
        ("tok_visa", i64::MAX, DeclineReason::InsufficientFunds),
        ("tok_expired", 100, DeclineReason::ExpiredCard),
        ("tok_visa", 0, DeclineReason::Unknown),
    ] {
        let answer = authorize(provider, OrderId::now(), minor, token).await;
        assert_eq!(answer, Input::Declined { reason }, "{token} {minor}");
    }
    for token in ["tok_visa", "tok_timeout", "tok_error", "tok_slow"] {
        id(authorize(provider, OrderId::now(), 100, token).await);
    }
}

async fn a_call_made_again_is_answered_as_the_first_time(provider: &impl Provider) {
    let [taken, voided] = [OrderId::now(), OrderId::now()];
    let held = id(authorize(provider, taken, 100, "tok_visa").await);
    assert_eq!(id(authorize(provider, taken, 100, "tok_visa").await), held);
    for _time in 0..2 {
        provider.capture(taken, &held, eur(100)).await.unwrap();
    }
    for _time in 0..2 {
        provider.refund(taken, &held, eur(100)).await.unwrap();
    }
    let held = id(authorize(provider, voided, 100, "tok_visa").await);
    for _time in 0..2 {
        provider.void(voided, &held).await.unwrap();
    }
    let declined = OrderId::now();
    let first = authorize(provider, declined, 100, "tok_expired").await;
    assert_eq!(authorize(provider, declined, 100, "tok_expired").await, first);
}

async fn the_first_answer_of_each_step_is_lost_and_the_next_is_not(provider: &impl Provider) {
    for token in ["tok_timeout", "tok_error"] {
        let [taken, voided] = [OrderId::now(), OrderId::now()];
        for order in [taken, voided] {
            provider.authorize(order, eur(100), token, FRESH).await.unwrap_err();
        }
        let held = id(provider.authorize(taken, eur(100), token, FRESH).await.unwrap());
        provider.capture(taken, &held, eur(100)).await.unwrap_err();
        provider.capture(taken, &held, eur(100)).await.unwrap();
        provider.refund(taken, &held, eur(100)).await.unwrap_err();
        provider.refund(taken, &held, eur(100)).await.unwrap();
        let held = id(provider.authorize(voided, eur(100), token, FRESH).await.unwrap());
        provider.void(voided, &held).await.unwrap_err();
        provider.void(voided, &held).await.unwrap();
    }
}

async fn an_authorization_of_nobody_moves_no_money(provider: &impl Provider) {
    let order = OrderId::now();
    for foreign in ["pi_1", "ch_of_another_provider"] {
        assert!(provider.capture(order, foreign, eur(100)).await.is_err());
        assert!(provider.void(order, foreign).await.is_err());
        assert!(provider.refund(order, foreign, eur(100)).await.is_err());
    }
}

async fn check(provider: &impl Provider) {
    tokio::join!(
        outcomes_follow_from_the_card(provider),
        a_call_made_again_is_answered_as_the_first_time(provider),
        the_first_answer_of_each_step_is_lost_and_the_next_is_not(provider),
        an_authorization_of_nobody_moves_no_money(provider),
    );
}

#[tokio::test]
async fn the_provider_over_http_keeps_the_rules() {
    check(&simulator::start().await.client()).await;
}

#[tokio::test]
async fn the_provider_in_the_process_keeps_the_rules() {
    check(&InProcess::default()).await;
}
