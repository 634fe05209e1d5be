//! The wait for what a service needs before it can start: the database with its migrations, the ids of
//! the schemas, the topics. What is away is named, with what to do about it.

use std::collections::HashMap;
use std::time::Duration;

use super::start::Starting;
use crate::backoff::Backoff;
use crate::failure::Chain;
use crate::postgres::{database, migrations};
use crate::service::Service;
use crate::wire::registry::{self, Ids, Registry};
use crate::wire::topics;

/// The pauses after failed attempts, from the first to the last. The last is short enough that nobody waits
/// noticeably longer for the service than for what it waits for.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LAST: Duration = Duration::from_secs(3);

impl<S: Service> Starting<S> {
    /// The ids of all schemas compiled in: from the database if an earlier start left them, else
    /// from the registry.
    pub(super) async fn wait_for_database_and_schemas(&mut self) -> Ids {
        let records = self.app.records();
        let registry = Registry::new(&self.config.registry_url);
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_LAST);
        loop {
            match self.try_schemas(&records, &registry).await {
                Ok(Some(ids)) => {
                    self.health.set_database_up(true);
                    for part in ["database", "schema", "registry"] {
                        self.health.has(part);
                    }
                    return ids;
                }
                Ok(None) => {}
                Err(error) => {
                    self.health.waits_for("database", format!("the database is away: {error}"))
                }
            }
            backoff.pause().await;
        }
    }

    async fn try_schemas(
        &self,
        records: &[&'static language::RecordInfo],
        registry: &Registry,
    ) -> Result<Option<Ids>, sqlx::Error> {
        let mut db = database::writer(&self.config.database_url.0, "start").await?;
        self.health.has("database");
        self.handle.inner.clock.read(&mut db).await?;
        if let Some(missing) = migrations::missing_migration(&mut db, self.app.migrations).await? {
            let reason = format!("migration {missing} is missing: run `migrate` of this program");
            self.health.waits_for("schema", reason);
            return Ok(None);
        }
        self.health.has("schema");
        let mut ids = registry::stored_ids(&mut db, records).await?;
        let unknown: Vec<_> =
            records.iter().copied().filter(|r| !ids.contains_key(&registry::subject(r))).collect();
        let mut learnt: Ids = HashMap::new();
        for record in &unknown {
            let subject = registry::subject(record);
            match registry.id_of(&subject, record.schema).await {
                Ok(Some(id)) => {
                    learnt.insert(subject, id);
                }
                Ok(None) => {
                    let reason = format!(
                        "{subject} is not registered with this build's schema: run `flotilla schema register`"
                    );
                    self.health.waits_for("registry", reason);
                    return Ok(None);
                }
                Err(error) => {
                    self.health.waits_for("registry", Chain(&error).to_string());
                    return Ok(None);
                }
            }
        }
        registry::store_ids(&mut db, &unknown, &learnt).await?;
        ids.extend(learnt);
        Ok(Some(ids))
    }

    pub(super) async fn wait_for_topics(&self) {
        let wanted = self.app.topics();
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_LAST);
        loop {
            let brokers = self.config.kafka_brokers.clone();
            let existing = tokio::task::spawn_blocking(move || topics::existing(&brokers)).await;
            match existing {
                Ok(Ok(existing)) => {
                    let missing: Vec<&str> = wanted
                        .iter()
                        .map(String::as_str)
                        .filter(|topic| !existing.contains_key(*topic))
                        .collect();
                    if missing.is_empty() {
                        self.health.has("kafka");
                        return;
                    }
                    let reason = format!(
                        "no such topic: {}; create with `flotilla topics apply`",
                        missing.join(", ")
                    );
                    self.health.waits_for("kafka", reason);
                }
                Ok(Err(error)) => {
                    let brokers = &self.config.kafka_brokers;
                    let reason = format!("Kafka at {brokers} does not answer: {error}");
                    self.health.waits_for("kafka", reason);
                }
                Err(error) => self.health.waits_for("kafka", error.to_string()),
            }
            backoff.pause().await;
        }
    }
}
