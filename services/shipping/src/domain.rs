//! What happens to the shipment of one order. Shipping is the arbiter between cancelling and
//! dispatching: once an order is confirmed, only this file decides which came first.

use events::{
    OrderId, RefusalReason, ShipmentCancelled, ShipmentDispatched, ShipmentRefused, ShippingEvent,
};

/// Where the goods are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing has happened yet.
    New,
    /// The carrier is asked to take the goods.
    Booking { destination: String },
    /// The carrier is asked not to take them, while its first answer may be under way.
    CancelAsked { destination: String },
    /// The carrier has them. Only a return brings them back.
    Dispatched { tracking: String },
    /// The carrier does not take them.
    Refused { reason: RefusalReason },
    /// Not booked, and never will be: also where the cancellation came before its order.
    Cancelled,
}

/// What shipping hears, and what the carrier answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Confirmed {
        destination: String,
    },
    CancellationRequested,
    /// The carrier's answers.
    Dispatched {
        tracking: String,
    },
    Refused {
        reason: RefusalReason,
    },
    Cancelled,
}

/// A call to the carrier. Its idempotency key is the order and the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Book { order: OrderId, destination: String },
    Cancel { order: OrderId },
}

/// What follows from an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub state: State,
    pub events: Vec<ShippingEvent>,
    pub calls: Vec<Call>,
}

impl State {
    /// The call whose outcome this state waits for. The sweep makes it again after a crash.
    pub fn open_call(&self, order: OrderId) -> Option<Call> {
        match self {
            State::Booking { destination } => {
                Some(Call::Book { order, destination: destination.clone() })
            }
            State::CancelAsked { .. } => Some(Call::Cancel { order }),
            State::New | State::Dispatched { .. } | State::Refused { .. } | State::Cancelled => {
                None
            }
        }
    }
}

/// Decides. `now` only dates the events.
pub fn decide(order: OrderId, state: &State, input: Input, now: i64) -> Decision {
    match (state, input) {
        (State::New, Input::Confirmed { destination }) => {
            entered(order, State::Booking { destination }, None)
        }
        // Confirmed before: the booking is under way or answered. Cancelled: a dead letter replayed late
        // finds the tombstone; nothing was acquired.
        (
            State::Booking { .. }
            | State::CancelAsked { .. }
            | State::Dispatched { .. }
            | State::Refused { .. }
            | State::Cancelled,
            Input::Confirmed { .. },
        ) => unchanged(state),

        (State::New, Input::CancellationRequested) => {
            entered(order, State::Cancelled, Some(cancelled(order, now)))
        }
        (State::Booking { destination }, Input::CancellationRequested) => {
            entered(order, State::CancelAsked { destination: destination.clone() }, None)
        }
        // Asked already, or decided and said so: order goes by that answer.
        (
            State::CancelAsked { .. }
            | State::Dispatched { .. }
            | State::Refused { .. }
            | State::Cancelled,
            Input::CancellationRequested,
        ) => unchanged(state),

        (State::Booking { .. } | State::CancelAsked { .. }, Input::Dispatched { tracking }) => {
            let said = ShipmentDispatched {
                order_id: order,
                tracking_code: tracking.clone(),
                occurred_at: now,
            };
            entered(order, State::Dispatched { tracking }, Some(said.into()))
        }
        (State::Booking { .. } | State::CancelAsked { .. }, Input::Refused { reason }) => {
            let said = ShipmentRefused { order_id: order, reason, occurred_at: now };
            entered(order, State::Refused { reason }, Some(said.into()))
        }
        (State::Booking { .. } | State::CancelAsked { .. }, Input::Cancelled) => {
            entered(order, State::Cancelled, Some(cancelled(order, now)))
        }
        // The carrier answers each call once for good; the first answer that was committed stands, and
        // whatever the goods hold (a place on a truck) is as that answer says.
        (
            State::New | State::Dispatched { .. } | State::Refused { .. } | State::Cancelled,
            Input::Dispatched { .. } | Input::Refused { .. } | Input::Cancelled,
        ) => unchanged(state),
    }
}

fn cancelled(order_id: OrderId, now: i64) -> ShippingEvent {
    ShipmentCancelled { order_id, occurred_at: now }.into()
}

fn entered(order: OrderId, state: State, event: Option<ShippingEvent>) -> Decision {
    let calls = state.open_call(order).into_iter().collect();
    Decision { state, events: event.into_iter().collect(), calls }
}

fn unchanged(state: &State) -> Decision {
    Decision { state: state.clone(), events: Vec::new(), calls: Vec::new() }
}
