//! `flotilla man`: the manual, written from what the parser of the command line knows, as pages of `man` or as one page
//! of Markdown.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::builder::StyledStr;
use clap::{Arg, Args, Command};
use serde_json::json;

use crate::exit::CODES;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Man {
    /// The folder for the pages, one for each command; without it, the first page is printed
    folder: Option<PathBuf>,
    /// Print everything as one page of Markdown
    #[arg(long, conflicts_with = "folder")]
    markdown: bool,
}

pub(crate) fn run(asked: Man, mut command: Command, out: &Output) -> Result<ExitCode> {
    command.build();
    match asked {
        Man { markdown: true, .. } => out.raw(&page(&command)),
        Man { folder: Some(folder), .. } => {
            let pages = write(&folder, &command)
                .with_context(|| format!("cannot write to {}", folder.display()))?;
            out.line(format_args!("{} pages are in {}", pages.len(), folder.display()));
            out.document(&json!({ "folder": folder, "pages": pages }));
        }
        Man { .. } => out.raw(&String::from_utf8_lossy(&roff(&command)?)),
    }
    Ok(ExitCode::SUCCESS)
}

/// A page for each command, and for each group of commands.
fn write(folder: &Path, command: &Command) -> std::io::Result<Vec<String>> {
    std::fs::create_dir_all(folder)?;
    let name = format!("{}.1", name(command).replace(' ', "-"));
    std::fs::write(folder.join(&name), roff(command)?)?;
    let mut pages = vec![name];
    for below in below(command) {
        pages.extend(write(folder, below)?);
    }
    Ok(pages)
}

fn roff(command: &Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

/// What the user types.
fn name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or(command.get_name())
}

fn below(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set())
}

/// The whole manual.
fn page(command: &Command) -> String {
    let mut text = String::from(
        "# The command line\n\n\
         Written by `flotilla man --markdown`; a test keeps it current. Lists and answers come as lines for people, \
         or as `-o json`, `jsonl` or `yaml` for programs; progress and errors go to the standard error.\n\n\
         ## Exit codes\n\n| code | meaning |\n|---|---|\n",
    );
    for (code, meaning) in CODES {
        text.push_str(&format!("| {code} | {meaning} |\n"));
    }
    text.push_str("\n## Options of every command\n\n");
    options(command.get_arguments(), &mut text);
    below(command).for_each(|below| section(below, &mut text));
    text
}

fn section(command: &Command, text: &mut String) {
    let is_group = below(command).next().is_some();
    let level = if name(command).matches(' ').count() > 1 { "###" } else { "##" };
    text.push_str(&format!("\n{level} {}\n\n", name(command)));
    let about = command.get_long_about().or(command.get_about()).map(StyledStr::to_string);
    text.push_str(&format!("{}.\n", about.unwrap_or_default().trim_end_matches('.')));
    if is_group {
        below(command).for_each(|below| section(below, text));
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    text.push_str(&format!("\n```\n{usage}\n```\n"));
    let own = command.get_arguments().filter(|arg| !arg.is_global_set()).collect::<Vec<_>>();
    if own.iter().any(|arg| !is_help(arg)) {
        text.push('\n');
        options(own.into_iter(), text);
    }
}

fn is_help(arg: &Arg) -> bool {
    ["help", "version"].contains(&arg.get_id().as_str())
}

fn options<'a>(args: impl Iterator<Item = &'a Arg>, text: &mut String) {
    text.push_str("| argument | meaning |\n|---|---|\n");
    for arg in args.filter(|arg| !is_help(arg)) {
        let values =
            arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>"));
        let takes = arg.get_action().takes_values();
        let value = values.collect::<Vec<_>>().join(" ").replace('|', "\\|");
        let written = match (arg.get_long(), arg.get_short(), takes) {
            (None, _, _) => value,
            (Some(long), Some(short), true) => format!("-{short}, --{long} {value}"),
            (Some(long), None, true) => format!("--{long} {value}"),
            (Some(long), Some(short), false) => format!("-{short}, --{long}"),
            (Some(long), None, false) => format!("--{long}"),
        };
        let help = arg.get_long_help().or(arg.get_help()).map(StyledStr::to_string);
        let help = help.unwrap_or_default().replace('\n', " ");
        let default = arg.get_default_values().iter().map(|value| value.to_string_lossy());
        let default = default.collect::<Vec<_>>().join(", ");
        let default = if takes && !default.is_empty() {
            format!("; {default} when left out")
        } else {
            String::new()
        };
        text.push_str(&format!("| {} | {help}{default} |\n", written.replace('<', "\\<")));
    }
}
