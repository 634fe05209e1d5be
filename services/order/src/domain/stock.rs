//! What becomes of an order when inventory answers. Inventory answers an order once, with "reserved" or
//! "rejected", gives back once, and hears of cancelling and returning only from order. A replayed dead
//! letter may make its answers overtake each other.

use events::CancelReason;

use super::{Hold, State};

pub(super) fn reserved(state: State) -> State {
    match state {
        State::AwaitingBoth => State::AwaitingPayment,
        State::AwaitingStock => State::Confirmed,
        // Too late. Inventory hears `OrderCancelled` as well and gives it back with `StockReleased`.
        State::Cancelling { reason, stock: Hold::Unknown, payment } => {
            State::Cancelling { reason, stock: Hold::Held, payment }
        }

        // Heard before. What was reserved is deducted when the order ships, and released when it is
        // cancelled.
        State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelling { stock: Hold::Held, .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => state,

        // Overtaken by the `StockReleased` that gave it back.
        State::Cancelling { stock: Hold::Free, .. } | State::Cancelled { .. } => state,
    }
}

pub(super) fn rejected(state: State) -> State {
    let reason = CancelReason::OutOfStock;
    match state {
        // Payment's answer is under way; it hears `OrderCancelled` and voids what it authorizes.
        State::AwaitingBoth => State::cancelling(reason, Hold::Free, Hold::Unknown),
        State::AwaitingStock => State::cancelling(reason, Hold::Free, Hold::Held),
        // Cancelled for another reason, which stands. There is nothing to wait for.
        State::Cancelling { reason, stock: _, payment } => {
            State::cancelling(reason, Hold::Free, payment)
        }

        // Heard before.
        State::Cancelled { .. } => state,

        // Inventory has reserved, so it does not reject.
        State::AwaitingPayment
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

pub(super) fn released(state: State) -> State {
    match state {
        State::Cancelling { reason, stock: _, payment } => {
            State::cancelling(reason, Hold::Free, payment)
        }

        // Heard before.
        State::Cancelled { .. } => state,

        // Inventory releases only what order has cancelled.
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

pub(super) fn returned(state: State) -> State {
    match state {
        State::ReturningBoth => State::ReturningMoney,
        State::ReturningGoods => State::Returned,

        // Heard before.
        State::ReturningMoney | State::Returned => state,

        // Inventory takes back only what order has said is returned.
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
