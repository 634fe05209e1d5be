//! The state of an order as columns. Numbers are never given another meaning; the migration names
//! them for people who look into the table.

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

/// States in which the deadline still has an effect.
pub(super) const CANCELLABLE: &[i16] =
    &[AWAITING_BOTH, AWAITING_STOCK, AWAITING_PAYMENT, CONFIRMED];

/// The columns that hold a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct StateColumns {
    pub state: i16,
    pub reason: Option<i16>,
    pub stock_hold: Option<i16>,
    pub payment_hold: Option<i16>,
}

/// Columns that no release has written.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no state of an order")]
pub struct UnknownState(StateColumns);

impl From<UnknownState> for sqlx::Error {
    fn from(error: UnknownState) -> Self {
        sqlx::Error::Decode(error.into())
    }
}

impl StateColumns {
    pub(crate) fn of(state: &State) -> Self {
        let plain =
            |state| StateColumns { state, reason: None, stock_hold: None, payment_hold: None };
        let because = |reason, state| StateColumns {
            reason: Some(Reason::from(reason).code()),
            ..plain(state)
        };
        match *state {
            State::AwaitingBoth => plain(AWAITING_BOTH),
            State::AwaitingStock => plain(AWAITING_STOCK),
            State::AwaitingPayment => plain(AWAITING_PAYMENT),
            State::Confirmed => plain(CONFIRMED),
            State::CancellationRequested { cause } => StateColumns {
                reason: Some(Cause::from(cause).code()),
                ..plain(CANCELLATION_REQUESTED)
            },
            State::Shipped => plain(SHIPPED),
            State::Completed => plain(COMPLETED),
            State::Cancelling { reason, stock, payment } => StateColumns {
                stock_hold: Some(Holding::from(stock).code()),
                payment_hold: Some(Holding::from(payment).code()),
                ..because(reason, CANCELLING)
            },
            State::Cancelled { reason } => because(reason, CANCELLED),
            State::ReturningBoth => plain(RETURNING_BOTH),
            State::ReturningGoods => plain(RETURNING_GOODS),
            State::ReturningMoney => plain(RETURNING_MONEY),
            State::Returned => plain(RETURNED),
        }
    }

    pub(crate) fn state(self) -> Result<State, UnknownState> {
        self.known().ok_or(UnknownState(self))
    }

    fn known(self) -> Option<State> {
        let reason = |code| Reason::of_code(code).map(CancelReason::from);
        let hold = |code| Holding::of_code(code).map(Hold::from);
        Some(match (self.state, self.reason, self.stock_hold, self.payment_hold) {
            (AWAITING_BOTH, None, None, None) => State::AwaitingBoth,
            (AWAITING_STOCK, None, None, None) => State::AwaitingStock,
            (AWAITING_PAYMENT, None, None, None) => State::AwaitingPayment,
            (CONFIRMED, None, None, None) => State::Confirmed,
            (CANCELLATION_REQUESTED, Some(cause), None, None) => {
                State::CancellationRequested { cause: Cause::of_code(cause)?.into() }
            }
            (SHIPPED, None, None, None) => State::Shipped,
            (COMPLETED, None, None, None) => State::Completed,
            (CANCELLING, Some(code), Some(stock), Some(payment)) => State::Cancelling {
                reason: reason(code)?,
                stock: hold(stock)?,
                payment: hold(payment)?,
            },
            (CANCELLED, Some(code), None, None) => State::Cancelled { reason: reason(code)? },
            (RETURNING_BOTH, None, None, None) => State::ReturningBoth,
            (RETURNING_GOODS, None, None, None) => State::ReturningGoods,
            (RETURNING_MONEY, None, None, None) => State::ReturningMoney,
            (RETURNED, None, None, None) => State::Returned,
            _unknown => return None,
        })
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

chassis::words! {
    /// Why an order is being or was cancelled.
    pub(crate) enum Reason {
        0 Unknown = "unknown";
        1 OutOfStock = "out_of_stock";
        2 PaymentDeclined = "payment_declined";
        3 ShipmentRefused = "shipment_refused";
        4 Customer = "customer";
        5 Overdue = "overdue";
    }
}

chassis::same_words! {
    Reason = CancelReason {
        Unknown, OutOfStock, PaymentDeclined, ShipmentRefused, Customer, Overdue,
    }
}

chassis::words! {
    /// Who asks to cancel. A cause is one of the reasons and has its number.
    enum Cause {
        0 Unknown = "unknown";
        4 Customer = "customer";
        5 Overdue = "overdue";
    }
}

chassis::same_words! { Cause = CancellationCause { Unknown, Customer, Overdue } }

chassis::words! {
    /// What a participant holds.
    enum Holding {
        0 Unknown = "unknown";
        1 Held = "held";
        2 Free = "free";
    }
}

chassis::same_words! { Holding = Hold { Unknown, Held, Free } }

#[cfg(test)]
pub(super) mod tests;
