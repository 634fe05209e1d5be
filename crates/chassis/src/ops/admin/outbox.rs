//! The outbox as operators see it: what waits, what is kept, and publishing a topic again. Separate from the
//! other admin routes, as it is all about the relay's tables.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool};
use utoipa::ToSchema;

use super::Admin;
use super::database::failed;
use crate::Json;
use crate::http::described::{AnyProblem, BodyProblem};
use crate::http::problem::Problem;
use crate::service::Service;

/// What waits to be published, and what is kept of what was.
#[derive(Serialize, ToSchema)]
pub(super) struct Outbox {
    /// Messages that wait, without those that are set apart.
    waiting: i64,
    /// Since when rows are kept; null where none is.
    #[schema(required = true)]
    kept_since: Option<DateTime<Utc>>,
    set_apart: Vec<SetApart>,
    republishing: Vec<Republishing>,
}

/// What waits of a topic because Kafka refuses it, or to be published again.
#[derive(Serialize, FromRow, ToSchema)]
struct SetApart {
    #[schema(example = "order.events")]
    topic: String,
    messages: i64,
    since: DateTime<Utc>,
    /// Why the oldest of them waits.
    reason: String,
}

/// A topic that is to be published again.
#[derive(Serialize, FromRow, ToSchema)]
struct Republishing {
    #[schema(example = "order.events")]
    topic: String,
    /// Batches whose messages are not put before newer ones yet.
    batches: i64,
}

/// Show what the outbox holds
///
/// What waits to be published, what Kafka refuses, and since when published messages are kept.
#[utoipa::path(get, path = "/outbox", tag = "outbox", operation_id = "get_outbox",
    responses((status = OK, description = "what it holds", body = Outbox), AnyProblem))]
pub(super) async fn show<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
) -> Result<Json<Outbox>, Problem> {
    read(&admin.db).await.map(Json).map_err(|error| failed(&error))
}

async fn read(db: &PgPool) -> Result<Outbox, sqlx::Error> {
    let (waiting, kept_since) = sqlx::query_as(
        "select (select coalesce(sum(message_count), 0)::bigint from flotilla.outbox
                 where batch > l.published_batch),
                (select created_at from flotilla.outbox where batch <= l.published_batch
                 order by batch limit 1)
         from flotilla.relay_lease l",
    )
    .fetch_one(db)
    .await?;
    let set_apart = sqlx::query_as(
        "select topic, count(*) as messages, min(set_apart_at) as since,
                (array_agg(reason order by batch, place))[1] as reason
         from flotilla.outbox_set_apart group by topic order by topic",
    )
    .fetch_all(db)
    .await?;
    let republishing = sqlx::query_as(
        "select topic, greatest(last_batch - next_batch + 1, 0) as batches
         from flotilla.outbox_republish order by topic",
    )
    .fetch_all(db)
    .await?;
    Ok(Outbox { waiting, kept_since, set_apart, republishing })
}

/// A topic that lost its log.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    #[schema(example = "order.events")]
    topic: String,
    /// How far back to go, in minutes; all that is kept when left out.
    minutes: Option<u32>,
}

/// What will be published again.
#[derive(Serialize, ToSchema)]
pub(super) struct Taken {
    #[schema(example = "order.events")]
    topic: String,
    /// Batches that are looked through for its messages.
    batches: i64,
}

/// Publish a topic again that lost its log
///
/// All that the outbox keeps of it, in its order and before what is committed from now on. The request is
/// a row: whichever replica publishes does it, and it outlives a crash.
#[utoipa::path(post, path = "/outbox/republish", tag = "outbox", operation_id = "republish",
    request_body = Again,
    responses(
        (status = ACCEPTED, description = "it is under way", body = Taken),
        (status = CONFLICT, description = "it is under way already", body = Problem,
            content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, description = "a field is invalid, or the service has no such \
            topic", body = Problem, content_type = "application/problem+json"),
        BodyProblem,
        AnyProblem,
    ))]
pub(super) async fn republish<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
    Json(Again { topic, minutes }): Json<Again>,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    if !admin.topics.contains(&topic) {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the service has no such topic",
        )
        .code("unknown_topic")
        .field("topic")
        .detail(format!("{} publishes to {}", S::NAME, admin.topics.join(", "))));
    }
    let asked = ask(&admin.db, &topic, minutes).await.map_err(|error| failed(&error))?;
    let Some((first, last)) = asked else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "the topic is being published again already",
        )
        .code("under_way")
        .detail("GET /outbox tells how far that is"));
    };
    tracing::warn!(topic, first, last, "an operator has a topic published again");
    let batches = (last - first + 1).max(0);
    Ok((StatusCode::ACCEPTED, Json(Taken { topic, batches })))
}

async fn ask(
    db: &PgPool,
    topic: &str,
    minutes: Option<u32>,
) -> Result<Option<(i64, i64)>, sqlx::Error> {
    let seconds = minutes.map(|minutes| Duration::from_secs(60) * minutes).map(|t| t.as_secs_f64());
    sqlx::query_as(
        "insert into flotilla.outbox_republish (topic, next_batch, last_batch)
         select $1, coalesce(min(o.batch), l.published_batch + 1), l.published_batch
         from flotilla.relay_lease l
         left join flotilla.outbox o on o.batch <= l.published_batch
           and ($2::float8 is null or o.created_at >= now() - make_interval(secs => $2))
         group by l.published_batch
         on conflict (topic) do nothing
         returning next_batch, last_batch",
    )
    .bind(topic)
    .bind(seconds)
    .fetch_optional(db)
    .await
}
