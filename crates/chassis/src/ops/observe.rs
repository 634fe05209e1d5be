//! What is read from the database for those who watch the service: how much waits to be published and
//! since when, dead letters, and what the service itself shows. A few bounded queries every few
//! seconds, beside the work and never within it. Each replica reads the same rows, so the figures of
//! replicas must not be added up.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use sqlx::PgConnection;

use crate::consume::offsets::Positions;
use crate::consume::{dead_letters, set_back};
use crate::executor::pace::Replicas;
use crate::failure::Failure;
use crate::ops::health::Health;
use crate::ops::telemetry::Telemetry;
use crate::service::Service;

/// How often the database is read. Figures are collected less often than this, and an outbox grows
/// only by some 100,000 messages meanwhile, a fraction of what it may hold.
const EVERY: Duration = Duration::from_secs(5);

/// Reads and records, when it is time.
pub(crate) struct Observer {
    health: Arc<Health>,
    telemetry: Arc<Telemetry>,
    replicas: Replicas,
    positions: Arc<Positions>,
    last: Option<Instant>,
    /// Reasons that dead letters have waited for, so that the end of the last one is shown too.
    reasons: HashSet<String>,
    /// Topics for which Kafka has refused something, likewise.
    refused: HashSet<String>,
}

impl Observer {
    pub(crate) fn new(
        health: Arc<Health>,
        telemetry: Arc<Telemetry>,
        replicas: Replicas,
        positions: Arc<Positions>,
    ) -> Self {
        let (reasons, refused) = (HashSet::new(), HashSet::new());
        Observer { health, telemetry, replicas, positions, last: None, reasons, refused }
    }

    pub(crate) async fn observe<S: Service>(
        &mut self,
        service: &S,
        db: &mut PgConnection,
    ) -> Result<(), Failure> {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return Ok(());
        }
        // Also if it fails: the next look is soon enough.
        self.last = Some(Instant::now());
        // Also if nothing is heard that would run into it.
        set_back::look(db, &self.positions, &self.telemetry).await?;
        self.count_replicas(db).await?;
        self.backlog(db).await?;
        self.dead_letters(db).await?;
        for reading in service.observe(db).await? {
            self.telemetry.show(&reading);
        }
        Ok(())
    }

    /// How much waits to be published, also for the watermark at which commands are refused: every
    /// replica looks, each has its own callers.
    async fn backlog(&mut self, db: &mut PgConnection) -> Result<(), Failure> {
        let (waiting, age): (i64, f64) = sqlx::query_as(
            "select coalesce(sum(message_count), 0)::bigint,
                    coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8
             from flotilla.outbox
             where batch > (select published_batch from flotilla.relay_lease)",
        )
        .fetch_one(&mut *db)
        .await?;
        let (refused, refused_for) = self.set_apart(db).await?;
        let (waiting, age) = (waiting + refused, age.max(refused_for));
        self.health.set_outbox_messages(waiting);
        self.telemetry.metrics.outbox_messages.record(waiting, &[]);
        self.telemetry.metrics.outbox_age.record(age.max(0.0), &[]);
        Ok(())
    }

    /// What Kafka refuses waits to be published like everything else. How much that is, and since when.
    async fn set_apart(&mut self, db: &mut PgConnection) -> Result<(i64, f64), Failure> {
        let topics: Vec<(String, i64, f64)> = sqlx::query_as(
            "select topic, count(*),
                    extract(epoch from clock_timestamp() - min(set_apart_at))::float8
             from flotilla.outbox_set_apart group by topic",
        )
        .fetch_all(db)
        .await?;
        let gauge = &self.telemetry.metrics.outbox_set_apart;
        let (mut messages, mut oldest) = (0, 0.0_f64);
        let mut seen = HashSet::new();
        for (topic, waiting, age) in topics {
            gauge.record(waiting, &[KeyValue::new("topic", topic.clone())]);
            (messages, oldest) = (messages + waiting, oldest.max(age));
            seen.insert(topic);
        }
        for over in self.refused.difference(&seen) {
            gauge.record(0, &[KeyValue::new("topic", over.clone())]);
        }
        self.refused.extend(seen);
        Ok((messages, oldest))
    }

    /// By the connections that they write over, as all of them share this database.
    async fn count_replicas(&self, db: &mut PgConnection) -> Result<(), Failure> {
        let replicas: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and application_name = 'executor'",
        )
        .fetch_one(db)
        .await?;
        self.replicas.set(replicas as usize);
        self.telemetry.metrics.replicas.record(replicas as u64, &[]);
        Ok(())
    }

    async fn dead_letters(&mut self, db: &mut PgConnection) -> Result<(), Failure> {
        let waiting = dead_letters::waiting(db).await?;
        let gauge = &self.telemetry.metrics.dead_letters_waiting;
        for settled in self.reasons.iter().filter(|known| !waiting.contains_key(*known)) {
            gauge.record(0, &[KeyValue::new("reason", settled.clone())]);
        }
        for (reason, count) in waiting {
            gauge.record(count, &[KeyValue::new("reason", reason.clone())]);
            self.reasons.insert(reason);
        }
        Ok(())
    }
}
