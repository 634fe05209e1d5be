//! A look at the whole group every few seconds, from outside the polling member: whether this replica
//! is left out or refused, how far the group is behind, and which partitions have to stop.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;

use super::Consuming;
use super::flow::Flow;
use super::hindrance::{Complaint, Hindrance};
use super::probe::{Probe, probe};
use super::sight::{Seen, Sight};
use super::standstill::{Mend, Standstill};
use super::stop::Stop;
use super::watchdog::{Verdict, Watchdog};
use crate::consume::brokers::Brokers;
use crate::consume::offsets::{Partition, Positions};
use crate::ops::health::Health;
use crate::ops::telemetry::Telemetry;
use crate::service::Service;

/// The pause between looks.
const EVERY: Duration = Duration::from_secs(3);
/// How long a look may take. A silent database and silent brokers are reported elsewhere.
const LOOK_MAX: Duration = Duration::from_secs(20);
/// A complaint that is older than this is over if the member has partitions. Until then they may be the ones
/// that it is about to lose.
const COMPLAINT_MAX: Duration = Duration::from_secs(30);
/// How many stopped partitions are named.
const NAMED_MAX: usize = 3;

/// What the watch looks at, and to whom it reports.
pub(crate) struct Watch {
    group: &'static str,
    client_id: String,
    sight: Arc<Sight>,
    positions: Arc<Positions>,
    health: Arc<Health>,
    telemetry: Arc<Telemetry>,
    rejoin: Arc<AtomicBool>,
    complaint: Arc<Complaint>,
    flow: Arc<Flow>,
}

impl Watch {
    pub(crate) fn of<S: Service>(consuming: &Consuming<S>, sight: Arc<Sight>) -> Self {
        Watch {
            group: S::NAME,
            client_id: consuming.client_id.clone(),
            sight,
            positions: Arc::clone(&consuming.positions),
            health: Arc::clone(&consuming.health),
            telemetry: Arc::clone(&consuming.telemetry),
            rejoin: Arc::clone(&consuming.rejoin),
            complaint: Arc::clone(&consuming.complaint),
            flow: Arc::clone(&consuming.flow),
        }
    }

    /// Looks until the service stops.
    pub(crate) async fn run(self) {
        let mut watchdog = Watchdog::new();
        let mut standstill = Standstill::default();
        loop {
            tokio::select! {
                () = self.health.stopping() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let look = self.look(&mut watchdog, &mut standstill);
            match tokio::time::timeout(LOOK_MAX, look).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!("the group is not known: {error:#}"),
                Err(_elapsed) => tracing::debug!("the group is not known: no answer"),
            }
        }
    }

    /// Finds and reports what keeps this replica from hearing: what is known about the group comes before the
    /// offsets, as silent brokers may keep those from ever being read.
    async fn look(
        &self,
        watchdog: &mut Watchdog,
        standstill: &mut Standstill,
    ) -> anyhow::Result<()> {
        let topics = Brokers::topics(&self.sight.brokers, self.sight.topics.clone()).await;
        let topics = topics.inspect_err(|_away| {
            // No group can be joined then.
            watchdog.judge(Instant::now(), self.positions.count(), None);
        })?;
        // What the member complained of is over if it has its share.
        if self.positions.count() > 0 {
            self.complaint.settle_after(COMPLAINT_MAX);
        }
        let complaint = self.complaint.now().filter(|_| self.positions.count() == 0);
        let mut hindrances: Vec<(Hindrance, String)> = complaint.into_iter().collect();
        hindrances.extend(topics.hidden.iter().filter_map(|(topic, code)| {
            Some((Hindrance::of(*code)?, format!("topic {topic}: {code}")))
        }));
        hindrances.extend(self.look_at_group(&topics.partitions, watchdog).await);
        self.tell_hindrances(hindrances.iter().cloned().chain(standstill.hindrances()));
        standstill.ran_dry(self.flow.ran_dry());
        if let Err(error) = self.look_at_offsets(topics.partitions, standstill).await {
            tracing::debug!("the group's offsets are not known: {error:#}");
        }
        self.tell_hindrances(hindrances.into_iter().chain(standstill.hindrances()));
        Ok(())
    }

    /// Whether this replica has its share of the group's partitions.
    async fn look_at_group(
        &self,
        all: &[Partition],
        watchdog: &mut Watchdog,
    ) -> Option<(Hindrance, String)> {
        let holds = self.positions.count();
        let others_leave = match holds {
            0 => self.others_leave(all).await,
            _some => None,
        };
        let verdict = watchdog.judge(Instant::now(), holds, others_leave);
        if verdict == Verdict::Rejoin {
            self.rejoin.store(true, Relaxed);
        }
        match verdict {
            Verdict::Well | Verdict::LeftOut => None,
            Verdict::NotReady | Verdict::Rejoin => {
                let left = others_leave.unwrap_or_default();
                let text =
                    format!("this replica holds no partition, and nobody holds {left} of them");
                Some((Hindrance::LeftOut, text))
            }
        }
    }

    /// How many partitions no other replica holds, if the brokers say so.
    async fn others_leave(&self, all: &[Partition]) -> Option<usize> {
        let held = Brokers::held(&self.sight.brokers, self.group, self.client_id.clone()).await;
        let held = held.inspect_err(|error| tracing::debug!("who holds what: {error:#}")).ok()?;
        let is_held = |p: &&Partition| held.contains(&(p.topic.to_owned(), p.number));
        Some(all.len() - all.iter().filter(is_held).count())
    }

    /// How far the group is behind, which partitions have to stop, and why others stand still.
    async fn look_at_offsets(
        &self,
        partitions: Vec<Partition>,
        standstill: &mut Standstill,
    ) -> anyhow::Result<()> {
        // First, so that what is passed below is passed under the assignment under which it was seen.
        let held = self.positions.generations();
        let seen = self.sight.see(partitions.clone()).await;
        // If that is not known, nothing is known about those that were hidden before, either.
        let seen = seen.inspect_err(|_| standstill.hid(HashSet::new()))?;
        self.measure(&seen);
        let mut hidden: HashSet<Partition> = partitions.into_iter().collect();
        seen.iter().for_each(|seen| _ = hidden.remove(&seen.partition));
        standstill.hid(hidden);
        let mut stopped = Vec::new();
        for seen in &seen {
            match seen.stop {
                None => self.positions.restart(seen.partition),
                // What is fetched next belongs to another topic.
                Some(Stop::Recreated) => {
                    self.positions.stop(seen.partition);
                    stopped.push(*seen);
                }
                // The consumer may just be moving on. If the offset stays the same, it is looked up again.
                Some(Stop::HeadGone | Stop::BeyondEnd) if held.contains_key(&seen.partition) => {
                    if standstill.is_doubtful(seen) {
                        self.positions.hold(seen.partition, Duration::ZERO);
                    }
                }
                Some(Stop::HeadGone | Stop::BeyondEnd) => stopped.push(*seen),
            }
        }
        self.tell_stopped(stopped);
        let ours = seen.iter().filter(|seen| held.contains_key(&seen.partition));
        let Some(Seen { partition, stored, extent, .. }) = standstill.look(ours) else {
            return Ok(());
        };
        let found = probe(&self.sight.brokers.bootstrap, self.group, partition, stored).await?;
        if found == Probe::Nothing
            && let Some(generation) = held.get(&partition)
        {
            self.positions.skip_to(partition, *generation, extent.end);
        }
        let gets_nothing = self.positions.gets_nothing(partition);
        match standstill.probed(Instant::now(), partition, found, gets_nothing) {
            Some(Mend::FetchAgain) => {
                tracing::warn!(
                    topic = partition.topic,
                    partition = partition.number,
                    stored,
                    "a partition that can be read is not fetched: it is begun anew"
                );
                self.positions.hold(partition, Duration::ZERO);
            }
            Some(Mend::Rejoin) => self.rejoin.store(true, Relaxed),
            None => {}
        }
        Ok(())
    }

    fn measure(&self, seen: &[Seen]) {
        for seen in seen {
            let Partition { topic, number } = seen.partition;
            let place =
                [KeyValue::new("topic", topic), KeyValue::new("partition", i64::from(number))];
            self.telemetry.metrics.consumer_lag.record(seen.lag(), &place);
            self.telemetry.metrics.consumer_offset.record(seen.stored, &place);
        }
        for topic in &self.sight.topics {
            let of_topic = || seen.iter().filter(|seen| seen.partition.topic == *topic);
            for stop in Stop::ALL {
                let count = of_topic().filter(|seen| seen.stop == Some(stop)).count() as u64;
                let labels =
                    [KeyValue::new("topic", *topic), KeyValue::new("reason", stop.label())];
                self.telemetry.metrics.stopped_partitions.record(count, &labels);
            }
        }
    }

    fn tell_hindrances(&self, hindrances: impl Iterator<Item = (Hindrance, String)>) {
        let hindrances: Vec<_> = hindrances.collect();
        for hindrance in Hindrance::ALL {
            let is_there = hindrances.iter().any(|(found, _)| *found == hindrance);
            let reason = [KeyValue::new("reason", hindrance.label())];
            self.telemetry.metrics.consumer_hindered.record(u64::from(is_there), &reason);
        }
        let Some((first, text)) = hindrances.into_iter().min() else {
            return self.health.has("consumer");
        };
        let reason = format!("{text}; {}", first.advice());
        match first.is_own() {
            true => self.health.blocked("consumer", reason),
            false => self.health.waits_for("consumer", reason),
        }
    }

    /// Says which partitions are stopped, and how to let them go on.
    fn tell_stopped(&self, stopped: Vec<Seen>) {
        let mut by_place: BTreeMap<Partition, Seen> =
            stopped.into_iter().map(|seen| (seen.partition, seen)).collect();
        let count = by_place.len();
        let topic = by_place.first_key_value().map_or("", |(partition, _)| partition.topic);
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
            "{count} stopped partitions: {}{more}. Decide with docs/runbook.md (a partition is stopped) \
             where they go on, such as `flotilla offsets move {} --topic {topic} --to first`",
            named.join("; "),
            self.group
        );
        self.health.waits_for("offsets", reason);
    }
}
