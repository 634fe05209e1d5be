//! The relay's lease and its connections, as tests see and change them.

use std::time::Duration;

use sqlx::{Connection, PgConnection, query_scalar};
use tokio::task::JoinSet;

use super::{World, wait};

impl World {
    /// Holds the relay's lease in the name of a replica that does nothing, and renews it for as long as
    /// the answer lives.
    pub(crate) async fn take_lease(&self) -> JoinSet<()> {
        self.write_lease(5).await;
        let db = self.db.clone();
        let mut renewing = JoinSet::new();
        renewing.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let renewed = "update flotilla.relay_lease set expires_at = now() + interval '5 s'";
                sqlx::query(renewed).execute(&db).await.unwrap();
            }
        });
        renewing
    }

    /// Writes the lease of a holder that is dead, by a clock that runs ahead by this many seconds.
    pub(crate) async fn write_lease(&self, ahead: i32) {
        sqlx::query(
            "update flotilla.relay_lease set holder = gen_random_uuid(), epoch = epoch + 1,
                 expires_at = now() + make_interval(secs => $1)",
        )
        .bind(f64::from(ahead))
        .execute(&self.db)
        .await
        .unwrap();
    }

    /// As where a migration went wrong.
    pub(crate) async fn hide_set_apart(&self) {
        let hide = "alter table flotilla.outbox_set_apart rename to hidden";
        sqlx::query(hide).execute(&self.db).await.unwrap();
    }

    pub(crate) async fn show_set_apart(&self) {
        let show = "alter table flotilla.hidden rename to outbox_set_apart";
        sqlx::query(show).execute(&self.db).await.unwrap();
    }

    /// Breaks the connection over which the relay writes, as a network would.
    pub(crate) async fn break_connection_of_relay(&self) {
        // Only a role itself may end its sessions.
        let mut app = PgConnection::connect(&self.urls.app).await.unwrap();
        wait("the relay to be connected", async || {
            let broken: Vec<bool> = query_scalar(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and application_name = 'relay'",
            )
            .fetch_all(&mut app)
            .await
            .unwrap();
            if broken == [true] { Ok(()) } else { Err(format!("{broken:?}")) }
        })
        .await;
        app.close().await.unwrap();
    }

    /// Waits until this many connections wait for announcements of committed batches.
    pub(crate) async fn wait_for_listeners(&self, expected: i64) {
        // What a session does only its own role sees.
        let mut app = PgConnection::connect(&self.urls.app).await.unwrap();
        wait("connections that listen", async || {
            let found: i64 = query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and query ilike 'listen%'",
            )
            .fetch_one(&mut app)
            .await
            .unwrap();
            if found == expected { Ok(()) } else { Err(format!("there are {found}")) }
        })
        .await;
        app.close().await.unwrap();
    }

    pub(crate) async fn wait_until_lease_taken_after(&self, epoch: i64) {
        wait("the lease to be taken again", async || match self.lease_epoch().await {
            found if found > epoch => Ok(()),
            found => Err(format!("its epoch is {found}")),
        })
        .await;
    }

    /// Whether the last holder of the lease gave it back.
    pub(crate) async fn is_lease_free(&self) -> bool {
        query_scalar("select expires_at < now() - interval '1 hour' from flotilla.relay_lease")
            .fetch_one(&self.db)
            .await
            .unwrap()
    }

    /// How often the relay's lease was taken.
    pub(crate) async fn lease_epoch(&self) -> i64 {
        query_scalar("select epoch from flotilla.relay_lease").fetch_one(&self.db).await.unwrap()
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
}
