//! Where a partition begins: at the database's offset, whatever Kafka remembers, if that offset belongs to
//! this same topic. Looked up in the background, as Postgres and Kafka may take their time to answer and
//! the group does not wait for them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use tokio::sync::Mutex;

use super::stop::Stop;
use super::topic_id::topic_ids;
use crate::consume::brokers::Brokers;
use crate::consume::offsets::{self, Partition, Positions, Question};
use crate::ops::health::Health;
use crate::postgres::database;
use crate::run::config::Secret;

/// How long one attempt may take. Postgres and Kafka answer in milliseconds if they are up.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// The pause between attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Looks up where partitions begin.
pub(super) struct Placing {
    pub(super) database_url: Secret,
    pub(super) bootstrap: String,
    pub(super) brokers: Arc<Brokers>,
    pub(super) positions: Arc<Positions>,
    pub(super) health: Arc<Health>,
    /// One at a time: each attempt opens a connection.
    pub(super) turn: Mutex<()>,
}

impl Placing {
    /// Answers questions, for as long as somebody waits for the answers.
    pub(super) async fn look_up(self: Arc<Self>, questions: Vec<Question>) {
        loop {
            let turn = self.turn.lock().await;
            let is_open = |question: &Question| self.positions.is_open(*question);
            let open: Vec<Question> = questions.iter().copied().filter(is_open).collect();
            if open.is_empty() {
                // Replicas that hold the partitions now ask for themselves.
                return self.health.has("positions");
            }
            let attempt = tokio::time::timeout(ATTEMPT_MAX, self.attempt(&open));
            let reason = match attempt.await {
                Ok(Ok(())) => return self.health.has("positions"),
                Ok(Err(error)) => format!("{error:#}"),
                Err(_elapsed) => format!("no answer within {} s", ATTEMPT_MAX.as_secs()),
            };
            let topics: HashSet<&str> = open.iter().map(|open| open.partition.topic).collect();
            let topics = topics.into_iter().collect::<Vec<_>>().join(", ");
            let reason = format!("where partitions of {topics} begin is not known: {reason}");
            self.health.waits_for("positions", reason);
            drop(turn);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, questions: &[Question]) -> anyhow::Result<()> {
        let partitions: Vec<Partition> = questions.iter().map(|q| q.partition).collect();
        let mut db = database::writer(&self.database_url.0, "offsets").await?;
        let stored = offsets::load(&mut db, &partitions).await?;
        let topics: HashSet<&'static str> = partitions.iter().map(|p| p.topic).collect();
        let ids = topic_ids(&self.bootstrap, topics).await?;
        for (topic, id) in &ids {
            offsets::note_topic(&mut db, topic, *id).await?;
        }
        db.close().await?;
        let extents = Brokers::extents(&self.brokers, partitions).await?;
        for question in questions {
            let partition = question.partition;
            let (Some(stored), Some(extent)) = (stored.get(&partition), extents.get(&partition))
            else {
                // Just added, or just gone: asked again later.
                self.positions.put_off(partition, PAUSE);
                continue;
            };
            let recreated = stored.is_of_another(ids.get(partition.topic));
            let stop = Stop::of(stored.offset, *extent, recreated);
            self.positions.answer(*question, stop.is_none().then_some(stored.offset));
        }
        Ok(())
    }
}
