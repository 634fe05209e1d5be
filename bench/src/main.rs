//! The load benchmark's command line: a fleet of its own, filled, measured, audited, stopped.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench::chart;
use bench::compare::{Comparison, add_round};
use bench::floor;
use bench::report::Report;
use bench::rig::Rig;
use bench::scenario::{Bench, Command, Options};
use clap::{Parser, ValueEnum};
use local::settings::base_from_env;
use local::{Compiler, Environment, Lifetime, Settings};

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The folder of the fleet that is measured, and the first of its ports unless `FLOTILLA_BASE_PORT`
/// says otherwise.
const STATE: &str = ".flotilla/bench";
const BASE_PORT: u16 = 27_400;
/// How long the fleet may take to come to rest after the load.
const REST: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Bench { command, options } = Bench::parse();
    match command {
        Some(Command::Compare { before, after }) => {
            print(&Comparison::of(&read(&before)?, &read(&after)?)?.to_string());
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Floor(options)) => floor(&options).await,
        None => scenario(&options).await,
    }
}

/// Servers of the benchmark's own. Every measurement begins with empty tables and topics.
async fn servers(one_process: bool, brokers: u16) -> Result<Environment> {
    let base = base_from_env()?.unwrap_or(BASE_PORT);
    let mut settings = Settings::new(Path::new(STATE), base)?;
    settings.one_process = one_process;
    settings.kafka_compiler = Compiler::Thorough;
    // What is left of an earlier measurement is forgotten first.
    Environment::new(settings.clone(), Lifetime::WithParent).reset(&local::silent).await?;
    settings.ask_for_brokers(brokers)?;
    Ok(Environment::new(settings, Lifetime::WithParent))
}

fn check(problems: &[String]) -> Result<()> {
    match problems.is_empty() {
        true => Ok(()),
        false => bail!("{}", problems.join("; ")),
    }
}

async fn floor(options: &floor::Options) -> Result<ExitCode> {
    check(&options.problems())?;
    let servers = servers(false, 1).await?;
    let outcome = floor::measure(servers.settings().clone(), options, progress).await;
    // The data in the tables is on no topic, so it is of no use to anybody.
    servers.reset(&local::silent).await?;
    let report = outcome?;
    print(&report.to_string());
    if let Some(file) = &options.json {
        write(file, add_round(None, serde_json::to_value(report)?)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn scenario(options: &Options) -> Result<ExitCode> {
    check(&options.problems())?;
    let servers = servers(options.one_process, options.brokers()).await?;
    let rig = Rig::start(servers.settings().clone(), options, &progress).await?;
    let outcome = measure(&rig, options).await;
    rig.stop().await?;
    match options.preload() {
        0 => servers.stop(&local::silent).await?,
        // Nobody would expect to find gigabytes here later.
        _large => servers.reset(&local::silent).await?,
    }
    outcome
}

async fn measure(rig: &Rig, options: &Options) -> Result<ExitCode> {
    let report = rig.measure(options).await?;
    print(&report.to_string());
    write_files(&report, options)?;
    let audit = rig.audit(REST).await?;
    audit.notes.iter().for_each(|note| print(note));
    match audit.is_clean() {
        true => {
            print(&format!("audit: clean, {} rules", audit.rules.len()));
            Ok(ExitCode::SUCCESS)
        }
        false => bail!("the audit found:\n{}", audit.broken()),
    }
}

fn write_files(report: &Report, options: &Options) -> Result<()> {
    if let Some(file) = &options.json {
        let rounds = (options.append && file.exists()).then(|| read(file)).transpose()?;
        write(file, add_round(rounds.as_deref(), serde_json::to_value(report)?)?)?;
    }
    if let Some(file) = &options.svg {
        let name = options.scenario.to_possible_value();
        let name = name.as_ref().map_or("benchmark", |value| value.get_name());
        let title = format!("{name}: {:.0} completed sagas/s", report.completed_per_second);
        write(file, chart::draw(report, &title)?)?;
    }
    Ok(())
}

fn write(file: &Path, text: String) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn progress(step: &str, took: Option<Duration>) {
    if let Some(took) = took {
        print(&format!("{step}: {:.1} s", took.as_secs_f64()));
    }
}

/// The report is the program's output.
fn print(text: &str) {
    use std::io::Write;
    let _closed = writeln!(std::io::stdout(), "{text}");
}
