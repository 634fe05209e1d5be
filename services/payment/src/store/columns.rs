//! How a state is stored: a number, and the columns that the state needs. The numbers are in every
//! database there is; a state that goes away leaves a gap.

use chassis::Failure;
use events::{DeclineReason, Money};

use crate::domain::State;

const AUTHORIZING: i16 = 1;
const AUTHORIZED: i16 = 2;
const DECLINED: i16 = 3;
const VOID_AFTER_AUTHORIZING: i16 = 4;
const VOIDING: i16 = 5;
const VOIDED: i16 = 6;
const CAPTURING: i16 = 7;
const RECEIVED: i16 = 8;
const REFUNDING: i16 = 9;
const REFUNDED: i16 = 10;

/// The columns of a state, to be written. What a state no longer needs is `None`; amount and
/// authorization then stay as they are in the row, for those who look at it.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    pub(super) state: i16,
    pub(super) amount: Option<&'a Money>,
    pub(super) token: Option<&'a str>,
    pub(super) authorization: Option<&'a str>,
    pub(super) reason: Option<i16>,
}

/// The columns of a state, as they were read.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Stored {
    state: i16,
    amount_minor: Option<i64>,
    currency: Option<String>,
    payment_token: Option<String>,
    authorization_id: Option<String>,
    decline_reason: Option<i16>,
}

/// A row that no version of this service can have written.
#[derive(Debug, thiserror::Error)]
#[error("a payment in state {state} has no readable {column}")]
pub(super) struct Unreadable {
    state: i16,
    column: &'static str,
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        Failure::permanent(unreadable)
    }
}

/// `None` for a payment that was never heard of, which has no row.
pub(super) fn columns_of(state: &State) -> Option<Columns<'_>> {
    let columns = match state {
        State::New => return None,
        State::Authorizing { amount, token } => Columns {
            state: AUTHORIZING,
            amount: Some(amount),
            token: Some(token),
            ..Columns::default()
        },
        State::VoidAfterAuthorizing { amount, token } => Columns {
            state: VOID_AFTER_AUTHORIZING,
            amount: Some(amount),
            token: Some(token),
            ..Columns::default()
        },
        State::Authorized { amount, authorization } => {
            with_authorization(AUTHORIZED, amount, authorization)
        }
        State::Capturing { amount, authorization } => {
            with_authorization(CAPTURING, amount, authorization)
        }
        State::Received { amount, authorization } => {
            with_authorization(RECEIVED, amount, authorization)
        }
        State::Refunding { amount, authorization } => {
            with_authorization(REFUNDING, amount, authorization)
        }
        State::Declined { reason } => {
            Columns { state: DECLINED, reason: Some(code_of(*reason)), ..Columns::default() }
        }
        State::Voiding { authorization } => {
            Columns { state: VOIDING, authorization: Some(authorization), ..Columns::default() }
        }
        State::Voided => Columns { state: VOIDED, ..Columns::default() },
        State::Refunded { amount } => {
            Columns { state: REFUNDED, amount: Some(amount), ..Columns::default() }
        }
    };
    Some(columns)
}

fn with_authorization<'a>(state: i16, amount: &'a Money, authorization: &'a str) -> Columns<'a> {
    Columns {
        state,
        amount: Some(amount),
        authorization: Some(authorization),
        ..Columns::default()
    }
}

impl Stored {
    pub(super) fn state(self) -> Result<State, Unreadable> {
        let code = self.state;
        let unreadable = |column| move || Unreadable { state: code, column };
        let amount = self.amount();
        let amount = || amount.ok_or_else(unreadable("amount"));
        let token = self.payment_token;
        let token = || token.ok_or_else(unreadable("payment_token"));
        let authorization = self.authorization_id;
        let authorization = || authorization.ok_or_else(unreadable("authorization_id"));
        let reason = self.decline_reason.and_then(reason_of);
        Ok(match code {
            AUTHORIZING => State::Authorizing { amount: amount()?, token: token()? },
            AUTHORIZED => State::Authorized { amount: amount()?, authorization: authorization()? },
            DECLINED => State::Declined { reason: reason.ok_or_else(unreadable("reason"))? },
            VOID_AFTER_AUTHORIZING => {
                State::VoidAfterAuthorizing { amount: amount()?, token: token()? }
            }
            VOIDING => State::Voiding { authorization: authorization()? },
            VOIDED => State::Voided,
            CAPTURING => State::Capturing { amount: amount()?, authorization: authorization()? },
            RECEIVED => State::Received { amount: amount()?, authorization: authorization()? },
            REFUNDING => State::Refunding { amount: amount()?, authorization: authorization()? },
            REFUNDED => State::Refunded { amount: amount()? },
            _unknown => return Err(unreadable("state")()),
        })
    }

    /// What is or was to be paid; `None` for a tombstone.
    pub(super) fn amount(&self) -> Option<Money> {
        let currency = self.currency.as_deref()?.parse().ok()?;
        Some(Money::new(self.amount_minor?, currency))
    }

    /// The provider's id of what it holds, or held.
    pub(super) fn authorization_id(&self) -> Option<&str> {
        self.authorization_id.as_deref()
    }
}

fn code_of(reason: DeclineReason) -> i16 {
    match reason {
        DeclineReason::Unknown => 0,
        DeclineReason::CardDeclined => 1,
        DeclineReason::InsufficientFunds => 2,
        DeclineReason::ExpiredCard => 3,
    }
}

fn reason_of(code: i16) -> Option<DeclineReason> {
    match code {
        0 => Some(DeclineReason::Unknown),
        1 => Some(DeclineReason::CardDeclined),
        2 => Some(DeclineReason::InsufficientFunds),
        3 => Some(DeclineReason::ExpiredCard),
        _unknown => None,
    }
}
