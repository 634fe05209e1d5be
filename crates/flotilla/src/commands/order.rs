//! `flotilla order`: placing, watching, cancelling and returning orders.

mod watch;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Call, Http, money, pair, text, time, url};
use crate::context::consent;
use crate::output::Output;

pub(crate) use watch::watch;

#[derive(Subcommand)]
pub(crate) enum Order {
    /// Place an order
    Place {
        /// What is ordered, as SKU=QUANTITY; may be given several times
        #[arg(long = "sku", required = true, value_parser = pair)]
        lines: Vec<(String, i64)>,
        /// Whose order it is
        #[arg(long, default_value = "customer-1")]
        customer: String,
        /// Country code; AQ is not served, NZ takes its time
        #[arg(long, default_value = "DE")]
        destination: String,
        /// Card token; tok_declined is declined
        #[arg(long, default_value = "tok_visa")]
        token: String,
        /// The same key places one order; a new one is made when this is left out
        #[arg(long)]
        key: Option<String>,
        /// Show what becomes of it. Exit code 1: it ended cancelled
        #[arg(long)]
        watch: bool,
    },
    /// State, lines, money, history, and what it waits for
    Show {
        /// The order
        order: Uuid,
    },
    /// What happens to an order, from its beginning to its end. Exit code 1: it ended cancelled
    Watch {
        /// The order
        order: Uuid,
    },
    /// Orders, newest first
    List {
        /// Only of this customer
        #[arg(long)]
        customer: Option<String>,
        /// Only in this state, such as completed
        #[arg(long)]
        state: Option<String>,
        /// How many, at most 500
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Where to go on: the cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Ask to cancel an order
    Cancel {
        /// The order
        order: Uuid,
    },
    /// Send a completed order back
    Return {
        /// The order
        order: Uuid,
    },
}

pub(crate) async fn run(command: Order, out: &Output) -> Result<ExitCode> {
    let (http, base) = (Http::new(), url("order")?);
    match command {
        Order::Place { lines, customer, destination, token, key, watch: and_watch } => {
            consent()?;
            let lines: Vec<Value> = lines
                .iter()
                .map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity }))
                .collect();
            let body = json!({ "customer_id": customer, "lines": lines, "destination": destination,
                               "payment_token": token });
            let key = key.unwrap_or_else(|| Uuid::new_v4().to_string());
            let call = Call::post(&base, &["orders"])?.header("Idempotency-Key", &key)?;
            let placed = http.ask(call.json(&body)).await?;
            let order = text(&placed["order_id"]);
            out.line(format_args!("{order} placed, {}", money(&placed)));
            out.document(&placed);
            if and_watch {
                return watch(&http, &base, &order, out).await;
            }
        }
        Order::Show { order } => {
            let found = http.ask(Call::get(&base, &["orders", &order.to_string()])?).await?;
            show(&found, out);
            out.document(&found);
        }
        Order::Watch { order } => return watch(&http, &base, &order.to_string(), out).await,
        Order::List { customer, state, limit, cursor } => {
            let filters = [("customer_id", customer), ("state", state), ("cursor", cursor)];
            let wanted = filters.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let all = Call::get(&base, &["orders"])?.query("limit", limit);
            let page = wanted.fold(all, |call, (name, value)| call.query(name, value));
            let page = http.ask(page).await?;
            for order in page["orders"].as_array().into_iter().flatten() {
                out.line(format_args!(
                    "{} {:22} {:>14} {}",
                    text(&order["order_id"]),
                    text(&order["state"]),
                    money(order),
                    text(&order["customer_id"]),
                ));
            }
            match page["next_cursor"].as_str() {
                Some(next) => out.line(format_args!("more with --cursor {next}")),
                None if page["orders"] == json!([]) => out.line("no orders"),
                None => {}
            }
            out.list("orders", &page);
        }
        Order::Cancel { order } => act(&http, &base, order, "cancel", out).await?,
        Order::Return { order } => act(&http, &base, order, "return", out).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn act(http: &Http, base: &str, order: Uuid, verb: &str, out: &Output) -> Result<()> {
    consent()?;
    let answer = http.ask(Call::post(base, &["orders", &order.to_string(), verb])?).await?;
    out.line(format_args!("{order} {}", text(&answer["state"])));
    out.document(&answer);
    Ok(())
}

fn show(order: &Value, out: &Output) {
    let title = format!("{} {}", text(&order["order_id"]), text(&order["state"]));
    out.line(out.bold(title));
    let destination = text(&order["destination"]);
    out.line(format_args!("  {}{}, to {destination}", money(order), reason(order)));
    for line in order["lines"].as_array().into_iter().flatten() {
        let (quantity, sku, price) =
            (&line["quantity"], text(&line["sku"]), &line["unit_price_minor"]);
        out.line(format_args!("  {quantity:>4} x {sku} at {price}"));
    }
    for waits in order["waits_for"].as_array().into_iter().flatten() {
        let (service, what, since) =
            (text(&waits["service"]), text(&waits["for"]), time(&waits["since"]));
        out.line(format_args!("  waits for {service}: {what}, since {since}"));
    }
    for entry in order["history"].as_array().into_iter().flatten() {
        out.line(format_args!("  {}", entry_line(entry)));
    }
}

/// Why it was cancelled, if it was.
fn reason(order: &Value) -> String {
    order["reason"].as_str().map(|_| format!(", {}", text(&order["reason"]))).unwrap_or_default()
}

fn entry_line(entry: &Value) -> String {
    let detail = entry["detail"].as_str().map(|_| format!("  {}", text(&entry["detail"])));
    format!("{} {}{}", time(&entry["at"]), text(&entry["event"]), detail.unwrap_or_default())
}
