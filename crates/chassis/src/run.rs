//! The life of a process: the command line of a program that is a service, or has several. A dependency that is away
//! is waited for and named, and the process is not ready meanwhile.

pub(crate) mod env;
pub(crate) mod config;
pub(crate) mod crash;
pub(crate) mod describe;
mod ready;
mod safety;
mod tasks;
mod stop;
mod start;
mod wait;
mod life;
pub(crate) mod hosted;
mod together;

use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use self::config::{Config, EXIT_CONFIG};
use self::env::{Env, PREFIX, Place};
use self::hosted::{Configured, Hosted, Program, hosted};
use self::together::Read;
use crate::app::App;
use crate::ops::logs;
use crate::service::Service;
use crate::verify::{Asked, EXIT_DIFFERENT, EXIT_UNJUDGED, Question};
use crate::wire::codec;

#[derive(Parser)]
#[command(about = "Services of the Flotilla fleet", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run (the default)
    Serve,
    /// Bring the schema of each database up to date, as its owner
    Migrate,
    /// Exit with 0 if what runs beside this command is ready (a container's health check)
    Ready,
    /// List every environment variable that is read
    Settings,
    /// Say what a service hears, publishes, calls and measures, and its settings
    Describe {
        /// As one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make past decisions again, with this build, from what was heard and said on topics. Exit code 1: some would be
    /// others; 3: none was judged
    Verify {
        /// Keep at most this many keys in memory; the others are not judged
        #[arg(long, value_name = "NUMBER", default_value_t = KEYS_MAX)]
        keys: usize,
        /// Judge only keys about which nothing came for so long: more may be on its way
        #[arg(long, value_name = "SECONDS", default_value_t = QUIET_SECONDS)]
        quiet: u64,
        /// As JSON, a document for each service
        #[arg(long)]
        json: bool,
    },
    /// Say what each event changed for a key, an order as a rule, and which changed nothing. Exit codes as of `verify`
    Explain {
        /// The key
        key: String,
        /// As JSON, a document for each service
        #[arg(long)]
        json: bool,
    },
}

/// Keys that `verify` keeps in memory. A bound, and no measure of what a machine can hold.
const KEYS_MAX: usize = 100_000;
/// How long a key is left alone: well above what a step takes, also while services restart.
const QUIET_SECONDS: u64 = 60;

/// The whole of a service's `main`.
pub fn main<S: Service>(app: fn(&mut Env) -> App<S>) -> ExitCode {
    host([hosted(app)])
}

/// The whole of the `main` of a program that has several services. Each has its own settings, ports, tasks and
/// threads, as if it were alone; all of them stop together, and the end of one is the end of the process.
pub fn host<const N: usize>(services: [Hosted; N]) -> ExitCode {
    let services = services.map(|Hosted(service)| service);
    let arguments = Arguments::parse();
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(&services),
        Command::Migrate => migrate(&services),
        Command::Ready => are_ready(&services),
        Command::Settings => {
            let (read, _) = configure(&services);
            together::settings(&read).iter().for_each(|line| print_line(line));
            ExitCode::SUCCESS
        }
        Command::Describe { json } => {
            let described = services.iter().map(|service| service.describe()).collect();
            let whole = describe::Whole::of(described);
            let text = match json {
                true => serde_json::to_string_pretty(&whole).expect("a description is plain data"),
                false => whole.to_string(),
            };
            print_line(text.trim_end());
            ExitCode::SUCCESS
        }
        Command::Verify { keys, quiet, json } => {
            verify(&services, json, &Question::Verify, keys, Duration::from_secs(quiet))
        }
        Command::Explain { key, json } => {
            verify(&services, json, &Question::Explain(key), 1, Duration::ZERO)
        }
    }
}

/// The settings of each service, before anything is read from them.
fn environments(services: &[Box<dyn Program>]) -> Vec<Read> {
    let are_several = services.len() > 1;
    let read = |(number, service)| {
        let env = Env::from_process();
        let env = if are_several { env.at(Place { service, number }) } else { env };
        Read { service, env }
    };
    (0..).zip(services.iter().map(|service| service.name())).map(read).collect()
}

fn configure(services: &[Box<dyn Program>]) -> (Vec<Read>, Vec<Box<dyn Configured>>) {
    let mut read = environments(services);
    let configured: Vec<Box<dyn Configured>> = services
        .iter()
        .zip(&mut read)
        .map(|(service, read)| service.configure(&mut read.env))
        .collect();
    let configs: Vec<&Config> = configured.iter().map(|service| service.config()).collect();
    together::keep_apart(&mut read, &configs);
    (read, configured)
}

fn serve(services: &[Box<dyn Program>]) -> ExitCode {
    let (read, configured) = configure(services);
    let problems = together::problems(&read);
    if !problems.is_empty() {
        return refuse(&problems);
    }
    let levels = services.iter().zip(&configured);
    logs::init(levels.map(|(of, service)| (of.name(), service.config().log.clone())).collect());
    codec::limit_allocations();
    let stop = CancellationToken::new();
    // Whatever ends one of them ends the others.
    let live = |service: Box<dyn Configured>| {
        let _others = stop.clone().drop_guard();
        service.serve(&stop).inspect_err(|error| tracing::error!("{error:#}")).is_ok()
    };
    let live = &live;
    let went_well = thread::scope(|scope| {
        let running: Vec<_> =
            configured.into_iter().map(|service| scope.spawn(move || live(service))).collect();
        // All of them are waited for, whatever became of the first.
        let ended = running.into_iter().map(|service| service.join().unwrap_or(false));
        ended.collect::<Vec<bool>>().into_iter().all(|went_well| went_well)
    });
    if went_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One after the other, so that what fails is the last thing that was said.
fn migrate(services: &[Box<dyn Program>]) -> ExitCode {
    let mut read = environments(services);
    let wanted: Vec<_> = read.iter_mut().map(|read| config::migration(&mut read.env)).collect();
    let urls: Vec<_> = wanted.iter().map(|(url, _role)| url).collect();
    together::keep_databases_apart(&mut read, "OWNER_DATABASE_URL", &urls);
    let problems = together::problems(&read);
    if !problems.is_empty() {
        return refuse(&problems);
    }
    for (service, (url, role)) in services.iter().zip(wanted) {
        let name = service.name();
        if let Err(error) = service.migrate(&url.0, role.as_deref()) {
            print_error(&format!("{name}: cannot migrate: {error:#}"));
            return ExitCode::FAILURE;
        }
        print_line(&format!("{name}: the schema is up to date"));
    }
    ExitCode::SUCCESS
}

fn are_ready(services: &[Box<dyn Program>]) -> ExitCode {
    let mut read = environments(services);
    let addresses: Vec<_> =
        read.iter_mut().map(|read| config::admin_address(&mut read.env)).collect();
    let problems = together::problems(&read);
    if !problems.is_empty() {
        return refuse(&problems);
    }
    // Side by side: whoever asks has no more patience for several than for one.
    let answers: Vec<_> = thread::scope(|scope| {
        let asking = addresses.into_iter().map(|admin| scope.spawn(move || ready::ask(admin)));
        let asking: Vec<_> = asking.collect();
        let panicked = || Err("asking it panicked".to_owned());
        asking.into_iter().map(|one| one.join().unwrap_or_else(|_| panicked())).collect()
    });
    let mut code = ExitCode::SUCCESS;
    for (service, answer) in services.iter().zip(answers) {
        if let Err(why) = answer {
            print_error(&format!("{} is not ready: {why}", service.name()));
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn verify(
    services: &[Box<dyn Program>],
    json: bool,
    question: &Question,
    keys_max: usize,
    quiet: Duration,
) -> ExitCode {
    let mut read = environments(services);
    let asked = |read: &mut Read| Asked::with(&mut read.env, question.clone(), keys_max, quiet);
    let asked: Vec<Asked> = read.iter_mut().map(asked).collect();
    let problems = together::problems(&read);
    if !problems.is_empty() {
        return refuse(&problems);
    }
    codec::limit_allocations();
    let mut has_failed = false;
    let mut codes = Vec::new();
    for (service, asked) in services.iter().zip(&asked) {
        let name = service.name();
        match service.verify(asked) {
            Some(Ok(answer)) => {
                let text = match json {
                    true => serde_json::to_string(&answer).expect("an answer is plain data"),
                    false => answer.to_string(),
                };
                print_line(text.trim_end());
                codes.push(answer.code());
            }
            Some(Err(error)) => {
                print_error(&format!("{name}: {error:#}"));
                has_failed = true;
            }
            None => print_error(&format!("{name} does not say how its decisions are made again")),
        }
    }
    // Not every service has heard of an order; but where one could not look, the others are no proof.
    let is_unknown = has_failed || codes.iter().all(|code| *code == EXIT_UNJUDGED);
    match (codes.contains(&EXIT_DIFFERENT), is_unknown) {
        (true, _) => ExitCode::from(EXIT_DIFFERENT),
        (false, true) => ExitCode::from(EXIT_UNJUDGED),
        (false, false) => ExitCode::SUCCESS,
    }
}

fn refuse(problems: &[String]) -> ExitCode {
    print_error("the configuration cannot work:");
    problems.iter().for_each(|problem| print_error(&format!("  - {problem}")));
    print_error(&format!("`settings` lists every variable; all begin with {PREFIX}"));
    ExitCode::from(EXIT_CONFIG)
}

/// What a command has to say. A reader that has seen enough (`| head`) is not a failure.
fn print_line(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}

#[expect(clippy::print_stderr, reason = "logs are not started yet, and a person reads this")]
fn print_error(text: &str) {
    eprintln!("{text}");
}
