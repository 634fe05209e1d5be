//! What happens to the money when the order service says something. Kept apart because these are the
//! promises of the saga; the provider's answers are in `answered`.

use events::{Money, OrderId, PaymentVoided};

use super::{Next, State};

pub(super) fn placed(state: &State, amount: Money, token: String) -> Next {
    match state {
        State::New => Some((State::Authorizing { amount, token }, None)),

        // An order is authorized at most once however often it is heard of, and never once it was
        // cancelled.
        State::Authorizing { .. }
        | State::Authorized { .. }
        | State::Declined { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Voiding { .. }
        | State::Voided
        | State::Capturing { .. }
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => None,
    }
}

pub(super) fn cancelled(order: OrderId, state: &State, occurred_at: i64) -> Next {
    match state {
        // Said at once, because order waits for it and the `OrderPlaced` that was overtaken may never
        // come: an operator can drop it.
        State::New => {
            Some((State::Voided, Some(PaymentVoided { order_id: order, occurred_at }.into())))
        }
        State::Authorizing { amount, token } => {
            let (amount, token) = (*amount, token.clone());
            Some((State::VoidAfterAuthorizing { amount, token }, None))
        }
        State::Authorized { authorization, .. } => {
            Some((State::Voiding { authorization: authorization.clone() }, None))
        }

        // Nothing is held, and order knows that from `PaymentDeclined`.
        State::Declined { .. } => None,

        // Heard before: the hold is being given back, or was.
        State::VoidAfterAuthorizing { .. } | State::Voiding { .. } | State::Voided => None,

        // Order never cancels what it has shipped. This money goes back when the goods do.
        State::Capturing { .. }
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => None,
    }
}

pub(super) fn shipped(state: &State) -> Next {
    match state {
        State::Authorized { amount, authorization } => {
            let (amount, authorization) = (*amount, authorization.clone());
            Some((State::Capturing { amount, authorization }, None))
        }

        // An order is captured at most once.
        State::Capturing { .. }
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => None,

        // Order ships only what we authorized and never what it cancelled, so it has not said this.
        // There is nothing to capture from.
        State::New
        | State::Authorizing { .. }
        | State::Declined { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Voiding { .. }
        | State::Voided => None,
    }
}

pub(super) fn returned(state: &State) -> Next {
    match state {
        State::Received { amount, authorization } => {
            let (amount, authorization) = (*amount, authorization.clone());
            Some((State::Refunding { amount, authorization }, None))
        }

        // An order is refunded at most once.
        State::Refunding { .. } | State::Refunded { .. } => None,

        // Only a completed order is returned, and order completes none before our `PaymentReceived`.
        // Nothing was taken, so there is nothing to give back.
        State::New
        | State::Authorizing { .. }
        | State::Authorized { .. }
        | State::Declined { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Voiding { .. }
        | State::Voided
        | State::Capturing { .. } => None,
    }
}
