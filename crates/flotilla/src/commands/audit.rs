//! `flotilla audit`: the rules of conservation, checked on a live fleet.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use flotilla::audit;

use crate::context;
use crate::exit::Exit;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Audit {
    /// How long to wait for the fleet to come to rest
    #[arg(long, default_value_t = 30)]
    wait_seconds: u64,
}

pub(crate) async fn run(command: Audit, out: &Output) -> Result<ExitCode> {
    if let Some(chosen) = context::chosen()? {
        bail!(
            "the audit reads the databases of the fleet on this machine, and context {} is elsewhere: --context local",
            chosen.name
        );
    }
    let fleet = super::fleet()?;
    let report = audit::run(&fleet, Duration::from_secs(command.wait_seconds)).await?;
    for rule in &report.rules {
        let verdict = match rule.violations {
            0 => out.good("holds"),
            count => out.bad(format!("broken {count} times")),
        };
        let moving = match rule.moving {
            0 => String::new(),
            count => format!(", {count} still move"),
        };
        let checked = rule.checked;
        out.line(format_args!("{:66} {checked:>9} checked  {verdict}{moving}", rule.name));
        for example in &rule.examples {
            out.line(format_args!("    {example}"));
        }
    }
    if !report.moving.is_empty() {
        out.line(out.bad("the fleet was not at rest:"));
        report.moving.iter().for_each(|what| out.line(format_args!("    {what}")));
        out.line("so these rules, which hold at rest only, were not judged:");
        report.not_judged.iter().for_each(|name| out.line(format_args!("    {name}")));
    }
    for note in &report.notes {
        out.line(note);
    }
    out.document(&report);
    Ok(match (report.is_broken(), report.moving.is_empty()) {
        (true, _) => Exit::No.into(),
        (false, false) => Exit::Unknown.into(),
        (false, true) => ExitCode::SUCCESS,
    })
}
