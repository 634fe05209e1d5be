//! A collector of traces and metrics, OTLP over HTTP, that counts and forgets them. A program of its own,
//! so that its work is not counted as the services' or the generator's.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bench::collector::{Listening, Received};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::TcpListener;

/// What has arrived so far.
#[derive(Clone, Default)]
struct Counts(Arc<(AtomicU64, AtomicU64)>);

impl Counts {
    fn received(&self) -> Received {
        let (spans, metric_exports) = &*self.0;
        Received { spans: spans.load(Relaxed), metric_exports: metric_exports.load(Relaxed) }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let listening = Listening { address: listener.local_addr()? };
    writeln!(io::stdout(), "{}", serde_json::to_string(&listening)?)?;
    let routes = Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(metrics))
        .route("/received", get(async |State(counts): State<Counts>| Json(counts.received())))
        .with_state(Counts::default());
    Ok(axum::serve(listener, routes).await?)
}

async fn traces(State(counts): State<Counts>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let scopes = request.resource_spans.iter().flat_map(|spans| &spans.scope_spans);
    let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
    counts.0.0.fetch_add(spans as u64, Relaxed);
    StatusCode::OK
}

/// Each request holds all metrics of a process.
async fn metrics(State(counts): State<Counts>, body: Bytes) -> StatusCode {
    if ExportMetricsServiceRequest::decode(body).is_err() {
        return StatusCode::BAD_REQUEST;
    }
    counts.0.1.fetch_add(1, Relaxed);
    StatusCode::OK
}
