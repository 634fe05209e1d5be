//! Intents against a real Postgres.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::*;
use crate::postgres::migrations::MIGRATIONS;

#[tokio::test]
async fn what_is_due_is_taken_once_and_what_was_asked_for_a_moment_ago_is_not_due() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let asked = keys(3);
    write_one(&mut db, &asked).await;
    assert!(!is_any_due(&mut db).await.unwrap());
    assert!(take_due(&mut db).await.unwrap().is_empty());

    let due = keys(2);
    write_one(&mut db, &due).await;
    fall_due(&mut db, &due).await;
    assert!(is_any_due(&mut db).await.unwrap());
    assert_eq!(taken(&mut db).await, due);
    assert!(!is_any_due(&mut db).await.unwrap());
}

#[tokio::test]
async fn a_call_that_is_made_again_is_as_old_as_when_it_was_first_asked_for() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let day = Duration::from_secs(86_400);
    let asked = keys(2);
    let (mut writes, id) = (Writes::default(), Uuid::new_v4());
    write(&mut writes, id, &asked, &[day, Duration::ZERO]);
    writes.execute(&mut db).await.unwrap();
    fall_due(&mut db, &asked).await;
    let due = take_due(&mut db).await.unwrap();
    // Among calls in one row the oldest counts: a call may be taken for an older one, never for a younger.
    assert_eq!(due.len(), 2);
    assert!(due.values().all(|age| (day..day + Duration::from_secs(600)).contains(age)), "{due:?}");
}

#[tokio::test]
async fn no_more_than_a_batch_is_taken_at_once_and_the_longest_wait_comes_first() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let asked = [keys(300), keys(300), keys(300)];
    for (age, keys) in asked.iter().enumerate() {
        write_one(&mut db, keys).await;
        // What is written last has waited longest.
        for _minute in 0..=age {
            fall_due(&mut db, keys).await;
        }
    }
    assert_eq!(take_due(&mut db).await.unwrap().len(), 600);
    assert_eq!(taken(&mut db).await, asked[0]);
}

#[tokio::test]
async fn two_replicas_take_different_intents_and_a_crash_gives_them_back() {
    let tables = Tables::new().await;
    let (mut one, mut other) = (tables.connect().await, tables.connect().await);
    let asked = keys(2);
    write_one(&mut one, &asked).await;
    fall_due(&mut one, &asked).await;
    let mut taking = one.begin().await.unwrap();
    assert_eq!(taken(&mut taking).await, asked);
    assert!(take_due(&mut other).await.unwrap().is_empty(), "the first replica is at it");
    taking.rollback().await.unwrap();
    assert_eq!(taken(&mut other).await, asked);
}

#[tokio::test]
async fn a_row_tells_when_its_call_is_made_again() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let asked = keys(2);
    write_one(&mut db, &asked).await;
    for key in asked {
        let next = next_attempt_at(&mut db, key).await.unwrap().unwrap();
        assert!(next > Utc::now());
    }
    assert_eq!(next_attempt_at(&mut db, Uuid::now_v7()).await.unwrap(), None);
}

#[tokio::test]
async fn intents_are_deleted_when_the_last_of_their_calls_is_answered() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let asked = keys(2);
    let id = write_one(&mut db, &asked).await;
    let own = Arc::<Mutex<Own>>::default();
    let open = OpenCalls::new(id, asked.len(), &own);
    open.close_one();
    assert!(own.lock().unwrap().take_answered().is_empty());
    open.close_one();
    assert_eq!(own.lock().unwrap().take_answered(), [id]);
    assert!(own.lock().unwrap().take_open().is_empty());
    delete(&mut db, &[id]).await.unwrap();
    assert_eq!(next_attempt_at(&mut db, asked[0]).await.unwrap(), None);
}

#[tokio::test]
async fn an_intent_is_open_until_no_outcome_of_its_calls_can_come() {
    let own = Arc::<Mutex<Own>>::default();
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let under_way = OpenCalls::new(one, 1, &own);
    drop(OpenCalls::new(other, 1, &own));
    own.lock().unwrap().forget_lost();
    assert_eq!(own.lock().unwrap().take_open(), [one]);
    drop(under_way);
}

#[tokio::test]
async fn intents_whose_outcomes_nobody_takes_any_more_are_due_and_others_are_not() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let (mine, other) = (keys(2), keys(2));
    let id = write_one(&mut db, &mine).await;
    write_one(&mut db, &other).await;
    make_due(&mut db, &[id]).await.unwrap();
    assert_eq!(taken(&mut db).await, mine);
}

fn keys(count: usize) -> Vec<Uuid> {
    sorted((0..count).map(|_| Uuid::now_v7()).collect())
}

fn sorted(mut keys: Vec<Uuid>) -> Vec<Uuid> {
    keys.sort_unstable();
    keys
}

/// The keys that are due.
async fn taken(db: &mut PgConnection) -> Vec<Uuid> {
    sorted(take_due(db).await.unwrap().into_keys().collect())
}

async fn write_one(db: &mut PgConnection, keys: &[Uuid]) -> Uuid {
    let (mut writes, id) = (Writes::default(), Uuid::now_v7());
    write(&mut writes, id, keys, &vec![Duration::ZERO; keys.len()]);
    writes.execute(db).await.unwrap();
    id
}

/// A minute passes for these.
async fn fall_due(db: &mut PgConnection, keys: &[Uuid]) {
    let sql = "update flotilla.intents set due_at = due_at - interval '1 minute' where keys && $1";
    let done = sqlx::query(sql).bind(keys).execute(db).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

/// A database of its own, with the chassis' tables.
struct Tables {
    options: PgConnectOptions,
}

impl Tables {
    async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let database = servers.fresh_database("intents").await.unwrap();
        let options: PgConnectOptions = database.owner_url.parse().unwrap();
        let tables = Tables { options: options.options([("search_path", "flotilla")]) };
        let mut db = tables.connect().await;
        sqlx::query("create schema flotilla").execute(&mut db).await.unwrap();
        MIGRATIONS.run(&mut db).await.unwrap();
        tables
    }

    async fn connect(&self) -> PgConnection {
        self.options.connect().await.unwrap()
    }
}
