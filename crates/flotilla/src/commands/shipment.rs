//! `flotilla shipment`: where the parcel of an order is, and what became of a call that the carrier refuses.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::calls::{CallCommand, Caller};

pub(crate) type Shipment = CallCommand<Said>;

pub(crate) const CALLER: Caller = Caller {
    service: "shipping",
    rows: "shipments",
    outside: "carrier",
    told: &["tracking_code", "refusal_reason"],
};

#[derive(Args, Serialize)]
pub(crate) struct Said {
    /// What the carrier would have answered
    outcome: Outcome,
    /// Under which code the parcel is tracked, with the outcome dispatched
    #[arg(long)]
    #[serde(rename = "tracking_code")]
    tracking: Option<String>,
    /// Why the carrier does not deliver, with the outcome refused
    #[arg(long)]
    #[serde(rename = "refusal_reason")]
    refusal: Option<RefusalReason>,
}

#[derive(Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The parcel is under way, with this carrier or by another way
    Dispatched,
    /// It is not delivered, and never will be
    Refused,
    /// It will not be dispatched, as was asked
    Cancelled,
}

/// Written as they are shown.
#[derive(Clone, Copy, ValueEnum, Serialize)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum RefusalReason {
    /// None of the others
    Unknown,
    /// The carrier does not go there
    DestinationNotServed,
    /// The goods must not go there
    GoodsNotAccepted,
}
