//! Orders as they are shown. Reads only, outside the executor, so nothing here decides anything.

use sqlx::PgPool;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow, Row};
use uuid::Uuid;

use super::StateColumns;
use crate::domain::State;

/// JSON that is passed on as it is stored.
pub(super) type Raw = Box<serde_json::value::RawValue>;

/// An order with everything that is shown of it.
#[derive(Debug)]
pub(crate) struct OrderRow {
    pub order_id: Uuid,
    pub customer_id: String,
    pub state: State,
    pub total_minor: i64,
    pub currency: String,
    pub destination: String,
    pub lines: Raw,
    pub tracking_code: Option<String>,
    pub shortages: Option<Raw>,
    pub placed_at: DateTime<Utc>,
    pub history: Vec<u8>,
    pub version: i64,
}

impl FromRow<'_, PgRow> for OrderRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(OrderRow {
            order_id: row.try_get("order_id")?,
            customer_id: row.try_get("customer_id")?,
            state: StateColumns::from_row(row)?.state()?,
            total_minor: row.try_get("total_minor")?,
            currency: row.try_get("currency")?,
            destination: row.try_get("destination")?,
            lines: row.try_get::<Json<Raw>, _>("lines")?.0,
            tracking_code: row.try_get("tracking_code")?,
            shortages: row.try_get::<Option<Json<Raw>>, _>("shortages")?.map(|json| json.0),
            placed_at: row.try_get("placed_at")?,
            history: row.try_get("history")?,
            version: row.try_get("version")?,
        })
    }
}

/// One order.
pub(crate) async fn find(db: &PgPool, order: Uuid) -> Result<Option<OrderRow>, sqlx::Error> {
    sqlx::query_as("select * from orders where order_id = $1").bind(order).fetch_optional(db).await
}

/// Those of `orders` that are newer than the version known of each. Not kept prepared: a plan made while the
/// table was empty would scan it for as long as the connection lives.
pub(crate) async fn changed_since(
    db: &PgPool,
    orders: &[Uuid],
    versions: &[i64],
) -> Result<Vec<OrderRow>, sqlx::Error> {
    sqlx::query_as(
        "select o.* \
           from unnest($1::uuid[], $2::bigint[]) as known (order_id, version) \
           join orders o on o.order_id = known.order_id and o.version > known.version",
    )
    .bind(orders)
    .bind(versions)
    .persistent(false)
    .fetch_all(db)
    .await
}

/// An order in a list.
#[derive(Debug)]
pub(crate) struct ListedRow {
    pub order_id: Uuid,
    pub customer_id: String,
    pub state: State,
    pub total_minor: i64,
    pub currency: String,
    pub placed_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for ListedRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(ListedRow {
            order_id: row.try_get("order_id")?,
            customer_id: row.try_get("customer_id")?,
            state: StateColumns::from_row(row)?.state()?,
            total_minor: row.try_get("total_minor")?,
            currency: row.try_get("currency")?,
            placed_at: row.try_get("placed_at")?,
        })
    }
}

/// Which orders a list shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter<'a> {
    pub customer_id: Option<&'a str>,
    /// Stored states.
    pub states: &'a [i16],
    /// Only orders older than this one.
    pub before: Uuid,
}

/// How many orders a page looks at. States are not indexed (an index would make every step of every
/// order more expensive), so a rare state is searched for in bounded strides.
pub(super) const STRIDE: i64 = 5_000;

impl Filter<'_> {
    /// The condition on the customer, who is $1. Two texts, because each has its own index.
    fn whose(&self) -> &'static str {
        match self.customer_id {
            Some(_) => "customer_id = $1",
            None => "$1::text is null",
        }
    }
}

/// The next orders of a list, newest first, out of the next [`STRIDE`].
pub(crate) async fn page(
    db: &PgPool,
    filter: &Filter<'_>,
    limit: usize,
) -> Result<Vec<ListedRow>, sqlx::Error> {
    let query = format!(
        "select * from (select order_id, customer_id, state, reason, stock_hold, payment_hold, \
                total_minor, currency, placed_at \
           from orders where {} and order_id < $2 order by order_id desc limit $3) as stride \
          where state = any($4) order by order_id desc limit $5",
        filter.whose()
    );
    sqlx::query_as(AssertSqlSafe(query))
        .bind(filter.customer_id)
        .bind(filter.before)
        .bind(STRIDE)
        .bind(filter.states)
        .bind(limit as i64)
        .persistent(false)
        .fetch_all(db)
        .await
}

/// The last order that [`page`] looked at, when there may be more after it.
pub(crate) async fn end_of_stride(
    db: &PgPool,
    filter: &Filter<'_>,
) -> Result<Option<Uuid>, sqlx::Error> {
    let query = format!(
        "select order_id from orders where {} and order_id < $2 \
          order by order_id desc offset $3 limit 1",
        filter.whose()
    );
    sqlx::query_scalar(AssertSqlSafe(query))
        .bind(filter.customer_id)
        .bind(filter.before)
        .bind(STRIDE - 1)
        .persistent(false)
        .fetch_optional(db)
        .await
}
