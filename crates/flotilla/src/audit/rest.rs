//! Whether the fleet is at rest: only then do the databases and the topics tell the same story.

use std::collections::HashMap;

use anyhow::Result;
use sqlx::PgConnection;
use uuid::Uuid;

use super::collect::{connect, outboxes};
use crate::fleet::Fleet;

/// How many of the moving things are named.
const SHOWN_MAX: usize = 3;

/// One look at the fleet.
pub(super) struct Look {
    /// What moves, in words; empty at rest.
    pub(super) moving: Vec<String>,
    /// The last committed batch of each service: two looks with the same heads saw the same.
    pub(super) heads: Vec<i64>,
}

/// Checks whether every order from `first` on has ended, every price is heard and every outbox empty.
pub(super) async fn look(fleet: &Fleet, first: Uuid) -> Result<Look> {
    let mut moving = Vec::new();
    let mut db = connect(fleet, "order").await?;
    let under = orders(
        &mut db,
        "select order_id, count(*) over () from audit.orders
         where outcome = 'open' and order_id >= $1 order by order_id limit 3",
        first,
    );
    if let Some((count, some)) = under.await? {
        moving.push(format!(
            "orders that have not ended: {count} ({some}); `flotilla order show` tells what one waits for"
        ));
    }
    // A completed order's goods may be deducted after it.
    let mut db = connect(fleet, "inventory").await?;
    let held = orders(
        &mut db,
        "select order_id, count(*) over () from audit.reservations
         where goods = 'reserved' and order_id >= $1 order by order_id limit 3",
        first,
    );
    if let Some((count, some)) = held.await? {
        moving.push(format!("orders whose goods are set aside: {count} ({some})"));
    }
    let behind = prices_behind(fleet).await?;
    if !behind.is_empty() {
        let (count, some) = (behind.len(), behind[..behind.len().min(SHOWN_MAX)].join(", "));
        moving.push(format!("items whose last price order has not heard: {count} ({some})"));
    }
    let outboxes = outboxes(fleet).await?;
    for outbox in outboxes.iter().filter(|o| o.rows != 0 || o.head != o.published) {
        moving.push(format!(
            "the outbox of {} is not empty: {} rows wait, batch {} committed, {} published",
            outbox.service, outbox.rows, outbox.head, outbox.published
        ));
    }
    Ok(Look { moving, heads: outboxes.iter().map(|outbox| outbox.head).collect() })
}

/// The items that have published more than order has heard. Order is asked first: it cannot be ahead.
async fn prices_behind(fleet: &Fleet) -> Result<Vec<String>> {
    let heard: HashMap<String, i64> =
        numbers(fleet, "order", "select sku, sequence from audit.prices").await?;
    let said = numbers(fleet, "inventory", "select sku, sequence from audit.stock").await?;
    let is_behind = |(sku, said): &(String, i64)| heard.get(sku).is_none_or(|heard| heard < said);
    let mut behind: Vec<String> = said.into_iter().filter(is_behind).map(|(sku, _)| sku).collect();
    behind.sort();
    Ok(behind)
}

async fn numbers(
    fleet: &Fleet,
    service: &'static str,
    question: &'static str,
) -> Result<HashMap<String, i64>> {
    let mut db = connect(fleet, service).await?;
    let rows: Vec<(String, i64)> = sqlx::query_as(question).fetch_all(&mut db).await?;
    Ok(rows.into_iter().collect())
}

/// How many orders a question finds, and some of them.
async fn orders(
    db: &mut PgConnection,
    question: &'static str,
    first: Uuid,
) -> Result<Option<(i64, String)>> {
    let found: Vec<(Uuid, i64)> = sqlx::query_as(question).bind(first).fetch_all(db).await?;
    let some: Vec<String> = found.iter().map(|(id, _)| id.to_string()).collect();
    Ok(found.first().map(|(_, count)| (*count, some.join(", "))))
}
