//! What becomes of the points of one order. Pure: the clock and the database stay outside, so that a test can take
//! an order through every possible order of events.

use events::OrderId;

use crate::language::{LoyaltyEvent, PointsChanged};

/// One point for this many minor units, whatever the currency.
const MINOR_UNITS_PER_POINT: i64 = 100;

/// The most that one order earns, so that a mistyped price makes nobody rich, and the sum over all of a customer's
/// orders fits a number.
const POINTS_MAX: i64 = 1_000_000;

/// Where the points of an order are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Nobody has any: the order is not completed.
    #[default]
    New,
    /// With its customer.
    Granted { customer: String, points: i64 },
    /// Gone. Also the tombstone of an order whose return was heard before its completion, for example because that
    /// was a dead letter: it must no longer earn anything.
    TakenBack,
}

/// What can happen to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Completed { customer: String, total_minor: i64 },
    Returned,
}

/// The next state, and what to publish.
pub type Decision = chassis::Decision<State, LoyaltyEvent>;

/// Decides what an input means. `now_micros` dates the events and has no part in the decision.
pub fn decide(order_id: OrderId, state: &State, input: Input, now_micros: i64) -> Decision {
    let (next, customer, change) = match (state, input) {
        (State::New, Input::Completed { customer, total_minor }) => {
            let points = (total_minor / MINOR_UNITS_PER_POINT).clamp(0, POINTS_MAX);
            (State::Granted { customer: customer.clone(), points }, customer, points)
        }
        (State::Granted { customer, points }, Input::Returned) => {
            (State::TakenBack, customer.clone(), -points)
        }
        // Nothing was granted, so there is nothing to publish.
        (State::New, Input::Returned) => (State::TakenBack, String::new(), 0),

        // Heard before, or overtaken by its return.
        (State::Granted { .. } | State::TakenBack, Input::Completed { .. })
        | (State::TakenBack, Input::Returned) => return Decision::keep(state),
    };
    let event = PointsChanged { order_id, customer_id: customer, change, occurred_at: now_micros };
    // An order of a few cents earns nothing.
    let events = if change == 0 { Vec::new() } else { vec![event.into()] };
    Decision { state: next, events, calls: Vec::new() }
}

#[cfg(test)]
mod tests;
