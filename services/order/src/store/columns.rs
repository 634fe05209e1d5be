//! The state of an order as columns. Numbers are never given another meaning; the migration names
//! them for those who look into the table.

use chassis::Failure;
use events::{CancelReason, CancellationCause};

use crate::domain::{Hold, State};
use crate::phase::Phase;

const AWAITING_BOTH: i16 = 1;
const AWAITING_STOCK: i16 = 2;
const AWAITING_PAYMENT: i16 = 3;
const CONFIRMED: i16 = 4;
const CANCELLATION_REQUESTED: i16 = 5;
const SHIPPED: i16 = 6;
const COMPLETED: i16 = 7;
const CANCELLING: i16 = 8;
const CANCELLED: i16 = 9;
const RETURNING_BOTH: i16 = 10;
const RETURNING_GOODS: i16 = 11;
const RETURNING_MONEY: i16 = 12;
const RETURNED: i16 = 13;

/// States in which the deadline still does something.
pub(super) const CANCELLABLE: &[i16] =
    &[AWAITING_BOTH, AWAITING_STOCK, AWAITING_PAYMENT, CONFIRMED];

/// The columns that hold a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateColumns {
    pub state: i16,
    pub reason: Option<i16>,
    pub stock: Option<i16>,
    pub payment: Option<i16>,
}

/// Columns that no release has written.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no state of an order")]
pub struct UnknownState(StateColumns);

impl From<UnknownState> for Failure {
    fn from(error: UnknownState) -> Self {
        Failure::permanent(error)
    }
}

impl StateColumns {
    pub(crate) fn of(state: &State) -> Self {
        let plain = |state| StateColumns { state, reason: None, stock: None, payment: None };
        match *state {
            State::AwaitingBoth => plain(AWAITING_BOTH),
            State::AwaitingStock => plain(AWAITING_STOCK),
            State::AwaitingPayment => plain(AWAITING_PAYMENT),
            State::Confirmed => plain(CONFIRMED),
            State::CancellationRequested { cause } => {
                StateColumns { reason: Some(cause_code(cause)), ..plain(CANCELLATION_REQUESTED) }
            }
            State::Shipped => plain(SHIPPED),
            State::Completed => plain(COMPLETED),
            State::Cancelling { reason, stock, payment } => StateColumns {
                state: CANCELLING,
                reason: Some(reason_code(reason)),
                stock: Some(hold_code(stock)),
                payment: Some(hold_code(payment)),
            },
            State::Cancelled { reason } => {
                StateColumns { reason: Some(reason_code(reason)), ..plain(CANCELLED) }
            }
            State::ReturningBoth => plain(RETURNING_BOTH),
            State::ReturningGoods => plain(RETURNING_GOODS),
            State::ReturningMoney => plain(RETURNING_MONEY),
            State::Returned => plain(RETURNED),
        }
    }

    pub(crate) fn state(self) -> Result<State, UnknownState> {
        let state = match (self.state, self.reason, self.stock, self.payment) {
            (AWAITING_BOTH, None, None, None) => Some(State::AwaitingBoth),
            (AWAITING_STOCK, None, None, None) => Some(State::AwaitingStock),
            (AWAITING_PAYMENT, None, None, None) => Some(State::AwaitingPayment),
            (CONFIRMED, None, None, None) => Some(State::Confirmed),
            (CANCELLATION_REQUESTED, Some(reason), None, None) => {
                cause(reason).map(|cause| State::CancellationRequested { cause })
            }
            (SHIPPED, None, None, None) => Some(State::Shipped),
            (COMPLETED, None, None, None) => Some(State::Completed),
            (CANCELLING, Some(code), Some(stock), Some(payment)) => {
                match (reason(code), hold(stock), hold(payment)) {
                    (Some(reason), Some(stock), Some(payment)) => {
                        Some(State::Cancelling { reason, stock, payment })
                    }
                    _unknown => None,
                }
            }
            (CANCELLED, Some(code), None, None) => {
                reason(code).map(|reason| State::Cancelled { reason })
            }
            (RETURNING_BOTH, None, None, None) => Some(State::ReturningBoth),
            (RETURNING_GOODS, None, None, None) => Some(State::ReturningGoods),
            (RETURNING_MONEY, None, None, None) => Some(State::ReturningMoney),
            (RETURNED, None, None, None) => Some(State::Returned),
            _unknown => None,
        };
        state.ok_or(UnknownState(self))
    }
}

/// The stored states of a phase, or of every order.
pub(crate) fn codes_of(phase: Option<Phase>) -> &'static [i16] {
    match phase {
        None => &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        Some(Phase::Placed) => &[AWAITING_BOTH, AWAITING_STOCK, AWAITING_PAYMENT],
        Some(Phase::Confirmed) => &[CONFIRMED],
        Some(Phase::CancellationRequested) => &[CANCELLATION_REQUESTED],
        Some(Phase::Shipped) => &[SHIPPED],
        Some(Phase::Completed) => &[COMPLETED],
        Some(Phase::Cancelling) => &[CANCELLING],
        Some(Phase::Cancelled) => &[CANCELLED],
        Some(Phase::Returning) => &[RETURNING_BOTH, RETURNING_GOODS, RETURNING_MONEY],
        Some(Phase::Returned) => &[RETURNED],
    }
}

fn reason_code(reason: CancelReason) -> i16 {
    match reason {
        CancelReason::Unknown => 0,
        CancelReason::OutOfStock => 1,
        CancelReason::PaymentDeclined => 2,
        CancelReason::ShipmentRefused => 3,
        CancelReason::Customer => 4,
        CancelReason::Overdue => 5,
    }
}

fn reason(code: i16) -> Option<CancelReason> {
    match code {
        0 => Some(CancelReason::Unknown),
        1 => Some(CancelReason::OutOfStock),
        2 => Some(CancelReason::PaymentDeclined),
        3 => Some(CancelReason::ShipmentRefused),
        4 => Some(CancelReason::Customer),
        5 => Some(CancelReason::Overdue),
        _unknown => None,
    }
}

/// A cause is one of the reasons and has its number.
fn cause_code(cause: CancellationCause) -> i16 {
    match cause {
        CancellationCause::Unknown => 0,
        CancellationCause::Customer => 4,
        CancellationCause::Overdue => 5,
    }
}

fn cause(code: i16) -> Option<CancellationCause> {
    match code {
        0 => Some(CancellationCause::Unknown),
        4 => Some(CancellationCause::Customer),
        5 => Some(CancellationCause::Overdue),
        _unknown => None,
    }
}

fn hold_code(hold: Hold) -> i16 {
    match hold {
        Hold::Unknown => 0,
        Hold::Held => 1,
        Hold::Free => 2,
    }
}

fn hold(code: i16) -> Option<Hold> {
    match code {
        0 => Some(Hold::Unknown),
        1 => Some(Hold::Held),
        2 => Some(Hold::Free),
        _unknown => None,
    }
}

#[cfg(test)]
mod tests;
