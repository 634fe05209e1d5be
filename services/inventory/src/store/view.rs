//! Reads for the API.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// An item with its units.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Listed {
    pub sku: String,
    pub name: String,
    pub unit_price_minor: i64,
    pub currency: String,
    pub free: i64,
    pub reserved: i64,
    pub shipped: i64,
    pub adjusted: i64,
    pub changed_at: DateTime<Utc>,
}

/// One item.
pub async fn find(db: &PgPool, sku: &str) -> Result<Option<Listed>, sqlx::Error> {
    sqlx::query_as(
        "select sku, name, unit_price_minor, currency, free, reserved, shipped, adjusted, changed_at
         from stock where sku = $1",
    )
    .bind(sku)
    .fetch_optional(db)
    .await
}

/// Items after a SKU, in the order of the SKUs.
pub async fn list(db: &PgPool, after: &str, limit: i64) -> Result<Vec<Listed>, sqlx::Error> {
    sqlx::query_as(
        "select sku, name, unit_price_minor, currency, free, reserved, shipped, adjusted, changed_at
         from stock where sku > $1 order by sku limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await
}
