//! The lives of rows, on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands, in its helpers too")]

use sqlx::Connection;
use sqlx::migrate::Migrator;

use super::*;
use crate::measuring::settings::config;

static NO_MIGRATIONS: Migrator = Migrator::DEFAULT;

/// More than any test has.
const ALL: i64 = 100;

#[tokio::test]
async fn the_id_of_an_event_is_forgotten_after_its_life_and_not_before() {
    let mut db = database().await;
    execute(&mut db, PROCESSED).await;
    retention(&[]).forget(&mut db, ALL).await.unwrap();
    assert_eq!(ids(&mut db).await, ["29 days old", "today"]);
}

#[tokio::test]
async fn ids_stay_as_long_as_a_dead_letter_waits_that_may_have_been_processed_under_one() {
    let mut db = database().await;
    execute(&mut db, PROCESSED).await;
    letter(&mut db, 1, "waiting", 20).await;
    retention(&[]).forget(&mut db, ALL).await.unwrap();
    assert_eq!(ids(&mut db).await, ["29 days old", "31 days old", "today"]);
    execute(&mut db, "update flotilla.dead_letters set state = 'dropped', settled_at = now()")
        .await;
    retention(&[]).forget(&mut db, ALL).await.unwrap();
    assert_eq!(ids(&mut db).await, ["29 days old", "today"]);
}

#[tokio::test]
async fn what_a_settled_dead_letter_held_is_forgotten_and_its_place_stays() {
    let mut db = database().await;
    for (offset, state, settled_days_ago) in
        [(1, "dropped", 31), (2, "retried", 29), (3, "waiting", 300)]
    {
        letter(&mut db, offset, state, settled_days_ago).await;
    }
    for _time in 0..2 {
        retention(&[]).forget(&mut db, ALL).await.unwrap();
        let kept: Vec<(i64, bool, bool)> = sqlx::query_as(
            "select message_offset, forgotten_at is not null,
                    payload is null and message_key is null and headers = '[]' and detail = ''
             from flotilla.dead_letters order by message_offset",
        )
        .fetch_all(&mut db)
        .await
        .unwrap();
        assert_eq!(kept, [(1, true, true), (2, false, false), (3, false, false)]);
    }
}

#[tokio::test]
async fn a_services_own_rows_go_a_few_at_a_time_the_oldest_first() {
    let mut db = database().await;
    execute(&mut db, "create table notes (n int, written_at timestamptz)").await;
    let notes =
        "insert into notes select n, now() - n * interval '1 day' from generate_series(1, 10) n";
    execute(&mut db, notes).await;
    let kept = Duration::from_secs(5 * 24 * 3600 + 60);
    let retention = retention(&[Life { table: "notes", since: "written_at", kept }]);
    for (more, left) in [(true, 8), (true, 6), (false, 5), (false, 5)] {
        assert_eq!(retention.forget(&mut db, 2).await.unwrap(), more);
        let oldest: i32 =
            sqlx::query_scalar("select max(n) from notes").fetch_one(&mut db).await.unwrap();
        assert_eq!(oldest, left);
    }
}

#[tokio::test]
async fn one_look_is_enough_for_a_while_where_nothing_more_is_old() {
    let mut db = database().await;
    let mut retention = retention(&[]);
    retention.sweep(&mut db).await.unwrap();
    execute(&mut db, PROCESSED).await;
    retention.sweep(&mut db).await.unwrap();
    assert_eq!(ids(&mut db).await.len(), 3, "it was looked for a moment ago");
    retention.next = Instant::now();
    retention.sweep(&mut db).await.unwrap();
    assert_eq!(ids(&mut db).await.len(), 2);
}

const PROCESSED: &str = "insert into flotilla.inbox (topic, event_id, processed_at) values
    ('t', '31 days old', now() - interval '31 days'), ('t', '29 days old', now() - interval '29 days'),
    ('t', 'today', now())";

/// With the lives that are the default.
fn retention(of_service: &[Life]) -> Retention {
    Retention::new(&config(""), of_service)
}

async fn database() -> PgConnection {
    let servers = local::testing::servers().await.unwrap();
    let url = servers.fresh_database("retention").await.unwrap().owner_url;
    crate::testing::migrate(&url, &NO_MIGRATIONS).await.unwrap();
    PgConnection::connect(&url).await.unwrap()
}

async fn execute(db: &mut PgConnection, sql: &'static str) {
    sqlx::query(sql).execute(db).await.unwrap();
}

/// A dead letter that was set aside and, unless it waits, settled this many days ago.
async fn letter(db: &mut PgConnection, offset: i64, state: &str, days_ago: i32) {
    sqlx::query(
        "insert into flotilla.dead_letters (topic, partition, message_offset, message_key, headers, payload, reason,
                                            detail, state, created_at, settled_at)
         select 't', 0, $1, 'key', '[[\"name\", \"value\"]]', 'payload', 'poison', 'why', $2, at,
                case when $2 <> 'waiting' then at end
         from (select now() - make_interval(days => $3) as at) t",
    )
    .bind(offset)
    .bind(state)
    .bind(days_ago)
    .execute(db)
    .await
    .unwrap();
}

async fn ids(db: &mut PgConnection) -> Vec<String> {
    let all = "select event_id from flotilla.inbox order by event_id";
    sqlx::query_scalar(all).fetch_all(db).await.unwrap()
}
