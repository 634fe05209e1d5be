//! `flotilla`: the fleet at the command line.

mod commands;
mod output;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "flotilla", version, about = "An event-driven fleet that fulfils orders")]
struct Cli {
    /// Answer with JSON: one document, or a line each where there is no end
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
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
    /// Items and their units
    #[command(subcommand)]
    Stock(commands::stock::Stock),
    /// Events as they happen
    #[command(subcommand)]
    Events(commands::events::Events),
    /// Dead letters
    #[command(subcommand)]
    Dlq(commands::dlq::Dlq),
    /// Check the rules of conservation on a live fleet. Exit code 1: a rule is broken; 3: none is, but
    /// the fleet did not come to rest, and some rules were not judged
    Audit(commands::audit::Audit),
    /// Completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = output::Output::new(cli.json);
    let done = match cli.command {
        Command::Local(command) => commands::local::run(command, &out).await,
        Command::Topics(command) => commands::topics::run(command, &out).await,
        Command::Schema(command) => commands::schema::run(command, &out).await,
        Command::Order(command) => commands::order::run(command, &out).await,
        Command::Stock(command) => commands::stock::run(command, &out).await,
        Command::Events(command) => commands::events::run(command, &out).await,
        Command::Dlq(command) => commands::dlq::run(command, &out).await,
        Command::Audit(command) => commands::audit::run(command, &out).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "flotilla", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        out.error(&error);
        ExitCode::FAILURE
    })
}
