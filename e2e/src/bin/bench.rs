//! The load benchmark's command line: a fleet of its own, filled, measured, audited, stopped.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use e2e::load::compare::{Comparison, add_round};
use e2e::load::fleet::{Database, Fleet as Measured, Replica, Service};
use e2e::load::process::{Part, Process as Watched};
use e2e::load::scenario::{Bench, Command, Options, Scenario};
use e2e::load::{run, stock};
use flotilla::audit;
use flotilla::fleet::{Fleet, FleetSettings, Providers};
use local::settings::base_from_env;
use local::{Compiler, Lifetime, Process, SERVICES, Settings};

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
    if let Some(Command::Compare { before, after }) = command {
        print(&Comparison::of(&read(&before)?, &read(&after)?)?.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let problems = options.plan().problems();
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    let base = base_from_env()?.unwrap_or(BASE_PORT);
    let mut settings = Settings::new(Path::new(STATE), base)?;
    settings.kafka_compiler = Compiler::Thorough;
    let mut settings = FleetSettings::new(settings, Lifetime::WithParent)?;
    settings.providers = match options.scenario {
        Scenario::HttpProviders => Providers::Sandbox,
        Scenario::Throughput
        | Scenario::Latency
        | Scenario::HotSku
        | Scenario::FourLines
        | Scenario::Smoke => Providers::InProcess,
    };
    settings.variables.push(("FLOTILLA_LOG".to_owned(), "warn".to_owned()));
    // Every measurement begins with empty tables and topics.
    Fleet::attach(settings.clone()).environment().reset(&local::silent).await?;
    let fleet = Fleet::start(settings, &progress).await?;
    let outcome = measure(&fleet, &options).await;
    fleet.stop(&local::silent).await?;
    outcome
}

async fn measure(fleet: &Fleet, options: &Options) -> Result<ExitCode> {
    let plan = options.plan();
    let measured = describe(fleet)?;
    stock::fill(&measured, plan.skus).await.context("the catalogue cannot be filled")?;
    let report = run::run(&measured, &plan).await?;
    print(&report.to_string());
    if let Some(file) = &options.json {
        let rounds = (options.append && file.exists()).then(|| read(file)).transpose()?;
        std::fs::write(file, add_round(rounds.as_deref(), serde_json::to_value(&report)?)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let audit = audit::run(fleet, REST).await?;
    match audit.is_clean() {
        true => {
            print(&format!("audit: clean, {} rules", audit.rules.len()));
            Ok(ExitCode::SUCCESS)
        }
        false => bail!("the audit found:\n{}", audit.broken()),
    }
}

/// The running fleet as the benchmark sees it.
fn describe(fleet: &Fleet) -> Result<Measured> {
    let address =
        |url: String| -> Result<SocketAddr> { Ok(url.trim_start_matches("http://").parse()?) };
    let mut services = Vec::new();
    let mut databases = Vec::new();
    for name in SERVICES {
        let replica =
            Replica { http: address(fleet.url(name))?, admin: address(fleet.admin_url(name))? };
        services.push(Service { name: name.to_owned(), replicas: vec![replica] });
        let url = fleet.environment().superuser_url(name)?;
        databases.push(Database { name: name.to_owned(), url });
    }
    let running = Process::all(fleet.environment().settings());
    let mut processes: Vec<Watched> = running
        .into_iter()
        .filter_map(|process| {
            let part = part_of(&process.name)?;
            Some(Watched { name: process.name, part, pid: process.pid })
        })
        .collect();
    let pid = std::process::id();
    processes.push(Watched { name: "generator".to_owned(), part: Part::Generator, pid });
    processes.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    Ok(Measured { brokers: fleet.environment().kafka_brokers(), services, databases, processes })
}

/// What a process belongs to; the registry's Postgres does no work per order.
fn part_of(name: &str) -> Option<Part> {
    match name {
        "kafka" => Some(Part::Kafka),
        "registry" => Some(Part::Registry),
        "sandbox" => Some(Part::Providers),
        "postgres-registry" => None,
        name if name.starts_with("postgres-") => Some(Part::Postgres),
        name if SERVICES.contains(&name) => Some(Part::Services),
        _unknown => None,
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn progress(step: &str, took: Option<Duration>) {
    if let Some(took) = took {
        print(&format!("{step}: {:.1} s", took.as_secs_f64()));
    }
}

/// The report is the program's answer.
fn print(text: &str) {
    use std::io::Write;
    let _closed = writeln!(std::io::stdout(), "{text}");
}
