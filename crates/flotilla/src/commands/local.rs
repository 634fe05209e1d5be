//! `flotilla local`: a whole fleet on this machine.

mod doctor;
mod logs;
mod status;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use local::settings::all_on_request;
use local::{Lifetime, Settings};
use serde_json::json;

use super::demo;
use crate::output::Output;
use flotilla::fleet::{Fleet, FleetSettings};

#[derive(Subcommand)]
pub(crate) enum Local {
    /// Start the fleet and lead orders through it, one for each way they can end
    Demo,
    /// Start what does not run: servers, topics, schemas, migrations, services
    Up {
        /// Services besides those that every fleet has, by name; `none` for none, without the option those of
        /// the last time. FLOTILLA_WITH says the same
        #[arg(long, value_delimiter = ',')]
        with: Vec<String>,
        /// Run the services that every fleet has in one process, with their databases in one server; from the
        /// first start on, and without the option as the last time
        #[arg(long)]
        one_process: bool,
        /// Run this many nodes of Kafka, 1 or 3, with a copy of every record on each. Fixed at the first start;
        /// without the option, the number that the fleet was started with
        #[arg(long)]
        brokers: Option<u16>,
    },
    /// Stop everything; nothing is lost
    Down,
    /// What runs, where, and whether it is ready
    Status,
    /// The log of one process
    Logs {
        /// Its name, as `status` lists it
        name: String,
        /// Go on as it grows
        #[arg(short, long)]
        follow: bool,
    },
    /// Stop everything and forget it: orders, topics, schemas
    Reset,
    /// What this machine lacks, and the command that mends it
    Doctor,
}

pub(crate) async fn run(command: Local, out: &Output) -> Result<ExitCode> {
    match command {
        Local::Demo => {
            let fleet = up(&[], false, None, out).await?;
            demo::run(&fleet, out).await?;
            addresses(&fleet, out);
        }
        Local::Up { with, one_process, brokers } => {
            let fleet = up(&with, one_process, brokers, out).await?;
            addresses(&fleet, out);
        }
        // If there is no fleet, everything is stopped and forgotten already.
        Local::Down | Local::Reset if Settings::of_fleet()?.is_none() => {
            out.line("there is no fleet here");
            out.document(&json!({ "stopped": true }));
        }
        Local::Down => {
            super::fleet()?.stop(&out.progress()).await?;
            out.document(&json!({ "stopped": true }));
        }
        Local::Status => return status::status(out).await,
        Local::Logs { name, follow } => logs::logs(&name, follow, out).await?,
        Local::Reset => {
            super::fleet()?.reset(&out.progress()).await?;
            out.document(&json!({ "reset": true }));
        }
        Local::Doctor => return Ok(doctor::examine(out)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn up(
    with: &[String],
    one_process: bool,
    brokers: Option<u16>,
    out: &Output,
) -> Result<Fleet> {
    let mut settings = Settings::from_env()?;
    if !with.is_empty() {
        settings.with = all_on_request(with.iter().map(String::as_str))?;
    }
    if one_process {
        settings.ask_for_one_process()?;
    }
    if let Some(brokers) = brokers {
        settings.ask_for_brokers(brokers)?;
    }
    let settings = FleetSettings::new(settings, Lifetime::UntilStopped)?;
    Fleet::start(settings, &out.progress()).await
}

fn addresses(fleet: &Fleet, out: &Output) {
    let mut rows = Vec::new();
    for service in fleet.services() {
        rows.push((service.to_owned(), format!("{}/docs", fleet.url(service))));
        rows.push((format!("{service} admin"), format!("{}/metrics", fleet.admin_url(service))));
    }
    rows.push(("sandbox".to_owned(), format!("{}/ledger", fleet.url("sandbox"))));
    rows.push(("kafka".to_owned(), fleet.environment().kafka_brokers()));
    rows.push(("registry".to_owned(), fleet.environment().registry_url()));
    for service in fleet.services() {
        let place = fleet.environment().database_place(service);
        let text = format!(
            "127.0.0.1:{}, database {}, role {}, password in {}",
            place.port,
            place.database,
            place.app_role,
            place.password_file.display()
        );
        rows.push((format!("{service} postgres"), text));
    }
    let root = &fleet.environment().settings().root;
    rows.push(("logs".to_owned(), root.join("logs").display().to_string()));
    rows.push(("state".to_owned(), root.display().to_string()));
    out.title("the fleet");
    for (name, address) in &rows {
        out.line(format_args!("  {name:18} {address}"));
    }
    out.title("to try next");
    for command in [
        "./x flotilla order place --sku tea=2 --watch",
        "./x flotilla order list",
        "./x flotilla events tail",
        "./x flotilla stock list",
        "./x flotilla dlq list",
        "./x flotilla audit",
        "./x status, ./x logs order, ./x down",
    ] {
        out.line(format_args!("  {command}"));
    }
    if let Ok(program) = std::env::current_exe() {
        out.line(format_args!("  (flotilla is {})", program.display()));
    }
    let addresses: serde_json::Map<String, serde_json::Value> =
        rows.into_iter().map(|(name, address)| (name, address.into())).collect();
    out.document(&addresses);
}
