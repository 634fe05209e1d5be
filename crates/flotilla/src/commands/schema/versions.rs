//! The versions of a record: what each changed, and what the registry's rule makes of it. Separate from registering,
//! which asks nothing about the past.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use chassis::{Registry, Version};
use flotilla::evolution::{self, Change};
use language::RecordInfo;
use serde_json::{Value, json};

use crate::commands::registry_error;
use crate::exit::{Exit, coded};
use crate::output::Output;

/// All versions of a record's subject, the first one first.
pub(super) async fn of(registry: &Registry, record: &RecordInfo) -> Result<Vec<Version>> {
    let subject = chassis::subject(record);
    let mut versions = Vec::new();
    for number in registry.versions(&subject).await.map_err(registry_error)? {
        // Whoever deletes a version does so for good.
        versions.extend(registry.version(&subject, number).await.map_err(registry_error)?);
    }
    Ok(versions)
}

/// Whatever differs between one version of a record and another, line by line; returns what a program gets, and whether
/// all of it is allowed.
pub(super) fn tell(out: &Output, older: &str, newer: &str) -> Result<(Vec<Value>, bool)> {
    let changes = evolution::changes(older, newer).context("a schema is no JSON")?;
    let told = changes.iter().map(|change| told(out, change)).collect();
    Ok((told, changes.iter().all(|change| change.what.verdict().is_allowed)))
}

fn told(out: &Output, change: &Change) -> Value {
    let verdict = change.what.verdict();
    let word = match verdict.is_allowed {
        true => out.good("allowed"),
        false => out.bad("refused"),
    };
    out.line(format_args!("    {change}"));
    out.line(format_args!("      {word}: {}", verdict.rule));
    if let Some(instead) = verdict.instead {
        out.line(format_args!("      instead: {instead}"));
    }
    json!({
        "change": change.to_string(),
        "allowed": verdict.is_allowed,
        "rule": verdict.rule,
        "instead": verdict.instead,
    })
}

/// `flotilla schema history`: what each version changed.
pub(super) async fn history(
    registry: &Registry,
    record: &RecordInfo,
    out: &Output,
) -> Result<ExitCode> {
    let subject = chassis::subject(record);
    let versions = of(registry, record).await?;
    if versions.is_empty() {
        let none = anyhow!("{subject} has no version; `flotilla schema register` makes the first");
        return Err(coded(Exit::Missing, none));
    }
    let mut documents = Vec::new();
    let mut before: Option<&Version> = None;
    for version in &versions {
        out.line(format_args!("{subject} version {}, id {}", version.version, version.id));
        let changes = match before {
            Some(before) => tell(out, &before.schema, &version.schema)?.0,
            None => Vec::new(),
        };
        let (number, id) = (version.version, version.id);
        documents.push(json!({ "version": number, "id": id, "changes": changes }));
        before = Some(version);
    }
    out.list("versions", &json!({ "subject": subject, "versions": documents }));
    Ok(ExitCode::SUCCESS)
}

/// `flotilla schema diff`: how this build's record, or a file, differs from every version there is. The rule asks each
/// of them, not the last one alone.
pub(super) async fn diff(
    registry: &Registry,
    record: &RecordInfo,
    file: Option<PathBuf>,
    out: &Output,
) -> Result<ExitCode> {
    let newer = file.as_deref().map_or_else(|| Ok(record.schema.to_owned()), read)?;
    let mut documents = Vec::new();
    let mut are_allowed = true;
    for version in of(registry, record).await? {
        let subject = chassis::subject(record);
        out.line(format_args!("{subject} version {}, id {}", version.version, version.id));
        let (changes, is_allowed) = tell(out, &version.schema, &newer)?;
        if changes.is_empty() {
            out.line("    the same, but for words");
        }
        are_allowed &= is_allowed;
        let number = version.version;
        documents.push(json!({ "version": number, "allowed": is_allowed, "changes": changes }));
    }
    if documents.is_empty() {
        out.line("there is no version yet: any schema may be the first");
    }
    out.list("versions", &json!({ "subject": chassis::subject(record), "versions": documents }));
    Ok(if are_allowed { ExitCode::SUCCESS } else { Exit::No.into() })
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
