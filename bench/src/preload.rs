//! Orders that were completed long ago, so that a benchmark runs on tables like those of a shop after years.
//! Loaded by SQL, as ten million orders over HTTP would take an hour: rows like those that a completed
//! order of one line leaves, with ids from the past, in the order in which they would have come. They are
//! on no topic, so an audit has to begin after them.

use std::time::Instant;

use anyhow::Context;
use futures::future::try_join_all;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::fleet::Database;

/// Orders per statement, which is a transaction: bounded memory and log, and little overhead.
const CHUNK: u64 = 50_000;
/// Between two orders. Ids begin with a time, so this is how far they reach into the past.
const SPACING_MS: u64 = 10;
/// The last of them is this old: too old for the searches for overdue and open orders.
const AGE_MS: u64 = 3_600_000;
/// How full the fleet leaves a page of a table that keeps half of each page free for later versions: its
/// rows grow. Loaded in their final form, with half a page free, each page would have room for one row of a
/// later order, and then every order would write pages of the past.
const FULL_PERCENT: u32 = 67;

/// The id of the `n`th order, where $1 is the time of the first one: a UUIDv7 with a digest in place of
/// random digits, so that all four services compute the same.
const ID: &str = "(lpad(to_hex($1 + n * $4), 12, '0') || '7' || left(md5(n::text), 3) || 'a' \
                  || substr(md5(n::text), 4, 15))::uuid";
/// When it was placed.
const AT: &str = "to_timestamp(($1 + n * $4) / 1000.0)";
const SKU: &str = "'BENCH-' || lpad((n % 1000)::text, 6, '0')";

/// What a service keeps of a completed order, table by table; the columns not named are null.
const ROWS: [(&str, &str, &str); 5] = [
    (
        "order",
        "orders",
        "(order_id, total_minor, placed_at, sequence, version, state, customer_id, currency,
          destination, lines, tracking_code, history)
         select id, 1000, at, 4, 5, 7, 'bench', 'EUR', 'DE',
            jsonb_build_array(
                jsonb_build_object('sku', sku, 'quantity', 1, 'unit_price_minor', 1000)),
            'SBX' || upper(replace(id::text, '-', '')),
            '\\x01'::bytea || time || '\\x20'::bytea || time || '\\x30'::bytea || time ||
            '\\x02'::bytea || time || '\\x40'::bytea || time || '\\x0c'::bytea || time ||
            '\\x36'::bytea || time || '\\x0d'::bytea || time
         from past, int8send((extract(epoch from at) * 1000000)::bigint) time",
    ),
    (
        "order",
        "idempotency_keys",
        "(key, fingerprint, order_id, created_at)
         select to_hex($1) || '-' || lpad(n::text, 33, '0'), sha256(int8send(n)), id, at from past",
    ),
    (
        "payment",
        "payments",
        "(order_id, amount_minor, sequence, version, changed_at, state, currency, authorization_id)
         select id, 1000, 2, 4, at, 8, 'EUR', 'pi_' || replace(id::text, '-', '') from past",
    ),
    (
        "inventory",
        "reservations",
        "(order_id, state, lines, sequence, version, changed_at)
         select id, 4, jsonb_build_object(sku, 1), 1, 2, at from past",
    ),
    (
        "shipping",
        "shipments",
        "(order_id, sequence, version, changed_at, state, destination, tracking_code)
         select id, 1, 2, at, 3, 'DE', 'SBX' || upper(replace(id::text, '-', '')) from past",
    ),
];

/// What was loaded.
#[derive(Debug, Clone, Serialize)]
pub struct Preloaded {
    pub orders: u64,
    pub seconds: f64,
    /// Of all four databases, indexes included.
    pub bytes_per_order: f64,
    /// The ids of all other orders come after it.
    pub first_id_after: Uuid,
}

/// Loads orders into the tables of services that are stopped: statements prepared on empty tables would not
/// have the plans that they have after years.
pub async fn load(databases: &[Database], orders: u64) -> anyhow::Result<Preloaded> {
    let started = Instant::now();
    let (now_ms, _) = Uuid::now_v7().as_u64_pair();
    let end_ms = (now_ms >> 16) - AGE_MS;
    let past = Past {
        begin_ms: i64::try_from(end_ms - orders * SPACING_MS)?,
        orders,
        first_id_after: Uuid::from_u64_pair(end_ms << 16, 0),
    };
    let bytes: Vec<f64> =
        try_join_all(databases.iter().map(|database| past.fill(database))).await?;
    Ok(Preloaded {
        orders,
        seconds: started.elapsed().as_secs_f64(),
        bytes_per_order: bytes.iter().sum::<f64>() / orders as f64,
        first_id_after: past.first_id_after,
    })
}

struct Past {
    begin_ms: i64,
    orders: u64,
    first_id_after: Uuid,
}

impl Past {
    /// Returns by how many bytes the database has grown.
    async fn fill(&self, database: &Database) -> anyhow::Result<f64> {
        let mut db = PgConnection::connect(&database.url).await?;
        let before = size(&mut db).await?;
        // Only these rows can be lost, and then the benchmark fails anyway.
        sqlx::query("set synchronous_commit = off").execute(&mut db).await?;
        let tables: Vec<_> = ROWS.iter().filter(|(name, ..)| *name == database.name).collect();
        let mut storage = Vec::new();
        for (_, table, _) in &tables {
            storage.extend(fuller(&mut db, table).await?);
        }
        for first in (0..self.orders).step_by(usize::try_from(CHUNK)?) {
            let last = (first + CHUNK).min(self.orders) - 1;
            for (_, table, rows) in &tables {
                self.insert(&mut db, table, rows, first, last)
                    .await
                    .with_context(|| format!("cannot load {table}"))?;
            }
        }
        if database.name == "order" {
            self.move_searches(&mut db).await?;
        }
        for as_before in storage {
            sqlx::query(AssertSqlSafe(as_before)).execute(&mut db).await?;
        }
        for (_, table, _) in &tables {
            // Also sets the hint bits, for which the first reader of each page would otherwise pay.
            let vacuum = AssertSqlSafe(format!("vacuum (analyze) {table}"));
            sqlx::query(vacuum).execute(&mut db).await?;
        }
        // Dirty pages would be written during the measurement.
        sqlx::query("checkpoint").execute(&mut db).await?;
        Ok(size(&mut db).await? - before)
    }

    async fn insert(
        &self,
        db: &mut PgConnection,
        table: &str,
        rows: &str,
        first: u64,
        last: u64,
    ) -> anyhow::Result<()> {
        let statement = format!(
            "with past as materialized (
                 select n, {ID} as id, {AT} as at, {SKU} as sku from generate_series($2, $3) n)
             insert into {table} {rows}"
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(self.begin_ms)
            .bind(i64::try_from(first)?)
            .bind(i64::try_from(last)?)
            .bind(i64::try_from(SPACING_MS)?)
            .execute(db)
            .await?;
        Ok(())
    }

    /// A service that had seen these orders end would not look at them again.
    async fn move_searches(&self, db: &mut PgConnection) -> anyhow::Result<()> {
        for statement in [
            "update overdue_search set searched = greatest(searched, $1)",
            "update open_search set ended = greatest(ended, $1)",
        ] {
            sqlx::query(statement).bind(self.first_id_after).execute(&mut *db).await?;
        }
        Ok(())
    }
}

/// Lets pages of a table get fuller. Returns the statement that undoes it; `None` where pages are filled anyway.
async fn fuller(db: &mut PgConnection, table: &str) -> anyhow::Result<Option<String>> {
    let storage: Option<String> = sqlx::query_scalar(
        "select array_to_string(reloptions, ', ') from pg_class where oid = $1::regclass",
    )
    .bind(table)
    .fetch_one(&mut *db)
    .await?;
    let Some(storage) = storage else { return Ok(None) };
    let change = format!("alter table {table} set (fillfactor = {FULL_PERCENT})");
    sqlx::query(AssertSqlSafe(change)).execute(db).await?;
    Ok(Some(format!("alter table {table} set ({storage})")))
}

async fn size(db: &mut PgConnection) -> anyhow::Result<f64> {
    let bytes = sqlx::query_scalar("select pg_database_size(current_database())::float8");
    Ok(bytes.fetch_one(db).await?)
}
