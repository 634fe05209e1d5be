//! `flotilla new`: a service from the template, in the current repository.

use std::io::{IsTerminal, stderr, stdin};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use flotilla::scaffold::{Plan, Request, root_of};
use serde_json::json;

use crate::exit::{Exit, coded};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum New {
    /// Write a service that compiles, is tested, and is ready for its first rule; what changes in existing
    /// files is shown first
    Service(Service),
}

#[derive(Args)]
pub(crate) struct Service {
    /// Its name: small letters, as it is also that of a crate and of a database
    name: String,
    /// Topics that it hears, such as order.events
    #[arg(long, value_delimiter = ',', required_unless_present = "undo")]
    hears: Vec<String>,
    /// Give it a topic of its own, NAME.events
    #[arg(long)]
    publishes: bool,
    /// What its states are about
    #[arg(long, value_enum, default_value = "order")]
    keyed_by: Key,
    /// Do not ask
    #[arg(long, short, conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Take the service away again, if nothing of it was changed since it was written
    #[arg(long, conflicts_with_all = ["hears", "publishes"])]
    undo: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Key {
    /// One state for each order
    Order,
}

pub(crate) fn run(New::Service(asked): New, out: &Output) -> Result<ExitCode> {
    let Key::Order = asked.keyed_by;
    let root = root_of(&std::env::current_dir()?)?;
    let name = asked.name.clone();
    let plan = match asked.undo {
        true => Plan::written(&root, &name)?,
        false => {
            let (hears, publishes) = (asked.hears.clone(), asked.publishes);
            Plan::new(&root, &Request { name, hears, publishes })?
        }
    };
    show(&plan, asked.undo, out)?;
    if !asked.dry_run {
        if !asked.yes && !agreed(out)? {
            return Ok(Exit::Refused.into());
        }
        if asked.undo {
            plan.undo()?
        } else {
            plan.write()?
        }
        mend_lock_file(&root, out);
        next_steps(&asked, &plan, out);
    }
    let files: Vec<String> = plan.files().map(|(file, _)| file).collect();
    out.document(&json!({ "folder": plan.folder(), "files": files, "done": !asked.dry_run }));
    Ok(ExitCode::SUCCESS)
}

fn show(plan: &Plan, undo: bool, out: &Output) -> Result<()> {
    let what = if undo { "taken away" } else { "written" };
    out.line(format_args!("files to be {what}"));
    for (file, lines) in plan.files() {
        out.line(format_args!("  {file}  ({lines} lines)"));
    }
    if !undo {
        out.title("changes in files that exist");
        plan.diff()?.lines().for_each(|line| out.line(line));
    }
    Ok(())
}

/// Whether somebody at a terminal says yes.
fn agreed(out: &Output) -> Result<bool> {
    if !stdin().is_terminal() || !stderr().is_terminal() {
        let why = anyhow!("nobody is there to ask; --yes says yes, --dry-run only shows");
        return Err(coded(Exit::Refused, why));
    }
    out.aside("go on? [y/N]");
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The lock file names the crates of the workspace. Whatever cargo says, the next build updates it too.
fn mend_lock_file(root: &Path, out: &Output) {
    let mut cargo = Command::new("cargo");
    let cargo = cargo.args(["update", "--workspace", "--offline", "--quiet"]).current_dir(root);
    if !cargo.status().is_ok_and(|status| status.success()) {
        out.aside("Cargo.lock is as it was; the next build mends it");
    }
}

fn next_steps(Service { name, undo, .. }: &Service, plan: &Plan, out: &Output) {
    let generated = "  UPDATE_GENERATED=1 cargo test -p e2e --test rules";
    out.title("next");
    if *undo {
        out.line(format_args!("{generated}  (if you ran it since)"));
        return;
    }
    let folder = plan.folder();
    out.line(format_args!("  cargo test -p {name}"));
    out.line(generated);
    out.line(format_args!("  ./x up --with {name}"));
    out.line(format_args!(
        "  the first rule goes into {folder}/src/domain.rs, and its row into the table of"
    ));
    out.line(format_args!(
        "  {folder}/src/domain/tests.rs; docs/guide-new-service.md goes on from there"
    ));
}
