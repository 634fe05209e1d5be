//! A service for tests: its tables on a real Postgres, records and commands in, replies and records out, through the
//! executor as in a replica. Nothing comes from Kafka, nobody is called, nothing is swept, and nothing leaves the
//! outbox. Several on one database are replicas of each other that do not know of each other.

use language::Events;
use sqlx::{Connection, PgConnection};
use tokio::sync::oneshot;

use crate::app::App;
use crate::executor::queue::{CommandError, Item, Origin, Work};
use crate::executor::retention::Retention;
use crate::executor::{Executor, TRIES};
use crate::measuring::detached::Parts;
use crate::measuring::settings::config;
use crate::measuring::wire::{Record, Wire, records};
use crate::publish::relay::hand_over::HandOver;
use crate::service::Service;

/// Rows forgotten at a time: few, so that a test sees more than one turn.
const FORGOTTEN_MAX: i64 = 2;

/// One replica.
pub struct Harness<S: Service> {
    parts: Parts<S>,
    db: PgConnection,
    retention: Retention,
    /// Every record that was delivered.
    delivered: Vec<Record>,
    /// The last batch whose records were asked for.
    published: i64,
}

impl<S: Service> Harness<S> {
    /// Starts a service as it declares itself, except for who makes its calls: their intents are only written.
    /// Its tables must exist.
    pub async fn start(mut app: App<S>, database_url: &str) -> anyhow::Result<Self> {
        app.calls = None;
        let retention = Retention::new(&config(""), &app.forgets);
        let parts = Parts::of(app, database_url, HandOver::to_nobody()).await?;
        let mut db = PgConnection::connect(database_url).await?;
        let published =
            sqlx::query_scalar("select batch from flotilla.outbox_head").fetch_one(&mut db).await?;
        Ok(Harness { parts, db, retention, delivered: Vec::new(), published })
    }

    /// Carries out commands as one batch; returns what their callers are told.
    pub async fn submit(
        &mut self,
        inputs: impl IntoIterator<Item = S::Input>,
    ) -> Vec<Result<S::Reply, CommandError>> {
        let (mut items, mut replies) = (Vec::new(), Vec::new());
        for input in inputs {
            let (caller, reply) = oneshot::channel();
            let (work, origin) = (Work::Input(input), Origin::Command(caller));
            items.push(Item { work, origin, cause: None, trace: None });
            replies.push(reply);
        }
        self.process(items).await;
        let told = |mut reply: oneshot::Receiver<_>| {
            reply.try_recv().expect("a batch at its end has told its callers")
        };
        replies.into_iter().map(told).collect()
    }

    /// Hears records as one batch, as they come from their topics. Those that ask nothing of the service are
    /// skipped.
    pub async fn deliver(&mut self, records: &[Record]) -> anyhow::Result<()> {
        self.delivered.extend_from_slice(records);
        self.hear(records).await
    }

    /// Hears an event of `source` as a batch of its own, number `sequence` of its key. Under the same number it has
    /// the same id again, under another one a fresh id.
    pub async fn deliver_event<E: Events>(
        &mut self,
        source: &str,
        sequence: i64,
        event: &E,
    ) -> anyhow::Result<()> {
        self.deliver(&[Wire::<E>::default().record(source, sequence, event)]).await
    }

    /// Delivers records, and then each of them twice more: under its own id, as Kafka may, and under a fresh one,
    /// as a producer that repeats itself does.
    pub async fn deliver_twice(&mut self, records: &[Record]) -> anyhow::Result<()> {
        self.deliver(records).await?;
        self.hear(records).await?;
        let fresh: Vec<Record> = records.iter().map(Record::under_a_fresh_id).collect();
        self.hear(&fresh).await
    }

    /// Hears again everything that was delivered, from the first record on, as after offsets were set
    /// back.
    pub async fn replay(&mut self) -> anyhow::Result<()> {
        let delivered = self.delivered.clone();
        self.hear(&delivered).await
    }

    /// Sets the present time, in microseconds since the Unix epoch; it goes on from there.
    pub fn set_clock(&mut self, now_micros: i64) {
        self.parts.executor.clock.set(now_micros);
    }

    /// Forgets what has outlived its time, as the sweep does.
    pub async fn forget(&mut self) -> anyhow::Result<()> {
        while self.retention.forget(&mut self.db, FORGOTTEN_MAX).await? {}
        Ok(())
    }

    async fn hear(&mut self, records: &[Record]) -> anyhow::Result<()> {
        let items = self.parts.read(records)?;
        self.process(items).await;
        Ok(())
    }

    async fn process(&mut self, items: Vec<Item<S>>) {
        if !items.is_empty() {
            let executor: &mut Executor<S> = &mut self.parts.executor;
            Box::pin(executor.process(items, TRIES)).await;
        }
    }

    /// The records that the service has published since the last call, from any replica.
    pub async fn published(&mut self) -> anyhow::Result<Vec<Record>> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "select batch, messages from flotilla.outbox where batch > $1 order by batch",
        )
        .bind(self.published)
        .fetch_all(&mut self.db)
        .await?;
        self.published = rows.last().map_or(self.published, |(batch, _)| *batch);
        Ok(rows.iter().flat_map(|(_, row)| records(S::NAME, row)).collect())
    }
}
