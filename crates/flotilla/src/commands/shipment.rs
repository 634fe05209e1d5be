//! `flotilla shipment`: where the parcel of an order is, and what became of a call that the carrier refuses.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Call, Http, admin_url, open_calls, text, url, waits};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Shipment {
    /// The shipment of an order
    Show {
        /// The order
        order: Uuid,
    },
    /// Calls to the carrier whose outcome is not known for a while
    Stuck {
        /// Open for longer than this many seconds
        #[arg(long, default_value_t = 60)]
        open_for_seconds: u64,
    },
    /// Say what became of a call that the carrier refuses for good. Who says so and why is kept for good
    Settle {
        /// The order
        order: Uuid,
        /// What the carrier would have answered
        outcome: Outcome,
        /// Under which code the parcel is tracked, with the outcome dispatched
        #[arg(long)]
        tracking: Option<String>,
        /// Why the carrier does not deliver, with the outcome refused
        #[arg(long)]
        refusal: Option<Refusal>,
        /// Who says so
        #[arg(long)]
        by: String,
        /// How they know
        #[arg(long)]
        reason: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Outcome {
    /// The parcel is under way, with this carrier or by another way
    Dispatched,
    /// It is not delivered, and never will be
    Refused,
    /// It will not be dispatched, as was asked
    Cancelled,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Dispatched => "dispatched",
            Outcome::Refused => "refused",
            Outcome::Cancelled => "cancelled",
        }
    }
}

/// Written as they are shown.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Refusal {
    /// None of the others
    Unknown,
    /// The carrier does not go there
    DestinationNotServed,
    /// The goods must not go there
    GoodsNotAccepted,
}

impl Refusal {
    fn name(self) -> &'static str {
        match self {
            Refusal::Unknown => "unknown",
            Refusal::DestinationNotServed => "destination_not_served",
            Refusal::GoodsNotAccepted => "goods_not_accepted",
        }
    }
}

pub(crate) async fn run(command: Shipment, out: &Output) -> Result<ExitCode> {
    let http = Http::new();
    match command {
        Shipment::Show { order } => {
            let call = Call::get(&url("shipping")?, &["shipments", &order.to_string()])?;
            show(&http.ask(call).await?, out);
        }
        Shipment::Stuck { open_for_seconds } => {
            open_calls(&http, "shipping", "carrier", open_for_seconds, out).await?;
        }
        Shipment::Settle { order, outcome, tracking, refusal, by, reason } => {
            let path = ["shipments", &order.to_string(), "settle"];
            let body = json!({
                "outcome": outcome.name(),
                "tracking_code": tracking,
                "refusal_reason": refusal.map(Refusal::name),
                "settled_by": by,
                "reason": reason,
            });
            let call = Call::post(&admin_url("shipping")?, &path)?.json(&body);
            show(&http.ask(call).await?, out);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(shipment: &Value, out: &Output) {
    let said = ["tracking_code", "refusal_reason"].map(|field| &shipment[field]);
    let said = said.into_iter().find(|said| !said.is_null());
    out.line(format_args!(
        "{}  {}{}  since {}{}",
        text(&shipment["order_id"]),
        text(&shipment["state"]),
        said.map(|said| format!(", {}", text(said))).unwrap_or_default(),
        text(&shipment["since"]),
        waits(shipment)
    ));
    out.document(shipment);
}
