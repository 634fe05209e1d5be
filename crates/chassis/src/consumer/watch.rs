//! A look at the whole group every few seconds, from outside of the member that polls: whether this replica
//! is left out, how far the group is behind, and which partitions have to stop.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use sqlx::PgPool;
use uuid::Uuid;

use super::Consuming;
use super::brokers::Brokers;
use super::sight::Seen;
use super::stop::Stop;
use super::topic_id::topic_id;
use super::watchdog::{Verdict, Watchdog};
use crate::health::Health;
use crate::offsets::{self, Partition, Positions};
use crate::service::Service;
use crate::telemetry::Telemetry;

/// The pause between looks.
const EVERY: Duration = Duration::from_secs(3);
/// How long a look may take. A database or brokers that are silent are others' to report.
const LOOK_MAX: Duration = Duration::from_secs(20);
/// How many stopped partitions are named.
const NAMED_MAX: usize = 3;

/// What the watch looks at, and whom it tells.
pub(crate) struct Watch {
    group: &'static str,
    client_id: String,
    topics: Vec<&'static str>,
    bootstrap: String,
    brokers: Arc<Brokers>,
    db: PgPool,
    positions: Arc<Positions>,
    health: Arc<Health>,
    telemetry: Arc<Telemetry>,
    rejoin: Arc<AtomicBool>,
}

impl Watch {
    pub(crate) fn of<S: Service>(consuming: &Consuming<S>, db: PgPool) -> Self {
        let bootstrap = consuming.config.kafka_brokers.clone();
        Watch {
            group: S::NAME,
            client_id: consuming.client_id.clone(),
            topics: consuming.topics(),
            brokers: Arc::new(Brokers::new(&bootstrap)),
            bootstrap,
            db,
            positions: Arc::clone(&consuming.positions),
            health: Arc::clone(&consuming.health),
            telemetry: Arc::clone(&consuming.telemetry),
            rejoin: Arc::clone(&consuming.rejoin),
        }
    }

    /// Looks until the service stops.
    pub(crate) async fn run(self) {
        let mut watchdog = Watchdog::new();
        loop {
            tokio::select! {
                () = self.health.stopping() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            self.look_at_group(&mut watchdog).await;
            match tokio::time::timeout(LOOK_MAX, self.look_at_offsets()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!("the group's offsets are not known: {error:#}"),
                Err(_elapsed) => tracing::debug!("the group's offsets are not known: no answer"),
            }
        }
    }

    /// Whether this replica has its part of the group's partitions.
    async fn look_at_group(&self, watchdog: &mut Watchdog) {
        let holds = self.positions.count();
        let others_leave = match holds {
            0 => self.others_leave().await,
            _some => None,
        };
        match watchdog.judge(Instant::now(), holds, others_leave) {
            Verdict::Well => self.health.has("assignment"),
            Verdict::LeftOut => {}
            verdict @ (Verdict::NotReady | Verdict::Rejoin) => {
                let reason = format!(
                    "this replica holds no partition, and nobody in group {} holds {} of them: it joins \
                     with a new member",
                    self.group,
                    others_leave.unwrap_or_default()
                );
                self.health.blocked("assignment", reason);
                if verdict == Verdict::Rejoin {
                    self.rejoin.store(true, Relaxed);
                }
            }
        }
    }

    /// How many partitions no other replica holds, if the brokers say so.
    async fn others_leave(&self) -> Option<usize> {
        let asked = async {
            let all = Brokers::partitions(&self.brokers, self.topics.clone()).await?;
            let held = Brokers::held(&self.brokers, self.group, self.client_id.clone()).await?;
            let is_held = |p: &&Partition| held.contains(&(p.topic.to_owned(), p.number));
            anyhow::Ok(all.len() - all.iter().filter(is_held).count())
        };
        asked.await.inspect_err(|error| tracing::debug!("the group is not known: {error:#}")).ok()
    }

    /// How far the group is behind, and which partitions have to stop.
    async fn look_at_offsets(&self) -> anyhow::Result<()> {
        let seen = self.see().await?;
        let held = self.positions.held();
        for topic in &self.topics {
            let of_topic = || seen.iter().filter(|seen| seen.partition.topic == *topic);
            let lag = of_topic().map(Seen::lag).sum::<u64>();
            self.telemetry.metrics.consumer_lag.record(lag, &[KeyValue::new("topic", *topic)]);
            for stop in Stop::ALL {
                let count = of_topic().filter(|seen| seen.stop == Some(stop)).count() as u64;
                let labels =
                    [KeyValue::new("topic", *topic), KeyValue::new("reason", stop.label())];
                self.telemetry.metrics.stopped_partitions.record(count, &labels);
            }
        }
        let mut stopped = Vec::new();
        for seen in seen {
            match seen.stop {
                None => self.positions.restart(seen.partition),
                // What is fetched next is of another topic.
                Some(Stop::Recreated) => {
                    self.positions.stop(seen.partition);
                    stopped.push(seen);
                }
                // The consumer runs into it by itself, if it is not just passing.
                Some(Stop::HeadGone | Stop::BeyondEnd) if held.contains(&seen.partition) => {}
                Some(Stop::HeadGone | Stop::BeyondEnd) => stopped.push(seen),
            }
        }
        self.tell(stopped);
        Ok(())
    }

    async fn see(&self) -> anyhow::Result<Vec<Seen>> {
        // Offsets before ends, which are not behind them then.
        let rows = offsets::rows(&self.db, &self.topics).await?;
        let mut ids: HashMap<&'static str, Uuid> = HashMap::new();
        for topic in &self.topics {
            ids.extend(topic_id(&self.bootstrap, topic).await?.map(|id| (*topic, id)));
        }
        let all = Brokers::partitions(&self.brokers, self.topics.clone()).await?;
        let extents = Brokers::extents(&self.brokers, all).await?;
        Ok(Seen::all(&rows, &ids, &extents))
    }

    /// Says which partitions are stopped, and how to let them go on.
    fn tell(&self, stopped: Vec<Seen>) {
        let mut by_place: BTreeMap<Partition, Seen> =
            stopped.into_iter().map(|seen| (seen.partition, seen)).collect();
        let count = by_place.len();
        let mut named = Vec::new();
        while named.len() < NAMED_MAX
            && let Some((_, seen)) = by_place.pop_first()
        {
            named.push(seen.to_string());
        }
        if named.is_empty() {
            return self.health.has("offsets");
        }
        let more = match count - named.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let reason = format!(
            "{count} partitions are stopped: {}{more}. Compare table flotilla.offsets with the topic and \
             repair one of them; docs/runbook.md says how",
            named.join("; ")
        );
        self.health.waits_for("offsets", reason);
    }
}
