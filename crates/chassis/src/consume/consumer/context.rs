//! What happens when partitions come and go, on the polling thread: they are noted, and nothing is waited
//! for. While a callback waits, the whole group may wait, and a member that meanwhile misses its session
//! has to begin again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::Consuming;
use super::fetched::Protocol;
use super::hindrance::Complaint;
use crate::consume::offsets::{Partition, Positions};
use crate::consume::statistics::{RequestCounter, Statistics};
use crate::ops::logs;
use crate::ops::telemetry::Telemetry;
use crate::service::Service;

/// How many statistics in a row, one a second, must be without a broker. Between losing its last broker
/// and trying the first ones again, a client may have none for a moment.
const WITHOUT_BROKERS_MAX: u32 = 3;

pub(crate) struct Assignments {
    topics: Vec<&'static str>,
    pub(super) protocol: Protocol,
    positions: Arc<Positions>,
    telemetry: Arc<Telemetry>,
    requests: RequestCounter,
    rejoin: Arc<AtomicBool>,
    complaint: Arc<Complaint>,
    without_brokers: AtomicU32,
    retired: AtomicBool,
    service: &'static str,
}

impl Assignments {
    pub(super) fn new<S: Service>(topics: Vec<&'static str>, consuming: &Consuming<S>) -> Self {
        Assignments {
            protocol: Protocol::for_topics(topics.len()),
            topics,
            positions: Arc::clone(&consuming.positions),
            telemetry: Arc::clone(&consuming.telemetry),
            requests: RequestCounter::new(Arc::clone(&consuming.telemetry)),
            rejoin: Arc::clone(&consuming.rejoin),
            complaint: Arc::clone(&consuming.complaint),
            without_brokers: AtomicU32::new(0),
            retired: AtomicBool::new(false),
            service: S::NAME,
        }
    }

    /// Another member takes over: this one's partitions no longer matter.
    pub(super) fn retire(&self) {
        self.retired.store(true, Relaxed);
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        let known = |topic: &str| self.topics.iter().copied().find(|known| *known == topic);
        let elements = list.elements();
        let partitions = elements.iter().filter_map(|element| {
            Some(Partition { topic: known(element.topic())?, number: element.partition() })
        });
        partitions.collect()
    }

    /// Where each partition begins is looked up in the background.
    fn expect(&self, list: &TopicPartitionList) {
        self.complaint.settle();
        let partitions = self.partitions(list);
        partitions.iter().for_each(|partition| self.positions.expect(*partition));
        if !partitions.is_empty() {
            tracing::info!(partitions = partitions.len(), "partitions assigned");
        }
    }

    /// A client that learns of no broker at all forgets those it knows, including those that it was configured
    /// with, and is silent from then on. A cluster reports none when it wakes up from a pause and
    /// its controller gives up the brokers before it hears from them again.
    /// <https://github.com/confluentinc/librdkafka/issues/5301>
    fn look_for_brokers(&self, statistics: &Statistics) {
        if statistics.has_brokers() {
            self.without_brokers.store(0, Relaxed);
        } else if self.without_brokers.fetch_add(1, Relaxed) + 1 == WITHOUT_BROKERS_MAX {
            tracing::warn!("the consumer knows no broker any more: it joins the group anew");
            self.rejoin.store(true, Relaxed);
        }
    }
}

impl ClientContext for Assignments {
    fn error(&self, error: KafkaError, reason: &str) {
        // The only place where failures of connections, names and credentials show.
        match self.retired.load(Relaxed) {
            false => tracing::warn!(error = %error, "consumer: {reason}"),
            true => tracing::debug!(error = %error, "a former consumer: {reason}"),
        }
    }

    /// One that was replaced for having lost all brokers tries to commit its last hints forever, and
    /// complains every minute.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        // Mostly a thread of librdkafka's, which is this client's alone.
        logs::works_for(self.service);
        match level {
            _ if self.retired.load(Relaxed) => {
                tracing::debug!("a former consumer: {facility} {line}")
            }
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::error!("consumer: {facility} {line}"),
            RDKafkaLogLevel::Warning => tracing::warn!("consumer: {facility} {line}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!("consumer: {facility} {line}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!("consumer: {facility} {line}"),
        }
    }

    fn stats_raw(&self, text: &[u8]) {
        let Some(statistics) = Statistics::parse(text) else { return };
        self.requests.count(&statistics);
        if !self.retired.load(Relaxed) {
            self.look_for_brokers(&statistics);
        }
    }
}

impl ConsumerContext for Assignments {
    /// Replaces the usual way, which begins with all partitions at once, and ignores it if the
    /// client refuses: the group would then wait forever.
    fn rebalance(
        &self,
        client: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let is_ours = !self.retired.load(Relaxed);
        let done = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                if is_ours {
                    self.expect(list);
                }
                self.protocol.accept(client)
            }
            _revoked => {
                if is_ours {
                    let partitions = self.partitions(list).into_iter();
                    partitions.for_each(|partition| self.positions.revoke(partition));
                }
                self.protocol.give_back(client, list)
            }
        };
        if !is_ours {
            return;
        }
        if let Err(error) = done {
            tracing::warn!(error = %error, "the client does not follow its group: it joins anew");
            self.rejoin.store(true, Relaxed);
        }
        let count = self.positions.count() as u64;
        self.telemetry.metrics.partitions.record(count, &[]);
    }
}
