//! `flotilla payment`: where the money of an order is, and what became of a call that the provider refuses.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Call, Http, admin_url, open_calls, text, url, waits};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Payment {
    /// The payment of an order
    Show {
        /// The order
        order: Uuid,
    },
    /// Calls to the payment provider whose outcome is not known for a while
    Stuck {
        /// Open for longer than this many seconds
        #[arg(long, default_value_t = 60)]
        open_for_seconds: u64,
    },
    /// Say what became of a call that the provider refuses for good. Who says so and why is kept for good
    Settle {
        /// The order
        order: Uuid,
        /// What the provider would have answered
        outcome: Outcome,
        /// The provider's id of what it holds, with the outcome authorized
        #[arg(long)]
        authorization: Option<String>,
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

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Authorized => "authorized",
            Outcome::Declined => "declined",
            Outcome::Voided => "voided",
            Outcome::Captured => "captured",
            Outcome::Refunded => "refunded",
        }
    }
}

pub(crate) async fn run(command: Payment, out: &Output) -> Result<ExitCode> {
    let http = Http::new();
    match command {
        Payment::Show { order } => {
            let call = Call::get(&url("payment")?, &["payments", &order.to_string()])?;
            show(&http.ask(call).await?, out);
        }
        Payment::Stuck { open_for_seconds } => {
            open_calls(&http, "payment", "payment provider", open_for_seconds, out).await?;
        }
        Payment::Settle { order, outcome, authorization, by, reason } => {
            let path = ["payments", &order.to_string(), "settle"];
            let body = json!({
                "outcome": outcome.name(),
                "authorization_id": authorization,
                "settled_by": by,
                "reason": reason,
            });
            let call = Call::post(&admin_url("payment")?, &path)?.json(&body);
            show(&http.ask(call).await?, out);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(payment: &Value, out: &Output) {
    out.line(format_args!(
        "{}  {}  since {}{}",
        text(&payment["order_id"]),
        text(&payment["state"]),
        text(&payment["since"]),
        waits(payment)
    ));
    out.document(payment);
}
