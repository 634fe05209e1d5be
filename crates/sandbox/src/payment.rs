//! The rules of the payment provider, pure: what a test card does, and what may be done with the
//! money of one payment. The HTTP simulator and the in-process adapter both follow them.

mod account;
mod currency;
mod intent;

#[cfg(test)]
mod tests;

pub use account::{Account, Refusal, Status};
pub use currency::{Currency, InvalidCurrency};
pub use intent::{IntentId, InvalidIntentId};

use serde::{Deserialize, Serialize};

use crate::manner::Manner;

/// The card that is approved.
pub const TOK_VISA: &str = "tok_visa";
/// The card that is declined.
pub const TOK_DECLINED: &str = "tok_declined";
/// The card whose account is empty.
pub const TOK_INSUFFICIENT_FUNDS: &str = "tok_insufficient_funds";
/// The card that has expired.
pub const TOK_EXPIRED: &str = "tok_expired";
/// The card that is approved, and whose first answer of each step is lost.
pub const TOK_TIMEOUT: &str = "tok_timeout";
/// The card that is approved, and whose first answer of each step is a server error.
pub const TOK_ERROR: &str = "tok_error";
/// The card that is approved, slowly.
pub const TOK_SLOW: &str = "tok_slow";

/// The card whose first hold is not carried out, and answered with a server error that is stored under
/// its key for as long as the key is known. Under another key it is approved.
pub const TOK_BROKEN: &str = "tok_broken";
/// The same, but the amount is held.
pub const TOK_BROKEN_AFTER: &str = "tok_broken_after";
/// The card that is approved, and whose hold is gone when it is to be captured.
pub const TOK_HOLD_EXPIRES: &str = "tok_hold_expires";
/// The card that is approved and captured, and whose refunds are under way at first and done later.
pub const TOK_REFUND_PENDING: &str = "tok_refund_pending";
/// The same, but the refunds fail.
pub const TOK_REFUND_FAILS: &str = "tok_refund_fails";

/// The largest amount that any test card covers, in minor units.
pub const CARD_LIMIT_MINOR: i64 = 999_999_999_999;

/// What the card's bank says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The amount is held for the merchant.
    Approved,
    /// Nothing is held.
    Declined(Decline),
}

/// Why nothing is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decline {
    /// The bank gives no reason.
    CardDeclined,
    /// The account does not cover the amount.
    InsufficientFunds,
    /// The card has expired.
    ExpiredCard,
}

/// What the bank of the card behind `token` says to `amount_minor`. A token that is not a test card is
/// declined, so that a typing error never looks like a payment.
pub fn outcome(token: &str, amount_minor: i64) -> Outcome {
    match token {
        TOK_VISA | TOK_TIMEOUT | TOK_ERROR | TOK_SLOW | TOK_BROKEN | TOK_BROKEN_AFTER
        | TOK_HOLD_EXPIRES | TOK_REFUND_PENDING | TOK_REFUND_FAILS => {
            match amount_minor > CARD_LIMIT_MINOR {
                true => Outcome::Declined(Decline::InsufficientFunds),
                false => Outcome::Approved,
            }
        }
        TOK_INSUFFICIENT_FUNDS => Outcome::Declined(Decline::InsufficientFunds),
        TOK_EXPIRED => Outcome::Declined(Decline::ExpiredCard),
        _declined_or_unknown => Outcome::Declined(Decline::CardDeclined),
    }
}

/// How every step of a payment with the card behind `token` is answered.
pub fn manner(token: &str) -> Manner {
    match token {
        TOK_TIMEOUT => Manner::LosesAnswer,
        TOK_ERROR => Manner::FailsAfter,
        TOK_SLOW => Manner::Slow,
        _other => Manner::Prompt,
    }
}
