//! A collector of traces and metrics, OTLP over gRPC, that counts and forgets them. A program of its own,
//! so that its work is not taken for the services' or the generator's.
//!
//! Served by hyper itself: tonic's own server would switch on HTTP/2 in the HTTP library that the services
//! share with it, and so change what is measured.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Result;
use axum::routing::get;
use axum::{Json, Router};
use bench::collector::{Listening, Received};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status, async_trait};
use tower::Service;

/// What has arrived so far.
#[derive(Clone, Default)]
struct Counts(Arc<(AtomicU64, AtomicU64)>);

impl Counts {
    fn received(&self) -> Received {
        let (spans, metric_exports) = &*self.0;
        Received { spans: spans.load(Relaxed), metric_exports: metric_exports.load(Relaxed) }
    }
}

#[async_trait]
impl TraceService for Counts {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.get_ref().resource_spans.iter().flat_map(|spans| &spans.scope_spans);
        let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
        self.0.0.fetch_add(spans as u64, Relaxed);
        Ok(Response::new(Default::default()))
    }
}

#[async_trait]
impl MetricsService for Counts {
    async fn export(
        &self,
        _all_metrics_of_a_process: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.1.fetch_add(1, Relaxed);
        Ok(Response::new(Default::default()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (otlp, received) =
        tokio::try_join!(TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"))?;
    let listening = Listening { otlp: otlp.local_addr()?, received: received.local_addr()? };
    writeln!(io::stdout(), "{}", serde_json::to_string(&listening)?)?;
    let counts = Counts::default();
    let counted = counts.clone();
    let answer = get(async move || Json(counted.received()));
    let answering = axum::serve(received, Router::new().route("/received", answer));
    tokio::try_join!(answering.into_future(), accept(otlp, counts))?;
    Ok(())
}

async fn accept(otlp: TcpListener, counts: Counts) -> io::Result<Infallible> {
    loop {
        let (stream, _) = otlp.accept().await?;
        tokio::spawn(serve(stream, counts.clone()));
    }
}

async fn serve(stream: TcpStream, counts: Counts) {
    let service = service_fn(move |request| call(counts.clone(), request));
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
    // A sender that is gone needs no answer.
    let _gone = connection.await;
}

/// What is neither metrics nor traces is refused by the service of traces.
async fn call(
    counts: Counts,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Body>, Infallible> {
    let method = request.uri().path().trim_start_matches('/');
    match method.starts_with(MetricsServiceServer::<Counts>::NAME) {
        true => MetricsServiceServer::new(counts).call(request).await,
        false => TraceServiceServer::new(counts).call(request).await,
    }
}
