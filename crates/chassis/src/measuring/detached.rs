//! A service with its database and without Kafka: whole batches through the executor as in a replica,
//! heard from memory and published into memory. It lets a benchmark measure what a service and its
//! Postgres cost when nothing else does anything.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use tokio::sync::{broadcast, oneshot};

use super::clearing::Clearing;
use super::hearing::{self, Hearing};
use super::row::Row;
use super::settings::config;
use super::wire::Record;
use crate::app::App;
use crate::calls::{Asked, CallQueue};
use crate::consume::consumer::OffsetHint;
use crate::consume::offsets::{self, Partition};
use crate::executor::pace::Replicas;
use crate::executor::queue::{Item, Next, Origin, Senders, Work, queue};
use crate::executor::{Executor, Stuck};
use crate::ops::health::Health;
use crate::ops::telemetry::Telemetry;
use crate::postgres::connection::Writer;
use crate::publish::relay::hand_over::HandOver;
use crate::run::config::Secret;
use crate::service::Service;

/// A service that hears, decides, commits and calls.
pub struct Detached<S: Service> {
    parts: Parts<S>,
    clearing: Clearing,
}

/// A service's parts without Kafka, on the offsets that its database holds.
pub(crate) struct Parts<S: Service> {
    pub(crate) executor: Executor<S>,
    hearing: Hearing<S>,
    /// The next offset of each topic.
    next: HashMap<Partition, i64>,
    /// Without them the executor's queue would be closed.
    _senders: Senders<S>,
}

impl<S: Service> Parts<S> {
    pub(crate) async fn of(
        app: App<S>,
        database_url: &str,
        relay: HandOver,
    ) -> anyhow::Result<Self> {
        let config = config("");
        let telemetry = Arc::new(Telemetry::start(S::NAME, &config)?);
        let health = Arc::new(Health::new(config.outbox_messages_max));
        let (senders, queue) = queue::<S>();
        let hearing = Hearing::new(&app.hears);
        let encoder = hearing::encoder(&app);
        let call_queue = |erased| {
            let health = Arc::new(Health::new(i64::MAX));
            CallQueue::new(erased, &senders.outcomes, health, Arc::clone(&telemetry))
        };
        let mut executor = Executor {
            calls: app.calls.map(call_queue),
            service: app.service,
            writer: Writer::new(Secret(database_url.to_owned()), "executor", Arc::clone(&health)),
            queue,
            encoder,
            positions: Arc::clone(&hearing.positions),
            hint: OffsetHint::none(),
            relay,
            changes: broadcast::channel(1).0,
            telemetry,
            clock: Arc::default(),
            replicas: Replicas::default(),
            progress: Arc::default(),
            flow: Arc::default(),
            stored_at: Instant::now(),
            stuck: Stuck::new(health),
        };
        let db = executor.writer.connection().await?;
        executor.clock.read(db).await?;
        let stored = offsets::load(db, &hearing.positions.held()).await?;
        let next: HashMap<_, _> =
            stored.into_iter().map(|(partition, row)| (partition, row.offset)).collect();
        for (partition, offset) in &next {
            hearing.positions.assign(*partition, *offset);
        }
        Ok(Parts { executor, hearing, next, _senders: senders })
    }

    /// Records as they come from their topics. Those that ask nothing of the service are skipped.
    pub(crate) fn read(&mut self, records: &[Record]) -> anyhow::Result<Vec<Item<S>>> {
        let mut batch = Vec::with_capacity(records.len());
        for record in records {
            let Some(partition) = self.hearing.partition(&record.topic) else { continue };
            let next = self.next.get_mut(&partition).context("an offset that was not loaded")?;
            batch.extend(self.hearing.read(record, *next));
            *next += 1;
        }
        Ok(batch)
    }
}

impl<S: Service> Detached<S> {
    /// Starts a service as it declares itself, on the offsets that its database holds. Its tables must
    /// exist, and no replica of it may run.
    pub async fn start(app: App<S>, database_url: &str) -> anyhow::Result<Self> {
        let health = Arc::new(Health::new(i64::MAX));
        let writer = Writer::new(Secret(database_url.to_owned()), "relay", health);
        let (clearing, relay) = Clearing::start(writer).await?;
        Ok(Detached { parts: Parts::of(app, database_url, relay).await?, clearing })
    }

    /// Carries out commands as one batch, whose callers do not wait. Returns what was published.
    pub async fn command(
        &mut self,
        inputs: impl IntoIterator<Item = S::Input>,
    ) -> anyhow::Result<Vec<Row>> {
        let item = |input| Item {
            work: Work::Input(input),
            origin: Origin::Command(oneshot::channel().0),
            cause: None,
            trace: None,
        };
        self.process(inputs.into_iter().map(item).collect()).await
    }

    /// Hears records as one batch, and the outcomes of the calls that they lead to as another. Those that
    /// ask nothing of the service are skipped. Returns what was published.
    pub async fn hear(&mut self, records: &[Record]) -> anyhow::Result<Vec<Row>> {
        let batch = self.parts.read(records)?;
        self.process(batch).await
    }

    /// Makes Postgres count what was done here; by itself it would do so seconds later.
    pub async fn tell_statistics(&mut self) -> anyhow::Result<()> {
        for writer in [&mut self.parts.executor.writer, &mut self.clearing.writer] {
            let db = writer.connection().await?;
            sqlx::query("select pg_stat_force_next_flush()").execute(db).await?;
        }
        Ok(())
    }

    async fn process(&mut self, mut batch: Vec<Item<S>>) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        while !batch.is_empty() {
            self.parts.executor.drop_stale(&mut batch);
            let mut committed = Box::pin(self.parts.executor.attempt(&batch, false)).await?;
            let calls = committed.asked.as_ref().map_or(0, Asked::len);
            let outbox = committed.outbox.take();
            self.parts.executor.finish(batch, committed);
            if let Some(outbox) = outbox {
                self.clearing.published(outbox.number).await?;
                rows.push(Row::new(S::NAME, outbox));
            }
            batch = self.outcomes(calls).await?;
        }
        Ok(rows)
    }

    /// Waits for the outcomes of this many calls.
    async fn outcomes(&mut self, calls: usize) -> anyhow::Result<Vec<Item<S>>> {
        let mut outcomes = Vec::with_capacity(calls);
        while outcomes.len() < calls {
            match self.parts.executor.queue.next().await {
                Next::Batch(batch) => outcomes.extend(batch),
                Next::Idle => bail!("{} calls somebody who does not answer at once", S::NAME),
                Next::Closed => bail!("the queue of {} is closed", S::NAME),
            }
            self.parts.executor.queue.fill(&mut outcomes);
        }
        Ok(outcomes)
    }
}
