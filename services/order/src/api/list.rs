//! `GET /orders`.

use axum::extract::State;
use axum::http::StatusCode;
use chassis::{AnyProblem, Json, Problem, Query};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::place::request::{CUSTOMER_ID_RULE, is_customer_id};
use super::view::{self, location};
use super::{Api, cannot_read};
use crate::phase::Phase;
use crate::store::{self, Filter, ListedRow, codes_of};

/// Orders a page shows when the request does not say.
const LIMIT_DEFAULT: usize = 20;
/// Orders a page shows at most.
const LIMIT_MAX: usize = 100;

/// Which orders to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only this customer's orders.
    customer_id: Option<String>,
    /// Only orders in this state.
    state: Option<Phase>,
    /// How many orders, 1 to 100; 20 when left out.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Some of the orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderPage {
    orders: Vec<ListedOrder>,
    /// Where the next page begins; left out on the last one. A page may show fewer orders than asked
    /// for, even none, and still not be the last: a rare state is searched for in strides.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// An order in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ListedOrder {
    order_id: Uuid,
    customer_id: String,
    state: Phase,
    /// Why it is being or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "OUT_OF_STOCK")]
    reason: Option<events::CancelReason>,
    total_minor: i64,
    currency: String,
    placed_at: DateTime<Utc>,
    /// The order with its lines and history.
    link: String,
}

impl From<ListedRow> for ListedOrder {
    fn from(row: ListedRow) -> Self {
        ListedOrder {
            order_id: row.order_id,
            customer_id: row.customer_id,
            state: Phase::from(&row.state),
            reason: view::reason(&row.state),
            total_minor: row.total_minor,
            currency: row.currency,
            placed_at: row.placed_at,
            link: location(row.order_id),
        }
    }
}

/// List orders, newest first
#[utoipa::path(
    get,
    path = "/orders",
    tag = "orders",
    params(ListQuery),
    responses((status = 200, description = "a page of orders", body = OrderPage), AnyProblem)
)]
pub(super) async fn list_orders(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Json<OrderPage>, Problem> {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(wrong("limit", format!("must be 1 to {LIMIT_MAX}")));
    }
    // What is no customer's id has no orders; some of it the database cannot even compare.
    if query.customer_id.as_deref().is_some_and(|id| !is_customer_id(id)) {
        return Err(wrong("customer_id", CUSTOMER_ID_RULE.to_owned()));
    }
    let filter = Filter {
        customer_id: query.customer_id.as_deref(),
        states: codes_of(query.state),
        before: query.cursor.as_deref().map_or(Ok(Uuid::max()), parse_cursor)?,
    };
    let db = api.handle.db();
    let rows = store::page(db, &filter, limit).await.map_err(|error| cannot_read(&error))?;
    let next = if rows.len() == limit {
        rows.last().map(|row| row.order_id)
    } else {
        store::end_of_stride(db, &filter).await.map_err(|error| cannot_read(&error))?
    };
    let orders = rows.into_iter().map(ListedOrder::from).collect();
    Ok(Json(OrderPage { orders, next_cursor: next.map(cursor) }))
}

/// The last order looked at. To clients it is a word without a meaning.
fn cursor(last: Uuid) -> String {
    last.simple().to_string()
}

fn parse_cursor(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| wrong("cursor", "must be next_cursor of the page before".to_owned()))
}

fn wrong(field: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "a query parameter is wrong")
        .code("invalid_query")
        .field(field)
        .detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_anything_else_refused() {
        let last = Uuid::now_v7();
        assert_eq!(parse_cursor(&cursor(last)).unwrap(), last);
        for text in ["", "0", "next", "018f0000-zzzz"] {
            assert_eq!(parse_cursor(text).unwrap_err().status(), StatusCode::BAD_REQUEST);
        }
    }
}
