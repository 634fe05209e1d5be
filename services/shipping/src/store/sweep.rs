//! Finds the calls whose outcome never came back, after a crash between the commit of the intent and
//! the commit of the outcome.

use chassis::Failure;
use events::OrderId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::columns::Stored;
use crate::domain::Call;

/// Calls that are due, a batch's worth. They are due again half a minute later, so that two replicas
/// do not both make them; a call that is made twice all the same has the same key.
pub async fn sweep(db: &mut PgConnection) -> Result<Vec<Call>, Failure> {
    let due: Vec<Found> = sqlx::query_as(
        "update shipments set call_due_at = now() + interval '30 seconds' \
          where order_id in ( \
                select order_id from shipments where call_due_at < now() \
                 order by call_due_at limit 500 for update skip locked) \
         returning order_id, state, destination, tracking_code, refusal_reason",
    )
    .fetch_all(db)
    .await?;
    let mut calls = Vec::with_capacity(due.len());
    for Found { order_id, stored } in due {
        calls.extend(stored.state()?.open_call(OrderId(order_id)));
    }
    Ok(calls)
}

#[derive(sqlx::FromRow)]
struct Found {
    order_id: Uuid,
    #[sqlx(flatten)]
    stored: Stored,
}
