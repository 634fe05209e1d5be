//! A shipment as it is shown. Reads only, outside the executor, so nothing here decides anything.

use chrono::{DateTime, Utc};
use events::OrderId;
use sqlx::PgPool;
use uuid::Uuid;

use super::columns::Stored;
use crate::domain::State;

/// A shipment with all that is shown of it.
#[derive(Debug)]
pub struct ShipmentRow {
    pub state: State,
    pub destination: Option<String>,
    pub changed_at: DateTime<Utc>,
    /// When its open call is made again, should the outcome not have come by then.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// The shipment of an order.
pub async fn find(db: &PgPool, order: Uuid) -> Result<Option<ShipmentRow>, sqlx::Error> {
    let found: Option<Found> = sqlx::query_as(
        "select changed_at, state, destination, tracking_code, refusal_reason \
           from shipments where order_id = $1",
    )
    .bind(order)
    .fetch_optional(db)
    .await?;
    let Some(Found { changed_at, stored }) = found else { return Ok(None) };
    let destination = stored.destination().map(str::to_owned);
    let state = stored.state().map_err(|error| sqlx::Error::Decode(error.into()))?;
    let next_attempt_at = match state.open_call(OrderId(order)) {
        Some(_) => chassis::next_attempt_at(db, order).await?,
        None => None,
    };
    Ok(Some(ShipmentRow { state, destination, changed_at, next_attempt_at }))
}

#[derive(sqlx::FromRow)]
struct Found {
    changed_at: DateTime<Utc>,
    #[sqlx(flatten)]
    stored: Stored,
}
