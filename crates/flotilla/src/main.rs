//! `flotilla`: the fleet at the command line.

mod commands;
mod context;
mod exit;
mod output;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use local::process::surroundings;
use output::Format;

#[derive(Parser)]
#[command(name = "flotilla", version, about = "An event-driven fleet that fulfils orders")]
#[command(after_help = exit_codes())]
struct Cli {
    /// What the answer looks like: table, wide, json, jsonl or yaml. Where something is told as it happens (events,
    /// logs, a watched order, the demo), json is one document on each line
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    #[arg(default_value = "table")]
    output: Format,
    /// The same as -o json
    #[arg(long, global = true, conflicts_with = "output")]
    json: bool,
    /// The fleet that this is about, by its context; `local` is that of this machine. FLOTILLA_CONTEXT says the same
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// Confirm a change to a protected context, by its name
    #[arg(long, global = true, value_name = "NAME")]
    yes_on: Option<String>,
    #[command(subcommand)]
    command: Commands,
}

#[derive(Subcommand)]
enum Commands {
    /// A whole fleet on this machine
    #[command(subcommand)]
    Local(commands::local::Local),
    /// Kafka topics
    #[command(subcommand)]
    Topics(commands::topics::Topics),
    /// Avro schemas and the registry
    #[command(subcommand)]
    Schema(commands::schema::Schema),
    /// Orders
    #[command(subcommand)]
    Order(commands::order::Order),
    /// Payments, and what became of one that the provider refuses
    #[command(subcommand)]
    Payment(commands::payment::Payment),
    /// Shipments, and what became of one that the carrier refuses
    #[command(subcommand)]
    Shipment(commands::shipment::Shipment),
    /// Items and their units
    #[command(subcommand)]
    Stock(commands::stock::Stock),
    /// Fleets that run elsewhere, by name
    #[command(subcommand)]
    Context(commands::context::Context),
    /// Events: as they happen, and those that people publish
    #[command(subcommand)]
    Events(commands::events::Events),
    /// Dead letters
    #[command(subcommand)]
    Dlq(commands::dlq::Dlq),
    /// How far services have read, and where stopped partitions go on
    #[command(subcommand)]
    Offsets(commands::offsets::Offsets),
    /// Who reads the topics, of the fleet and of others, and how far they are
    #[command(subcommand)]
    Consumers(commands::consumers::Consumers),
    /// Whether every service is ready, and what those that are not wait for
    Ready(commands::ready::Ready),
    /// Check the rules of conservation on a live fleet. Exit code 1: a rule is broken; 3: none is, but
    /// the fleet did not come to rest, and some rules were not judged
    Audit(commands::audit::Audit),
    /// Let the services of this build, or another, make past decisions again, from their topics. Exit code 1: some
    /// would be others; 3: none was judged
    Verify(commands::verify::Verify),
    /// What each event changed for an order, and which changed nothing, service by service
    Explain(commands::verify::Explain),
    /// What consumers of the fleet's topics have to do
    #[command(subcommand)]
    Contract(commands::contract::Contract),
    /// A new service, from a template
    #[command(subcommand)]
    New(commands::new::New),
    /// Completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// The manual: pages of man, or one page of Markdown
    Man(commands::man::Man),
}

fn main() -> ExitCode {
    let misleading = surroundings::misleading();
    if !misleading.is_empty() {
        return start_anew(&misleading);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return output::Output::new(Format::Table).parsed(&said),
    };
    let out = output::Output::new(if cli.json { Format::Json } else { cli.output });
    context::asked(cli.context, cli.yes_on);
    let runtime = tokio::runtime::Runtime::new().context("there are no threads");
    let done = runtime.and_then(|runtime| runtime.block_on(run(cli.command, &out)));
    done.map_or_else(
        |error| {
            out.error(&error);
            exit::of(&error).into()
        },
        output::ended,
    )
}

/// The end of `--help`.
fn exit_codes() -> String {
    let lines = exit::CODES.map(|(code, meaning)| format!("  {code:>3}  {meaning}\n"));
    format!("Exit codes:\n{}", lines.concat())
}

/// A fleet's databases are given by their whole addresses, to which the client would add what the shell
/// says about others.
fn start_anew(without: &[&str]) -> ExitCode {
    let mut command = Command::new("/proc/self/exe");
    let mut args = std::env::args_os();
    // Help and errors name the program as it was called.
    command.arg0(args.next().unwrap_or_else(|| "flotilla".into())).args(args);
    without.iter().for_each(|name| _ = command.env_remove(name));
    let error = anyhow::Error::new(command.exec()).context("cannot start anew");
    output::Output::new(Format::Table).error(&error);
    exit::Exit::No.into()
}

async fn run(command: Commands, out: &output::Output) -> anyhow::Result<ExitCode> {
    match command {
        Commands::Local(command) => commands::local::run(command, out).await,
        Commands::Topics(command) => commands::topics::run(command, out).await,
        Commands::Schema(command) => commands::schema::run(command, out).await,
        Commands::Order(command) => commands::order::run(command, out).await,
        Commands::Payment(command) => {
            commands::calls::run(&commands::payment::CALLER, command, out).await
        }
        Commands::Shipment(command) => {
            commands::calls::run(&commands::shipment::CALLER, command, out).await
        }
        Commands::Stock(command) => commands::stock::run(command, out).await,
        Commands::Context(command) => commands::context::run(command, out),
        Commands::Consumers(command) => commands::consumers::run(command, out).await,
        Commands::Events(command) => commands::events::run(command, out).await,
        Commands::Dlq(command) => commands::dlq::run(command, out).await,
        Commands::Offsets(command) => commands::offsets::run(command, out).await,
        Commands::Ready(asked) => commands::ready::run(asked, out).await,
        Commands::Audit(command) => commands::audit::run(command, out).await,
        Commands::Verify(command) => commands::verify::verify(command, out),
        Commands::Explain(command) => commands::verify::explain(command, out),
        Commands::Contract(command) => commands::contract::run(command, out).await,
        Commands::New(command) => commands::new::run(command, out),
        Commands::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "flotilla", &mut script);
            out.raw(&String::from_utf8_lossy(&script));
            Ok(ExitCode::SUCCESS)
        }
        Commands::Man(asked) => commands::man::run(asked, Cli::command(), out),
    }
}
