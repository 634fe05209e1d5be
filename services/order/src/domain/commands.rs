//! What customers ask, and what the deadline asks in their stead.

use events::{CancelReason, CancellationCause, OrderCancellationRequested, OrderReturned};

use super::{Decision, Facts, Hold, Rejection, State, cancelling, moved, silently};

pub(super) fn cancel(facts: &Facts, state: State, now: i64) -> Result<Decision, Rejection> {
    match state {
        State::AwaitingBoth | State::AwaitingStock | State::AwaitingPayment | State::Confirmed => {
            Ok(give_up(facts, state, CancellationCause::Customer, now))
        }
        // Asked before, by the customer or by the deadline.
        State::CancellationRequested { .. }
        | State::Cancelling { .. }
        | State::Cancelled { .. } => Ok(silently(state)),
        State::Shipped
        | State::Completed
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => Err(Rejection::AlreadyShipped),
    }
}

pub(super) fn overdue(facts: &Facts, state: State, now: i64) -> Decision {
    match state {
        State::AwaitingBoth | State::AwaitingStock | State::AwaitingPayment | State::Confirmed => {
            give_up(facts, state, CancellationCause::Overdue, now)
        }
        // On the way to an end: shipping answers, captures and give-backs are repeated until they
        // succeed. A deadline changes nothing any more.
        State::CancellationRequested { .. }
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

pub(super) fn take_back(facts: &Facts, state: State, now: i64) -> Result<Decision, Rejection> {
    match state {
        State::Completed => {
            let said = OrderReturned { order_id: facts.id, occurred_at: now };
            Ok(moved(State::ReturningBoth, said))
        }
        // Asked before.
        State::ReturningBoth | State::ReturningGoods | State::ReturningMoney | State::Returned => {
            Ok(silently(state))
        }
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Cancelling { .. }
        | State::Cancelled { .. } => Err(Rejection::NotCompleted),
    }
}

/// Before `OrderConfirmed` order cancels by itself. After it shipping may be dispatching at this very
/// moment, so order can only ask.
fn give_up(facts: &Facts, state: State, cause: CancellationCause, now: i64) -> Decision {
    let cancelled = |stock, payment| cancelling(facts, reason_of(cause), stock, payment, now);
    match state {
        State::AwaitingBoth => cancelled(Hold::Unknown, Hold::Unknown),
        State::AwaitingStock => cancelled(Hold::Unknown, Hold::Held),
        State::AwaitingPayment => cancelled(Hold::Held, Hold::Unknown),
        State::Confirmed => {
            let said = OrderCancellationRequested { order_id: facts.id, cause, occurred_at: now };
            moved(State::CancellationRequested { cause }, said)
        }
        State::CancellationRequested { .. }
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

/// The reason of a cancellation that somebody asked for.
pub(super) fn reason_of(cause: CancellationCause) -> CancelReason {
    match cause {
        CancellationCause::Customer => CancelReason::Customer,
        CancellationCause::Overdue => CancelReason::Overdue,
        CancellationCause::Unknown => CancelReason::Unknown,
    }
}
