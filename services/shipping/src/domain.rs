//! What happens to the shipment of one order. Shipping is the arbiter between cancelling and
//! dispatching, and leaves the decision to the carrier, whose first answer is the only one. Pure:
//! the clock, the carrier and the database stay outside.

use events::{
    OrderId, RefusalReason, ShipmentCancelled, ShipmentDispatched, ShipmentRefused, ShippingEvent,
};

/// Where the goods are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// In the warehouse: nothing has been heard of the order yet.
    #[default]
    New,
    /// The carrier was asked to take them, and has not answered.
    Booking { destination: String },
    /// The carrier was then asked not to, and has answered neither. The goods were to go to `destination`.
    CancelAsked { destination: String },
    /// With the carrier. Nothing takes that back but a return.
    Dispatched { tracking: String },
    /// The carrier does not take them.
    Refused { reason: RefusalReason },
    /// In the warehouse for good. Also the tombstone of an order whose cancellation was heard before
    /// its confirmation: a late `OrderConfirmed` must not book.
    Cancelled,
}

/// What can happen to it. An unknown outcome of a call is not an input: the call is repeated under its
/// key until the outcome is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    // What the order service says.
    Confirmed { destination: String },
    CancellationRequested,
    // What the carrier answers, whichever call it answers.
    Dispatched { tracking: String },
    Refused { reason: RefusalReason },
    Cancelled,
}

/// A call to the carrier. The order and the kind of call are its idempotency key, so making it twice
/// moves goods once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    Book { order: OrderId, destination: String },
    Cancel { order: OrderId },
}

chassis::words! {
    /// What the carrier is asked to do. With the order it is the idempotency key of a call.
    #[schema(as = ShipmentStep)]
    pub enum Step {
        Book = "book";
        Cancel = "cancel";
    }
}

impl Call {
    /// The order that it is about.
    pub fn order(&self) -> OrderId {
        match self {
            Call::Book { order, .. } | Call::Cancel { order } => *order,
        }
    }

    /// What it asks for.
    pub fn step(&self) -> Step {
        match self {
            Call::Book { .. } => Step::Book,
            Call::Cancel { .. } => Step::Cancel,
        }
    }
}

/// The next state, what to tell the fleet and what to ask the carrier.
pub type Decision = chassis::Decision<State, ShippingEvent, Call>;

/// Decides what an input means. `now_micros` dates the events and has no part in the decision.
pub fn decide(order: OrderId, state: &State, input: Input, now_micros: i64) -> Decision {
    let next = match input {
        Input::Confirmed { destination } => confirmed(state, destination),
        Input::CancellationRequested => cancellation_requested(state),
        Input::Dispatched { tracking } => answered(state, State::Dispatched { tracking }),
        Input::Refused { reason } => answered(state, State::Refused { reason }),
        Input::Cancelled => answered(state, State::Cancelled),
    };
    let Some(next) = next else { return Decision::keep(state) };
    Decision {
        events: next.fact(order, now_micros).into_iter().collect(),
        calls: next.open_call(order).into_iter().collect(),
        state: next,
    }
}

fn confirmed(state: &State, destination: String) -> Option<State> {
    match state {
        State::New => Some(State::Booking { destination }),

        // An order is booked at most once however often it is confirmed, and never once it was
        // cancelled.
        State::Booking { .. }
        | State::CancelAsked { .. }
        | State::Dispatched { .. }
        | State::Refused { .. }
        | State::Cancelled => None,
    }
}

fn cancellation_requested(state: &State) -> Option<State> {
    match state {
        // Nothing was booked, and the `OrderConfirmed` that was overtaken finds the tombstone.
        State::New => Some(State::Cancelled),

        // The booking may be done, under way or lost, so only the carrier can tell.
        State::Booking { destination } => {
            Some(State::CancelAsked { destination: destination.clone() })
        }

        // Heard before.
        State::CancelAsked { .. } => None,

        // Already answered: order has our event, or will have it.
        State::Dispatched { .. } | State::Refused { .. } | State::Cancelled => None,
    }
}

/// The carrier has decided. It may answer the booking and the cancellation, each more than once, but
/// never differently.
fn answered(state: &State, end: State) -> Option<State> {
    match state {
        State::Booking { .. } | State::CancelAsked { .. } => Some(end),

        // The same answer again.
        State::Dispatched { .. } | State::Refused { .. } | State::Cancelled => None,

        // The carrier was not asked about this order.
        State::New => None,
    }
}

impl State {
    /// What is said on entering the state.
    fn fact(&self, order_id: OrderId, occurred_at: i64) -> Option<ShippingEvent> {
        match self {
            State::New | State::Booking { .. } | State::CancelAsked { .. } => None,
            State::Dispatched { tracking } => {
                let tracking_code = tracking.clone();
                Some(ShipmentDispatched { order_id, tracking_code, occurred_at }.into())
            }
            State::Refused { reason } => {
                Some(ShipmentRefused { order_id, reason: *reason, occurred_at }.into())
            }
            State::Cancelled => Some(ShipmentCancelled { order_id, occurred_at }.into()),
        }
    }

    /// The call whose outcome the state waits for. After a crash the sweep makes it again.
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

#[cfg(test)]
mod tests;
