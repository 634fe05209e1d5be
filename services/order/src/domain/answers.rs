//! What the participants answer. Several topics meet here, so their order means nothing: each answer is
//! decided in every state.

use events::{CancelReason, OrderCompleted, OrderConfirmed, OrderShipped};

use super::commands::reason_of;
use super::{Decision, Facts, Hold, State, cancelling, compensating, moved, silently};

pub(super) fn stock_reserved(facts: &Facts, state: State, now: i64) -> Decision {
    match state {
        State::AwaitingBoth => silently(State::AwaitingPayment),
        State::AwaitingStock => confirmed(facts, now),
        // Inventory hears `OrderCancelled` after `OrderPlaced`, and gives back what it says here.
        State::Cancelling { reason, stock: Hold::Unknown, payment } => {
            silently(State::Cancelling { reason, stock: Hold::Held, payment })
        }
        // Heard before, or overtaken by its own release: inventory holds nothing that it has not said.
        State::Cancelling { stock: Hold::Held | Hold::Free, .. }
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn stock_rejected(facts: &Facts, state: State, now: i64) -> Decision {
    let reason = CancelReason::OutOfStock;
    match state {
        State::AwaitingBoth => cancelling(facts, reason, Hold::Free, Hold::Unknown, now),
        State::AwaitingStock => cancelling(facts, reason, Hold::Free, Hold::Held, now),
        State::Cancelling { reason, payment, .. } => {
            compensating(facts, reason, Hold::Free, payment, now)
        }
        // Inventory answers an order once: after a reservation it never says this. Nothing is held by
        // a rejection, so there is nothing to give back.
        State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn stock_released(facts: &Facts, state: State, now: i64) -> Decision {
    match state {
        State::Cancelling { reason, payment, .. } => {
            compensating(facts, reason, Hold::Free, payment, now)
        }
        // Inventory releases only on `OrderCancelled`, which order says on its way to `Cancelling`.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn stock_returned(state: State) -> Decision {
    match state {
        State::ReturningBoth => silently(State::ReturningMoney),
        State::ReturningGoods => silently(State::Returned),
        // Heard before; goods come back only for an order that is returned.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelling { .. }
        | State::Cancelled { .. }
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn payment_authorized(facts: &Facts, state: State, now: i64) -> Decision {
    match state {
        State::AwaitingBoth => silently(State::AwaitingStock),
        State::AwaitingPayment => confirmed(facts, now),
        // Payment hears `OrderCancelled` after `OrderPlaced`, and gives back what it says here.
        State::Cancelling { reason, stock, payment: Hold::Unknown } => {
            silently(State::Cancelling { reason, stock, payment: Hold::Held })
        }
        // Heard before, or overtaken by its own void: payment holds nothing that it has not said.
        State::Cancelling { payment: Hold::Held | Hold::Free, .. }
        | State::AwaitingStock
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn payment_declined(facts: &Facts, state: State, now: i64) -> Decision {
    let reason = CancelReason::PaymentDeclined;
    match state {
        State::AwaitingBoth => cancelling(facts, reason, Hold::Unknown, Hold::Free, now),
        State::AwaitingPayment => cancelling(facts, reason, Hold::Held, Hold::Free, now),
        State::Cancelling { reason, stock, .. } => {
            compensating(facts, reason, stock, Hold::Free, now)
        }
        // Payment answers an order once: after an authorisation it never says this. Nothing is held by
        // a decline, so there is nothing to give back.
        State::AwaitingStock
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn payment_voided(facts: &Facts, state: State, now: i64) -> Decision {
    match state {
        State::Cancelling { reason, stock, .. } => {
            compensating(facts, reason, stock, Hold::Free, now)
        }
        // Payment voids only on `OrderCancelled`, which order says on its way to `Cancelling`.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn payment_received(facts: &Facts, state: State, now: i64) -> Decision {
    match state {
        State::Shipped => moved(
            State::Completed,
            OrderCompleted {
                order_id: facts.id,
                total_minor: facts.total.minor,
                currency: facts.total.currency,
                occurred_at: now,
            },
        ),
        // Heard before; or impossible, as payment captures only after `OrderShipped`.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Completed
        | State::Cancelling { .. }
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn payment_refunded(state: State) -> Decision {
    match state {
        State::ReturningBoth => silently(State::ReturningGoods),
        State::ReturningMoney => silently(State::Returned),
        // Heard before; money is refunded only for an order that is returned.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelling { .. }
        | State::Cancelled { .. }
        | State::ReturningGoods
        | State::Returned => silently(state),
    }
}

pub(super) fn shipment_dispatched(facts: &Facts, state: State, now: i64) -> Decision {
    match state {
        // A requested cancellation came too late: shipping is the arbiter.
        State::Confirmed | State::CancellationRequested { .. } => moved(
            State::Shipped,
            OrderShipped {
                order_id: facts.id,
                total_minor: facts.total.minor,
                currency: facts.total.currency,
                occurred_at: now,
            },
        ),
        // Heard before; or impossible, as shipping answers `OrderConfirmed` once, and an order that
        // was confirmed is cancelled only on shipping's word.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Shipped
        | State::Completed
        | State::Cancelling { .. }
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn shipment_refused(facts: &Facts, state: State, now: i64) -> Decision {
    match state {
        State::Confirmed | State::CancellationRequested { .. } => {
            cancelling(facts, CancelReason::ShipmentRefused, Hold::Held, Hold::Held, now)
        }
        // Heard before; or impossible, as shipping answers `OrderConfirmed` once. The carrier has
        // nothing.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Shipped
        | State::Completed
        | State::Cancelling { .. }
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

pub(super) fn shipment_cancelled(facts: &Facts, state: State, now: i64) -> Decision {
    match state {
        State::CancellationRequested { cause } => {
            cancelling(facts, reason_of(cause), Hold::Held, Hold::Held, now)
        }
        // Shipping cancels only what order asked it to, so this is somebody's word against our own
        // record. Taking it is safe: shipping will never dispatch what it has cancelled.
        State::Confirmed => cancelling(facts, CancelReason::Unknown, Hold::Held, Hold::Held, now),
        // Heard before. The carrier has nothing.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Shipped
        | State::Completed
        | State::Cancelling { .. }
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => silently(state),
    }
}

fn confirmed(facts: &Facts, now: i64) -> Decision {
    let said = OrderConfirmed {
        order_id: facts.id,
        destination: facts.destination.clone(),
        occurred_at: now,
    };
    moved(State::Confirmed, said)
}
