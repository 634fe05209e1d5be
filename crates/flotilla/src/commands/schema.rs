//! `flotilla schema`: registering schemas, a step of deployment that comes before the services that
//! write them.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use language::RecordInfo;
use serde_json::{Value, json};

use crate::context::consent;
use crate::exit::Exit;
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Schema {
    /// Whether every schema of this build may be registered; nothing is changed
    Check,
    /// Register every schema of this build
    Register,
    /// The subjects that the registry knows, with the ids of this build's schemas
    List,
}

pub(crate) async fn run(command: Schema, out: &Output) -> Result<ExitCode> {
    let registry = super::registry()?;
    let away = super::registry_error;
    let language = super::language()?;
    let records = || language.iter().flat_map(|topic| topic.records);
    let mut refused = 0;
    let mut documents = Vec::new();
    match command {
        Schema::Check => {
            for record in records() {
                let fine = registry.is_compatible(record).await.map_err(away)?;
                refused += usize::from(!fine);
                let verdict = if fine { out.good("ok") } else { out.bad("incompatible") };
                documents.push(say(out, record, &verdict, json!({ "compatible": fine })));
            }
        }
        Schema::Register => {
            consent()?;
            for record in records() {
                let id = registry.register(record).await.map_err(away).with_context(|| {
                    let subject = chassis::subject(record);
                    format!("{subject} is not registered; `flotilla schema check` says why")
                })?;
                documents.push(say(out, record, &format!("id {id}"), json!({ "id": id })));
            }
        }
        Schema::List => {
            for record in records() {
                let id = registry.id_of(&chassis::subject(record), record.schema).await;
                let id = id.map_err(away)?;
                let text = id.map_or_else(|| out.bad("not registered"), |id| format!("id {id}"));
                documents.push(say(out, record, &text, json!({ "id": id })));
            }
        }
    }
    out.list("schemas", &json!({ "schemas": documents }));
    if refused > 0 {
        out.line(format_args!(
            "{refused} schemas break {}: add fields with defaults only, or write a new record",
            chassis::COMPATIBILITY
        ));
        return Ok(Exit::No.into());
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for people; returns what a program gets.
fn say(out: &Output, record: &RecordInfo, text: &str, mut facts: Value) -> Value {
    let subject = chassis::subject(record);
    out.line(format_args!("{subject:76} {text}"));
    facts["subject"] = subject.into();
    facts
}
