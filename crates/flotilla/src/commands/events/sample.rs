//! `flotilla events sample`: an example to begin with.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use chassis::json::Writer;
use clap::Args;
use serde_json::{Value, json};

use super::record_of;
use crate::commands::language;
use crate::exit::{Exit, coded};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Sample {
    /// The event, such as StockAdjusted
    r#type: String,
}

pub(super) fn run(asked: &Sample, out: &Output) -> Result<ExitCode> {
    let found = record_of(&language()?, &asked.r#type);
    let (topic, record) = found.map_err(|why| coded(Exit::Missing, anyhow!("{why}")))?;
    let writer =
        Writer::new(record.schema).map_err(|why| anyhow!("{}: {why}", record.full_name))?;
    let value = writer.example(&hint);
    let key = value[topic.key].clone();
    let sample =
        json!({ "type": record.full_name, "topic": topic.name, "key": key, "value": value });
    // For people too: they write it into a file, and change what they need.
    out.line(&sample);
    out.document(&sample);
    Ok(ExitCode::SUCCESS)
}

/// What services take for fields that are text or a number to the schema.
fn hint(field: &str) -> Option<Value> {
    match field {
        "currency" => Some(json!("EUR")),
        "sku" => Some(json!("tea")),
        "destination" => Some(json!("DE")),
        "note" => Some(json!("counted")),
        _other => None,
    }
}
