use std::time::{Duration, Instant};

use uuid::Uuid;

use super::recent::{CAPACITY, Recent};
use super::{Authorisation, Carrier, Failure, Provider, Timing};
use crate::carrier::{self, Reason};
use crate::ledger::ShipmentFigures;
use crate::payment::{Currency, Decline, TOK_DECLINED, TOK_ERROR, TOK_SLOW, TOK_TIMEOUT, TOK_VISA};

const ORDER: Uuid = Uuid::from_u128(1);

fn eur() -> Currency {
    "eur".parse().unwrap()
}

fn quick() -> Timing {
    Timing { latency: Duration::ZERO, slow: Duration::from_millis(50) }
}

#[tokio::test]
async fn a_payment_is_authorised_captured_and_refunded_once() {
    let provider = Provider::new(quick());
    for _again in 0..2 {
        let authorised = provider.authorise(ORDER, TOK_VISA, 500, eur()).await;
        let id = format!("pi_{}", ORDER.simple());
        assert_eq!(authorised, Ok(Authorisation::Authorised { id }));
    }
    for _again in 0..2 {
        assert_eq!(provider.capture(ORDER, 500, eur()).await, Ok(()));
    }
    for _again in 0..2 {
        assert_eq!(provider.refund(ORDER, 500, eur()).await, Ok(()));
    }
    let late = provider.void(ORDER, 500, eur()).await;
    assert!(matches!(late, Err(Failure::Refused(_))), "{late:?}");
}

#[tokio::test]
async fn a_void_lets_go_and_ends_the_payment() {
    let provider = Provider::new(quick());
    provider.authorise(ORDER, TOK_VISA, 500, eur()).await.unwrap();
    for _again in 0..2 {
        assert_eq!(provider.void(ORDER, 500, eur()).await, Ok(()));
    }
    assert!(matches!(provider.capture(ORDER, 500, eur()).await, Err(Failure::Refused(_))));
    // The same authorisation again, as a sweep after a crash asks it, has the same answer.
    assert!(provider.authorise(ORDER, TOK_VISA, 500, eur()).await.is_ok());
}

#[tokio::test]
async fn an_authorisation_with_another_amount_or_outcome_is_refused() {
    let provider = Provider::new(quick());
    let declined = provider.authorise(ORDER, TOK_DECLINED, 500, eur()).await;
    assert_eq!(declined, Ok(Authorisation::Declined(Decline::CardDeclined)));
    for (token, minor) in [(TOK_DECLINED, 501), (TOK_VISA, 500)] {
        let other = provider.authorise(ORDER, token, minor, eur()).await;
        assert_eq!(other, Err(Failure::OtherCall));
    }
}

#[tokio::test]
async fn the_first_answer_of_each_step_is_lost_and_the_step_is_done() {
    for token in [TOK_TIMEOUT, TOK_ERROR] {
        let provider = Provider::new(quick());
        let first = provider.authorise(ORDER, token, 500, eur()).await;
        assert_eq!(first, Err(Failure::NoAnswer));
        assert!(provider.authorise(ORDER, token, 500, eur()).await.is_ok());
        assert_eq!(provider.capture(ORDER, 500, eur()).await, Err(Failure::NoAnswer));
        assert_eq!(provider.capture(ORDER, 500, eur()).await, Ok(()));
        assert_eq!(provider.refund(ORDER, 500, eur()).await, Err(Failure::NoAnswer));
        assert_eq!(provider.refund(ORDER, 500, eur()).await, Ok(()));
    }
}

#[tokio::test]
async fn a_slow_step_is_taken_even_if_the_caller_gives_up() {
    let provider = Provider::new(quick());
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let call = provider.authorise(ORDER, TOK_SLOW, 500, eur());
        if tokio::time::timeout(Duration::from_millis(5), call).await.is_ok() {
            break;
        }
        assert!(Instant::now() < deadline, "the slow step was never taken");
    }
    assert!(attempts > 1, "the step was not slow");
}

#[tokio::test]
async fn a_cancellation_overtakes_a_slow_booking() {
    let carrier = Carrier::new(quick());
    let (booked, cancelled) =
        tokio::join!(carrier.book(ORDER, carrier::SLOW), carrier.cancel(ORDER));
    assert_eq!(
        (booked, cancelled),
        (Ok(ShipmentFigures::Cancelled), Ok(ShipmentFigures::Cancelled))
    );
}

#[tokio::test]
async fn a_booking_is_answered_the_same_again() {
    let carrier = Carrier::new(quick());
    let refused = ShipmentFigures::Refused { reason: Reason::DestinationNotServed };
    for _again in 0..2 {
        assert_eq!(carrier.book(ORDER, carrier::NOT_SERVED).await, Ok(refused.clone()));
    }
    let elsewhere = carrier.book(ORDER, "DE").await;
    assert!(matches!(elsewhere, Err(Failure::OtherDestination(_))), "{elsewhere:?}");

    let lost = Uuid::from_u128(2);
    assert_eq!(carrier.book(lost, carrier::TIMEOUT).await, Err(Failure::NoAnswer));
    let tracking_code = carrier::tracking_code(lost);
    let dispatched = Ok(ShipmentFigures::Dispatched { tracking_code });
    assert_eq!(carrier.book(lost, carrier::TIMEOUT).await, dispatched);
    assert_eq!(carrier.cancel(lost).await, dispatched);
}

#[tokio::test]
async fn an_order_that_is_not_remembered_is_believed() {
    let forgetful = || Provider::new(quick());
    assert_eq!(forgetful().capture(ORDER, 500, eur()).await, Ok(()));
    assert_eq!(forgetful().void(ORDER, 500, eur()).await, Ok(()));
    assert_eq!(forgetful().refund(ORDER, 500, eur()).await, Ok(()));
}

#[test]
fn the_memory_is_bounded_and_forgets_the_oldest() {
    let mut recent = Recent::default();
    let ids = (0..=CAPACITY).map(|n| Uuid::from_u128(n as u128)).collect::<Vec<_>>();
    for id in &ids {
        recent.put(*id, ());
    }
    assert!(recent.get(ids[0]).is_none());
    assert!(ids[1..].iter().all(|id| recent.get(*id).is_some()));
}
