//! Every state and every input, and every pair of inputs in either order.

use uuid::Uuid;

use super::*;

const INPUTS: &[Input] = &[
    Input::OrderPlaced,
    Input::OrderConfirmed,
    Input::OrderCancellationRequested,
    Input::OrderCancelled,
    Input::OrderShipped,
    Input::OrderCompleted,
    Input::OrderCompensated,
    Input::OrderReturned,
];

/// The next state, and how many events are published.
fn decided(state: &State, input: Input) -> (State, usize) {
    let Decision { state, events, calls } = decide(OrderId(Uuid::nil()), state, input, 7);
    assert!(calls.is_empty());
    (state, events.len())
}

#[test]
fn an_order_is_noted_once_whatever_is_heard_of_it_first() {
    for input in INPUTS {
        for (state, next, told) in [(State::New, State::Noted, 1), (State::Noted, State::Noted, 0)]
        {
            assert_eq!(decided(&state, *input), (next, told), "{state:?} {input:?}");
        }
    }
}

#[test]
fn two_events_each_heard_twice_come_to_the_same_in_either_order() {
    for first in INPUTS {
        for second in INPUTS {
            let (mut state, mut told) = (State::New, 0);
            for input in [first, first, second, second, first] {
                let (next, more) = decided(&state, *input);
                (state, told) = (next, told + more);
            }
            assert_eq!((state, told), (State::Noted, 1), "{first:?} {second:?}");
        }
    }
}
