//! What happens to the money of one order. Pure: the clock, the provider and the database stay
//! outside, so that a test can take it through every possible order of events.

mod answered;
mod calls;
mod heard;

use events::{DeclineReason, Money, OrderId, PaymentEvent};

pub use calls::{Call, Step};

/// Where the money is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// With the customer: nothing has been heard of the order yet.
    #[default]
    New,
    /// The provider was asked to hold the amount, and has not answered.
    Authorizing { amount: Money, token: String },
    /// Held by the provider.
    Authorized { amount: Money, authorization: String },
    /// The provider refused to hold it.
    Declined { reason: DeclineReason },
    /// Cancelled while nobody knows whether the provider holds the amount. The provider is asked until it answers.
    VoidAfterAuthorizing { amount: Money, token: String },
    /// The provider was asked to let go of it.
    Voiding { authorization: String },
    /// With the customer for good. Also the tombstone of an order that was cancelled before it was
    /// heard of: a late `OrderPlaced` must not authorize.
    Voided,
    /// The goods are under way and the provider was asked to take the money.
    Capturing { amount: Money, authorization: String },
    /// Ours.
    Received { amount: Money, authorization: String },
    /// The goods came back and the provider was asked to give the money back.
    Refunding { amount: Money, authorization: String },
    /// With the customer again.
    Refunded { amount: Money },
}

/// What can happen to it. An unknown outcome of a call is not an input: the call is repeated under its
/// key until the outcome is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    // What the order service says.
    Placed { amount: Money, token: String },
    Cancelled,
    Shipped,
    Returned,
    // What the provider answers.
    Authorized { authorization: String },
    Declined { reason: DeclineReason },
    Voided,
    Captured,
    Refunded,
}

/// The next state, what to tell the fleet and what to ask of the provider.
pub type Decision = chassis::Decision<State, PaymentEvent, Call>;

/// Decides what an input means. `now_micros` dates the events and has no part in the decision.
pub fn decide(order: OrderId, state: &State, input: Input, now_micros: i64) -> Decision {
    let next = match input {
        Input::Placed { amount, token } => heard::placed(state, amount, token),
        Input::Cancelled => heard::cancelled(order, state, now_micros),
        Input::Shipped => heard::shipped(state),
        Input::Returned => heard::returned(state),
        Input::Authorized { authorization } => {
            answered::authorized(order, state, authorization, now_micros)
        }
        Input::Declined { reason } => answered::declined(order, state, reason, now_micros),
        Input::Voided => answered::voided(order, state, now_micros),
        Input::Captured => answered::captured(order, state, now_micros),
        Input::Refunded => answered::refunded(order, state, now_micros),
    };
    let Some((next, event)) = next else { return Decision::keep(state) };
    let opened = next.open_call(order).filter(|call| state.open_call(order).as_ref() != Some(call));
    Decision {
        state: next,
        events: event.into_iter().collect(),
        calls: opened.into_iter().collect(),
    }
}

/// Another state and what is said on entering it, or nothing at all.
type Next = Option<(State, Option<PaymentEvent>)>;

#[cfg(test)]
mod tests;
