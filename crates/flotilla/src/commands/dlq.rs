//! `flotilla dlq`: what could not be processed, and what happens to it.

mod payload;

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Call, Http, admin_url, services_asked, text};
use crate::context::consent;
use crate::exit::{Exit, coded};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Dlq {
    /// Dead letters that wait, of one service or of all
    List {
        #[command(flatten)]
        selection: Selection,
    },
    /// One dead letter with its headers, its bytes, and what they say
    Show {
        /// Whose
        service: String,
        /// Its number, as `list` shows it
        id: i64,
    },
    /// Send dead letters through the normal path again
    Retry {
        #[command(flatten)]
        selection: Selection,
        /// One dead letter of the service; without it, all of the selection
        #[arg(long, requires = "service")]
        id: Option<i64>,
        /// Do it; without it, what would be done is listed
        #[arg(long)]
        yes: bool,
    },
    /// Give dead letters up
    Drop {
        #[command(flatten)]
        selection: Selection,
        /// One dead letter of the service; without it, all of the selection
        #[arg(long, requires = "service")]
        id: Option<i64>,
        /// Do it; without it, what would be done is listed
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct Selection {
    /// Only of this service
    #[arg(long)]
    service: Option<String>,
    /// Only with this reason: undecodable, headers, failed, refused
    #[arg(long)]
    reason: Option<String>,
}

pub(crate) async fn run(command: Dlq, out: &Output) -> Result<ExitCode> {
    match command {
        Dlq::List { selection } => {
            let found = select(&Http::new(), &selection, None).await?;
            if found.is_empty() {
                out.line("no dead letters wait");
            }
            let documents = show_all(&found, out);
            out.list("dead_letters", &json!({ "dead_letters": documents }));
            Ok(ExitCode::SUCCESS)
        }
        Dlq::Show { service, id } => {
            let call = Call::get(&admin_url(&service)?, &["dead-letters", &id.to_string()])?;
            let mut letter = Http::new().ask(call).await?;
            letter["payload"] = payload::decoded(&letter).await;
            serde_json::to_string_pretty(&letter)?.lines().for_each(|line| out.line(line));
            out.document(&letter);
            Ok(ExitCode::SUCCESS)
        }
        Dlq::Retry { selection, id, yes } => settle("retry", &selection, id, yes, out).await,
        Dlq::Drop { selection, id, yes } => settle("drop", &selection, id, yes, out).await,
    }
}

async fn settle(
    verb: &str,
    selection: &Selection,
    id: Option<i64>,
    yes: bool,
    out: &Output,
) -> Result<ExitCode> {
    let http = Http::new();
    let found = select(&http, selection, id).await?;
    if found.is_empty() {
        let none = anyhow!("no such dead letter waits; `flotilla dlq list` shows what does");
        return Err(coded(Exit::Missing, none));
    }
    if !yes {
        let documents = show_all(&found, out);
        out.line(format_args!("would {verb} {}; add --yes to do it", found.len()));
        out.list("dead_letters", &json!({ "would": verb, "dead_letters": documents }));
        return Ok(ExitCode::SUCCESS);
    }
    consent()?;
    let mut failed = 0;
    let mut documents = Vec::new();
    for (service, letter) in &found {
        let path = ["dead-letters", &letter["id"].to_string(), verb];
        let outcome = http.ask(Call::post(&admin_url(service)?, &path)?).await;
        let text = match &outcome {
            Ok(settled) => out.good(text(&settled["state"])),
            Err(error) => {
                failed += 1;
                out.bad(format!("{error:#}"))
            }
        };
        out.line(format_args!("{service} {}: {text}", letter["id"]));
        let error = outcome.as_ref().err().map(|error| format!("{error:#}"));
        documents.push(json!({ "service": service, "id": letter["id"], "error": error }));
    }
    out.list(verb, &json!({ verb: documents }));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { Exit::No.into() })
}

async fn select(
    http: &Http,
    selection: &Selection,
    id: Option<i64>,
) -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for service in services_asked(selection.service.as_deref())? {
        let mut after: Option<String> = None;
        loop {
            let all = Call::get(&admin_url(service)?, &["dead-letters"])?;
            let query = after.iter().map(|after| ("cursor", after));
            let query = query.chain(selection.reason.iter().map(|reason| ("reason", reason)));
            let page = query.fold(all, |call, (name, value)| call.query(name, value));
            let page = http.ask(page).await?;
            for letter in page["dead_letters"].as_array().into_iter().flatten() {
                if id.is_none_or(|id| letter["id"] == id) {
                    found.push((service.to_owned(), letter.clone()));
                }
            }
            match page["next_cursor"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => break,
            }
        }
    }
    Ok(found)
}

/// A line each for people; returns what a program gets.
fn show_all(found: &[(String, Value)], out: &Output) -> Vec<Value> {
    found.iter().map(|(service, letter)| show(service, letter, out)).collect()
}

fn show(service: &str, letter: &Value, out: &Output) -> Value {
    out.line(format_args!(
        "{service:10} {:>6} {:12} {}@{} {}: {}",
        letter["id"],
        text(&letter["reason"]),
        letter["partition"],
        letter["offset"],
        text(&letter["topic"]),
        text(&letter["detail"]),
    ));
    let mut document = letter.clone();
    document["service"] = service.into();
    document
}
