//! `flotilla schema`: registering schemas, a step of deployment that comes before the services that
//! write them.

mod versions;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use chassis::Registry;
use clap::Subcommand;
use language::RecordInfo;
use serde_json::{Value, json};

use crate::context::consent;
use crate::exit::{Exit, coded};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Schema {
    /// Whether every schema of this build may be registered; nothing is changed
    Check,
    /// Register every schema of this build
    Register,
    /// The subjects that the registry knows, with the ids of this build's schemas
    List,
    /// How a record of this build differs from each version that is registered, by which rule each change is allowed or
    /// refused, and what to do instead. Exit code 1: one is refused
    Diff {
        /// The record, such as OrderCompleted
        record: String,
        /// A schema in place of this build's
        #[arg(long, value_name = "FILE")]
        with: Option<PathBuf>,
    },
    /// The versions of a record, and what each changed
    History {
        /// The record, such as OrderCompleted
        record: String,
    },
}

pub(crate) async fn run(command: Schema, out: &Output) -> Result<ExitCode> {
    let registry = super::registry()?;
    let away = super::registry_error;
    let language = super::language()?;
    let records = || language.iter().flat_map(|topic| topic.records);
    let find = |name: &str| {
        let found = records().find(|record| name == record.name || name == record.full_name);
        found.ok_or_else(|| {
            let names: Vec<&str> = records().map(|record| record.name).collect();
            coded(
                Exit::Missing,
                anyhow!("no record is called {name}; there are: {}", names.join(", ")),
            )
        })
    };
    let mut refused = 0;
    let mut documents = Vec::new();
    match command {
        Schema::Check => {
            for record in records() {
                let fine = registry.is_compatible(record).await.map_err(away)?;
                refused += usize::from(!fine);
                let verdict = if fine { out.good("ok") } else { out.bad("incompatible") };
                documents.push(say(out, record, &verdict, json!({ "compatible": fine })));
                if !fine {
                    explain(&registry, record, out).await?;
                }
            }
        }
        Schema::Diff { record, with } => {
            return versions::diff(&registry, find(&record)?, with, out).await;
        }
        Schema::History { record } => {
            return versions::history(&registry, find(&record)?, out).await;
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
            "{refused} schemas break {}; `flotilla schema diff RECORD` says how, and what to do instead",
            chassis::COMPATIBILITY
        ));
        return Ok(Exit::No.into());
    }
    Ok(ExitCode::SUCCESS)
}

/// What a record changed that the registry does not take.
async fn explain(registry: &Registry, record: &RecordInfo, out: &Output) -> Result<()> {
    for version in versions::of(registry, record).await? {
        let changes = flotilla::evolution::changes(&version.schema, record.schema)?;
        let refused = changes.iter().filter(|change| !change.what.verdict().is_allowed);
        for change in refused {
            out.line(format_args!("    since version {}: {change}", version.version));
        }
    }
    Ok(())
}

/// A line for people; returns what a program gets.
fn say(out: &Output, record: &RecordInfo, text: &str, mut facts: Value) -> Value {
    let subject = chassis::subject(record);
    out.line(format_args!("{subject:76} {text}"));
    facts["subject"] = subject.into();
    facts
}
