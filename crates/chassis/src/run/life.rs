//! The life of a service: bind, wait for what it needs, work, stop. Whether it is alone in its process or one of
//! several, it has a runtime and threads of its own, so that one that is busy keeps no other from its work.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::start::{Running, Starting};
use super::stop::share;
use super::tasks::{Ended, Part};
use crate::app::App;
use crate::consume::consumer;
use crate::ops::logs;
use crate::service::Service;

/// Worker threads. At any load the executor and the relay are one task each, and HTTP is about one task's work; a
/// third thread was not seen to help.
const WORKERS: usize = 2;
/// How long what still blocks (a client that cannot reach Kafka) may keep the process after the stop.
const LEFTOVERS: Duration = Duration::from_millis(500);

/// Serves until the process is told to stop, `stop` is cancelled, or a part has ended.
pub(super) fn serve<S: Service>(
    app: App<S>,
    config: Config,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    logs::works_for(S::NAME);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name(S::NAME)
        .on_thread_start(|| logs::works_for(S::NAME))
        .enable_all()
        .build()?;
    let ended = runtime.block_on(run(app, config, stop));
    runtime.shutdown_timeout(LEFTOVERS);
    ended
}

async fn run<S: Service>(
    app: App<S>,
    config: Config,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let began = Instant::now();
    // First: the kernel ignores a signal to the first process of a container that does not ask for it.
    let mut told = Told::by_signals_or(stop)?;
    let bind = |address| async move {
        TcpListener::bind(address).await.map_err(|error| {
            anyhow::anyhow!("cannot listen on {address}: {error}; is another process there?")
        })
    };
    let public = bind(config.http_address).await?;
    let admin = bind(config.admin_address).await?;
    let (mut starting, mut tasks) = Starting::new(app, config, public, admin)?;
    let ids = tokio::select! {
        ids = starting.dependencies() => ids,
        () = told.wait() => {
            tracing::info!("stopped while starting");
            return Ok(());
        }
        ended = tasks.ended() => return Err(ended.into()),
    };
    let mut running = starting.start(&ids, tasks)?;
    running.health.set_started();
    tracing::info!(after_ms = began.elapsed().as_millis() as u64, "ready");
    let ended = tokio::select! {
        () = told.wait() => None,
        ended = running.tasks.ended() => Some(ended),
    };
    // The other services of this process stop beside this one.
    stop.cancel();
    tracing::info!("stopping");
    let latest = tokio::time::Instant::now() + running.shutdown_timeout;
    // A service that has lost a part serves nobody any longer than it must.
    let ended = match ended {
        None => running.send_callers_elsewhere().await,
        lost => lost,
    };
    match tokio::time::timeout_at(latest, running.stop()).await {
        Ok(()) => tracing::info!("stopped"),
        // Nothing is lost: what was not committed runs again, what was not published is in its row.
        Err(_elapsed) => tracing::warn!("the stop took too long and was cut short"),
    }
    // The others have stopped in good order. The supervisor that restarts the process learns why it ended.
    ended.map_or(Ok(()), |ended| Err(ended.into()))
}

/// SIGTERM or SIGINT, or the end of another service in this process. A further one changes nothing: the stop is under
/// way and bounded.
struct Told<'a> {
    terminate: Signal,
    interrupt: Signal,
    stop: &'a CancellationToken,
}

impl<'a> Told<'a> {
    fn by_signals_or(stop: &'a CancellationToken) -> std::io::Result<Self> {
        Ok(Told {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop,
        })
    }

    /// Resolves when the service is told to stop.
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = self.stop.cancelled() => {}
        }
    }
}

impl Running {
    /// Serves on, not ready, until whoever balances the load has noticed, which nobody says; or until a part has
    /// ended.
    async fn send_callers_elsewhere(&mut self) -> Option<Ended> {
        self.stop.leaving.cancel();
        tokio::select! {
            () = tokio::time::sleep(self.stop_delay) => None,
            ended = self.tasks.ended() => Some(ended),
        }
    }

    /// Stops in the order in which nobody is cut off and nothing is lost: accept nothing, fetch nothing, finish what
    /// waits, publish what is committed, leave. Each has a share of the time, so that one that hangs does not keep the
    /// others from giving back the lease and leaving the group.
    async fn stop(self) {
        let share = share(self.shutdown_timeout.saturating_sub(self.stop_delay));
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
