//! Dead letters over the admin port: looking through them, sending them through the normal path again,
//! giving them up.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::oneshot;
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::database::failed;
use crate::consume::dead_letters::{self, DeadLetter, LetterState, Listed};
use crate::consume::subscription::{Heard, Raw, Subscription};
use crate::executor::handle::COMMAND_TIMEOUT;
use crate::executor::queue::CommandError;
use crate::executor::queue::{Item, Origin, Replay, Work};
use crate::failure::Chain;
use crate::http::described::AnyProblem;
use crate::http::extract::{Json, Limit, Page, Path, Query};
use crate::http::problem::Problem;
use crate::service::Service;
use crate::wire::registry::Registry;

/// How long a caller should wait before another retry, after one for which the registry did not answer.
const REGISTRY_PAUSE: Duration = Duration::from_secs(5);
/// The longest reason that is searched for; those that exist are single words.
const REASON_BYTES_MAX: usize = 40;

/// Which dead letters to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Selection {
    /// Those that wait, when left out.
    #[serde(default)]
    #[param(inline)]
    state: LetterState,
    /// Only with this reason: `undecodable`, `headers`, `failed` or `refused`.
    #[param(pattern = "^[a-z_]{1,40}$", nullable = false, example = "undecodable")]
    reason: Option<String>,
    /// How many, 1 to 500; 50 when left out.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(pattern = "^[0-9]{1,18}$", nullable = false, example = "4711")]
    cursor: Option<String>,
}

/// Some of the dead letters, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadLetterPage {
    dead_letters: Vec<DeadLetter>,
    /// Where the next page begins; left out on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// A dead letter that came to its end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettledDeadLetter)]
pub(super) struct Settled {
    id: i64,
    state: LetterState,
}

/// List dead letters, oldest first
///
/// Those that wait, or those that were settled.
#[utoipa::path(get, path = "/dead-letters", tag = "dead letters", operation_id = "list_dead_letters",
    params(Selection),
    responses((status = OK, description = "a page of them", body = DeadLetterPage), AnyProblem))]
pub(super) async fn list<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
    Query(selection): Query<Selection>,
) -> Result<Json<DeadLetterPage>, Problem> {
    let Selection { state, reason, limit, cursor } = selection;
    let is_word = |text: &str| {
        (1..=REASON_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    if reason.as_deref().is_some_and(|reason| !is_word(reason)) {
        let rule = "is a word, such as undecodable, headers, failed or refused";
        return Err(Problem::invalid_query("reason", rule));
    }
    let after = cursor.map_or(Ok(0), |text| text.parse().map_err(|_| Problem::invalid_cursor()))?;
    let limit_rows = limit.get() as i64;
    let found = dead_letters::list(&admin.db, state, reason.as_deref(), after, limit_rows).await;
    let Listed { letters, is_cut } = found.map_err(|error| failed(&error))?;
    let cursor = |last: &DeadLetter| last.id.to_string();
    let page = match is_cut {
        true => Page { next_cursor: letters.last().map(cursor), entries: letters },
        false => Page::of(letters, limit, cursor),
    };
    Ok(Json(DeadLetterPage { dead_letters: page.entries, next_cursor: page.next_cursor }))
}

/// Show a dead letter
///
/// With its headers, its bytes and why it could not be processed.
#[utoipa::path(get, path = "/dead-letters/{id}", tag = "dead letters",
    operation_id = "get_dead_letter", params(("id" = i64, Path, description = "its number")),
    responses(
        (status = OK, description = "the dead letter", body = DeadLetter),
        (status = NOT_FOUND, description = "there is no such dead letter", body = Problem,
            content_type = "application/problem+json"),
        AnyProblem,
    ))]
pub(super) async fn show<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<i64>,
) -> Result<Json<DeadLetter>, Problem> {
    find(&admin, id).await.map(Json)
}

/// Send a dead letter through the normal path again
///
/// Decoding, inbox and decision are those of an event that arrives. It is settled in the transaction of its
/// effect. Where the answer is 503 with the code `outcome_unknown`, the dead letter itself tells what became
/// of it.
#[utoipa::path(post, path = "/dead-letters/{id}/retry", tag = "dead letters",
    operation_id = "retry_dead_letter", params(("id" = i64, Path, description = "its number")),
    responses(
        (status = OK, description = "it was processed", body = Settled),
        (status = NOT_FOUND, description = "there is no such dead letter", body = Problem,
            content_type = "application/problem+json"),
        (status = CONFLICT, description = "it is settled, or its topic is not heard any more",
            body = Problem, content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, description = "it still cannot be processed", body = Problem,
            content_type = "application/problem+json"),
        AnyProblem,
    ))]
pub(super) async fn retry<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<i64>,
) -> Result<Json<Settled>, Problem> {
    let letter = find_waiting(&admin, id).await?;
    let replays = admin.replays.borrow().clone();
    let replays = replays.ok_or_else(|| Problem::unavailable("the service is starting"))?;
    let subscription = replays.subscriptions.iter().find(|s| s.topic() == letter.topic);
    let subscription = subscription.ok_or_else(|| {
        let detail = format!("{} is not subscribed to {}", S::NAME, letter.topic);
        Problem::conflict("topic_not_heard", "the service no longer hears this topic", detail)
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
    let items = replays.items.upgrade().ok_or_else(stopping)?;
    items.send_timeout(item, COMMAND_TIMEOUT).await.map_err(|error| match error {
        SendTimeoutError::Timeout(_) => Problem::from(CommandError::Busy)
            .detail("as many outcomes and retries wait as may wait; try again in a moment"),
        SendTimeoutError::Closed(_) => stopping(),
    })?;
    drop(items);
    match tokio::time::timeout(COMMAND_TIMEOUT, answered).await {
        Ok(Ok(Ok(()))) => Ok(Json(Settled { id, state: LetterState::Retried })),
        Ok(Ok(Err(reason))) => Err(still_poison(&reason)),
        // The executor dropped it unanswered, as it stopped, or has not finished it: an attempt that is
        // under way may still commit, and no other is begun.
        Ok(Err(_)) | Err(_) => Err(Problem::outcome_unknown(format!(
            "not known to be processed; GET /dead-letters/{id} tells in a moment whether it was"
        ))),
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
        Problem::unavailable(format!("schema {id} is needed: {}", Chain(&error)))
            .retry_after(REGISTRY_PAUSE)
    })?;
    subscription.learn(id, schema.as_deref());
    Ok(subscription.read(raw))
}

/// Give a dead letter up
///
/// Nothing of it is processed; it stays in the table as dropped.
#[utoipa::path(post, path = "/dead-letters/{id}/drop", tag = "dead letters",
    operation_id = "drop_dead_letter", params(("id" = i64, Path, description = "its number")),
    responses(
        (status = OK, description = "it was given up", body = Settled),
        (status = NOT_FOUND, description = "there is no such dead letter", body = Problem,
            content_type = "application/problem+json"),
        (status = CONFLICT, description = "it is settled", body = Problem,
            content_type = "application/problem+json"),
        AnyProblem,
    ))]
pub(super) async fn give_up<S: Service>(
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<i64>,
) -> Result<Json<Settled>, Problem> {
    find_waiting(&admin, id).await?;
    let state = LetterState::Dropped;
    let settled = async {
        let mut db = admin.db.acquire().await?;
        dead_letters::settle(&mut db, &[id], state).await
    };
    if settled.await.map_err(|error| failed(&error))? == 0 {
        // Somebody retried or dropped it meanwhile; this says what became of it.
        find_waiting(&admin, id).await?;
    }
    tracing::warn!(dead_letter = id, "an operator dropped a dead letter");
    Ok(Json(Settled { id, state }))
}

async fn find<S: Service>(admin: &Admin<S>, id: i64) -> Result<DeadLetter, Problem> {
    let found = dead_letters::find(&admin.db, id).await.map_err(|error| failed(&error))?;
    found.ok_or_else(|| {
        let detail = "GET /dead-letters lists those that wait";
        Problem::not_found("dead_letter_not_found", "there is no such dead letter", detail)
    })
}

async fn find_waiting<S: Service>(admin: &Admin<S>, id: i64) -> Result<DeadLetter, Problem> {
    let letter = find(admin, id).await?;
    match letter.state {
        LetterState::Waiting => Ok(letter),
        state @ (LetterState::Retried | LetterState::Dropped) => {
            let detail = format!("it was {} before", state.name());
            Err(Problem::conflict("already_settled", "the dead letter is settled", detail))
        }
    }
}

fn stopping() -> Problem {
    Problem::unavailable("the service is stopping")
}

fn still_poison(reason: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "it still cannot be processed")
        .code("still_dead")
        .detail(reason)
}
