//! What tests read from the service's database, and change in it as an operator or an accident would.

use sqlx::query_scalar;

use super::{REQUESTS, World};

impl World {
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

    /// Holds the relay's lease in the name of a replica that does nothing.
    pub(crate) async fn take_lease(&self) {
        self.change(
            "update flotilla.relay_lease set holder = gen_random_uuid(), epoch = epoch + 1,
                 expires_at = now() + interval '1 hour'",
        )
        .await;
    }

    /// Makes every statement about the lease fail, while all others work.
    pub(crate) async fn hide_lease(&self) {
        self.change("alter table flotilla.relay_lease rename to relay_lease_hidden").await;
    }

    pub(crate) async fn show_lease(&self) {
        self.change("alter table flotilla.relay_lease_hidden rename to relay_lease").await;
    }

    pub(crate) async fn give_lease_back(&self) {
        self.change("update flotilla.relay_lease set expires_at = 'epoch'").await;
    }

    async fn change(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.db).await.unwrap();
    }

    /// Makes the next start ask the registry again.
    pub(crate) async fn forget_schema_ids(&self) {
        self.change("delete from flotilla.schema_ids").await;
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
