//! `flotilla audit`: the rules of conservation, checked on a live fleet.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use flotilla::audit;

use crate::output::Output;

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
        out.line(format_args!("{:66} {:>9} checked  {verdict}", rule.name, rule.checked));
        for example in &rule.examples {
            out.line(format_args!("    {example}"));
        }
    }
    for note in &report.notes {
        out.line(note);
    }
    out.document(&report);
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
