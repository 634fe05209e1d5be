//! How a payment is stored: a number for its state, and the columns that the state needs. The numbers are in
//! every database there is; a state that goes away leaves a gap. And the record of what operators said in place
//! of the provider.

use chassis::{Column, Columns, Failure, Settled, Stored, Table, Writes};
use chrono::{DateTime, Utc};
use events::{DeclineReason, Money, OrderId};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::domain::{Input, State};

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
            // What pays is forgotten as soon as nothing waits for it.
            Column::set("payment_token"),
            Column::keep("authorization_id"),
            Column::set("decline_reason"),
        ],
    };

    fn read(row: &PgRow) -> Result<Self, Failure> {
        let state = row.try_get("state")?;
        let unreadable = |column| Failure::permanent(Unreadable { state, column });
        let text = |column| -> Result<String, Failure> {
            let found: Option<String> = row.try_get(column)?;
            found.ok_or_else(|| unreadable(column))
        };
        let amount = || amount_of(row)?.ok_or_else(|| unreadable("amount"));
        let (token, authorization) = (|| text("payment_token"), || text("authorization_id"));
        Ok(match state {
            AUTHORIZING => State::Authorizing { amount: amount()?, token: token()? },
            AUTHORIZED => State::Authorized { amount: amount()?, authorization: authorization()? },
            DECLINED => {
                let code: Option<i16> = row.try_get("decline_reason")?;
                let reason = code.and_then(reason_of);
                State::Declined { reason: reason.ok_or_else(|| unreadable("decline_reason"))? }
            }
            VOID_AFTER_AUTHORIZING => {
                State::VoidAfterAuthorizing { amount: amount()?, token: token()? }
            }
            VOIDING => State::Voiding { authorization: authorization()? },
            VOIDED => State::Voided,
            CAPTURING => State::Capturing { amount: amount()?, authorization: authorization()? },
            RECEIVED => State::Received { amount: amount()?, authorization: authorization()? },
            REFUNDING => State::Refunding { amount: amount()?, authorization: authorization()? },
            REFUNDED => State::Refunded { amount: amount()? },
            _unknown => return Err(unreadable("state")),
        })
    }

    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w> {
        let mut values = Values::default();
        states.iter().for_each(|state| values.push(state));
        columns
            .column("state", values.states)
            .column("amount_minor", values.amounts)
            .column("currency", values.currencies)
            .column("payment_token", values.tokens)
            .column("authorization_id", values.authorizations)
            .column("decline_reason", values.reasons)
    }

    fn remembered(self) -> Option<Self> {
        match self {
            // An answer, or a word of the order service, is to come soon.
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

/// States column by column.
#[derive(Default)]
struct Values<'a> {
    states: Vec<i16>,
    amounts: Vec<Option<i64>>,
    currencies: Vec<Option<&'a str>>,
    tokens: Vec<Option<&'a str>>,
    authorizations: Vec<Option<&'a str>>,
    reasons: Vec<Option<i16>>,
}

impl<'a> Values<'a> {
    fn push(&mut self, state: &'a State) {
        let (code, amount, token, authorization, reason) = match state {
            State::New => unreachable!("nothing leads back to a state without a row"),
            State::Authorizing { amount, token } => {
                (AUTHORIZING, Some(amount), Some(token), None, None)
            }
            State::VoidAfterAuthorizing { amount, token } => {
                (VOID_AFTER_AUTHORIZING, Some(amount), Some(token), None, None)
            }
            State::Authorized { amount, authorization } => {
                (AUTHORIZED, Some(amount), None, Some(authorization), None)
            }
            State::Capturing { amount, authorization } => {
                (CAPTURING, Some(amount), None, Some(authorization), None)
            }
            State::Received { amount, authorization } => {
                (RECEIVED, Some(amount), None, Some(authorization), None)
            }
            State::Refunding { amount, authorization } => {
                (REFUNDING, Some(amount), None, Some(authorization), None)
            }
            State::Declined { reason } => (DECLINED, None, None, None, Some(code_of(*reason))),
            State::Voiding { authorization } => (VOIDING, None, None, Some(authorization), None),
            State::Voided => (VOIDED, None, None, None, None),
            State::Refunded { amount } => (REFUNDED, Some(amount), None, None, None),
        };
        self.states.push(code);
        self.amounts.push(amount.map(|amount| amount.minor));
        self.currencies.push(amount.map(|amount| amount.currency.as_str()));
        self.tokens.push(token.map(String::as_str));
        self.authorizations.push(authorization.map(String::as_str));
        self.reasons.push(reason);
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

/// Records what operators said. The table is only ever added to.
pub(crate) fn keep_settlements(settled: &[Settled<OrderId, Input>], writes: &mut Writes) {
    writes
        .add(
            "insert into settlements \
                    (order_id, outcome, authorization_id, settled_by, reason, settled_at) \
             select * from {rows} v",
        )
        .column("order_id", settled.iter().map(|s| s.key.0).collect::<Vec<Uuid>>())
        .column("outcome", settled.iter().map(|s| said(s).0).collect::<Vec<_>>())
        .column("authorization_id", settled.iter().map(|s| said(s).1).collect::<Vec<_>>())
        .column("settled_by", settled.iter().map(|s| &*s.settlement.by).collect::<Vec<_>>())
        .column("reason", settled.iter().map(|s| &*s.settlement.reason).collect::<Vec<_>>())
        .column("settled_at", settled.iter().map(Settled::at).collect::<Vec<DateTime<Utc>>>())
        .expect(settled.len(), "settlements");
}

/// The outcome, and the provider's id of what it holds.
fn said(settled: &Settled<OrderId, Input>) -> (&'static str, Option<&str>) {
    match &settled.input {
        Input::Authorized { authorization } => ("authorized", Some(authorization)),
        Input::Declined { .. } => ("declined", None),
        Input::Voided => ("voided", None),
        Input::Captured => ("captured", None),
        Input::Refunded => ("refunded", None),
        Input::Placed { .. } | Input::Cancelled | Input::Shipped | Input::Returned => {
            unreachable!("an operator says what the provider would")
        }
    }
}
