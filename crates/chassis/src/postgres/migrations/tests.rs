//! A migration beside transactions that hold what it wants, on a real Postgres.

use std::cell::Cell;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use super::*;

/// How long whatever must not wait may take on a busy machine; without the limit it would wait for ever.
const SOON: Duration = Duration::from_secs(20);

fn migrations(statements: &[&'static str]) -> &'static Migrator {
    let migration = |(version, sql): (i64, &&'static str)| {
        let sql = AssertSqlSafe(*sql).into_sql_str();
        Migration::new(version, "test".into(), MigrationType::Simple, sql, false)
    };
    let all: Vec<_> = (1..).zip(statements).map(migration).collect();
    Box::leak(Box::new(Migrator { migrations: all.into(), ..Migrator::DEFAULT }))
}

#[tokio::test]
async fn a_migration_that_waits_for_a_table_lets_those_who_write_go_first() {
    const MAKE: &str = "create table counted (n bigint not null)";
    const CHANGE: &str = "alter table counted add column m bigint";
    let servers = local::testing::servers().await.unwrap();
    let url = servers.fresh_database("migrations").await.unwrap().owner_url;
    migrate(&url, migrations(&[MAKE]), None).await.unwrap();

    let mut reader = PgConnection::connect(&url).await.unwrap();
    reader.execute("begin; select count(*) from counted").await.unwrap();
    let is_changed = Cell::new(false);
    let changing = async {
        migrate(&url, migrations(&[MAKE, CHANGE]), None).await.unwrap();
        is_changed.set(true);
    };
    let mut writer = PgConnection::connect(&url).await.unwrap();
    let meanwhile = async {
        let waits = "select exists (select from pg_stat_activity where wait_event_type = 'Lock'
                     and datname = current_database() and query like 'alter table%')";
        while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut writer).await.unwrap() {
            assert!(!is_changed.get(), "it had nothing to wait for");
            tokio::task::yield_now().await;
        }
        let written = writer.execute("insert into counted (n) values (1)");
        tokio::time::timeout(SOON, written).await.expect("it waits for the migration").unwrap();
        assert!(!is_changed.get(), "the reader has not ended");
        reader.execute("rollback").await.unwrap();
    };
    let both = futures::future::join(changing, meanwhile);
    tokio::time::timeout(2 * SOON, both).await.expect("nobody is in its way any more");
    writer.execute("insert into counted (n, m) values (2, 3)").await.unwrap();
}
