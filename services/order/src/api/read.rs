//! `GET /orders/{order_id}`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::{AnyProblem, Path, Problem, Query, WaitQuery};
use uuid::Uuid;

use super::view::{self, OrderView};
use super::{Api, cannot_read, no_such_order};
use crate::store;

/// Show an order
///
/// Its state, its lines and prices, what it waits for and since when, and what has happened to it. With
/// `wait=terminal` as it is at its end, or when the time is over.
#[utoipa::path(
    get,
    path = "/orders/{order_id}",
    tag = "orders",
    params(("order_id" = Uuid, Path), WaitQuery),
    responses(
        (status = 200, description = "the order", body = OrderView),
        (status = 404, description = "there is no such order", body = Problem,
         content_type = "application/problem+json"),
        AnyProblem,
    )
)]
pub(super) async fn get_order(
    State(api): State<Api>,
    Path(order): Path<Uuid>,
    Query(query): Query<WaitQuery>,
) -> Result<Response, Problem> {
    if let Some(patience) = query.duration()? {
        let found = api.hub.wait_for_end(&api.handle, order, patience).await?;
        let row = found.ok_or_else(no_such_order)?;
        return Ok(view::json(&row).into_response());
    }
    let found = store::find(api.handle.db(), order).await.map_err(|error| cannot_read(&error))?;
    let row = found.ok_or_else(no_such_order)?;
    Ok(view::json(&row).into_response())
}
