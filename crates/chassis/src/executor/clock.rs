//! What time it is: the database's time, in every replica. It is read over a connection that is there
//! anyway, and carried on by a clock of the process that nobody adjusts. A replica's own clock, which may be
//! an hour off, decides nothing: neither when an order is placed nor when it is overdue.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Instant;

use sqlx::PgConnection;

/// The database's clock, as this replica knows it.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Any moment: only the time since then counts.
    began: Instant,
    /// What the database's clock showed then, in microseconds since the Unix epoch.
    at_begin: AtomicI64,
}

impl Clock {
    /// The database's time, in microseconds since the Unix epoch. It is behind by the latency of the last
    /// answer and the drift of the two clocks in a second, and never ahead by more than the drift.
    pub(crate) fn now_micros(&self) -> i64 {
        self.at_begin.load(Relaxed).saturating_add(micros(self.began))
    }

    /// Reads the database's clock, also where it was set back: whoever is right, all replicas agree.
    pub(crate) async fn read(&self, db: &mut PgConnection) -> Result<i64, sqlx::Error> {
        let now =
            sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")
                .fetch_one(db)
                .await?;
        self.set(now);
        Ok(now)
    }

    /// Sets it to this time, and goes on from there.
    pub(crate) fn set(&self, now_micros: i64) {
        self.at_begin.store(now_micros.saturating_sub(micros(self.began)), Relaxed);
    }
}

impl Default for Clock {
    /// Shows this machine's time until the database's is read, which is before a service is ready.
    #[expect(clippy::disallowed_methods, reason = "nothing is decided before the first reading")]
    fn default() -> Self {
        let at_begin = AtomicI64::new(chrono::Utc::now().timestamp_micros());
        Clock { began: Instant::now(), at_begin }
    }
}

fn micros(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::Connection;

    use super::*;

    #[test]
    fn what_the_database_says_counts_whatever_this_machine_believes_and_time_goes_on_from_there() {
        let clock = Clock::default();
        for said in [5_000_000, 9_000_000_000, 1_000_000] {
            clock.set(said);
            let first = clock.now_micros();
            assert!((said..said + 1_000_000).contains(&first), "{first} for {said}");
            std::thread::sleep(Duration::from_millis(2));
            assert!(clock.now_micros() >= first + 2_000);
        }
    }

    #[tokio::test]
    async fn a_database_whose_clock_is_an_hour_off_is_believed() {
        let servers = local::testing::servers().await.unwrap();
        let database = servers.fresh_database("order").await.unwrap();
        let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
        let this_machines = Clock::default().now_micros();
        let hour = 3_600_000_000;
        for (name, interval, off) in [("slow", "-1 hour", -hour), ("fast", "1 hour", hour)] {
            let skewed = format!(
                "create schema {name};
                 create function {name}.clock_timestamp() returns timestamptz language sql as
                     $$ select pg_catalog.clock_timestamp() + interval '{interval}' $$;
                 set search_path = {name}, pg_catalog"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(skewed)).execute(&mut db).await.unwrap();
            let clock = Clock::default();
            let said = clock.read(&mut db).await.unwrap();
            let ahead = said - this_machines - off;
            assert!((0..600_000_000).contains(&ahead), "{name}: {ahead}");
            assert!((said..said + 60_000_000).contains(&clock.now_micros()));
        }
    }
}
