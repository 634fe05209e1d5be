//! The admin port: health, readiness, metrics and dead letters. Never on the public address.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot, watch};

use crate::dead_letters::{self, DeadLetter, PAGE_MAX};
use crate::executor::Chain;
use crate::health::Health;
use crate::http;
use crate::problem::{Path, Problem, Query};
use crate::progress::Progress;
use crate::queue::{Item, Origin, Replay, Work};
use crate::registry::Registry;
use crate::service::Service;
use crate::subscription::{Heard, Raw, Subscription};
use crate::telemetry::Telemetry;

/// When a retry is worth another try that the registry did not answer.
const REGISTRY_PAUSE: Duration = Duration::from_secs(5);

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
}

pub(crate) fn router<S: Service>(admin: Admin<S>) -> Router {
    let router = Router::new()
        .route("/livez", get(livez::<S>))
        .route("/readyz", get(readyz::<S>))
        .route("/metrics", get(metrics::<S>))
        .route("/dead-letters", get(list::<S>))
        .route("/dead-letters/{id}", get(show::<S>))
        .route("/dead-letters/{id}/retry", post(retry::<S>))
        .route("/dead-letters/{id}/drop", post(drop_one::<S>))
        .with_state(Arc::new(admin));
    http::with_problems(router, "there are /livez, /readyz, /metrics and /dead-letters")
}

/// Whether starting the process anew could help. A database that is away is no reason: it would be away
/// then as well.
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
    let body =
        json!({ "service": S::NAME, "ready": ready, "waits_for": waits_for, "since": since });
    (status, Json(body)).into_response()
}

async fn metrics<S: Service>(State(admin): State<Arc<Admin<S>>>) -> Response {
    ([("content-type", "text/plain; version=0.0.4")], admin.telemetry.render()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    #[serde(default)]
    after: i64,
    #[serde(default = "waiting")]
    state: String,
    reason: Option<String>,
    #[serde(default = "page_max")]
    limit: i64,
}

fn waiting() -> String {
    "waiting".to_owned()
}

fn page_max() -> i64 {
    PAGE_MAX
}

async fn list<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
    Query(selection): Query<Selection>,
) -> Result<Response, Problem> {
    if !["waiting", "retried", "dropped"].contains(&selection.state.as_str()) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "there is no such state")
            .field("state")
            .detail("waiting, retried or dropped"));
    }
    let Selection { after, state, reason, limit } = selection;
    let limit = limit.clamp(1, PAGE_MAX);
    let found = dead_letters::list(&admin.db, &state, reason.as_deref(), after, limit).await;
    let found = found.map_err(database)?;
    let next =
        (found.len() as i64 == limit).then(|| found.last().map(|letter| letter.id)).flatten();
    Ok(Json(json!({ "dead_letters": found, "next": next })).into_response())
}

async fn show<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<i64>,
) -> Result<Json<DeadLetter>, Problem> {
    find(&admin, id).await.map(Json)
}

/// Sends a dead letter through the same path as an event: decoding, inbox, decision. It is settled in
/// the transaction of its effect.
async fn retry<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let letter = find_waiting(&admin, id).await?;
    let replays = admin.replays.borrow().clone();
    let replays = replays.ok_or_else(|| unavailable("the service is starting"))?;
    let subscription = replays.subscriptions.iter().find(|s| s.topic() == letter.topic);
    let subscription = subscription.ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "the service no longer hears this topic")
            .detail(format!("{} is not subscribed to {}", S::NAME, letter.topic))
    })?;
    subscription.forget_missing();
    let raw = Raw::stored(letter.raw.payload.as_deref(), &letter.raw.headers);
    let (work, inbox_id, cause) = match read(&**subscription, &raw, &replays.registry).await? {
        Heard::Input { input, inbox_id, cause, .. } => (Work::Input(input), inbox_id, Some(cause)),
        Heard::Ignored | Heard::Unknown => (Work::Ignored, None, None),
        Heard::Poison { reason, .. } => return Err(still_poison(&reason.detail)),
        Heard::NeedsSchema(id) => {
            return Err(still_poison(&format!("schema {id} is still not known")));
        }
    };
    let (answer, answered) = oneshot::channel();
    let replay = Replay { dead_letter: id, topic: subscription.topic(), inbox_id, answer };
    let item = Item { work, origin: Origin::Replay(replay), cause, trace: None };
    let items = replays.items.upgrade().ok_or_else(|| unavailable("the service is stopping"))?;
    items.send(item).await.map_err(|_closed| unavailable("the service is stopping"))?;
    match answered.await {
        Ok(Ok(())) => Ok(Json(json!({ "id": id, "state": "retried" })).into_response()),
        Ok(Err(reason)) => Err(still_poison(&reason)),
        Err(_dropped) => Err(unavailable("the service stopped before it answered")),
    }
}

/// Reads a dead letter. Its schema may be one that this build was not compiled with, so the registry is
/// asked as for an event that arrives.
async fn read<S: Service>(
    subscription: &dyn Subscription<S>,
    raw: &Raw<'_>,
    registry: &Registry,
) -> Result<Heard<S::Input>, Problem> {
    let id = match subscription.read(raw) {
        Heard::NeedsSchema(id) => id,
        heard => return Ok(heard),
    };
    let schema = registry.schema(id).await;
    let schema = schema.map_err(|error| {
        unavailable(&format!("schema {id} is needed: {}", Chain(&error)))
            .retry_after(REGISTRY_PAUSE)
    })?;
    subscription.learn(id, schema.as_deref());
    Ok(subscription.read(raw))
}

async fn drop_one<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    find_waiting(&admin, id).await?;
    let mut db = admin.db.acquire().await.map_err(database)?;
    dead_letters::settle(&mut db, &[id], "dropped").await.map_err(database)?;
    tracing::warn!(dead_letter = id, "an operator dropped a dead letter");
    Ok(Json(json!({ "id": id, "state": "dropped" })).into_response())
}

async fn find<S: Service>(admin: &Admin<S>, id: i64) -> Result<DeadLetter, Problem> {
    let found = dead_letters::find(&admin.db, id).await.map_err(database)?;
    found.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "there is no such dead letter")
            .detail("GET /dead-letters lists those that wait")
    })
}

async fn find_waiting<S: Service>(admin: &Admin<S>, id: i64) -> Result<DeadLetter, Problem> {
    let letter = find(admin, id).await?;
    match letter.state.as_str() {
        "waiting" => Ok(letter),
        state => Err(Problem::new(StatusCode::CONFLICT, "the dead letter is settled")
            .detail(format!("it was {state} before"))),
    }
}

fn still_poison(reason: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "it still cannot be processed")
        .code("still_dead")
        .detail(reason)
}

fn unavailable(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not now").detail(detail)
}

fn database(error: sqlx::Error) -> Problem {
    unavailable(&format!("the database is away: {error}"))
}
