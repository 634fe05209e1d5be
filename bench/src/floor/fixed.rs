//! The fixed costs of Postgres: an empty round trip, and the smallest commit that reaches the disk.

use anyhow::Result;
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use super::Options;
use super::servers::{Servers, own};
use super::stretch::{Stretch, repeat};
use crate::process::Process;

/// Long enough for the statement to be prepared.
const WARMUP_SECONDS: f64 = 0.2;

/// Costs that a batch cannot spread.
#[derive(Debug, Clone, Serialize)]
pub struct Fixed {
    /// `select 1`, prepared.
    pub round_trip: Cost,
    /// An update of one row, by its key.
    pub commit: Cost,
}

/// What one statement takes.
#[derive(Debug, Clone, Serialize)]
pub struct Cost {
    pub postgres_us: f64,
    /// This process.
    pub client_us: f64,
    /// From sending it to its answer.
    pub took_us: f64,
}

/// Measures both on the order service's server.
pub(super) async fn measure(servers: &Servers, options: &Options) -> Result<Fixed> {
    let url = &servers.measured.databases[0].url;
    let processes = [servers.postgres("order")?, own()];
    let mut db = PgConnection::connect(url).await?;
    for statement in [
        "create table if not exists floor (id int primary key, changes bigint not null)",
        "insert into floor values (1, 0) on conflict do nothing",
    ] {
        sqlx::query(statement).execute(&mut db).await?;
    }
    let round_trip = cost(&mut db, &processes, options, "select 1").await?;
    let update = "update floor set changes = changes + 1 where id = 1";
    let commit = cost(&mut db, &processes, options, update).await?;
    sqlx::query("drop table floor").execute(&mut db).await?;
    db.close().await?;
    Ok(Fixed { round_trip, commit })
}

async fn cost(
    db: &mut PgConnection,
    processes: &[Process; 2],
    options: &Options,
    statement: &'static str,
) -> Result<Cost> {
    let mut run = async || -> Result<()> {
        sqlx::query(statement).execute(&mut *db).await?;
        Ok(())
    };
    repeat(WARMUP_SECONDS, &mut run).await?;
    let stretch = Stretch::of(processes, options.seconds, run).await?;
    let cpu = stretch.cpu_us(1);
    let took_us = stretch.took.as_secs_f64() * 1e6 / stretch.divisor(1);
    Ok(Cost { postgres_us: cpu[0], client_us: cpu[1], took_us })
}
