//! Postgres and the services' own work: whole orders, without Kafka and HTTP.

use anyhow::Result;
use futures::future::try_join_all;
use local::SERVICES;
use serde::Serialize;
use sqlx::PgPool;

use super::Options;
use super::saga::{Fleet, Round};
use super::servers::{Servers, own};
use super::stretch::{Stretch, repeat};
use crate::postgres::{Counters, connect};
use crate::process::Process;

/// Long enough for each service to prepare its statements and for Postgres to fill its caches.
const WARMUP_SECONDS: f64 = 2.0;

/// What was published for this many orders is kept: a few megabytes.
const KEPT_ORDERS: usize = 512;

/// What batches of this many orders took.
#[derive(Debug, Clone, Serialize)]
pub struct Work {
    pub orders: f64,
    pub orders_per_second: f64,
    /// All four services: this process.
    pub services_us_per_order: f64,
    pub databases: Vec<Database>,
}

/// What a service's database took.
#[derive(Debug, Clone, Serialize)]
pub struct Database {
    pub name: &'static str,
    pub cpu_us_per_order: f64,
    /// Transactions; a statement outside a transaction counts as one.
    pub commits_per_order: f64,
    pub wal_bytes_per_order: f64,
}

/// Four services and what is read from their databases.
pub(super) struct Sagas {
    fleet: Fleet,
    databases: Vec<PgPool>,
    /// The databases' servers, in the order of the services, and this process.
    processes: Vec<Process>,
}

impl Sagas {
    pub(super) async fn start(servers: &Servers) -> Result<Self> {
        let postgres = SERVICES.iter().map(|name| servers.postgres(name));
        let mut processes = postgres.collect::<Result<Vec<Process>>>()?;
        processes.push(own());
        let databases = servers.measured.databases.iter().map(|database| connect(&database.url));
        Ok(Sagas {
            fleet: Fleet::start(servers).await?,
            databases: try_join_all(databases).await?,
            processes,
        })
    }

    /// Measures batches of this many orders. Also returns the first of them.
    pub(super) async fn measure(
        &mut self,
        orders: usize,
        options: &Options,
    ) -> Result<(Work, Vec<Round>)> {
        let fleet = &mut self.fleet;
        let mut kept = Vec::new();
        let keep = async || -> Result<()> {
            let round = fleet.round(orders).await?;
            if kept.len() * orders < KEPT_ORDERS {
                kept.push(round);
            }
            Ok(())
        };
        repeat(WARMUP_SECONDS.min(options.seconds), keep).await?;
        let before = counters(fleet, &self.databases).await?;
        let round = async || fleet.round(orders).await.map(drop);
        let stretch = Stretch::of(&self.processes, options.seconds, round).await?;
        let after = counters(fleet, &self.databases).await?;
        let counted = after.into_iter().zip(before).map(|(now, then)| now.since(then));
        Ok((Work::of(&stretch, orders, &counted.collect::<Vec<_>>()), kept))
    }
}

async fn counters(fleet: &mut Fleet, databases: &[PgPool]) -> Result<Vec<Counters>> {
    fleet.tell_statistics().await?;
    Ok(try_join_all(databases.iter().map(Counters::read)).await?)
}

impl Work {
    /// `counted` is in the order of the services.
    fn of(stretch: &Stretch, orders_each_time: usize, counted: &[Counters]) -> Self {
        let orders = stretch.divisor(orders_each_time);
        let cpu = stretch.cpu_us(orders_each_time);
        let database = |((name, counted), cpu): ((&'static str, &Counters), &f64)| Database {
            name,
            cpu_us_per_order: *cpu,
            commits_per_order: counted.commits / orders,
            wal_bytes_per_order: counted.wal_bytes / orders,
        };
        Work {
            orders,
            orders_per_second: orders / stretch.took.as_secs_f64(),
            services_us_per_order: cpu[SERVICES.len()],
            databases: SERVICES.into_iter().zip(counted).zip(&cpu).map(database).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_database_has_its_own_figures_and_the_rest_is_the_services() {
        let cpu = [10, 20, 30, 40, 50].map(Duration::from_millis).to_vec();
        let stretch = Stretch { times: 10, took: Duration::from_secs(2), cpu };
        let counted = [1.0, 2.0, 3.0, 4.0].map(|n| Counters {
            commits: n * 100.0,
            rows: 0.0,
            wal_bytes: n * 1_000.0,
        });
        let work = Work::of(&stretch, 10, &counted);
        assert_eq!((work.orders, work.orders_per_second), (100.0, 50.0));
        assert_eq!(work.services_us_per_order, 500.0);
        let shipping = &work.databases[3];
        assert_eq!((shipping.name, shipping.cpu_us_per_order), ("shipping", 400.0));
        assert_eq!((shipping.commits_per_order, shipping.wal_bytes_per_order), (4.0, 40.0));
    }
}
