use uuid::Uuid;

use super::{
    NOT_ACCEPTED, NOT_SERVED, NOT_UNDERSTOOD, Outcome, Parcel, Reason, RefusedCall, SLOW, TIMEOUT,
    manner, outcome, tracking_code,
};
use crate::manner::Manner;

#[test]
fn every_destination_has_its_outcome_and_its_manner() {
    let not_served = Outcome::Refused(Reason::DestinationNotServed);
    let table = [
        ("DE", Outcome::Accepted, Manner::Prompt),
        ("US", Outcome::Accepted, Manner::Prompt),
        (NOT_SERVED, not_served, Manner::Prompt),
        (NOT_ACCEPTED, Outcome::Refused(Reason::GoodsNotAccepted), Manner::Prompt),
        (SLOW, Outcome::Accepted, Manner::Slow),
        (TIMEOUT, Outcome::Accepted, Manner::LosesAnswer),
        ("de", not_served, Manner::Prompt),
        ("", not_served, Manner::Prompt),
        ("DEU", not_served, Manner::Prompt),
        ("Ä", not_served, Manner::Prompt),
    ];
    for (destination, expected, how) in table {
        assert_eq!(outcome(destination), expected, "{destination}");
        assert_eq!(manner(destination), how, "{destination}");
    }
}

#[test]
fn a_cancellation_before_the_booking_wins() {
    let tombstone = Parcel::cancel(None);
    assert_eq!(tombstone, Parcel::Cancelled);
    assert_eq!(Parcel::book(Some(&tombstone), "DE"), Ok(Parcel::Cancelled));
}

#[test]
fn a_cancellation_after_the_booking_changes_nothing() {
    for destination in ["DE", NOT_SERVED, NOT_ACCEPTED] {
        let booked = Parcel::book(None, destination).unwrap();
        assert_eq!(Parcel::cancel(Some(&booked)), booked);
    }
}

#[test]
fn a_booking_is_done_once() {
    let booked = Parcel::book(None, "DE").unwrap();
    assert_eq!(Parcel::book(Some(&booked), "DE"), Ok(booked.clone()));
    let elsewhere = |booked: &str| RefusedCall::OtherDestination { booked: booked.to_owned() };
    assert_eq!(Parcel::book(Some(&booked), "US").unwrap_err(), elsewhere("DE"));
    let refused = Parcel::book(None, NOT_SERVED).unwrap();
    assert_eq!(Parcel::book(Some(&refused), "DE").unwrap_err(), elsewhere(NOT_SERVED));
}

#[test]
fn a_booking_that_is_not_understood_says_nothing_of_the_shipment() {
    assert_eq!(Parcel::book(None, NOT_UNDERSTOOD).unwrap_err(), RefusedCall::NotUnderstood);
    let cancelled = Parcel::cancel(None);
    assert_eq!(Parcel::book(Some(&cancelled), NOT_UNDERSTOOD), Ok(Parcel::Cancelled));
}

#[test]
fn orders_have_tracking_codes_of_their_own() {
    let codes = [1, 2].map(|n| tracking_code(Uuid::from_u128(n)));
    assert_ne!(codes[0], codes[1]);
    assert_eq!(codes[0], tracking_code(Uuid::from_u128(1)));
}
