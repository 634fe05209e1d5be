//! The public API's frame: limits, problems for what no route answers, and the gate that keeps callers
//! out until the service is ready.

pub(crate) mod problem;
pub(crate) mod extract;
pub(crate) mod described;
pub(crate) mod watch;
pub mod openapi;
pub(crate) mod docs_page;
mod serving;
mod timed;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::FromRequest;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::http::problem::Problem;
use crate::ops::health::Health;
use crate::ops::telemetry::Telemetry;
pub(crate) use serving::{Bounds, serve};

/// The largest body accepted. An order of 100 lines takes about 8 KiB.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Requests under way at once; beyond that callers are told to come back (429), as each holds memory.
const REQUESTS_MAX: usize = 8_192;
/// How long until an answer begins. Longer than the longest `wait`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(65);

/// How long the body of a request may take. It is small, so a client that needs longer is not sending it.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections to the public port at once: those of all requests under way, and some that are idle.
pub(crate) const CONNECTIONS_MAX: usize = REQUESTS_MAX + 2_048;
/// Connections to the admin port at once: probes, collectors and a few people.
pub(crate) const ADMIN_CONNECTIONS_MAX: usize = 256;

/// Keeps callers out until the service is ready, and when there are more than it can serve.
struct Gate {
    places: Semaphore,
    patience: Duration,
    health: Arc<Health>,
}

impl Gate {
    fn in_front_of(self, routes: Router) -> Router {
        routes
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(middleware::from_fn_with_state(Arc::new(self), admit))
    }
}

/// Wraps a service's routes.
pub(crate) fn public(
    service: &'static str,
    routes: OpenApiRouter,
    health: Arc<Health>,
    telemetry: Arc<Telemetry>,
) -> Router {
    let (routes, described) = routes.split_for_parts();
    let leaving = Arc::clone(&health);
    let gate = Gate { places: Semaphore::new(REQUESTS_MAX), patience: ANSWER_TIMEOUT, health };
    let router = gate.in_front_of(routes);
    let router = openapi::serve(router, service, openapi::documented(service, described));
    let router = with_problems(router, "/docs lists the routes");
    let router = router.layer(middleware::from_fn_with_state(leaving, send_elsewhere));
    // Outermost, so that what the gate refuses and what panicked is among it.
    router.layer(middleware::from_fn_with_state(telemetry, timed::timed))
}

/// Answers what no route answers with a problem. Called last, as it covers the existing routes.
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
    answer_within(gate.patience, request, next).await
}

/// An answer of a service that is about to stop is the last on its connection: the caller opens its next one where
/// somebody stays. Only a connection over which nothing is answered meanwhile is closed without an answer, and a
/// request that is on its way at that moment is lost.
async fn send_elsewhere(
    State(health): State<Arc<Health>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if health.is_leaving() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Bounds how long a request may take to arrive, and its answer to begin.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    answer_within(ANSWER_TIMEOUT, request, next).await
}

async fn answer_within(patience: Duration, request: Request, next: Next) -> Response {
    let request = match with_body(request).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no answer in time")
            .code("timeout")
            .retry_after(Duration::from_secs(1))
            .into_response(),
    }
}

/// The request with its whole body, so that no route waits for half of one.
async fn with_body(request: Request) -> Result<Request, Problem> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let mut alone = Request::new(body);
    DefaultBodyLimit::max(MAX_BODY_BYTES).apply(&mut alone);
    let whole = extract::whole(Bytes::from_request(alone, &()), BODY_TIMEOUT).await?;
    Ok(Request::from_parts(parts, Body::from(whole)))
}

fn panicked(_panic: Box<dyn std::any::Any + Send>) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the request failed")
        .code("failed")
        .detail("a bug; the service's log says where")
        .into_response()
}

#[cfg(test)]
mod tests;
