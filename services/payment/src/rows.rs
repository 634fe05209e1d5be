//! How a payment is stored: a number for its state, and the columns that the state needs. And the record of
//! what operators said in place of the provider.

use chassis::{Column, Columns, Failure, Stored, Table};
use events::{Money, OrderId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::domain::{Input, State};

chassis::words! {
    /// Where the money is.
    pub(crate) enum PaymentState {
        1 Authorizing = "authorizing";
        2 Authorized = "authorized";
        3 Declined = "declined";
        /// The order is cancelled; what the authorization may turn out to hold will be voided.
        4 VoidAfterAuthorizing = "void_after_authorizing";
        5 Voiding = "voiding";
        6 Voided = "voided";
        7 Capturing = "capturing";
        8 Received = "received";
        9 Refunding = "refunding";
        10 Refunded = "refunded";
    }
}

chassis::words! {
    /// Why the money was refused.
    pub(crate) enum DeclineReason {
        0 Unknown = "unknown";
        1 CardDeclined = "card_declined";
        2 InsufficientFunds = "insufficient_funds";
        3 ExpiredCard = "expired_card";
    }
}

chassis::same_words! {
    DeclineReason = events::DeclineReason { Unknown, CardDeclined, InsufficientFunds, ExpiredCard }
}

impl Stored for State {
    type Key = OrderId;

    const TABLE: Table = Table {
        name: "payments",
        key: "order_id",
        is_dated: true,
        columns: &[
            Column::set("state"),
            Column::keep("amount_minor"),
            Column::keep("currency"),
            // The token is forgotten as soon as nothing waits for it.
            Column::set("payment_token"),
            Column::keep("authorization_id"),
            Column::set("decline_reason"),
        ],
    };

    fn read(row: &PgRow) -> Result<Self, Failure> {
        let code: i16 = row.try_get("state")?;
        let unreadable = |column| Failure::permanent(Unreadable { state: code, column });
        let text = |column| -> Result<String, Failure> {
            let found: Option<String> = row.try_get(column)?;
            found.ok_or_else(|| unreadable(column))
        };
        let amount = || amount_of(row)?.ok_or_else(|| unreadable("amount"));
        let (token, authorization) = (|| text("payment_token"), || text("authorization_id"));
        let state = PaymentState::of_code(code).ok_or_else(|| unreadable("state"))?;
        Ok(match state {
            PaymentState::Authorizing => State::Authorizing { amount: amount()?, token: token()? },
            PaymentState::Authorized => {
                State::Authorized { amount: amount()?, authorization: authorization()? }
            }
            PaymentState::Declined => {
                let code: Option<i16> = row.try_get("decline_reason")?;
                let reason = code.and_then(DeclineReason::of_code);
                let reason = reason.ok_or_else(|| unreadable("decline_reason"))?;
                State::Declined { reason: reason.into() }
            }
            PaymentState::VoidAfterAuthorizing => {
                State::VoidAfterAuthorizing { amount: amount()?, token: token()? }
            }
            PaymentState::Voiding => State::Voiding { authorization: authorization()? },
            PaymentState::Voided => State::Voided,
            PaymentState::Capturing => {
                State::Capturing { amount: amount()?, authorization: authorization()? }
            }
            PaymentState::Received => {
                State::Received { amount: amount()?, authorization: authorization()? }
            }
            PaymentState::Refunding => {
                State::Refunding { amount: amount()?, authorization: authorization()? }
            }
            PaymentState::Refunded => State::Refunded { amount: amount()? },
        })
    }

    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w> {
        let rows: Vec<Row<'_>> = states.iter().map(|state| Row::of(state)).collect();
        columns
            .each("state", &rows, |row| row.state.code())
            .each("amount_minor", &rows, |row| row.amount.map(|amount| amount.minor))
            .each("currency", &rows, |row| row.amount.map(|amount| amount.currency.as_str()))
            .each("payment_token", &rows, |row| row.token)
            .each("authorization_id", &rows, |row| row.authorization)
            .each("decline_reason", &rows, |row| row.decline.map(DeclineReason::code))
    }

    fn remembered(self) -> Option<Self> {
        match self {
            // An answer, or an event of the order service, will come soon.
            State::Authorizing { .. }
            | State::Authorized { .. }
            | State::VoidAfterAuthorizing { .. }
            | State::Voiding { .. }
            | State::Capturing { .. }
            | State::Refunding { .. } => Some(self),
            State::New
            | State::Declined { .. }
            | State::Voided
            | State::Received { .. }
            | State::Refunded { .. } => None,
        }
    }
}

/// What is or was to be paid; `None` for a tombstone.
pub(crate) fn amount_of(row: &PgRow) -> Result<Option<Money>, sqlx::Error> {
    let minor: Option<i64> = row.try_get("amount_minor")?;
    let currency: Option<&str> = row.try_get("currency")?;
    let currency = currency.and_then(|currency| currency.parse().ok());
    Ok(minor.zip(currency).map(|(minor, currency)| Money::new(minor, currency)))
}

/// A row that no version of this service can have written.
#[derive(Debug, thiserror::Error)]
#[error("a payment in state {state} has no readable {column}")]
struct Unreadable {
    state: i16,
    column: &'static str,
}

/// The columns of a state.
pub(crate) struct Row<'a> {
    pub state: PaymentState,
    pub amount: Option<&'a Money>,
    pub token: Option<&'a str>,
    pub authorization: Option<&'a str>,
    pub decline: Option<DeclineReason>,
}

impl<'a> Row<'a> {
    pub(crate) fn of(state: &'a State) -> Self {
        use PaymentState as Is;
        let plain =
            |state| Row { state, amount: None, token: None, authorization: None, decline: None };
        let asked = |state, amount, token: &'a String| Row {
            amount: Some(amount),
            token: Some(token),
            ..plain(state)
        };
        let held = |state, amount, authorization: &'a String| Row {
            amount: Some(amount),
            authorization: Some(authorization),
            ..plain(state)
        };
        match state {
            State::New => unreachable!("nothing leads back to a state without a row"),
            State::Authorizing { amount, token } => asked(Is::Authorizing, amount, token),
            State::VoidAfterAuthorizing { amount, token } => {
                asked(Is::VoidAfterAuthorizing, amount, token)
            }
            State::Authorized { amount, authorization } => {
                held(Is::Authorized, amount, authorization)
            }
            State::Capturing { amount, authorization } => {
                held(Is::Capturing, amount, authorization)
            }
            State::Received { amount, authorization } => held(Is::Received, amount, authorization),
            State::Refunding { amount, authorization } => {
                held(Is::Refunding, amount, authorization)
            }
            State::Declined { reason } => {
                Row { decline: Some((*reason).into()), ..plain(Is::Declined) }
            }
            State::Voiding { authorization } => {
                Row { authorization: Some(authorization), ..plain(Is::Voiding) }
            }
            State::Voided => plain(Is::Voided),
            State::Refunded { amount } => Row { amount: Some(amount), ..plain(Is::Refunded) },
        }
    }
}

chassis::words! {
    /// What the provider would have answered.
    #[schema(as = SettlementOutcome)]
    pub(crate) enum Outcome {
        /// The amount is held.
        Authorized = "authorized";
        /// Nothing is held, and never will be.
        Declined = "declined";
        /// What was held is let go.
        Voided = "voided";
        /// The money is ours, from this provider or by another way.
        Captured = "captured";
        /// The customer has the money back.
        Refunded = "refunded";
    }
}

/// These columns of `settlements` record what operators said.
pub(crate) const SETTLED: &[&str] = &["outcome", "authorization_id"];

/// Their values.
pub(crate) fn settled(input: &Input) -> Vec<Option<&str>> {
    let (outcome, authorization): (Outcome, Option<&str>) = match input {
        Input::Authorized { authorization } => (Outcome::Authorized, Some(authorization)),
        Input::Declined { .. } => (Outcome::Declined, None),
        Input::Voided => (Outcome::Voided, None),
        Input::Captured => (Outcome::Captured, None),
        Input::Refunded => (Outcome::Refunded, None),
        Input::Placed { .. } | Input::Cancelled | Input::Shipped | Input::Returned => {
            unreachable!("an operator says what the provider would")
        }
    };
    vec![Some(outcome.name()), authorization]
}
