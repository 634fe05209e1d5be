//! Reads what a batch needs, with one statement.

use chassis::Failure;
use events::OrderId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::columns::Stored;
use super::{Row, Rows};

/// Without `for update`: saving verifies the version.
pub async fn load(db: &mut PgConnection, mut ids: Vec<Uuid>) -> Result<Rows, Failure> {
    if ids.is_empty() {
        return Ok(Rows::default());
    }
    ids.sort_unstable();
    ids.dedup();
    let found: Vec<Found> = sqlx::query_as(
        "select order_id, sequence, version, state, destination, tracking_code, refusal_reason \
           from shipments where order_id = any($1)",
    )
    .bind(&ids)
    .fetch_all(db)
    .await?;
    // Room for the new ones too.
    let mut rows = Rows::with_capacity(ids.len());
    for Found { order_id, sequence, version, stored } in found {
        rows.insert(OrderId(order_id), Row::unchanged(stored.state()?, sequence, version));
    }
    Ok(rows)
}

#[derive(sqlx::FromRow)]
struct Found {
    order_id: Uuid,
    sequence: i64,
    version: i64,
    #[sqlx(flatten)]
    stored: Stored,
}
