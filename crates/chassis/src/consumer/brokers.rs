//! What the brokers know and the member of the group does not: where partitions begin and end, also those
//! that nobody reads, and who in the group holds what. Asked over a client of its own, as the member's may
//! be what is broken.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::offsets::Partition;

/// How long the brokers may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the brokers.
pub(super) struct Brokers {
    bootstrap: String,
    /// None until the first question, and after one that failed: a client may have lost all brokers.
    client: Mutex<Option<Arc<BaseConsumer>>>,
}

/// Which records a partition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// The first offset that is still there.
    pub(super) first: i64,
    /// The offset after the last record that may be read.
    pub(super) end: i64,
}

impl Brokers {
    pub(super) fn new(bootstrap: &str) -> Self {
        Brokers { bootstrap: bootstrap.to_owned(), client: Mutex::default() }
    }

    /// Asks on a thread that may wait.
    async fn ask<T: Send + 'static>(
        brokers: &Arc<Self>,
        question: impl FnOnce(&BaseConsumer) -> Result<T, KafkaError> + Send + 'static,
    ) -> anyhow::Result<T> {
        let brokers = Arc::clone(brokers);
        let asked = tokio::task::spawn_blocking(move || {
            let client = brokers.client()?;
            let answer = question(&client);
            if answer.is_err() {
                *brokers.client.lock().expect("no panic under this lock") = None;
            }
            answer
        });
        let answer = asked.await.context("asking the brokers panicked")?;
        answer.with_context(|| "Kafka does not answer")
    }

    fn client(&self) -> Result<Arc<BaseConsumer>, KafkaError> {
        let mut client = self.client.lock().expect("no panic under this lock");
        if let Some(client) = &*client {
            // Nobody else takes its log lines and errors.
            let _nothing = client.poll(Duration::ZERO);
            return Ok(Arc::clone(client));
        }
        let made: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("allow.auto.create.topics", "false")
            .create()?;
        Ok(Arc::clone(client.insert(Arc::new(made))))
    }

    /// What there is in these partitions. One that the brokers do not know is left out.
    pub(super) async fn extents(
        brokers: &Arc<Self>,
        partitions: Vec<Partition>,
    ) -> anyhow::Result<HashMap<Partition, Extent>> {
        Brokers::ask(brokers, move |client| {
            let firsts = offsets(client, &partitions, Offset::Beginning)?;
            let ends = offsets(client, &partitions, Offset::End)?;
            let extent = |partition: &Partition| {
                let (first, end) = (*firsts.get(partition)?, *ends.get(partition)?);
                Some((*partition, Extent { first, end }))
            };
            Ok(partitions.iter().filter_map(extent).collect())
        })
        .await
    }

    /// All partitions of topics.
    pub(super) async fn partitions(
        brokers: &Arc<Self>,
        topics: Vec<&'static str>,
    ) -> anyhow::Result<Vec<Partition>> {
        Brokers::ask(brokers, move |client| {
            let mut partitions = Vec::new();
            for topic in topics {
                let metadata = client.fetch_metadata(Some(topic), TIMEOUT)?;
                let found = metadata.topics().iter().flat_map(|found| found.partitions());
                partitions.extend(found.map(|found| Partition { topic, number: found.id() }));
            }
            Ok(partitions)
        })
        .await
    }

    /// The partitions that members of a group hold, but for the one that goes by `except`.
    pub(super) async fn held(
        brokers: &Arc<Self>,
        group: &'static str,
        except: String,
    ) -> anyhow::Result<HashSet<(String, i32)>> {
        Brokers::ask(brokers, move |client| {
            let groups = client.fetch_group_list(Some(group), TIMEOUT)?;
            let found = groups.groups().iter().filter(|found| found.name() == group);
            let members = found.flat_map(|found| found.members());
            let others = members.filter(|member| member.client_id() != except);
            let assignments = others.filter_map(|member| member.assignment());
            Ok(assignments
                .filter_map(|bytes| Assignment { rest: bytes }.read())
                .flatten()
                .collect())
        })
        .await
    }
}

/// The offsets of one kind, of all partitions that the brokers answer for. To them the two ends of a
/// partition are times before and after all others.
fn offsets(
    client: &BaseConsumer,
    partitions: &[Partition],
    which: Offset,
) -> Result<HashMap<Partition, i64>, KafkaError> {
    if partitions.is_empty() {
        return Ok(HashMap::new());
    }
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(partition.topic, partition.number, which)?;
    }
    let answer = client.offsets_for_times(list, TIMEOUT)?;
    let find = |topic: &str, number| {
        partitions.iter().copied().find(|p| p.topic == topic && p.number == number)
    };
    let known = answer.elements().into_iter().filter_map(|element| match element.offset() {
        Offset::Offset(offset) if element.error().is_ok() => {
            Some((find(element.topic(), element.partition())?, offset))
        }
        _unknown => None,
    });
    Ok(known.collect())
}

/// What a group's leader gave a member, as Kafka passes it on.
/// <https://kafka.apache.org/protocol.html#The_Messages_ConsumerProtocolAssignment>
struct Assignment<'a> {
    rest: &'a [u8],
}

impl Assignment<'_> {
    /// `None` where it is none.
    fn read(mut self) -> Option<Vec<(String, i32)>> {
        let mut partitions = Vec::new();
        let _version = self.take(2)?;
        for _topic in 0..self.number()? {
            let length = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
            let topic = String::from_utf8(self.take(length.into())?.to_vec()).ok()?;
            for _partition in 0..self.number()? {
                partitions.push((topic.clone(), self.number()?));
            }
        }
        Some(partitions)
    }

    fn number(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_as_kafka_writes_it_and_half_of_one_is_none() {
        let bytes = b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\x03\0\0\0\x05\xff\xff\xff\xff";
        let read = |bytes| Assignment { rest: bytes }.read();
        assert_eq!(read(bytes), Some(vec![("t".to_owned(), 3), ("t".to_owned(), 5)]));
        assert_eq!(read(&bytes[..16]), None);
        assert_eq!(read(&[]), None);
    }
}
