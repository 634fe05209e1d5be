//! `flotilla audit`: the rules of conservation, checked on a live fleet.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use flotilla::audit;

use crate::output::Output;

/// The exit code when nothing is known to be broken, but not every rule could be judged.
const NOT_AT_REST: u8 = 3;

#[derive(Args)]
pub(crate) struct Audit {
    /// How long to wait for the fleet to come to rest
    #[arg(long, default_value_t = 30)]
    wait_seconds: u64,
}

pub(crate) async fn run(command: Audit, out: &Output) -> Result<ExitCode> {
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
        (true, _) => ExitCode::FAILURE,
        (false, false) => ExitCode::from(NOT_AT_REST),
        (false, true) => ExitCode::SUCCESS,
    })
}
