//! What `flotilla payment` and `flotilla shipment` have in common: the row of an order in a service that calls
//! somebody outside, and what became of a call that is refused for good.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Call, Http, admin_url, text, url};
use crate::context::consent;
use crate::output::Output;

/// A service that calls somebody outside.
pub(crate) struct Caller {
    pub service: &'static str,
    /// What its rows are called in paths.
    pub rows: &'static str,
    /// Whom it calls.
    pub outside: &'static str,
    /// Fields that a row shows beside its state: the first of them that it has.
    pub told: &'static [&'static str],
}

#[derive(Subcommand)]
pub(crate) enum CallCommand<Said: Args> {
    /// How it stands for an order
    Show {
        /// The order
        order: Uuid,
    },
    /// Calls to the outside whose outcome is not known for a while
    Stuck {
        /// Open for longer than this many seconds
        #[arg(long, default_value_t = 60)]
        open_for_seconds: u64,
    },
    /// Say what became of a call that the outside refuses for good. Who says so and why is kept for good
    Settle {
        /// The order
        order: Uuid,
        #[command(flatten)]
        said: Said,
        /// Who says so
        #[arg(long)]
        by: String,
        /// How they know
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run<Said: Args + Serialize>(
    caller: &Caller,
    command: CallCommand<Said>,
    out: &Output,
) -> Result<ExitCode> {
    let Caller { service, rows, .. } = caller;
    let http = Http::new();
    match command {
        CallCommand::Show { order } => {
            let call = Call::get(&url(service)?, &[rows, &order.to_string()])?;
            show(caller, &http.ask(call).await?, out);
        }
        CallCommand::Stuck { open_for_seconds } => {
            stuck(caller, &http, open_for_seconds, out).await?
        }
        CallCommand::Settle { order, said, by, reason } => {
            consent()?;
            let mut body = serde_json::to_value(said)?;
            body["settled_by"] = by.into();
            body["reason"] = reason.into();
            let path = [*rows, &order.to_string(), "settle"];
            let call = Call::post(&admin_url(service)?, &path)?.json(&body);
            show(caller, &http.ask(call).await?, out);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(caller: &Caller, row: &Value, out: &Output) {
    let told = caller.told.iter().map(|field| &row[*field]).find(|told| !told.is_null());
    let step = &row["open_call"]["step"];
    out.line(format_args!(
        "{}  {}{}  since {}{}",
        text(&row["order_id"]),
        text(&row["state"]),
        told.map(|told| format!(", {}", text(told))).unwrap_or_default(),
        text(&row["since"]),
        if step.is_null() { String::new() } else { format!("  waits for: {}", text(step)) },
    ));
    out.document(row);
}

/// Shows the calls that have been open for this long.
async fn stuck(caller: &Caller, http: &Http, open_for_seconds: u64, out: &Output) -> Result<()> {
    let call = Call::get(&admin_url(caller.service)?, &["open-calls"])?;
    let found = http.ask(call.query("open_for_seconds", open_for_seconds)).await?;
    let calls = found["open_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
    if calls.is_empty() {
        out.line(format_args!("no call to the {} is open for so long", caller.outside));
    }
    for call in calls {
        out.line(format_args!(
            "{}  {:10}  asked for since {}",
            text(&call["order_id"]),
            text(&call["step"]),
            text(&call["asked_at"])
        ));
    }
    out.list("open_calls", &found);
    Ok(())
}
