//! What happens to the money when the provider answers. The provider answers a key once and for all, so
//! a call that is made twice gets the same answer twice.

use events::{
    DeclineReason, Money, OrderId, PaymentAuthorized, PaymentDeclined, PaymentReceived,
    PaymentRefunded, PaymentVoided,
};

use super::{Next, State};

pub(super) fn authorized(
    order: OrderId,
    state: &State,
    authorization: String,
    occurred_at: i64,
) -> Next {
    let said = |amount: Money, authorization: &str| {
        let said = PaymentAuthorized {
            order_id: order,
            amount_minor: amount.minor,
            currency: amount.currency,
            authorization_id: authorization.to_owned(),
            occurred_at,
        };
        Some(said.into())
    };
    match state {
        State::Authorizing { amount, .. } => {
            let said = said(*amount, &authorization);
            Some((State::Authorized { amount: *amount, authorization }, said))
        }
        // Said here too, so that the same numbers stand for the same facts whether the answer came before
        // the cancellation or after it: a database that was set back hears them closer together.
        State::VoidAfterAuthorizing { amount, .. } => {
            let said = said(*amount, &authorization);
            Some((State::Voiding { authorization }, said))
        }

        // The call was made twice. One key is one hold, the one that we know: captured when the order
        // ships, voided when it is cancelled.
        State::Authorized { .. }
        | State::Voiding { .. }
        | State::Voided
        | State::Capturing { .. }
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => None,

        // Never asked for, or refused: the provider gives a key only one answer, so it holds nothing.
        State::New | State::Declined { .. } => None,
    }
}

pub(super) fn declined(
    order: OrderId,
    state: &State,
    reason: DeclineReason,
    occurred_at: i64,
) -> Next {
    match state {
        // For an order that was cancelled meanwhile this counts as `PaymentVoided`.
        State::Authorizing { amount, .. } | State::VoidAfterAuthorizing { amount, .. } => {
            let said = PaymentDeclined {
                order_id: order,
                amount_minor: amount.minor,
                currency: amount.currency,
                reason,
                occurred_at,
            };
            Some((State::Declined { reason }, Some(said.into())))
        }

        // The call was made twice.
        State::Declined { .. } => None,

        // Never asked for, or held: the provider gives a key only one answer.
        State::New
        | State::Authorized { .. }
        | State::Voiding { .. }
        | State::Voided
        | State::Capturing { .. }
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => None,
    }
}

pub(super) fn voided(order: OrderId, state: &State, occurred_at: i64) -> Next {
    match state {
        State::Voiding { .. } => {
            Some((State::Voided, Some(PaymentVoided { order_id: order, occurred_at }.into())))
        }

        // The call was made twice, or never.
        State::New
        | State::Authorizing { .. }
        | State::Authorized { .. }
        | State::Declined { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Voided
        | State::Capturing { .. }
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => None,
    }
}

pub(super) fn captured(order: OrderId, state: &State, occurred_at: i64) -> Next {
    match state {
        State::Capturing { amount, authorization } => {
            let said = PaymentReceived {
                order_id: order,
                amount_minor: amount.minor,
                currency: amount.currency,
                occurred_at,
            };
            let (amount, authorization) = (*amount, authorization.clone());
            Some((State::Received { amount, authorization }, Some(said.into())))
        }

        // The call was made twice, or never.
        State::New
        | State::Authorizing { .. }
        | State::Authorized { .. }
        | State::Declined { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Voiding { .. }
        | State::Voided
        | State::Received { .. }
        | State::Refunding { .. }
        | State::Refunded { .. } => None,
    }
}

pub(super) fn refunded(order: OrderId, state: &State, occurred_at: i64) -> Next {
    match state {
        State::Refunding { amount, .. } => {
            let said = PaymentRefunded {
                order_id: order,
                amount_minor: amount.minor,
                currency: amount.currency,
                occurred_at,
            };
            Some((State::Refunded { amount: *amount }, Some(said.into())))
        }

        // The call was made twice, or never.
        State::New
        | State::Authorizing { .. }
        | State::Authorized { .. }
        | State::Declined { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Voiding { .. }
        | State::Voided
        | State::Capturing { .. }
        | State::Received { .. }
        | State::Refunded { .. } => None,
    }
}
