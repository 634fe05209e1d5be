//! `flotilla payment`: where the money of an order is, and what became of a call that the provider refuses.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::calls::{CallCommand, Caller};

pub(crate) type Payment = CallCommand<Said>;

pub(crate) const CALLER: Caller =
    Caller { service: "payment", rows: "payments", outside: "payment provider", told: &[] };

#[derive(Args, Serialize)]
pub(crate) struct Said {
    /// What the provider would have answered
    outcome: Outcome,
    /// The provider's id of what it holds, with the outcome authorized
    #[arg(long)]
    #[serde(rename = "authorization_id")]
    authorization: Option<String>,
}

#[derive(Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The amount is held
    Authorized,
    /// Nothing is held, and never will be
    Declined,
    /// What was held is let go
    Voided,
    /// The money is ours, from this provider or by another way
    Captured,
    /// The customer has the money back
    Refunded,
}
