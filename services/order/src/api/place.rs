//! `POST /orders`.

pub(super) mod request;

use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::{AnyProblem, BodyProblem, IdempotencyKey, Json, Problem, Query, WaitQuery, Watched};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::view::{self, LineView, Links, OrderView, location};
use crate::phase::Phase;
use crate::placement::{Placed, Rejection};
use crate::service::{Input, Reply};
use request::NewOrder;

/// Tells a repeated answer from a first one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// An order that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlacedOrder<'a> {
    order_id: Uuid,
    /// Always `placed`: what becomes of the order is told by `links.self` and `links.events`.
    state: Phase,
    /// The sum of all lines, in minor units of the currency.
    #[schema(minimum = 0, example = 1780)]
    total_minor: i64,
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: &'a str,
    lines: Vec<LineView<'a>>,
    placed_at: DateTime<Utc>,
    links: Links,
}

/// Place an order
///
/// Prices come from the fleet's price list. The answer comes after the commit that holds the order;
/// stock, payment and shipping follow by themselves. A request that is sent again with the same
/// `Idempotency-Key` and body places no second order and gets the same answer, unless it waits. Keys are
/// kept for 30 days, unless the service is told otherwise.
///
/// With `wait=terminal` the answer is the order at its end (200), or, when the time is over, what was
/// placed (202). The time that placing takes counts into `timeout_seconds`, but there is no answer before
/// the commit.
#[utoipa::path(
    post,
    path = "/orders",
    tag = "orders",
    request_body = NewOrder,
    params(IdempotencyKey, WaitQuery),
    responses(
        (status = 200, description = "with `wait=terminal`: accepted, and at its end now",
         body = OrderView, headers(
            ("Location" = String, description = "the order"),
            ("Idempotent-Replayed" = bool, description = "present when an earlier request with \
             this key placed the order"))),
        (status = 201, description = "accepted", body = PlacedOrder, headers(
            ("Location" = String, description = "the order"),
            ("Idempotent-Replayed" = bool, description = "present when an earlier request with \
             this key placed the order"))),
        (status = 202, description = "with `wait=terminal`: accepted, and not at its end in time",
         body = PlacedOrder, headers(
            ("Location" = String, description = "the order"),
            ("Idempotent-Replayed" = bool, description = "present when an earlier request with \
             this key placed the order"))),
        (status = 422, description = "`field` cannot be accepted, or the key was used for another \
         order", body = Problem, content_type = "application/problem+json"),
        AnyProblem,
        BodyProblem,
    )
)]
pub(super) async fn place_order(
    State(api): State<Api>,
    key: IdempotencyKey,
    headers: HeaderMap,
    Query(query): Query<WaitQuery>,
    Json(body): Json<NewOrder>,
) -> Result<Response, Problem> {
    let (patience, began) = (query.duration()?, Instant::now());
    let place = request::check(body, key.as_str().into(), api.handle.now_micros())?;
    let input = Input::Place(std::sync::Arc::new(place));
    let (placed, replayed) = match api.handle.submit_traced(input, &headers).await? {
        Reply::Placed { placed, replayed } => (placed, replayed),
        Reply::NotPlaced(rejection) => return Err(problem(&rejection)),
        Reply::Moved(_) | Reply::Rejected(_) | Reply::NoSuchOrder | Reply::Noted => {
            unreachable!("a placement is answered as a placement")
        }
    };
    let order = placed.order_id.0;
    let mut response = match patience {
        None => (StatusCode::CREATED, Json(answer(&placed))).into_response(),
        // Includes the time that the command took: no caller waits for the end longer than was asked for.
        Some(patience) => {
            let patience = patience.saturating_sub(began.elapsed());
            match api.hub.wait_for_end(&api.handle, order, patience).await {
                Ok(Some(row)) if row.has_ended() => view::json(&row).into_response(),
                // The order is committed, even if something keeps us from watching it: a failure here would hide
                // its id from the caller.
                Ok(_) | Err(_) => (StatusCode::ACCEPTED, Json(answer(&placed))).into_response(),
            }
        }
    };
    let location = HeaderValue::try_from(location(order)).expect("an id is visible ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Made of what never changes, so that every repeated request gets the same.
fn answer(placed: &Placed) -> PlacedOrder<'_> {
    PlacedOrder {
        order_id: placed.order_id.0,
        state: Phase::Placed,
        total_minor: placed.total.minor,
        currency: placed.total.currency.as_str(),
        lines: placed.lines.iter().map(LineView::of).collect(),
        placed_at: view::time(placed.placed_at_micros),
        links: Links::of(placed.order_id.0),
    }
}

fn problem(rejection: &Rejection) -> Problem {
    let (code, field) = match rejection {
        Rejection::UnknownSku { line, .. } => ("unknown_sku", format!("lines[{line}].sku")),
        Rejection::MixedCurrencies { line, .. } => {
            ("mixed_currencies", format!("lines[{line}].sku"))
        }
        Rejection::OtherCurrency { .. } => ("wrong_currency", "currency".to_owned()),
        Rejection::TotalTooLarge { line } => ("total_too_large", format!("lines[{line}].quantity")),
        Rejection::KeyReused => return IdempotencyKey::reused(rejection.to_string()),
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the order cannot be accepted")
        .code(code)
        .field(field)
        .detail(rejection.to_string())
}
