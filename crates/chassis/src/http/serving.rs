//! Serving a port: connections that are bounded in number, in the time that half a request may take, and
//! in the time that a stop waits for them. Separate from routes, and in place of `axum::serve`, which has no
//! timer: half a request would hold its connection, and a stop, forever.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// How long the head of a request may take, counted from its connection's opening or the previous answer; also
/// how long an idle connection is kept. A load balancer in front should keep its own for less.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after the system refused a connection: no file descriptor is left, and it takes some time
/// until others end.
const REFUSED_PAUSE: Duration = Duration::from_millis(250);

/// What a port allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections at once. Others wait in the system's queue until one ends.
    pub(crate) connections: usize,
    /// How long a stop waits for answers that are under way. Then their connections are closed.
    pub(crate) stop: Duration,
}

/// Serves until `stop` resolves and the open requests are answered, or took too long.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended");
            }
            drop(place);
        });
        // Only to drop those that have ended.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if tokio::time::timeout(bounds.stop, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests took too long to be answered; their connections are closed");
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // An answer is one small write; waiting to fill a segment would only delay it.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(error = %error, "a connection keeps Nagle's algorithm");
                }
                return (stream, place);
            }
            // The client went away before it was accepted.
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(error = %error, "a connection cannot be accepted");
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
