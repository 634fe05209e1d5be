//! The simulator as a program.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use sandbox::conduct::{Change, Conduct, Settings};
use sandbox::journal::Durability;
use sandbox::simulator::Simulator;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A payment provider and a carrier to develop and test against.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 takes a free one, which is printed. The ledger and the control need
    /// no key, so anything but the loopback shows them to others.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Do not serve: exit with 0 if a sandbox on this machine is ready there (a container's health check).
    #[arg(long)]
    ready: bool,
    /// The journal that survives a restart. Without it everything is forgotten in the end.
    #[arg(long, env = "SANDBOX_LEDGER", value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Answer only when the journal is on the disk itself, so that it survives a loss of power.
    #[arg(long, env = "SANDBOX_FSYNC", requires = "ledger")]
    fsync: bool,
    /// How long every call takes.
    #[arg(long, env = "SANDBOX_LATENCY_MS")]
    latency_ms: Option<u64>,
    /// How much longer calls with the card tok_slow or the destination NZ take [default: 1500].
    #[arg(long, env = "SANDBOX_SLOW_MS")]
    slow_ms: Option<u64>,
    /// The share of calls that are answered 503 and not carried out, from 0 to 1.
    #[arg(long, env = "SANDBOX_FAILURE_RATE")]
    failure_rate: Option<f64>,
    /// The share of calls that are carried out and not answered, from 0 to 1.
    #[arg(long, env = "SANDBOX_LOSE_ANSWER_RATE")]
    lose_answer_rate: Option<f64>,
    /// How long an answer is held back before the call ends all the same [default: 120000].
    #[arg(long, env = "SANDBOX_HOLD_MS")]
    hold_ms: Option<u64>,
    /// How long idempotency keys are known [default: 86400000, a day].
    #[arg(long, env = "SANDBOX_KEY_MEMORY_MS")]
    key_memory_ms: Option<u64>,
    /// How long after a payment was made it is found by its order [default: 0].
    #[arg(long, env = "SANDBOX_SEARCH_LAG_MS")]
    search_lag_ms: Option<u64>,
    /// What the shares are drawn from.
    #[arg(long, env = "SANDBOX_SEED", default_value_t = 0)]
    seed: u64,
    /// Level of logs, also by module: warn,sandbox::http=debug.
    #[arg(long, env = "SANDBOX_LOG", default_value = "info")]
    log: Targets,
}

/// How long calls under way may take at shutdown. A held answer would take minutes.
const GRACE: Duration = Duration::from_secs(2);
/// How long an answer to the question whether it is ready may take. Whoever asks will ask again.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.ready {
        return is_ready(args.listen.port());
    }
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(args.log.clone()).with(logs).init();
    let simulator = simulator(&args)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    // On standard output, because a caller that asked for port 0 reads it from there.
    println!("listening on http://{}", listener.local_addr()?);

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async {
        // An error means that the sender is gone, and the program with it.
        let _gone = stopped.await;
    };
    let mut server = std::pin::pin!(sandbox::http::serve(listener, simulator, shutdown));
    tokio::select! {
        ended = &mut server => return Ok(ended?),
        _ = interrupt.recv() => tracing::info!("interrupted"),
        _ = terminate.recv() => tracing::info!("terminated"),
    }
    // Nobody is listening any more if the server ended at the same moment.
    let _ended = stop.send(());
    match tokio::time::timeout(GRACE, server).await {
        Ok(ended) => Ok(ended?),
        Err(_still_under_way) => Ok(()),
    }
}

fn is_ready(port: u16) -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("nobody listens on {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let question = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    // In one write: a server that answers and closes after the first part would refuse the second.
    stream.write_all(question.as_bytes())?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).context("there was no answer in time")?;
    anyhow::ensure!(status == *b"HTTP/1.1 200", "{}", String::from_utf8_lossy(&status));
    Ok(())
}

fn simulator(args: &Args) -> anyhow::Result<Arc<Simulator>> {
    let settings = Settings::default().changed(Change {
        latency_ms: args.latency_ms,
        slow_ms: args.slow_ms,
        failure_rate: args.failure_rate,
        lose_answer_rate: args.lose_answer_rate,
        hold_ms: args.hold_ms,
        key_memory_ms: args.key_memory_ms,
        search_lag_ms: args.search_lag_ms,
    })?;
    let conduct = Conduct::new(settings, args.seed);
    let Some(ledger) = &args.ledger else {
        return Ok(Simulator::in_memory(conduct));
    };
    let durability = if args.fsync { Durability::Synced } else { Durability::Written };
    let (simulator, replayed) = Simulator::open(ledger, durability, conduct)?;
    if replayed.torn_bytes > 0 {
        tracing::warn!(bytes = replayed.torn_bytes, "cut off an act that was never answered");
    }
    tracing::info!(acts = replayed.acts, ledger = %ledger.display(), "ledger read");
    Ok(simulator)
}
