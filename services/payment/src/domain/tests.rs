//! The rules as sentences. All pairs of state and input are in `docs/transitions.md`.

use super::*;

fn id() -> OrderId {
    OrderId(uuid::Uuid::from_u128(1))
}

fn amount() -> Money {
    Money::new(100, "EUR".parse().unwrap())
}

fn placed() -> Input {
    Input::Placed { amount: amount(), token: "tok".to_owned() }
}

fn authorized() -> Input {
    Input::Authorized { authorization: "pi".to_owned() }
}

/// Leads a payment through inputs, each delivered twice; returns its state and what was said.
fn lead(inputs: impl IntoIterator<Item = Input>) -> (State, Vec<PaymentEvent>, Vec<Call>) {
    let (mut state, mut events, mut calls) = (State::New, Vec::new(), Vec::new());
    for input in inputs {
        let first = decide(id(), &state, input.clone(), 7);
        let again = decide(id(), &first.state, input, 8);
        assert_eq!(again.state, first.state, "hearing it again changes nothing");
        assert!(again.events.is_empty() && again.calls.is_empty(), "and says nothing: {again:?}");
        state = first.state;
        events.extend(first.events);
        calls.extend(first.calls);
    }
    (state, events, calls)
}

fn names(events: &[PaymentEvent]) -> Vec<&'static str> {
    use events::Events;
    events.iter().map(|event| PaymentEvent::RECORDS[event.record()].name).collect()
}

#[test]
fn money_is_set_aside_captured_and_refunded_step_by_step() {
    let path =
        [placed(), authorized(), Input::Shipped, Input::Captured, Input::Returned, Input::Refunded];
    let (state, events, calls) = lead(path);
    assert_eq!(state, State::Refunded { amount: amount() });
    assert_eq!(names(&events), ["PaymentAuthorized", "PaymentReceived", "PaymentRefunded"]);
    assert_eq!(calls.len(), 3, "authorize, capture, refund: {calls:?}");
}

#[test]
fn a_cancelled_order_is_never_charged_late() {
    let (state, events, calls) = lead([Input::Cancelled, placed()]);
    assert_eq!(state, State::Voided);
    assert_eq!(
        names(&events),
        ["PaymentVoided"],
        "the tombstone answers, so that the order can end"
    );
    assert_eq!(calls, []);
}

#[test]
fn what_turns_out_to_be_authorized_after_the_cancellation_is_given_back() {
    let (state, events, calls) = lead([placed(), Input::Cancelled, authorized(), Input::Voided]);
    assert_eq!(state, State::Voided);
    // The same as where the answer comes first: a number never stands for another fact.
    let (_, in_time, _) = lead([placed(), authorized(), Input::Cancelled, Input::Voided]);
    assert_eq!(names(&events), names(&in_time));
    assert_eq!(names(&events), ["PaymentAuthorized", "PaymentVoided"]);
    assert!(matches!(calls.as_slice(), [Call::Authorize { .. }, Call::Void { .. }]), "{calls:?}");
}

#[test]
fn a_decline_holds_nothing_and_is_said_once() {
    let declined = Input::Declined { reason: DeclineReason::CardDeclined };
    for path in [
        vec![placed(), declined.clone(), Input::Cancelled],
        vec![placed(), Input::Cancelled, declined],
    ] {
        let (state, events, _) = lead(path);
        assert_eq!(state, State::Declined { reason: DeclineReason::CardDeclined });
        assert_eq!(names(&events), ["PaymentDeclined"]);
    }
}

#[test]
fn every_state_that_waits_for_an_outcome_knows_its_call() {
    let (state, _, calls) = lead([placed()]);
    assert_eq!(state.open_call(id()).as_ref(), calls.last());
    let (state, ..) = lead([placed(), authorized()]);
    assert_eq!(state.open_call(id()), None);
    let (state, _, calls) = lead([placed(), authorized(), Input::Shipped]);
    assert_eq!(state.open_call(id()).as_ref(), calls.last());
}
