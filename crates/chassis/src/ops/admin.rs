//! The admin port: health, readiness, metrics, dead letters and the outbox. Never on the public address.

pub(crate) mod database;
mod dead_letters;
mod documented;
mod outbox;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::{mpsc, watch};
use utoipa_axum::router::OpenApiRouter;

use crate::consume::consumer::{Sight, repair};
use crate::consume::subscription::Subscription;
use crate::executor::progress::Progress;
use crate::executor::queue::Item;
use crate::http::openapi;
use crate::http::{self, MAX_BODY_BYTES};
use crate::ops::health::Health;
use crate::ops::telemetry::Telemetry;
use crate::service::Service;
use crate::wire::registry::Registry;
pub use documented::document;

/// What replaying needs: the subscriptions once the schemas' ids are known, and the queue.
pub(crate) struct Replays<S: Service> {
    pub(crate) subscriptions: Vec<Box<dyn Subscription<S>>>,
    pub(crate) items: mpsc::WeakSender<Item<S>>,
    pub(crate) registry: Registry,
}

pub(crate) struct Admin<S: Service> {
    pub(crate) db: PgPool,
    pub(crate) health: Arc<Health>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) replays: watch::Receiver<Option<Arc<Replays<S>>>>,
    /// The topics that the service publishes to.
    pub(crate) topics: Vec<String>,
    pub(crate) sight: Arc<Sight>,
}

/// The admin port's routes, with what the service lets operators do.
pub(crate) fn router<S: Service>(operators: OpenApiRouter, admin: Admin<S>) -> Router {
    admin.telemetry.metrics.standing.show(Arc::clone(&admin.health), admin.db.clone());
    let router = Router::new()
        .route("/livez", get(livez::<S>))
        .route("/readyz", get(readyz::<S>))
        .route("/metrics", get(metrics::<S>))
        .route("/dead-letters", get(dead_letters::list::<S>))
        .route("/dead-letters/{id}", get(dead_letters::show::<S>))
        .route("/dead-letters/{id}/retry", post(dead_letters::retry::<S>))
        .route("/dead-letters/{id}/drop", post(dead_letters::give_up::<S>))
        .route("/outbox", get(outbox::show::<S>))
        .route("/outbox/republish", post(outbox::republish::<S>))
        .merge(repair::router(Arc::clone(&admin.sight)))
        .with_state(Arc::new(admin));
    let (operators, described) = operators.split_for_parts();
    let mut document = document();
    document.merge(described);
    let router = router
        .merge(operators)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(http::in_time));
    let router = openapi::serve(router, "admin", document);
    http::with_problems(router, "/docs lists the routes")
}

/// Whether restarting the process could help. A database that is away is no reason: it would still be
/// away then.
async fn livez<S: Service>(State(admin): State<Arc<Admin<S>>>) -> Response {
    match admin.progress.is_hung() {
        false => "ok".into_response(),
        true => (StatusCode::SERVICE_UNAVAILABLE, "the executor hangs").into_response(),
    }
}

async fn readyz<S: Service>(State(admin): State<Arc<Admin<S>>>) -> Response {
    let ready = admin.health.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let conditions = admin.health.conditions();
    let waits_for: BTreeMap<_, _> =
        conditions.iter().map(|(part, condition)| (part, &condition.reason)).collect();
    let since: BTreeMap<_, _> =
        conditions.iter().map(|(part, condition)| (part, condition.since)).collect();
    let body = json!({
        "service": S::NAME, "ready": ready, "waits_for": waits_for, "since": since,
        "progress": admin.health.moved(),
    });
    (status, Json(body)).into_response()
}

async fn metrics<S: Service>(State(admin): State<Arc<Admin<S>>>) -> Response {
    ([("content-type", "text/plain; version=0.0.4")], admin.telemetry.render()).into_response()
}
