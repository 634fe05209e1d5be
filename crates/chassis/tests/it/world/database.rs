//! What tests read from the service's database, and change in it as an operator or an accident would.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, Postgres, Transaction, query_as, query_scalar,
};

use uuid::Uuid;

use super::messages::Position;
use super::{REQUESTS, World, wait};

pub(crate) struct DeadLetter {
    pub(crate) id: i64,
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) payload: Option<Vec<u8>>,
}

impl World {
    pub(crate) async fn wait_for_total(&self, key: &str, total: i64) {
        wait(&format!("{key} to reach {total}"), async || match self.total(key).await {
            found if found == total => Ok(()),
            found => Err(format!("it is {found}")),
        })
        .await;
    }

    /// Whether each call of a key that has an intent is due.
    pub(crate) async fn due(&self, key: Uuid) -> Vec<bool> {
        let due = "select due_at <= now() from flotilla.intents where keys @> array[$1]";
        query_scalar(due).bind(key).fetch_all(&self.db).await.unwrap()
    }

    /// Waits until every committed batch is published, or set apart, and noted as such.
    pub(crate) async fn wait_until_published(&self) {
        wait("the outbox to be empty", async || {
            let rows: i64 = query_scalar(
                "select count(*) from flotilla.outbox
                 where batch > (select published_batch from flotilla.relay_lease)",
            )
            .fetch_one(&self.db)
            .await
            .unwrap();
            if rows == 0 { Ok(()) } else { Err(format!("it has {rows} rows")) }
        })
        .await;
    }

    /// Rows that wait to be published, and those that are kept.
    pub(crate) async fn rows_of_the_outbox(&self) -> i64 {
        query_scalar("select count(*) from flotilla.outbox").fetch_one(&self.db).await.unwrap()
    }

    pub(crate) async fn wait_for_rows_of_the_outbox(&self, rows: i64) {
        wait("rows of the outbox", async || match self.rows_of_the_outbox().await {
            found if found == rows => Ok(()),
            found => Err(format!("there are {found}")),
        })
        .await;
    }

    /// Messages that Kafka refused, and those behind them.
    pub(crate) async fn set_apart(&self) -> i64 {
        query_scalar("select count(*) from flotilla.outbox_set_apart")
            .fetch_one(&self.db)
            .await
            .unwrap()
    }

    pub(crate) async fn wait_until_nothing_is_set_apart(&self) {
        wait("nothing to be set apart", async || match self.set_apart().await {
            0 => Ok(()),
            waiting => Err(format!("{waiting} messages are")),
        })
        .await;
    }

    /// Makes the last row of the outbox unreadable; returns its number and what it held.
    pub(crate) async fn spoil_last_row(&self) -> (i64, Vec<u8>) {
        let last: (i64, Vec<u8>) =
            query_as("select batch, messages from flotilla.outbox order by batch desc limit 1")
                .fetch_one(&self.db)
                .await
                .unwrap();
        self.mend_row(last.0, b"of another version").await;
        last
    }

    /// Loses the last row of the outbox; returns its number.
    pub(crate) async fn lose_last_row(&self) -> i64 {
        query_scalar(
            "delete from flotilla.outbox where batch = (select max(batch) from flotilla.outbox)
             returning batch",
        )
        .fetch_one(&self.db)
        .await
        .unwrap()
    }

    /// Runs a statement of the runbook about a batch.
    pub(crate) async fn operate(&self, before: &str, batch: i64, after: &str) {
        let runbook = include_str!("../../../../../docs/runbook.md");
        let written = format!("{before}N{after}");
        assert!(runbook.contains(&written), "the runbook does not say: {written}");
        let statement = sqlx::AssertSqlSafe(format!("{before}{batch}{after}"));
        assert_eq!(sqlx::query(statement).execute(&self.db).await.unwrap().rows_affected(), 1);
    }

    pub(crate) async fn mend_row(&self, batch: i64, messages: &[u8]) {
        let changed = sqlx::query("update flotilla.outbox set messages = $2 where batch = $1")
            .bind(batch)
            .bind(messages)
            .execute(&self.db)
            .await
            .unwrap();
        assert_eq!(changed.rows_affected(), 1);
    }

    /// Adds rows as former tenures left them that published them.
    pub(crate) async fn leave_published_rows(&self, rows: i64) {
        self.run(&format!(
            "with head as (update flotilla.outbox_head set batch = batch + {rows} returning batch),
                  published as (update flotilla.relay_lease
                                set published_batch = published_batch + {rows}
                                returning published_batch)
             insert into flotilla.outbox (batch, message_count, messages)
             select published_batch - n, 1, '' from published, head, generate_series(0, {rows} - 1) n"
        ))
        .await;
    }

    /// Waits until the lease runs so much later than it did.
    pub(crate) async fn wait_until_lease_was_renewed_for(&self, time: Duration) {
        let expiry = || async {
            let at: f64 = query_scalar(
                "select extract(epoch from expires_at)::float8 from flotilla.relay_lease",
            )
            .fetch_one(&self.db)
            .await
            .unwrap();
            at
        };
        let before = expiry().await;
        wait("the lease to be renewed", async || match expiry().await - before {
            later if later >= time.as_secs_f64() => Ok(()),
            later => Err(format!("it runs {later} s later than it did")),
        })
        .await;
    }

    /// The dead letter of the message at a place, once it is there.
    pub(crate) async fn dead_letter(&self, (partition, offset): Position) -> DeadLetter {
        wait(&format!("a dead letter of {partition}@{offset}"), async || {
            let found: Option<(i64, String, String, Option<Vec<u8>>)> = query_as(
                "select id, reason, detail, payload from flotilla.dead_letters
                 where topic = $1 and partition = $2 and message_offset = $3
                   and topic_id = (select topic_id from flotilla.offsets
                                   where topic = $1 and partition = $2)",
            )
            .bind(REQUESTS)
            .bind(partition)
            .bind(offset)
            .fetch_optional(&self.db)
            .await
            .unwrap();
            found
                .map(|(id, reason, detail, payload)| DeadLetter { id, reason, detail, payload })
                .ok_or_else(|| "there is none".to_owned())
        })
        .await
    }

    /// How many dead letters there are of the message at a place.
    pub(crate) async fn dead_letters_of(&self, (partition, offset): Position) -> i64 {
        query_scalar(
            "select count(*) from flotilla.dead_letters
             where topic = $1 and partition = $2 and message_offset = $3",
        )
        .bind(REQUESTS)
        .bind(partition)
        .bind(offset)
        .fetch_one(&self.db)
        .await
        .unwrap()
    }

    pub(crate) async fn total(&self, key: &str) -> i64 {
        self.column("select total from totals where key = $1", key).await
    }

    pub(crate) async fn additions(&self, key: &str) -> i64 {
        self.column("select additions from totals where key = $1", key).await
    }

    async fn column(&self, query: &'static str, key: &str) -> i64 {
        let found: Option<i64> =
            query_scalar(query).bind(key).fetch_optional(&self.db).await.unwrap();
        found.unwrap_or_default()
    }

    /// Moves the offset that the database holds, as a restore of an old backup would.
    pub(crate) async fn move_offset(&self, partition: i32, by: i64) {
        let moved = sqlx::query(
            "update flotilla.offsets set next_offset = next_offset + $3
             where topic = $1 and partition = $2",
        )
        .bind(REQUESTS)
        .bind(partition)
        .bind(by)
        .execute(&self.db)
        .await
        .unwrap();
        assert_eq!(moved.rows_affected(), 1);
    }

    /// Takes back all that was heard of a key from its first message on, as a backup would that was made
    /// before: the offset goes back with the effects.
    pub(crate) async fn lose(&self, key: &str, (partition, offset): Position) {
        let mut tx = self.db.begin().await.unwrap();
        sqlx::query("delete from totals where key = $1").bind(key).execute(&mut *tx).await.unwrap();
        sqlx::query("delete from flotilla.inbox where strpos(event_id, $1) > 0")
            .bind(key)
            .execute(&mut *tx)
            .await
            .unwrap();
        let moved = sqlx::query(
            "update flotilla.offsets set next_offset = $3 where topic = $1 and partition = $2",
        )
        .bind(REQUESTS)
        .bind(partition)
        .bind(offset)
        .execute(&mut *tx)
        .await
        .unwrap();
        assert_eq!(moved.rows_affected(), 1);
        tx.commit().await.unwrap();
    }

    /// Puts another total in the place of one, of the same version.
    pub(crate) async fn replace_total(&self, key: &str, total: i64) {
        sqlx::query("update totals set total = $2 where key = $1")
            .bind(key)
            .bind(total)
            .execute(&self.db)
            .await
            .unwrap();
    }

    /// Ends the connections of a part of every replica, and waits until they are gone.
    pub(crate) async fn end_sessions(&self, part: &str) {
        let mut same_role = PgConnection::connect(&self.urls.app).await.unwrap();
        wait(&format!("a connection of the {part} to end"), async || {
            let ended: Vec<bool> = query_scalar(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity
                 where datname = current_database() and application_name = $1",
            )
            .bind(part)
            .fetch_all(&mut same_role)
            .await
            .unwrap();
            assert!(ended.iter().all(|ended| *ended), "{part}: {ended:?}");
            if ended.is_empty() { Err("there is none".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    /// Makes every change of a total of this key fail, as a corrupt page would: the code tells nothing of
    /// the input.
    pub(crate) async fn refuse_total(&self, key: &str) {
        self.run(&format!(
            "create function refuse() returns trigger language plpgsql as $$ begin
                 if new.key = '{key}' then
                     raise exception using errcode = 'XX001', message = 'a page is corrupt';
                 end if;
                 return new;
             end $$;
             create trigger refuse before insert or update on totals
                 for each row execute function refuse()"
        ))
        .await;
    }

    pub(crate) async fn accept_totals(&self) {
        self.run("drop function refuse cascade").await;
    }

    /// Makes every statement that writes to a table take so long, however many rows it writes.
    pub(crate) async fn slow_down(&self, table: &str, time: Duration) {
        self.run(&format!(
            "create or replace function slow_down() returns trigger language plpgsql as $$ begin
                 perform pg_sleep(tg_argv[0]::float8);
                 return null;
             end $$;
             create trigger slow_down after insert or update on {table}
                 for each statement execute function slow_down({})",
            time.as_secs_f64()
        ))
        .await;
    }

    /// Waits until the executor is in a statement that was slowed down.
    pub(crate) async fn wait_until_executor_sleeps(&self) {
        // What a session does is shown to its own role only.
        let mut same_role = PgConnection::connect(&self.urls.app).await.unwrap();
        wait("the executor to sleep", async || {
            let sleeps: bool = query_scalar(
                "select exists (select from pg_stat_activity
                     where datname = current_database() and application_name = 'executor'
                       and wait_event = 'PgSleep')",
            )
            .fetch_one(&mut same_role)
            .await
            .unwrap();
            if sleeps { Ok(()) } else { Err("it does not".to_owned()) }
        })
        .await;
    }

    /// The transaction that wrote the rows of a table for which a condition holds; it must be one.
    pub(crate) async fn transaction_of(&self, table: &str, condition: &str) -> String {
        let all = format!("select distinct xmin::text from {table} where {condition}");
        query_scalar(AssertSqlSafe(all)).fetch_one(&self.db).await.unwrap()
    }

    pub(crate) async fn speed_up(&self) {
        self.run("drop function slow_down cascade").await;
    }

    pub(crate) async fn change_key_type(&self, kind: &str) {
        self.run(&format!("alter table totals alter column key type {kind}")).await;
    }

    /// Lets new sessions write nothing, as on a standby.
    pub(crate) async fn make_standby(&self, standby: bool) {
        let name: String =
            query_scalar("select current_database()").fetch_one(&self.db).await.unwrap();
        let database = format!("alter database \"{name}\" ");
        let setting = "default_transaction_read_only";
        self.run(&match standby {
            true => format!("{database} set {setting} = on"),
            // The session of the tests may be one of those.
            false => format!("begin read write; {database} reset {setting}; commit"),
        })
        .await;
    }

    async fn run(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&self.db).await.unwrap();
    }

    /// Makes a total another version of itself, as soon as the answer is committed.
    pub(crate) async fn change_total(&self, key: &str) -> Transaction<'static, Postgres> {
        let mut tx = self.db.begin().await.unwrap();
        sqlx::query("update totals set version = version + 1 where key = $1")
            .bind(key)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx
    }

    /// Waits until somebody waits for a lock: `transactionid` for a row that is being changed, a mode
    /// for the table.
    pub(crate) async fn wait_until_waited_for(&self, lock: &str) {
        wait(&format!("somebody to wait for {lock}"), async || {
            let locks: Vec<String> = query_scalar(
                "select case locktype when 'relation' then mode else locktype end from pg_locks
                 where not granted",
            )
            .fetch_all(&self.db)
            .await
            .unwrap();
            match locks.iter().any(|found| found == lock) {
                true => Ok(()),
                false => Err(format!("only {locks:?} are waited for")),
            }
        })
        .await;
    }

    /// Waits until nobody waits for a lock.
    pub(crate) async fn wait_until_not_waited_for(&self) {
        wait("nobody to wait for a lock", async || {
            let waiting: i64 = query_scalar("select count(*) from pg_locks where not granted")
                .fetch_one(&self.db)
                .await
                .unwrap();
            if waiting == 0 { Ok(()) } else { Err(format!("{waiting} locks are waited for")) }
        })
        .await;
    }

    pub(super) async fn change(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.db).await.unwrap();
    }

    /// Makes the next start ask the registry again.
    pub(crate) async fn forget_schema_ids(&self) {
        self.change("delete from flotilla.schema_ids").await;
    }

    pub(crate) async fn forget_dead_letters(&self) {
        self.change("delete from flotilla.dead_letters").await;
    }

    /// Makes every topic start from its beginning.
    pub(crate) async fn forget_offsets(&self) {
        self.change("delete from flotilla.offsets").await;
    }

    /// Puts other bytes into a dead letter, as if a build with other rules had set it aside.
    pub(crate) async fn replace_payload(&self, dead_letter: i64, payload: &[u8]) {
        sqlx::query("update flotilla.dead_letters set payload = $2 where id = $1")
            .bind(dead_letter)
            .bind(payload)
            .execute(&self.db)
            .await
            .unwrap();
    }
}
