//! What becomes of an order when its customer gives a command or its deadline passes. Before it is
//! confirmed, order decides alone; after that, shipping decides whether it can be cancelled.

use events::{CancelReason, CancellationCause};

use super::{Hold, Rejection, State};

pub(super) fn cancel(state: State) -> Result<State, Rejection> {
    match state {
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Cancelling { .. }
        | State::Cancelled { .. } => Ok(stop(state, CancellationCause::Customer)),

        State::Shipped => Err(Rejection::AlreadyShipped),
        State::Completed => Err(Rejection::AlreadyCompleted),
        State::ReturningBoth | State::ReturningGoods | State::ReturningMoney | State::Returned => {
            Err(Rejection::AlreadyReturned)
        }
    }
}

/// The same path as a customer's cancellation, but nobody waits for the reply.
pub(super) fn overdue(state: State) -> State {
    stop(state, CancellationCause::Overdue)
}

pub(super) fn return_goods(state: State) -> Result<State, Rejection> {
    match state {
        State::Completed => Ok(State::ReturningBoth),

        // Already asked for.
        State::ReturningBoth | State::ReturningGoods | State::ReturningMoney | State::Returned => {
            Ok(state)
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

fn stop(state: State, cause: CancellationCause) -> State {
    let reason = reason_for(cause);
    match state {
        State::AwaitingBoth => State::cancelling(reason, Hold::Unknown, Hold::Unknown),
        State::AwaitingStock => State::cancelling(reason, Hold::Unknown, Hold::Held),
        State::AwaitingPayment => State::cancelling(reason, Hold::Held, Hold::Unknown),
        State::Confirmed => State::CancellationRequested { cause },

        // It is being cancelled, or was; the first cause stands.
        State::CancellationRequested { .. }
        | State::Cancelling { .. }
        | State::Cancelled { .. } => state,

        // Under way or delivered: only a return takes that back.
        State::Shipped
        | State::Completed
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => state,
    }
}

/// The reason for a cancellation with this cause.
pub(super) fn reason_for(cause: CancellationCause) -> CancelReason {
    match cause {
        CancellationCause::Unknown => CancelReason::Unknown,
        CancellationCause::Customer => CancelReason::Customer,
        CancellationCause::Overdue => CancelReason::Overdue,
    }
}
