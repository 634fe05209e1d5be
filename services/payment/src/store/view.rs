//! A payment as it is shown. Reads only, outside the executor, so nothing here decides anything.

use chrono::{DateTime, Utc};
use events::{Money, OrderId};
use sqlx::PgPool;
use uuid::Uuid;

use super::columns::Stored;
use crate::domain::State;

/// A payment with all that is shown of it.
#[derive(Debug)]
pub struct PaymentRow {
    pub state: State,
    pub amount: Option<Money>,
    pub authorization_id: Option<String>,
    pub changed_at: DateTime<Utc>,
    /// When its open call is made again, should the outcome not have come by then.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// The payment of an order.
pub async fn find(db: &PgPool, order: Uuid) -> Result<Option<PaymentRow>, sqlx::Error> {
    let found: Option<Found> = sqlx::query_as(
        "select changed_at, state, amount_minor, currency, payment_token, \
                authorization_id, decline_reason \
           from payments where order_id = $1",
    )
    .bind(order)
    .fetch_optional(db)
    .await?;
    let Some(Found { changed_at, stored }) = found else { return Ok(None) };
    let amount = stored.amount();
    let authorization_id = stored.authorization_id().map(str::to_owned);
    let state = stored.state().map_err(|error| sqlx::Error::Decode(error.into()))?;
    let next_attempt_at = match state.open_call(OrderId(order)) {
        Some(_) => chassis::next_attempt_at(db, order).await?,
        None => None,
    };
    Ok(Some(PaymentRow { state, amount, authorization_id, changed_at, next_attempt_at }))
}

#[derive(sqlx::FromRow)]
struct Found {
    changed_at: DateTime<Utc>,
    #[sqlx(flatten)]
    stored: Stored,
}
