//! What happens to the money of one order. Pure: the provider, the clock and the database stay outside.

use events::{
    DeclineReason, Money, OrderId, PaymentAuthorized, PaymentDeclined, PaymentEvent,
    PaymentReceived, PaymentRefunded, PaymentVoided,
};

/// Where the money is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing has happened yet.
    New,
    /// The provider is asked to set the money aside; its answer is not known.
    Authorizing {
        amount: Money,
        token: String,
    },
    /// Cancelled while the answer was not known: what turns out to be set aside is given back.
    VoidAfterAuthorizing {
        amount: Money,
        token: String,
    },
    Authorized {
        amount: Money,
        authorization: String,
    },
    Declined {
        reason: DeclineReason,
    },
    Voiding {
        authorization: String,
    },
    /// Nothing is set aside, and nothing will be: also where the cancellation came before its order.
    Voided,
    Capturing {
        amount: Money,
        authorization: String,
    },
    Received {
        amount: Money,
        authorization: String,
    },
    Refunding {
        amount: Money,
        authorization: String,
    },
    Refunded {
        amount: Money,
    },
}

/// What payment hears of the order, and what the provider answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Placed {
        amount: Money,
        token: String,
    },
    Cancelled,
    Shipped,
    Returned,
    /// The provider's answers.
    Authorized {
        authorization: String,
    },
    Declined {
        reason: DeclineReason,
    },
    Voided,
    Captured,
    Refunded,
}

/// A call to the provider. Its idempotency key is the order and the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Authorize { order: OrderId, amount: Money, token: String },
    Capture { order: OrderId, authorization: String, amount: Money },
    Void { order: OrderId, authorization: String },
    Refund { order: OrderId, authorization: String, amount: Money },
}

/// What follows from an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub state: State,
    pub events: Vec<PaymentEvent>,
    pub calls: Vec<Call>,
}

impl State {
    /// The call whose outcome this state waits for. The sweep makes it again after a crash.
    pub fn open_call(&self, order: OrderId) -> Option<Call> {
        match self.clone() {
            State::Authorizing { amount, token }
            | State::VoidAfterAuthorizing { amount, token } => {
                Some(Call::Authorize { order, amount, token })
            }
            State::Voiding { authorization } => Some(Call::Void { order, authorization }),
            State::Capturing { amount, authorization } => {
                Some(Call::Capture { order, authorization, amount })
            }
            State::Refunding { amount, authorization } => {
                Some(Call::Refund { order, authorization, amount })
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

/// Decides. `now` only dates the events.
pub fn decide(order: OrderId, state: &State, input: Input, now: i64) -> Decision {
    match input {
        Input::Placed { amount, token } => on_placed(order, state, amount, token),
        Input::Cancelled => on_cancelled(order, state, now),
        Input::Shipped => on_shipped(order, state),
        Input::Returned => on_returned(order, state),
        Input::Authorized { .. }
        | Input::Declined { .. }
        | Input::Voided
        | Input::Captured
        | Input::Refunded => on_outcome(order, state, input, now),
    }
}

fn on_placed(order: OrderId, state: &State, amount: Money, token: String) -> Decision {
    match state {
        State::New => entered(order, State::Authorizing { amount, token }, None),
        // Heard before, or cancelled before it was heard (a replayed dead letter finds the tombstone).
        // An order is authorised at most once; nothing was acquired here.
        State::Authorizing { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Authorized { .. }
        | State::Declined { .. }
        | State::Voiding { .. }
        | State::Voided
        | State::Capturing { .. }
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => unchanged(state),
    }
}

fn on_cancelled(order: OrderId, state: &State, now: i64) -> Decision {
    match state {
        // The tombstone answers too, so that the order can end although nothing was ever set aside.
        State::New => {
            let said = PaymentVoided { order_id: order, occurred_at: now };
            entered(order, State::Voided, Some(said.into()))
        }
        State::Authorizing { amount, token } => {
            // Whether anything is set aside is not known. The same question goes on being asked, so
            // this is no new call; its answer decides.
            let state = State::VoidAfterAuthorizing { amount: *amount, token: token.clone() };
            Decision { state, events: Vec::new(), calls: Vec::new() }
        }
        State::Authorized { authorization, .. } => {
            entered(order, State::Voiding { authorization: authorization.clone() }, None)
        }
        // Nothing is set aside, and `PaymentDeclined` has told so.
        State::Declined { .. } => unchanged(state),
        // Being given back, or given back.
        State::VoidAfterAuthorizing { .. } | State::Voiding { .. } | State::Voided => {
            unchanged(state)
        }
        // Order cancels only what shipping has not dispatched, and captures only follow a dispatch: an
        // order that is captured was never cancelled. A refund follows from `OrderReturned` alone.
        State::Capturing { .. }
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => unchanged(state),
    }
}

fn on_shipped(order: OrderId, state: &State) -> Decision {
    match state {
        State::Authorized { amount, authorization } => {
            let (amount, authorization) = (*amount, authorization.clone());
            entered(order, State::Capturing { amount, authorization }, None)
        }
        // Heard before.
        State::Capturing { .. }
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => unchanged(state),
        // Order ships only what we said to be authorised, and does not cancel what is shipped: these
        // states cannot be behind a shipment. Nothing is set aside that this could take.
        State::New
        | State::Authorizing { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Declined { .. }
        | State::Voiding { .. }
        | State::Voided => unchanged(state),
    }
}

fn on_returned(order: OrderId, state: &State) -> Decision {
    match state {
        State::Received { amount, authorization } => {
            let (amount, authorization) = (*amount, authorization.clone());
            entered(order, State::Refunding { amount, authorization }, None)
        }
        // Heard before.
        State::Refunding { .. } | State::Refunded { .. } => unchanged(state),
        // Only a completed order is returned, and it completes on our `PaymentReceived`: nothing was
        // taken in these states, so nothing is to be given back.
        State::New
        | State::Authorizing { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Authorized { .. }
        | State::Declined { .. }
        | State::Voiding { .. }
        | State::Voided
        | State::Capturing { .. } => unchanged(state),
    }
}

fn on_outcome(order_id: OrderId, state: &State, outcome: Input, occurred_at: i64) -> Decision {
    match (state.clone(), outcome) {
        (State::Authorizing { amount, .. }, Input::Authorized { authorization }) => {
            let said = PaymentAuthorized {
                order_id,
                amount_minor: amount.minor,
                currency: amount.currency,
                authorization_id: authorization.clone(),
                occurred_at,
            };
            entered(order_id, State::Authorized { amount, authorization }, Some(said.into()))
        }
        (State::VoidAfterAuthorizing { .. }, Input::Authorized { authorization }) => {
            entered(order_id, State::Voiding { authorization }, None)
        }
        (
            State::Authorizing { amount, .. } | State::VoidAfterAuthorizing { amount, .. },
            Input::Declined { reason },
        ) => {
            let said = PaymentDeclined {
                order_id,
                amount_minor: amount.minor,
                currency: amount.currency,
                reason,
                occurred_at,
            };
            entered(order_id, State::Declined { reason }, Some(said.into()))
        }
        (State::Voiding { .. }, Input::Voided) => {
            let said = PaymentVoided { order_id, occurred_at };
            entered(order_id, State::Voided, Some(said.into()))
        }
        (State::Capturing { amount, authorization }, Input::Captured) => {
            let Money { minor: amount_minor, currency } = amount;
            let said = PaymentReceived { order_id, amount_minor, currency, occurred_at };
            entered(order_id, State::Received { amount, authorization }, Some(said.into()))
        }
        (State::Refunding { amount, .. }, Input::Refunded) => {
            let Money { minor: amount_minor, currency } = amount;
            let said = PaymentRefunded { order_id, amount_minor, currency, occurred_at };
            entered(order_id, State::Refunded { amount }, Some(said.into()))
        }
        // An answer to a question that was answered before: asked twice, by a sweep or after a crash.
        // The provider knows the key, so whatever it did it did once, and the state tells who holds it.
        (
            state,
            Input::Authorized { .. }
            | Input::Declined { .. }
            | Input::Voided
            | Input::Captured
            | Input::Refunded,
        ) => unchanged(&state),
        (state, Input::Placed { .. } | Input::Cancelled | Input::Shipped | Input::Returned) => {
            unchanged(&state)
        }
    }
}

/// A new state, and the call that it opens.
fn entered(order: OrderId, state: State, event: Option<PaymentEvent>) -> Decision {
    let calls = state.open_call(order).into_iter().collect();
    Decision { state, events: event.into_iter().collect(), calls }
}

fn unchanged(state: &State) -> Decision {
    Decision { state: state.clone(), events: Vec::new(), calls: Vec::new() }
}
