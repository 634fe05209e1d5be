//! Groups of consumers as they look from outside: who is in them, what each reads, and how far it is. Separate from the
//! consumer of a service, which keeps its offsets in its database. It joins no group and moves no offset. Blocking:
//! use it on a thread of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// How long a question to the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A group of consumers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What Kafka says of it, such as `Stable` or `Empty`.
    pub state: String,
    /// Its members; none while nobody runs.
    pub members: Vec<Member>,
}

/// One consumer of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it calls itself.
    pub client: String,
    /// Where it runs.
    pub host: String,
    /// What it reads.
    pub partitions: Vec<(String, i32)>,
}

/// How far a group is in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Where it goes on.
    pub committed: i64,
    /// The first record that is there.
    pub first: i64,
    /// Where the partition ends.
    pub end: i64,
}

impl Position {
    /// How many records it has still to read, as far as they are still there.
    pub fn lag(&self) -> i64 {
        (self.end - self.committed.max(self.first)).max(0)
    }
}

/// All groups of the cluster, or the one of this name.
pub fn list(brokers: &str, name: Option<&str>) -> Result<Vec<Group>, KafkaError> {
    let found = client(brokers, "none")?.fetch_group_list(name, TIMEOUT)?;
    let groups = found.groups().iter().map(|group| Group {
        name: group.name().to_owned(),
        state: group.state().to_owned(),
        members: group
            .members()
            .iter()
            .map(|member| Member {
                client: member.client_id().to_owned(),
                host: member.client_host().trim_start_matches('/').to_owned(),
                partitions: member.assignment().and_then(assigned).unwrap_or_default(),
            })
            .collect(),
    });
    let mut groups: Vec<Group> = groups.collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(groups)
}

/// How far a group is in these topics, by their numbers of partitions; without what it never read.
pub fn positions(
    brokers: &str,
    group: &str,
    topics: &BTreeMap<String, i32>,
) -> Result<Vec<Position>, KafkaError> {
    let client = client(brokers, group)?;
    let mut asked = TopicPartitionList::new();
    for (topic, partitions) in topics {
        (0..*partitions).for_each(|partition| _ = asked.add_partition(topic, partition));
    }
    let mut positions = Vec::new();
    for element in client.committed_offsets(asked, TIMEOUT)?.elements() {
        let Offset::Offset(committed) = element.offset() else { continue };
        let (topic, partition) = (element.topic().to_owned(), element.partition());
        let (first, end) = client.fetch_watermarks(&topic, partition, TIMEOUT)?;
        positions.push(Position { topic, partition, committed, first, end });
    }
    Ok(positions)
}

fn client(brokers: &str, group: &str) -> Result<BaseConsumer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .create()
}

/// What a member reads, by the protocol of consumers: a version, then topics with their partitions.
/// <https://kafka.apache.org/protocol>
fn assigned(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    let mut rest = Rest(bytes.get(2..)?);
    let mut found = Vec::new();
    for _topic in 0..rest.number()? {
        let topic = rest.text()?;
        for _partition in 0..rest.number()? {
            found.push((topic.clone(), rest.number()?));
        }
    }
    found.sort();
    Some(found)
}

/// What is left of an answer.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(i16::from_be_bytes(self.take()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_and_one_that_is_cut_off_is_none() {
        let bytes = b"\0\x01\0\0\0\x01\0\x01a\0\0\0\x02\0\0\0\x01\0\0\0\0\xff\xff\xff\xff";
        let partition = |number| ("a".to_owned(), number);
        assert_eq!(assigned(bytes), Some(vec![partition(0), partition(1)]));
        assert_eq!(assigned(&bytes[..12]), None);
        assert_eq!(assigned(b""), None);
    }

    #[test]
    fn what_has_expired_unread_is_no_lag() {
        let at = |committed| Position {
            topic: "a".to_owned(),
            partition: 0,
            committed,
            first: 5,
            end: 9,
        };
        assert_eq!([at(2).lag(), at(6).lag(), at(9).lag(), at(12).lag()], [4, 3, 0, 0]);
    }
}
