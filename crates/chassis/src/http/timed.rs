//! How long each answer takes, by route and status: rate, errors and durations of the public port in one histogram.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::{KeyValue, Value};

use crate::ops::telemetry::Telemetry;

/// What stands in place of a route where there is none: paths are as many as callers think of.
const NO_ROUTE: &str = "none";
/// What stands in place of a status where there was none: the caller went away, or a stop closed the connection.
const ABANDONED: &str = "abandoned";

/// A request under way. Recorded when it is dropped, as that is all that happens then.
struct Timed {
    telemetry: Arc<Telemetry>,
    started: Instant,
    method: &'static str,
    route: Option<MatchedPath>,
    status: Option<StatusCode>,
}

impl Drop for Timed {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
        let status: Value = match self.status {
            Some(status) => i64::from(status.as_u16()).into(),
            None => ABANDONED.into(),
        };
        let labels = [
            KeyValue::new("method", self.method),
            KeyValue::new("route", route.to_owned()),
            KeyValue::new("status", status),
        ];
        let seconds = self.started.elapsed().as_secs_f64();
        self.telemetry.metrics.http_seconds.record(seconds, &labels);
    }
}

/// Times a request until its answer begins.
pub(super) async fn timed(
    State(telemetry): State<Arc<Telemetry>>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = word_of(request.method());
    let mut timed = Timed { telemetry, started: Instant::now(), method, route, status: None };
    let response = next.run(request).await;
    timed.status = Some(response.status());
    response
}

/// A method that some route has, or one word for all others: callers may send any.
fn word_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _other => "other",
    }
}
