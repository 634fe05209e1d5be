//! `flotilla verify` and `flotilla explain`: past decisions made again, by the programs of the services, which alone
//! know how they decide. This asks each of them and puts their answers together.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use flotilla::fleet::programs;
use serde_json::{Value, json};

use super::{brokers, registry_url, services_asked};
use crate::exit::{Exit, coded};
use crate::output::Output;

/// How a service's program ends where it would decide otherwise.
const DIFFERENT: i32 = 1;
/// How it ends where it judged nothing.
const UNJUDGED: i32 = 3;

#[derive(Args)]
pub(crate) struct Verify {
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// The folder of the services' programs, of another build as a rule; without it, those beside this one
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Keep at most this many orders of each service in memory; the others are not judged. 100000 when left out
    #[arg(long, value_name = "NUMBER")]
    keys: Option<usize>,
    /// Judge only orders about which nothing came for so long: more may be on its way. 60 when left out
    #[arg(long, value_name = "SECONDS")]
    quiet: Option<u64>,
}

#[derive(Args)]
pub(crate) struct Explain {
    /// The order
    order: String,
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// The folder of the services' programs, of another build as a rule; without it, those beside this one
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

pub(crate) fn verify(command: Verify, out: &Output) -> Result<ExitCode> {
    let mut args = vec!["verify".to_owned()];
    let numbers = [
        ("--keys", command.keys.map(|keys| keys.to_string())),
        ("--quiet", command.quiet.map(|seconds| seconds.to_string())),
    ];
    for (name, value) in numbers {
        args.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
    }
    ask(command.service.as_deref(), command.programs, &args, out)
}

pub(crate) fn explain(command: Explain, out: &Output) -> Result<ExitCode> {
    let args = ["explain".to_owned(), command.order];
    ask(command.service.as_deref(), command.programs, &args, out)
}

/// Asks the programs one after the other: each reads topics as fast as it can.
fn ask(
    service: Option<&str>,
    folder: Option<PathBuf>,
    args: &[String],
    out: &Output,
) -> Result<ExitCode> {
    let folder = folder.map_or_else(programs, Ok)?;
    let (brokers, registry) = (brokers()?, registry_url()?);
    let (mut codes, mut answers, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for service in services_asked(service)? {
        let program = folder.join(service);
        let mut command = Command::new(&program);
        command
            .args(args)
            .args(out.is_for_programs().then_some("--json"))
            .env("FLOTILLA_KAFKA_BROKERS", &brokers)
            .env("FLOTILLA_REGISTRY_URL", &registry)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let answer = command.output();
        let answer = answer.with_context(|| format!("cannot run {}", program.display()));
        let answer = answer.map_err(|error| coded(Exit::Missing, error))?;
        let Some(code @ (0 | DIFFERENT | UNJUDGED)) = answer.status.code() else {
            let error = anyhow!("{} ended with {}", program.display(), answer.status);
            return Err(coded(Exit::Unknown, error));
        };
        let said = String::from_utf8(answer.stdout).context("a program says what is not UTF-8")?;
        said.lines().for_each(|line| out.line(line));
        if said.is_empty() {
            // On standard error it has said what hinders it.
            failed.push(service);
            answers.push(json!({ "service": service, "failed": true }));
        } else if out.is_for_programs() {
            let documents = said.lines().map(serde_json::from_str::<Value>);
            answers.extend(documents.collect::<Result<Vec<_>, _>>()?);
        }
        codes.push(code);
    }
    ensure!(!codes.is_empty(), "there is no service to ask");
    out.list("services", &json!({ "services": answers }));
    // Where one could not look, the others are no proof.
    let is_unknown = !failed.is_empty() || codes.iter().all(|code| *code == UNJUDGED);
    Ok(match (codes.contains(&DIFFERENT), is_unknown) {
        (true, _) => Exit::No.into(),
        (false, true) => Exit::Unknown.into(),
        (false, false) => ExitCode::SUCCESS,
    })
}
