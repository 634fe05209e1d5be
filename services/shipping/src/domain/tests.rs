//! The rules as sentences. All pairs of state and input are in `docs/transitions.md`.

use super::*;

fn id() -> OrderId {
    OrderId(uuid::Uuid::from_u128(1))
}

fn confirmed() -> Input {
    Input::Confirmed { destination: "DE".to_owned() }
}

fn dispatched() -> Input {
    Input::Dispatched { tracking: "t".to_owned() }
}

/// Leads a shipment through inputs, each delivered twice; returns its state and what was said.
fn lead(inputs: impl IntoIterator<Item = Input>) -> (State, Vec<&'static str>, Vec<Call>) {
    use events::Events;
    let (mut state, mut said, mut calls) = (State::New, Vec::new(), Vec::new());
    for input in inputs {
        let first = decide(id(), &state, input.clone(), 7);
        let again = decide(id(), &first.state, input, 8);
        assert_eq!(again.state, first.state, "hearing it again changes nothing");
        assert!(again.events.is_empty() && again.calls.is_empty(), "and says nothing: {again:?}");
        state = first.state;
        said.extend(first.events.iter().map(|event| ShippingEvent::RECORDS[event.record()].name));
        calls.extend(first.calls);
    }
    (state, said, calls)
}

#[test]
fn a_confirmed_order_is_booked_and_dispatched() {
    let (state, said, calls) = lead([confirmed(), dispatched()]);
    assert_eq!(state, State::Dispatched { tracking: "t".to_owned() });
    assert_eq!(said, ["ShipmentDispatched"]);
    assert!(matches!(calls.as_slice(), [Call::Book { .. }]), "{calls:?}");
}

#[test]
fn the_carrier_decides_between_a_booking_under_way_and_its_cancellation() {
    let asked = || vec![confirmed(), Input::CancellationRequested];
    for (answer, event) in [
        (Input::Cancelled, "ShipmentCancelled"),
        (dispatched(), "ShipmentDispatched"),
        (Input::Refused { reason: RefusalReason::Unknown }, "ShipmentRefused"),
    ] {
        let (_, said, calls) = lead(asked().into_iter().chain([answer]));
        assert_eq!(said, [event]);
        assert!(matches!(calls.as_slice(), [Call::Book { .. }, Call::Cancel { .. }]), "{calls:?}");
    }
}

#[test]
fn the_first_answer_stands_whatever_comes_later() {
    let (state, said, _) =
        lead([confirmed(), dispatched(), Input::CancellationRequested, Input::Cancelled]);
    assert_eq!(state, State::Dispatched { tracking: "t".to_owned() });
    assert_eq!(said, ["ShipmentDispatched"]);
}

#[test]
fn an_order_that_was_cancelled_before_it_was_heard_of_is_never_booked() {
    let (state, said, calls) = lead([Input::CancellationRequested, confirmed()]);
    assert_eq!(state, State::Cancelled);
    assert_eq!(said, ["ShipmentCancelled"]);
    assert_eq!(calls, []);
}
