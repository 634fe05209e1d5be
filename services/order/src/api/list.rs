//! `GET /orders`.

use axum::extract::State;
use chassis::{AnyProblem, Json, Limit, Problem, Query};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::place::request::{CUSTOMER_ID_RULE, is_customer_id};
use super::view::{self, location};
use super::{Api, cannot_read};
use crate::phase::Phase;
use crate::store::{self, Filter, ListedRow, codes_of};

/// Which orders to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only this customer's orders.
    #[param(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._:-]+$",
        nullable = false,
        example = "customer-7"
    )]
    customer_id: Option<String>,
    /// Only orders in this state.
    #[param(nullable = false)]
    state: Option<Phase>,
    /// How many orders, 1 to 500; 50 when left out.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(
        pattern = "^[0-9a-f]{32}$",
        nullable = false,
        example = "0190c7a25a547a3e9b1f6d2c8e4f0a11"
    )]
    cursor: Option<String>,
}

/// Some of the orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderPage {
    orders: Vec<ListedOrder>,
    /// Where the next page begins; left out on the last one. A page may show fewer orders than asked
    /// for, even none, and still not be the last: a rare state is searched for in strides.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
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
    #[schema(value_type = Option<String>, nullable = false, example = "OUT_OF_STOCK")]
    reason: Option<events::CancelReason>,
    /// In minor units of the currency.
    #[schema(minimum = 0, example = 1780)]
    total_minor: i64,
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
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
///
/// All of them, or those of one customer or in one state.
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
    let limit = query.limit.get();
    // A text that is no customer's id has no orders; some texts the database cannot even compare.
    if query.customer_id.as_deref().is_some_and(|id| !is_customer_id(id)) {
        return Err(Problem::invalid_query("customer_id", CUSTOMER_ID_RULE));
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

/// The last order looked at. To clients it is opaque.
fn cursor(last: Uuid) -> String {
    last.simple().to_string()
}

fn parse_cursor(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| Problem::invalid_cursor())
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

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
