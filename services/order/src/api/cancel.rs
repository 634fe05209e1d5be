//! `POST /orders/{order_id}/cancel` and `/return`: the two things a customer can do to an order.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chassis::{AnyProblem, Json, Path, Problem};
use events::OrderId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::{self, Links};
use super::{Api, no_such_order};
use crate::domain::{self, Rejection};
use crate::phase::Phase;
use crate::service::{Input, OrderInput, Reply};

/// What became of a command.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CommandAccepted)]
pub(super) struct Accepted {
    order_id: Uuid,
    /// The order's state after the command.
    state: Phase,
    /// Why it is being or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "CUSTOMER")]
    reason: Option<events::CancelReason>,
    links: Links,
}

/// Cancel an order
///
/// Before it is confirmed the order is cancelled at once. Then shipping is asked, which may have
/// dispatched it already: `cancellation_requested` becomes `cancelling` or `shipped`. Asking again
/// changes nothing.
#[utoipa::path(
    post,
    path = "/orders/{order_id}/cancel",
    tag = "orders",
    params(("order_id" = Uuid, Path)),
    responses(
        (status = 202, description = "cancelled, or asked to be", body = Accepted),
        (status = 404, description = "there is no such order", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "it is too late to cancel", body = Problem,
         content_type = "application/problem+json"),
        AnyProblem,
    )
)]
pub(super) async fn cancel_order(
    State(api): State<Api>,
    Path(order): Path<Uuid>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    command(&api, order, domain::Input::Cancel, &headers).await
}

/// Return a completed order
///
/// The goods go back into stock and the money back to the customer. Asking again changes nothing.
#[utoipa::path(
    post,
    path = "/orders/{order_id}/return",
    tag = "orders",
    params(("order_id" = Uuid, Path)),
    responses(
        (status = 202, description = "being returned, or returned before", body = Accepted),
        (status = 404, description = "there is no such order", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "there is nothing to return", body = Problem,
         content_type = "application/problem+json"),
        AnyProblem,
    )
)]
pub(super) async fn return_order(
    State(api): State<Api>,
    Path(order): Path<Uuid>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    command(&api, order, domain::Input::Return, &headers).await
}

async fn command(
    api: &Api,
    order: Uuid,
    input: domain::Input,
    headers: &HeaderMap,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let input = Input::Order(OrderInput::of(OrderId(order), input));
    match api.handle.submit_traced(input, headers).await? {
        Reply::Moved(state) => {
            let accepted = Accepted {
                order_id: order,
                state: Phase::from(&state),
                reason: view::reason(&state),
                links: Links::of(order),
            };
            Ok((StatusCode::ACCEPTED, Json(accepted)))
        }
        Reply::Rejected(rejection) => Err(problem(rejection)),
        Reply::NoSuchOrder => Err(no_such_order()),
        Reply::Placed { .. } | Reply::NotPlaced(_) | Reply::Noted => {
            unreachable!("a command about an order is answered as one")
        }
    }
}

fn problem(rejection: Rejection) -> Problem {
    let code = match rejection {
        Rejection::AlreadyShipped => "already_shipped",
        Rejection::AlreadyCompleted => "already_completed",
        Rejection::AlreadyReturned => "already_returned",
        Rejection::NotCompleted => "not_completed",
    };
    Problem::conflict(code, "the order's state does not allow this", rejection.to_string())
}
