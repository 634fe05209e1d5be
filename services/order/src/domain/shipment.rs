//! What becomes of an order when shipping answers: the pivot. Shipping gives one answer to an order,
//! after `OrderConfirmed`, whether or not a cancellation was asked for meanwhile.

use events::CancelReason;

use super::commands::reason_for;
use super::{Hold, State};

pub(super) fn dispatched(state: State) -> State {
    match state {
        // A cancellation that was asked for came too late.
        State::Confirmed | State::CancellationRequested { .. } => State::Shipped,

        // Heard before.
        State::Shipped
        | State::Completed
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => state,

        // Shipping dispatches only what is confirmed, and cancels nothing that it has dispatched.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Cancelling { .. }
        | State::Cancelled { .. } => state,
    }
}

pub(super) fn refused(state: State) -> State {
    let reason = CancelReason::ShipmentRefused;
    match state {
        State::Confirmed | State::CancellationRequested { .. } => {
            State::cancelling(reason, Hold::Held, Hold::Held)
        }

        // Heard before.
        State::Cancelling { .. } | State::Cancelled { .. } => state,

        // Shipping refuses only what is confirmed, and nothing that it has dispatched.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Shipped
        | State::Completed
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => state,
    }
}

pub(super) fn cancelled(state: State) -> State {
    match state {
        State::CancellationRequested { cause } => {
            State::cancelling(reason_for(cause), Hold::Held, Hold::Held)
        }
        // The carrier gave up the booking although nobody had asked. That counts as a refusal.
        State::Confirmed => {
            State::cancelling(CancelReason::ShipmentRefused, Hold::Held, Hold::Held)
        }

        // Heard before.
        State::Cancelling { .. } | State::Cancelled { .. } => state,

        // Shipping cancels only what is confirmed, and nothing that it has dispatched.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Shipped
        | State::Completed
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => state,
    }
}
