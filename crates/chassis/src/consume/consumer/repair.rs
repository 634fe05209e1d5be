//! Where every partition stands, and the decision that only an operator can make: from where a stopped
//! partition goes on. On the admin port; the replica that holds the partition notices by itself.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sight::{Seen, Sight};
use crate::consume::brokers::{Brokers, Extent};
use crate::consume::offsets::{self, Partition};
use crate::http::described::{AnyProblem, BodyProblem};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::ops::admin::database;

/// A service has no more than some hundreds of partitions, so they are listed at once.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(sight: Arc<Sight>) -> Router<S> {
    Router::new()
        .route("/offsets", get(list))
        .route("/offsets/{topic}/{partition}", post(go_on))
        .with_state(sight)
}

/// Where a partition stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartitionOffsets {
    #[schema(value_type = String, example = "order.events")]
    topic: &'static str,
    partition: i32,
    /// Where the service goes on: the database's offset.
    stored: i64,
    /// The first record that is there.
    first: i64,
    /// After the last record that is there.
    end: i64,
    /// Records that are there and not processed.
    lag: u64,
    /// Why it is stopped; left out where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^(recreated|head_gone|beyond_end)$",
        example = "head_gone")]
    stop: Option<&'static str>,
}

/// Every partition that the service hears.
#[derive(Serialize, ToSchema)]
pub(crate) struct AllOffsets {
    partitions: Vec<PartitionOffsets>,
}

/// A partition that was moved.
#[derive(Serialize, ToSchema)]
pub(crate) struct Moved {
    topic: String,
    partition: i32,
    from: i64,
    to: i64,
}

impl From<&Seen> for PartitionOffsets {
    fn from(seen: &Seen) -> Self {
        let Seen { partition, stored, extent: Extent { first, end }, stop } = *seen;
        let Partition { topic, number } = partition;
        let stop = stop.map(|stop| stop.label());
        PartitionOffsets { topic, partition: number, stored, first, end, lag: seen.lag(), stop }
    }
}

/// Where every partition stands
///
/// What the database has, what Kafka has, and whether a partition is stopped.
#[utoipa::path(get, path = "/offsets", tag = "offsets", operation_id = "list_offsets",
    responses((status = OK, description = "all partitions", body = AllOffsets), AnyProblem))]
pub(crate) async fn list(State(sight): State<Arc<Sight>>) -> Result<Json<AllOffsets>, Problem> {
    let (mut seen, hidden) = see(&sight).await?;
    if let (true, Some(hidden)) = (seen.is_empty(), hidden.first()) {
        return Err(untold(hidden));
    }
    seen.sort_by_key(|seen| seen.partition);
    let partitions = seen.iter().map(PartitionOffsets::from).collect();
    Ok(Json(AllOffsets { partitions }))
}

/// Where a partition goes on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// `first`: with the first record that is there. `end`: with what comes next. Or an offset between.
    #[schema(value_type = String, pattern = "^(first|end|[0-9]{1,18})$", example = "first")]
    to: To,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
enum To {
    First,
    End,
    Offset(i64),
}

impl TryFrom<String> for To {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match &*text {
            "first" => Ok(To::First),
            "end" => Ok(To::End),
            number => match number.parse() {
                Ok(offset) if offset >= 0 => Ok(To::Offset(offset)),
                _ => Err("must be first, end, or an offset".to_owned()),
            },
        }
    }
}

/// Let a stopped partition go on
///
/// Only one that is stopped. Whoever holds it goes on within seconds.
#[utoipa::path(post, path = "/offsets/{topic}/{partition}", tag = "offsets",
    operation_id = "move_offset", request_body = Decision,
    params(("topic" = String, Path, description = "its topic"),
        ("partition" = i32, Path, description = "its number")),
    responses(
        (status = OK, description = "it goes on from there", body = Moved),
        (status = NOT_FOUND, description = "the service hears no such partition", body = Problem,
            content_type = "application/problem+json"),
        (status = CONFLICT, description = "it is not stopped, or was moved meanwhile", body = Problem,
            content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, description = "the log has no such offset", body = Problem,
            content_type = "application/problem+json"),
        BodyProblem,
        AnyProblem,
    ))]
pub(crate) async fn go_on(
    State(sight): State<Arc<Sight>>,
    Path((topic, number)): Path<(String, i32)>,
    Json(Decision { to }): Json<Decision>,
) -> Result<Json<Moved>, Problem> {
    let (seen, hidden) = see(&sight).await?;
    let is_it = |partition: &Partition| partition.topic == topic && partition.number == number;
    if let Some(hidden) = hidden.iter().find(|hidden| is_it(hidden)) {
        return Err(untold(hidden));
    }
    let seen = seen.iter().find(|seen| is_it(&seen.partition)).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "there is no such partition")
            .code("unknown_partition")
            .detail(format!("of {}, as far as Kafka says", sight.topics.join(", ")))
    })?;
    if seen.stop.is_none() {
        return Err(Problem::new(StatusCode::CONFLICT, "the partition is not stopped")
            .code("not_stopped")
            .detail(format!("{seen}; one that goes on cannot be moved")));
    }
    let Extent { first, end } = seen.extent;
    let to = match to {
        To::First => first,
        To::End => end,
        To::Offset(offset) if (first..=end).contains(&offset) => offset,
        To::Offset(_outside) => {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the log has no such offset",
            )
            .code("offset_outside")
            .field("to")
            .detail(format!("it begins at {first} and ends at {end}")));
        }
    };
    let id = sight.id(&topic).await.map_err(|error| away(&error.to_string()))?;
    let moved = offsets::move_to(&sight.db, seen.partition, seen.stored, to, id).await;
    if !moved.map_err(|error| database::failed(&error))? {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "somebody else moved the partition just now",
        )
        .code("moved_meanwhile"));
    }
    tracing::warn!(%topic, partition = number, from = seen.stored, to, "an operator moved a partition");
    Ok(Json(Moved { topic, partition: number, from: seen.stored, to }))
}

/// All partitions, and those that no broker reports: without a leader, or with one that is silent.
async fn see(sight: &Sight) -> Result<(Vec<Seen>, Vec<Partition>), Problem> {
    let look = async {
        let topics = Brokers::topics(&sight.brokers, sight.topics.clone()).await?;
        let seen = sight.see(topics.partitions.clone()).await?;
        let mut hidden = topics.partitions;
        hidden.retain(|partition| !seen.iter().any(|seen| seen.partition == *partition));
        anyhow::Ok((seen, hidden))
    };
    look.await.map_err(|error| match error.downcast_ref::<sqlx::Error>() {
        Some(error) => database::failed(error),
        None => away(&format!("{error:#}")),
    })
}

fn untold(Partition { topic, number }: &Partition) -> Problem {
    away(&format!("no broker reports {topic}/{number}: it has no leader, or a silent one"))
}

fn away(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the offsets cannot be seen now")
        .code("unavailable")
        .detail(detail)
}
