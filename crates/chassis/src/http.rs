//! The public API's frame: limits, problems for what no route answers, OpenAPI, and the gate that keeps
//! callers out until the service is ready.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use crate::health::Health;
use crate::problem::Problem;

/// The largest body accepted. An order of 100 lines takes about 8 KiB.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Requests under way at once; beyond it callers are told to come back (429), as each holds memory.
const REQUESTS_MAX: usize = 8_192;
/// How long until an answer begins. Longer than the longest `wait`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(65);

struct Gate {
    places: Semaphore,
    health: Arc<Health>,
}

/// Wraps a service's routes.
pub(crate) fn public(service: &'static str, routes: OpenApiRouter, health: Arc<Health>) -> Router {
    let info = InfoBuilder::new()
        .title(format!("Flotilla {service}"))
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Part of an event-driven fleet that fulfils orders."));
    let base: OpenApi = OpenApiBuilder::new().info(info.build()).build();
    let (routes, mut described) = routes.split_for_parts();
    described.info = base.info;
    let document = described.to_pretty_json().expect("an OpenAPI document is plain data");
    let page = crate::docs_page::render(service, &document);
    let gate = Arc::new(Gate { places: Semaphore::new(REQUESTS_MAX), health });
    let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
    let router = routes
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(gate, admit))
        .route("/openapi.json", get(async move || (json, document.clone())))
        .route("/docs", get(async move || Html(page.clone())));
    with_problems(router, "/docs lists the routes")
}

/// Answers whatever no route answers with a problem. Called last: it covers the routes that are there.
pub(crate) fn with_problems(router: Router, hint: &'static str) -> Router {
    router
        .method_not_allowed_fallback(async move |request: Request| {
            let what = format!("{} {}", request.method(), request.uri().path());
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the route does not take this method")
                .code("method_not_allowed")
                .detail(format!("{what}; {hint}"))
        })
        .fallback(async move |request: Request| {
            Problem::new(StatusCode::NOT_FOUND, "there is no such route")
                .code("unknown_route")
                .detail(format!("{} is not a route; {hint}", request.uri().path()))
        })
        .layer(CatchPanicLayer::custom(panicked))
}

/// Serves until `stop` resolves and the open requests are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // An answer is one small write; waiting to fill a segment would only delay it.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection keeps Nagle's algorithm");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn admit(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    if !gate.health.is_started() {
        let conditions = gate.health.conditions().into_values();
        let reasons: Vec<String> = conditions.map(|condition| condition.reason).collect();
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the service is not ready")
            .code("not_ready")
            .detail(reasons.join("; "))
            .retry_after(Duration::from_secs(1))
            .into_response();
    }
    let Ok(_place) = gate.places.try_acquire() else {
        return Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests")
            .code("busy")
            .retry_after(Duration::from_secs(1))
            .into_response();
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no answer in time")
            .code("timeout")
            .retry_after(Duration::from_secs(1))
            .into_response(),
    }
}

fn panicked(_panic: Box<dyn std::any::Any + Send>) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the request failed")
        .code("failed")
        .detail("a bug; the service's log says where")
        .into_response()
}
