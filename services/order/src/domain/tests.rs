//! The rules as sentences. All pairs of state and input are in `docs/transitions.md`.

use super::*;

fn facts() -> Facts {
    Facts {
        id: OrderId(uuid::Uuid::from_u128(1)),
        customer_id: "customer-7".to_owned(),
        total: Money::new(100, "EUR".parse().unwrap()),
        destination: "DE".to_owned(),
    }
}

/// Leads an order through inputs, each delivered twice; returns its state and what was said.
fn lead(inputs: impl IntoIterator<Item = Input>) -> (State, Vec<&'static str>) {
    use events::Events;
    let (mut state, mut said) = (State::AwaitingBoth, Vec::new());
    for input in inputs {
        let first = decide(&facts(), state, input, 7).unwrap();
        let again = decide(&facts(), first.state, input, 8);
        assert!(
            again
                .as_ref()
                .map_or(true, |again| again.state == first.state && again.events.is_empty()),
            "{input:?} again in {:?} should change nothing: {again:?}",
            first.state
        );
        state = first.state;
        said.extend(first.events.iter().map(|event| OrderEvent::RECORDS[event.record()].name));
    }
    (state, said)
}

const CONFIRMED: [Input; 2] = [Input::StockReserved, Input::PaymentAuthorized];

#[test]
fn both_answers_confirm_in_either_order_and_the_rest_follows() {
    for [first, second] in [CONFIRMED, [Input::PaymentAuthorized, Input::StockReserved]] {
        let (state, said) =
            lead([first, second, Input::ShipmentDispatched, Input::PaymentReceived]);
        assert_eq!(state, State::Completed);
        assert_eq!(said, ["OrderConfirmed", "OrderShipped", "OrderCompleted"]);
    }
}

#[test]
fn a_no_cancels_and_the_end_comes_when_everything_is_given_back() {
    let (state, said) = lead([Input::PaymentAuthorized, Input::StockRejected]);
    assert_eq!(said, ["OrderCancelled"]);
    assert!(!state.is_terminal(), "the money is still set aside");
    let (state, said) =
        lead([Input::PaymentAuthorized, Input::StockRejected, Input::PaymentVoided]);
    assert_eq!(state, State::Cancelled { reason: CancelReason::OutOfStock });
    assert_eq!(said, ["OrderCancelled", "OrderCompensated"]);
}

#[test]
fn two_noes_need_no_giving_back_and_keep_the_first_reason() {
    let (state, said) = lead([Input::PaymentDeclined, Input::StockRejected]);
    assert_eq!(state, State::Cancelled { reason: CancelReason::PaymentDeclined });
    assert_eq!(said, ["OrderCancelled", "OrderCompensated"]);
}

#[test]
fn after_confirmation_order_only_asks_and_shipping_decides() {
    for ask in [Input::Cancel, Input::Overdue] {
        let asked = CONFIRMED.into_iter().chain([ask]);
        let (state, said) = lead(asked.clone().chain([Input::ShipmentDispatched]));
        assert_eq!(state, State::Shipped, "too late");
        assert_eq!(said, ["OrderConfirmed", "OrderCancellationRequested", "OrderShipped"]);
        let (state, said) = lead(asked.chain([
            Input::ShipmentCancelled,
            Input::StockReleased,
            Input::PaymentVoided,
        ]));
        assert!(matches!(state, State::Cancelled { .. }), "{state:?}");
        assert_eq!(said.last(), Some(&"OrderCompensated"));
    }
}

#[test]
fn before_confirmation_order_cancels_by_itself() {
    for before in [vec![], vec![Input::StockReserved], vec![Input::PaymentAuthorized]] {
        let (_, said) = lead(before.into_iter().chain([Input::Cancel]));
        assert_eq!(said, ["OrderCancelled"]);
    }
}

#[test]
fn an_answer_that_is_late_is_waited_for_and_given_back() {
    let late = [Input::Cancel, Input::StockReserved, Input::StockReleased, Input::PaymentVoided];
    let (state, said) = lead(late);
    assert_eq!(state, State::Cancelled { reason: CancelReason::Customer });
    assert_eq!(said, ["OrderCancelled", "OrderCompensated"]);
    // Released before reserved: a replayed dead letter.
    let (state, _) =
        lead([Input::Cancel, Input::StockReleased, Input::StockReserved, Input::PaymentVoided]);
    assert_eq!(state, State::Cancelled { reason: CancelReason::Customer });
}

#[test]
fn only_a_completed_order_is_returned_and_a_shipped_one_is_not_cancelled() {
    let refused = |state, input| decide(&facts(), state, input, 7).unwrap_err();
    assert_eq!(refused(State::Shipped, Input::Return), Rejection::NotCompleted);
    assert_eq!(refused(State::Shipped, Input::Cancel), Rejection::AlreadyShipped);
    assert_eq!(refused(State::Completed, Input::Cancel), Rejection::AlreadyCompleted);
    for state in [State::ReturningBoth, State::ReturningMoney, State::Returned] {
        assert_eq!(refused(state, Input::Cancel), Rejection::AlreadyReturned);
    }
    let completed =
        CONFIRMED.into_iter().chain([Input::ShipmentDispatched, Input::PaymentReceived]);
    for back in [
        [Input::StockReturned, Input::PaymentRefunded],
        [Input::PaymentRefunded, Input::StockReturned],
    ] {
        let (state, said) = lead(completed.clone().chain([Input::Return]).chain(back));
        assert_eq!(state, State::Returned);
        assert_eq!(said.last(), Some(&"OrderReturned"));
    }
}
