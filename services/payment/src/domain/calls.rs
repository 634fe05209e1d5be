//! What the provider is asked. Separate from the decisions, because a call follows from the state
//! alone: after a crash the sweep makes the calls of the states that it finds.

use events::{Money, OrderId};

use super::State;

/// A call to the provider. The order and the kind of call are its idempotency key, so making it twice
/// moves money once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    Authorize { order: OrderId, amount: Money, token: String },
    Capture { order: OrderId, authorization: String, amount: Money },
    Void { order: OrderId, authorization: String },
    Refund { order: OrderId, authorization: String, amount: Money },
}

chassis::words! {
    /// What the provider is asked to do. With the order it is the idempotency key of a call.
    #[schema(as = PaymentStep)]
    pub enum Step {
        Authorize = "authorize";
        Capture = "capture";
        Void = "void";
        Refund = "refund";
    }
}

impl Call {
    /// The order that it is about.
    pub fn order(&self) -> OrderId {
        match self {
            Call::Authorize { order, .. }
            | Call::Capture { order, .. }
            | Call::Void { order, .. }
            | Call::Refund { order, .. } => *order,
        }
    }

    /// What it asks for.
    pub fn step(&self) -> Step {
        match self {
            Call::Authorize { .. } => Step::Authorize,
            Call::Capture { .. } => Step::Capture,
            Call::Void { .. } => Step::Void,
            Call::Refund { .. } => Step::Refund,
        }
    }
}

impl State {
    /// The call whose outcome the state waits for.
    pub fn open_call(&self, order: OrderId) -> Option<Call> {
        match self {
            // Cancelled or not: what the provider holds is known only once it has answered.
            State::Authorizing { amount, token }
            | State::VoidAfterAuthorizing { amount, token } => {
                Some(Call::Authorize { order, amount: *amount, token: token.clone() })
            }
            State::Voiding { authorization } => {
                Some(Call::Void { order, authorization: authorization.clone() })
            }
            State::Capturing { amount, authorization } => {
                let authorization = authorization.clone();
                Some(Call::Capture { order, authorization, amount: *amount })
            }
            State::Refunding { amount, authorization } => {
                let authorization = authorization.clone();
                Some(Call::Refund { order, authorization, amount: *amount })
            }
            State::New
            | State::Authorized { .. }
            | State::Declined { .. }
            | State::Voided
            | State::Received { .. }
            | State::Refunded { .. } => None,
        }
    }
}
