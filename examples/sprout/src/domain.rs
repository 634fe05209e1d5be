//! What happens to one order. Pure: the clock and the database stay outside, so that a test can lead an order
//! through every sequence of events.

use events::OrderId;

use crate::language::{SproutEvent, SproutNoted};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing was heard of it.
    #[default]
    New,
    /// Something was.
    Noted,
}

/// What can happen to an order: one input for each record that is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    OrderPlaced,
    OrderConfirmed,
    OrderCancellationRequested,
    OrderCancelled,
    OrderShipped,
    OrderCompleted,
    OrderCompensated,
    OrderReturned,
}

/// The next state, and what to publish.
pub type Decision = chassis::Decision<State, SproutEvent>;

/// Decides what an input means. `now_micros` dates the events and has no part in the decision.
pub fn decide(order_id: OrderId, state: &State, input: Input, now_micros: i64) -> Decision {
    match (state, input) {
        (
            State::New,
            Input::OrderPlaced
            | Input::OrderConfirmed
            | Input::OrderCancellationRequested
            | Input::OrderCancelled
            | Input::OrderShipped
            | Input::OrderCompleted
            | Input::OrderCompensated
            | Input::OrderReturned,
        ) => {
            let event = SproutNoted { order_id, occurred_at: now_micros };
            Decision { state: State::Noted, events: vec![event.into()], calls: Vec::new() }
        }
        // Heard again, or later than another event of the same order.
        (
            State::Noted,
            Input::OrderPlaced
            | Input::OrderConfirmed
            | Input::OrderCancellationRequested
            | Input::OrderCancelled
            | Input::OrderShipped
            | Input::OrderCompleted
            | Input::OrderCompensated
            | Input::OrderReturned,
        ) => Decision::keep(state),
    }
}

#[cfg(test)]
mod tests;
