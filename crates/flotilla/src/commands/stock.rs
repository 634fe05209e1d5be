//! `flotilla stock`: items, prices, adjustments.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Call, Http, text, url};
use crate::context::consent;
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Stock {
    /// All items
    List,
    /// Add free units to an item, or take some away (a negative number)
    Adjust {
        /// The item
        sku: String,
        /// How many units come
        #[arg(allow_hyphen_values = true)]
        delta: i64,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
        /// The same key adjusts once; a new one is made when this is left out
        #[arg(long)]
        key: Option<String>,
    },
    /// Create an item, or change its name and price
    Set {
        /// The item
        sku: String,
        /// What it is called
        name: String,
        /// Its price in minor units
        unit_price_minor: i64,
        /// ISO 4217
        #[arg(long, default_value = "EUR")]
        currency: String,
    },
}

pub(crate) async fn run(command: Stock, out: &Output) -> Result<ExitCode> {
    let (http, base) = (Http::new(), url("inventory")?);
    match command {
        Stock::List => {
            let mut items = Vec::new();
            let mut after: Option<String> = None;
            loop {
                let page = Call::get(&base, &["stock"])?;
                let page = after.iter().fold(page, |page, after| page.query("cursor", after));
                let page = http.ask(page).await?;
                for item in page["items"].as_array().into_iter().flatten() {
                    show(item, out);
                    items.push(item.clone());
                }
                match page["next_cursor"].as_str() {
                    Some(next) => after = Some(next.to_owned()),
                    None => break,
                }
            }
            if items.is_empty() {
                out.line("no items; `flotilla stock set` creates one");
            }
            out.list("items", &json!({ "items": items }));
        }
        Stock::Adjust { sku, delta, note, key } => {
            consent()?;
            let key = key.unwrap_or_else(|| Uuid::new_v4().to_string());
            let call = Call::post(&base, &["stock", &sku, "adjustments"])?;
            let call = call.header("Idempotency-Key", &key)?;
            let item = http.ask(call.json(&json!({ "delta": delta, "note": note }))).await?;
            show(&item, out);
            out.document(&item);
        }
        Stock::Set { sku, name, unit_price_minor, currency } => {
            consent()?;
            let item =
                json!({ "name": name, "unit_price_minor": unit_price_minor, "currency": currency });
            let item = http.ask(Call::put(&base, &["stock", &sku])?.json(&item)).await?;
            show(&item, out);
            out.document(&item);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(item: &Value, out: &Output) {
    let count = |name: &str| item[name].as_i64().unwrap_or_default();
    out.line(format_args!(
        "{:16} {:24} {:>10} {} free {:<8} reserved {:<6} shipped {}",
        text(&item["sku"]),
        text(&item["name"]),
        count("unit_price_minor"),
        text(&item["currency"]),
        count("free"),
        count("reserved"),
        count("shipped"),
    ));
}
