//! `flotilla offsets`: how far services have read, and where a stopped partition goes on.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Call, Http, admin_url, known_service, services_asked, text};
use crate::context::consent;
use crate::exit::{Exit, coded};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Offsets {
    /// Every partition that services hear, with what is unread and why it is stopped
    List {
        /// Only of this service
        #[arg(long)]
        service: Option<String>,
        /// Only those that are stopped
        #[arg(long)]
        stopped: bool,
    },
    /// Let stopped partitions go on from another place
    Move(Move),
}

#[derive(Args)]
pub(crate) struct Move {
    /// Whose reading
    service: String,
    /// The topic
    #[arg(long)]
    topic: String,
    /// One partition; without it, all of the topic that are stopped
    #[arg(long)]
    partition: Option<i64>,
    /// The first record that is there, the end (what is there is never read), or an offset
    #[arg(long, value_name = "first|end|OFFSET", value_parser = place)]
    to: String,
    /// Do it; without it, what would be done is listed
    #[arg(long)]
    yes: bool,
}

fn place(text: &str) -> Result<String, String> {
    let is_offset = || text.parse::<i64>().is_ok_and(|offset| offset >= 0);
    match ["first", "end"].contains(&text) || is_offset() {
        true => Ok(text.to_owned()),
        false => Err("write first, end, or an offset".to_owned()),
    }
}

pub(crate) async fn run(command: Offsets, out: &Output) -> Result<ExitCode> {
    match command {
        Offsets::List { service, stopped } => list(service.as_deref(), stopped, out).await,
        Offsets::Move(asked) => move_stopped(&asked, out).await,
    }
}

async fn list(service: Option<&str>, stopped: bool, out: &Output) -> Result<ExitCode> {
    let http = Http::new();
    let mut found = Vec::new();
    for service in services_asked(service)? {
        let all = partitions(&http, service).await?.into_iter();
        found.extend(all.filter(|partition| !stopped || is_stopped(partition)));
    }
    found.iter().for_each(|partition| show(partition, out));
    if found.is_empty() {
        out.line(if stopped { "no partition is stopped" } else { "no partition is heard" });
    }
    out.list("partitions", &json!({ "partitions": found }));
    Ok(ExitCode::SUCCESS)
}

async fn move_stopped(asked: &Move, out: &Output) -> Result<ExitCode> {
    let (service, http) = (known_service(&asked.service)?, Http::new());
    let mut found = partitions(&http, service).await?;
    found.retain(|partition| {
        partition["topic"] == asked.topic
            && is_stopped(partition)
            && asked.partition.is_none_or(|number| partition["partition"] == number)
    });
    if found.is_empty() {
        let hint = "`flotilla offsets list --stopped` shows which are";
        return Err(coded(Exit::Missing, anyhow!("no such partition is stopped; {hint}")));
    }
    if !asked.yes {
        found.iter().for_each(|partition| show(partition, out));
        let (count, to) = (found.len(), &asked.to);
        out.line(format_args!("would move {count} to {to}; add --yes to do it"));
        out.list("partitions", &json!({ "would": "move", "partitions": found }));
        return Ok(ExitCode::SUCCESS);
    }
    consent()?;
    let mut all_moved = Vec::new();
    for partition in &found {
        let path = ["offsets", &asked.topic, &partition["partition"].to_string()];
        let call = Call::post(&admin_url(service)?, &path)?;
        let moved = http.ask(call.json(&json!({ "to": asked.to }))).await?;
        out.line(format_args!(
            "{service} {}/{}: moved from {} to {}",
            asked.topic, moved["partition"], moved["from"], moved["to"]
        ));
        all_moved.push(moved);
    }
    out.list("moved", &json!({ "moved": all_moved }));
    Ok(ExitCode::SUCCESS)
}

/// The partitions that a service hears, as it describes them.
pub(crate) async fn partitions(http: &Http, service: &str) -> Result<Vec<Value>> {
    let answer = http.ask(Call::get(&admin_url(service)?, &["offsets"])?).await?;
    let mut partitions = answer["partitions"].as_array().cloned().unwrap_or_default();
    partitions.iter_mut().for_each(|partition| partition["service"] = service.into());
    Ok(partitions)
}

fn is_stopped(partition: &Value) -> bool {
    !partition["stop"].is_null()
}

fn show(partition: &Value, out: &Output) {
    let state = match partition["stop"].as_str() {
        Some(stop) => out.bad(format_args!("stopped: {stop}")),
        None => format!("{} unread", partition["lag"]),
    };
    out.line(format_args!(
        "{:10} {:27} {:>4}  at {:>10} of {:>10} to {:>10}  {state}",
        text(&partition["service"]),
        text(&partition["topic"]),
        partition["partition"],
        partition["stored"],
        partition["first"],
        partition["end"],
    ));
}
