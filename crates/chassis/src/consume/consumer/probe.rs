//! Reads a partition from outside the group, to find out why a member makes no progress on it.

use std::time::Instant;

use anyhow::Context as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::hindrance::Hindrance;
use crate::consume::brokers::{Quiet, TIMEOUT};
use crate::consume::offsets::Partition;

/// What a partition has from an offset on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    Record,
    /// No record up to its end: only what readers are not shown, such as the marks of transactions.
    Nothing,
    /// The brokers do not let it be read.
    Refused(RDKafkaErrorCode),
    /// They took too long.
    Silent,
}

/// Reads a partition as the member of the group would, from an offset to its end or to the first record.
pub(super) async fn probe(
    brokers: &str,
    group: &'static str,
    partition: Partition,
    from: i64,
) -> anyhow::Result<Probe> {
    let brokers = brokers.to_owned();
    let probed = tokio::task::spawn_blocking(move || {
        let client: BaseConsumer<Quiet> = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            // To have the same rights. It joins no group, as it subscribes to nothing.
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .create_with_context(Quiet)?;
        let mut list = TopicPartitionList::new();
        let from = Offset::Offset(from);
        list.add_partition_offset(partition.topic, partition.number, from)?;
        client.assign(&list)?;
        let until = Instant::now() + TIMEOUT;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match client.poll(left) {
                None => {}
                Some(Ok(_record)) => return Ok(Probe::Record),
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(Probe::Nothing),
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(code) if Hindrance::of(code).is_some() => {
                        return Ok(Probe::Refused(code));
                    }
                    _of_the_moment => {}
                },
            }
        }
        Ok(Probe::Silent)
    });
    probed.await.context("a probe panicked")?.map_err(|error: KafkaError| error.into())
}
