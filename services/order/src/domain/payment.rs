//! What becomes of an order when payment answers. Payment answers an order once, with "authorized" or
//! "declined", and moves money only after order has said why. A replayed dead letter may make its
//! answers overtake each other.

use events::CancelReason;

use super::{Hold, State};

pub(super) fn authorized(state: State) -> State {
    match state {
        State::AwaitingBoth => State::AwaitingStock,
        State::AwaitingPayment => State::Confirmed,
        // Too late. Payment hears `OrderCancelled` as well and gives it back with `PaymentVoided`.
        State::Cancelling { reason, stock, payment: Hold::Unknown } => {
            State::Cancelling { reason, stock, payment: Hold::Held }
        }

        // Heard before. What was authorized is captured when the order ships, and voided when it is
        // cancelled.
        State::AwaitingStock
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelling { payment: Hold::Held, .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => state,

        // Overtaken by the `PaymentVoided` that gave it back.
        State::Cancelling { payment: Hold::Free, .. } | State::Cancelled { .. } => state,
    }
}

pub(super) fn declined(state: State) -> State {
    let reason = CancelReason::PaymentDeclined;
    match state {
        // Inventory's answer is under way; it hears `OrderCancelled` and releases what it reserves.
        State::AwaitingBoth => State::cancelling(reason, Hold::Unknown, Hold::Free),
        State::AwaitingPayment => State::cancelling(reason, Hold::Held, Hold::Free),
        // Cancelled for another reason, which stands. There is nothing to wait for.
        State::Cancelling { reason, stock, payment: _ } => {
            State::cancelling(reason, stock, Hold::Free)
        }

        // Heard before.
        State::Cancelled { .. } => state,

        // Payment has authorized, so it does not decline.
        State::AwaitingStock
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => state,
    }
}

pub(super) fn voided(state: State) -> State {
    match state {
        State::Cancelling { reason, stock, payment: _ } => {
            State::cancelling(reason, stock, Hold::Free)
        }

        // Heard before.
        State::Cancelled { .. } => state,

        // Payment voids only what order has cancelled.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => state,
    }
}

pub(super) fn received(state: State) -> State {
    match state {
        State::Shipped => State::Completed,

        // Heard before.
        State::Completed
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => state,

        // Payment captures only what order has said is shipped.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Cancelling { .. }
        | State::Cancelled { .. } => state,
    }
}

pub(super) fn refunded(state: State) -> State {
    match state {
        State::ReturningBoth => State::ReturningGoods,
        State::ReturningMoney => State::Returned,

        // Heard before.
        State::ReturningGoods | State::Returned => state,

        // Payment refunds only what order has said is returned.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelling { .. }
        | State::Cancelled { .. } => state,
    }
}
