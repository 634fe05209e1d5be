//! The admin port's OpenAPI document. Separate from the routes, as those are generic over the service and their
//! descriptions are not.

use utoipa::OpenApi;

use super::{dead_letters, outbox};
use crate::consume::consumer::repair;
use crate::http::openapi;

/// Is the process alive?
///
/// Kubernetes' question before it kills.
#[utoipa::path(get, path = "/livez", tag = "health", operation_id = "livez",
    responses(
        (status = OK, description = "it is", body = String, content_type = "text/plain",
            example = "ok"),
        (status = SERVICE_UNAVAILABLE, description = "it hangs, and starting it anew may help",
            body = String, content_type = "text/plain"),
    ))]
#[expect(dead_code, reason = "describes a route that is a closure")]
fn livez() {}

/// What a replica waits for
///
/// Ready or not; degraded where it is ready and waits for something.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "readyz",
    responses(
        (status = OK, description = "it is ready", body = Readiness),
        (status = SERVICE_UNAVAILABLE, description = "it is not ready", body = Readiness),
    ))]
#[expect(dead_code, reason = "describes a route that is generic")]
fn readyz() {}

/// What a replica measures, for Prometheus
///
/// In the text format, version 0.0.4.
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = OK, description = "all metrics", body = String, content_type = "text/plain")))]
#[expect(dead_code, reason = "describes a route that is generic")]
fn metrics() {}

/// Whether a replica is ready, and what it waits for.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes what a route answers")]
struct Readiness {
    #[schema(example = "order")]
    service: String,
    ready: bool,
    /// The reason by part, such as `kafka` or `database`.
    waits_for: std::collections::BTreeMap<String, String>,
    /// Since when, by part.
    since: std::collections::BTreeMap<String, chrono::DateTime<chrono::Utc>>,
    /// When something was last done that needs a dependency: `database` (a commit), `kafka` (an event was
    /// published), a provider by its name (a call had an outcome). What nobody needed is not there.
    progress: std::collections::BTreeMap<String, chrono::DateTime<chrono::Utc>>,
}

#[derive(OpenApi)]
#[openapi(
    paths(
        livez,
        readyz,
        metrics,
        dead_letters::list,
        dead_letters::show,
        dead_letters::retry,
        dead_letters::give_up,
        outbox::show,
        outbox::republish,
        repair::list,
        repair::go_on
    ),
    tags(
        (name = "health", description = "whether a replica works"),
        (name = "dead letters", description = "what could not be processed"),
        (name = "outbox", description = "what is to be published"),
        (name = "offsets", description = "how far the service has read"),
    )
)]
struct Documented;

/// The document of every service's admin port.
pub fn document() -> utoipa::openapi::OpenApi {
    openapi::documented("admin", Documented::openapi())
}
