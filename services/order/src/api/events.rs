//! `GET /orders/{order_id}/events`: what happens to an order, as server-sent events.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chassis::{AnyProblem, LastEventId, Path, Problem};
use uuid::Uuid;

use super::{Api, no_such_order};

/// Follow an order
///
/// A stream of server-sent events: the history so far, then each entry as it happens, until the order
/// is completed, cancelled or returned. An entry's id is its number; a client that reconnects with
/// `Last-Event-ID` gets what it missed, and 204 when the order has ended and nothing was missed.
#[utoipa::path(
    get,
    path = "/orders/{order_id}/events",
    tag = "orders",
    params(("order_id" = Uuid, Path), LastEventId),
    responses(
        (status = 200, description = "the stream: each event is named after its entry, and its data is \
         a `HistoryEntry` as JSON",
         body = String, content_type = "text/event-stream",
         example = "id: 1\nevent: OrderPlaced\ndata: {\"at\":\"2026-11-29T08:00:00Z\",\"event\":\"OrderPlaced\"}\n\n"),
        (status = 204, description = "the order has ended and the client has seen all of it"),
        (status = 404, description = "there is no such order", body = Problem,
         content_type = "application/problem+json"),
        AnyProblem,
    )
)]
pub(super) async fn order_events(
    State(api): State<Api>,
    Path(order): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let followed = api.hub.follow(&api.handle, order, &headers).await?;
    followed.ok_or_else(no_such_order)
}
