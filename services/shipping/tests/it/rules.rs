//! What both adapters promise alike: outcomes by input, and the same answer for the same call. Run
//! against the simulator over HTTP and against the carrier in the process.

use std::future::Future;

use chassis::Unanswered;
use events::{OrderId, RefusalReason};
use shipping::carrier::InProcess;
use shipping::domain::Input;

use crate::asked::Carrier;
use crate::simulator;

/// Makes a call again until it is answered, as the chassis does.
async fn insist<T, F: Future<Output = Result<T, Unanswered>>>(call: impl Fn() -> F) -> T {
    for _attempt in 0..20 {
        if let Ok(answer) = call().await {
            return answer;
        }
    }
    panic!("never answered");
}

async fn outcomes_follow_from_the_destination(carrier: &impl Carrier) {
    let refused = |reason| Input::Refused { reason };
    let not_served = refused(RefusalReason::DestinationNotServed);
    for (destination, refused) in [
        ("AQ", not_served.clone()),
        ("somewhere", not_served.clone()),
        ("../DE?", not_served),
        ("XX", refused(RefusalReason::GoodsNotAccepted)),
    ] {
        let order = OrderId::now();
        assert_eq!(insist(|| carrier.book(order, destination)).await, refused, "{destination}");
    }
    for destination in ["DE", "TT", "NZ"] {
        let order = OrderId::now();
        let shipment = insist(|| carrier.book(order, destination)).await;
        assert!(matches!(shipment, Input::Dispatched { .. }), "{destination}: {shipment:?}");
    }
}

async fn a_call_made_again_is_answered_as_the_first_time(carrier: &impl Carrier) {
    let [booked, cancelled] = [OrderId::now(), OrderId::now()];
    let first = carrier.book(booked, "DE").await.unwrap();
    assert_eq!(carrier.book(booked, "DE").await.unwrap(), first);
    for _time in 0..2 {
        assert_eq!(carrier.cancel(cancelled).await.unwrap(), Input::Cancelled);
    }
}

async fn a_lost_answer_is_no_outcome(carrier: &impl Carrier) {
    let order = OrderId::now();
    carrier.book(order, "TT").await.unwrap_err();
    let shipment = carrier.book(order, "TT").await.unwrap();
    assert!(matches!(shipment, Input::Dispatched { .. }), "{shipment:?}");
}

async fn a_booking_that_is_not_understood_is_no_outcome(carrier: &impl Carrier) {
    let order = OrderId::now();
    for _time in 0..2 {
        carrier.book(order, "ZZ").await.unwrap_err();
    }
    assert_eq!(carrier.cancel(order).await.unwrap(), Input::Cancelled);
}

async fn a_cancellation_overtakes_a_slow_booking(carrier: &impl Carrier) {
    let order = OrderId::now();
    let (cancelled, _slow) = tokio::join!(carrier.cancel(order), carrier.book(order, "NZ"));
    assert_eq!(cancelled.unwrap(), Input::Cancelled);
    assert_eq!(insist(|| carrier.book(order, "NZ")).await, Input::Cancelled);
}

async fn a_cancellation_that_comes_late_is_told_what_has_become_of_the_shipment(
    carrier: &impl Carrier,
) {
    for destination in ["DE", "TT", "AQ"] {
        let order = OrderId::now();
        let booked = insist(|| carrier.book(order, destination)).await;
        assert_ne!(booked, Input::Cancelled);
        for _time in 0..2 {
            assert_eq!(carrier.cancel(order).await.unwrap(), booked, "{destination}");
        }
        assert_eq!(carrier.book(order, destination).await.unwrap(), booked, "{destination}");
    }
}

async fn check(carrier: &impl Carrier) {
    tokio::join!(
        outcomes_follow_from_the_destination(carrier),
        a_call_made_again_is_answered_as_the_first_time(carrier),
        a_lost_answer_is_no_outcome(carrier),
        a_booking_that_is_not_understood_is_no_outcome(carrier),
        a_cancellation_overtakes_a_slow_booking(carrier),
        a_cancellation_that_comes_late_is_told_what_has_become_of_the_shipment(carrier),
    );
}

#[tokio::test]
async fn the_carrier_over_http_keeps_the_rules() {
    check(&simulator::start().await.client()).await;
}

#[tokio::test]
async fn the_carrier_in_the_process_keeps_the_rules() {
    check(&InProcess::default()).await;
}
