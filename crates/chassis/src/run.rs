//! The life of a service's process: configuration, start, work, stop. A dependency that is away is
//! waited for and named, and the process is not ready meanwhile.

pub(crate) mod config;
pub(crate) mod crash;
pub(crate) mod describe;
mod safety;
mod start;
mod stop;
mod tasks;
mod wait;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::config::{Config, EXIT_CONFIG, Env, PREFIX};
use crate::app::App;
use crate::consume::consumer;
use crate::postgres::database;
use crate::service::Service;
use crate::wire::codec;
use start::Running;
use stop::share;
use tasks::Part;

/// Worker threads. At any load the executor and the relay are one task each, and HTTP is about one task's work; a
/// third thread was not seen to help.
const WORKERS: usize = 2;

#[derive(Parser)]
#[command(about = "A service of the Flotilla fleet", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service (the default)
    Serve,
    /// Bring the database's schema up to date, as its owner
    Migrate,
    /// List every environment variable that is read
    Settings,
    /// Say what the service hears, publishes, calls and measures, and its settings
    Describe {
        /// As one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// The whole of a service's `main`.
pub fn main<S: Service>(app: fn(&mut Env) -> App<S>) -> ExitCode {
    let arguments = Arguments::parse();
    let mut env = Env::from_process();
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(app, env),
        Command::Migrate => migrate(app, env),
        Command::Settings => {
            app(&mut env);
            Config::read(&mut env);
            env.known().iter().for_each(|setting| print_line(&setting.to_string()));
            ExitCode::SUCCESS
        }
        Command::Describe { json } => {
            let whole = describe::Whole::of(app);
            let text = match json {
                true => serde_json::to_string_pretty(&whole).expect("a description is plain data"),
                false => whole.to_string(),
            };
            print_line(text.trim_end());
            ExitCode::SUCCESS
        }
    }
}

fn serve<S: Service>(app: fn(&mut Env) -> App<S>, mut env: Env) -> ExitCode {
    let app = app(&mut env);
    let config = Config::read(&mut env);
    for name in app.misspelt() {
        env.problem(format!("the service names a record that does not exist: {name}"));
    }
    if !env.problems().is_empty() {
        return refuse(&env);
    }
    crate::ops::telemetry::init_logs(config.log.clone());
    codec::limit_allocations();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .expect("threads can be started");
    let ended = runtime.block_on(run(app, config));
    // Anything that still blocks (a client that cannot reach Kafka) must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_millis(500));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn migrate<S: Service>(app: fn(&mut Env) -> App<S>, mut env: Env) -> ExitCode {
    // Only the migrations are of interest; the service's own settings need not be set.
    let app = app(&mut Env::from_fn(|_| None));
    let (url, role) = config::migration(&mut env);
    if !env.problems().is_empty() {
        return refuse(&env);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    match runtime.block_on(database::migrate(&url.0, app.migrations, role.as_deref())) {
        Ok(()) => {
            print_line(&format!("{}: the schema is up to date", S::NAME));
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_error(&format!("{}: cannot migrate: {error:#}", S::NAME));
            ExitCode::FAILURE
        }
    }
}

fn refuse(env: &Env) -> ExitCode {
    print_error("the configuration cannot work:");
    env.problems().iter().for_each(|problem| print_error(&format!("  - {problem}")));
    print_error(&format!("`settings` lists every variable; all begin with {PREFIX}"));
    ExitCode::from(EXIT_CONFIG)
}

async fn run<S: Service>(app: App<S>, config: Config) -> anyhow::Result<()> {
    let began = Instant::now();
    let bind = |address| async move {
        TcpListener::bind(address).await.map_err(|error| {
            anyhow::anyhow!("cannot listen on {address}: {error}; is another process there?")
        })
    };
    let public = bind(config.http_address).await?;
    let admin = bind(config.admin_address).await?;
    let mut signals = Signals::new()?;
    let (mut starting, mut tasks) = start::Starting::new(app, config, public, admin)?;
    let ids = tokio::select! {
        ids = starting.dependencies() => ids,
        () = signals.stop() => {
            tracing::info!("stopped while starting");
            return Ok(());
        }
        ended = tasks.ended() => return Err(ended.into()),
    };
    let mut running = starting.start(&ids, tasks)?;
    running.health.set_started();
    tracing::info!(after_ms = began.elapsed().as_millis() as u64, "ready");
    let ended = tokio::select! {
        () = signals.stop() => None,
        ended = running.tasks.ended() => Some(ended),
    };
    tracing::info!("stopping");
    let limit = running.shutdown_timeout;
    match tokio::time::timeout(limit, running.stop()).await {
        Ok(()) => tracing::info!("stopped"),
        // Nothing is lost: what was not committed runs again, what was not published is in its row.
        Err(_elapsed) => tracing::warn!("the stop took too long and was cut short"),
    }
    // The others have stopped in good order. The supervisor that restarts the process learns why it ended.
    ended.map_or(Ok(()), |ended| Err(ended.into()))
}

/// SIGTERM or SIGINT. A second one changes nothing: the stop is under way and bounded.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves when the process is told to stop.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Running {
    /// Stops in the order in which nothing is lost: accept nothing, fetch nothing, finish what waits,
    /// publish what is committed, leave. Each has a share of the time, so that one that hangs does not
    /// keep the others from giving back the lease and leaving the group.
    async fn stop(self) {
        let share = share(self.shutdown_timeout);
        let Running { mut tasks, stop, seat, senders, telemetry, .. } = self;
        stop.accepting.cancel();
        // It limits itself to one share.
        tasks.join(Part::Http, share * 2).await;
        stop.fetching.cancel();
        tasks.join(Part::Consumer, share).await;
        // The executor ends when nobody can send it anything more and its queue is empty.
        drop(senders);
        tasks.join(Part::Executor, share).await;
        stop.publishing.cancel();
        tasks.join(Part::Relay, share).await;
        if let Some(seat) = seat {
            let left = tokio::task::spawn_blocking(move || consumer::leave(&seat));
            if !matches!(tokio::time::timeout(share, left).await, Ok(Ok(()))) {
                tracing::warn!("leaving the group failed; it notices by itself");
            }
        }
        tasks.join(Part::Sweep, share).await;
        // What only observes, and the admin port, which has reported the stop until here.
        drop(tasks);
        let _flushed = tokio::task::spawn_blocking(move || telemetry.shutdown()).await;
    }
}

/// What a command has to say. A reader that has seen enough (`| head`) is not a failure.
fn print_line(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}

#[expect(clippy::print_stderr, reason = "logs are not started yet, and a person reads this")]
fn print_error(text: &str) {
    eprintln!("{text}");
}
