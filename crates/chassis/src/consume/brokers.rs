//! What the brokers know and a member of the group does not: where partitions begin and end, including those that
//! nobody reads, and who in the group holds what. Uses a client of its own, as the member's may be what
//! is broken.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::consume::offsets::Partition;
use crate::ops::logs;

/// How long the brokers may take for one answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the brokers.
pub(crate) struct Brokers {
    pub(crate) bootstrap: String,
    /// None until the first question, and after one that failed: a client may have lost all brokers.
    client: Mutex<Option<Arc<BaseConsumer<Quiet>>>>,
}

/// Which records a partition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first offset that is still there.
    pub(crate) first: i64,
    /// The offset after the last record that may be read.
    pub(crate) end: i64,
}

/// A client whose errors are those of the question; the asker reports them.
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, "a question to the brokers: {reason}");
    }

    fn log(&self, _level: RDKafkaLogLevel, facility: &str, line: &str) {
        tracing::debug!(facility, "a question to the brokers: {line}");
    }
}

impl ConsumerContext for Quiet {}

/// What the brokers show of topics.
#[derive(Default)]
pub(crate) struct Topics {
    pub(crate) partitions: Vec<Partition>,
    /// Those that they do not show, and why.
    pub(crate) hidden: Vec<(&'static str, RDKafkaErrorCode)>,
}

impl Brokers {
    pub(crate) fn new(bootstrap: &str) -> Self {
        Brokers { bootstrap: bootstrap.to_owned(), client: Mutex::default() }
    }

    /// Asks on a thread that may block.
    async fn ask<T: Send + 'static>(
        brokers: &Arc<Self>,
        question: impl FnOnce(&BaseConsumer<Quiet>) -> Result<T, KafkaError> + Send + 'static,
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

    fn client(&self) -> Result<Arc<BaseConsumer<Quiet>>, KafkaError> {
        let mut client = self.client.lock().expect("no panic under this lock");
        if let Some(client) = &*client {
            // Nobody else receives its log lines and errors.
            let _nothing = client.poll(Duration::ZERO);
            return Ok(Arc::clone(client));
        }
        let made: BaseConsumer<Quiet> = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("allow.auto.create.topics", "false")
            .create_with_context(Quiet)?;
        Ok(Arc::clone(client.insert(Arc::new(made))))
    }

    /// The extents of these partitions, as far as their leaders report them: a leader that is away hides its own
    /// partitions and no others.
    pub(crate) async fn extents(
        brokers: &Arc<Self>,
        partitions: Vec<Partition>,
    ) -> anyhow::Result<HashMap<Partition, Extent>> {
        Brokers::ask(brokers, move |client| {
            let mut led = by_leader(client, partitions.iter().map(|p| p.topic))?;
            led.values_mut().for_each(|led| led.retain(|p| partitions.contains(p)));
            Ok(of_each_leader(&led, |led| extents_of_one_leader(client, led)))
        })
        .await
    }

    /// All partitions of topics, and the topics that the brokers do not show.
    pub(crate) async fn topics(
        brokers: &Arc<Self>,
        topics: Vec<&'static str>,
    ) -> anyhow::Result<Topics> {
        Brokers::ask(brokers, move |client| {
            let mut shown = Topics::default();
            for topic in topics {
                let metadata = client.fetch_metadata(Some(topic), TIMEOUT)?;
                for found in metadata.topics() {
                    shown.hidden.extend(found.error().map(|code| (topic, code.into())));
                    let partitions = found.partitions().iter();
                    let partition = |number| Partition { topic, number };
                    shown.partitions.extend(partitions.map(|found| partition(found.id())));
                }
            }
            Ok(shown)
        })
        .await
    }

    /// Where every partition of the topics ends; `None` where it has no leader, or its leader does not say.
    pub(crate) async fn ends(
        brokers: &Arc<Self>,
        topics: Vec<&'static str>,
    ) -> anyhow::Result<HashMap<Partition, Option<i64>>> {
        Brokers::ask(brokers, move |client| {
            let led = by_leader(client, topics.into_iter())?;
            let ends = of_each_leader(&led, |led| offsets(client, led, Offset::End));
            let all = led.values().flatten();
            Ok(all.map(|partition| (*partition, ends.get(partition).copied())).collect())
        })
        .await
    }

    /// The partitions that members of a group hold, except the member named `except`.
    pub(crate) async fn held(
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

/// The partitions of topics by the broker that leads them; [`NOBODY`] where none does.
type Led = HashMap<i32, Vec<Partition>>;

/// The leader of a partition whose brokers are all away.
const NOBODY: i32 = -1;

fn by_leader(
    client: &BaseConsumer<Quiet>,
    topics: impl Iterator<Item = &'static str>,
) -> Result<Led, KafkaError> {
    let mut led = Led::new();
    for topic in topics.collect::<HashSet<_>>() {
        let metadata = client.fetch_metadata(Some(topic), TIMEOUT)?;
        for found in metadata.topics().iter().flat_map(|found| found.partitions()) {
            let partition = Partition { topic, number: found.id() };
            led.entry(found.leader().max(NOBODY)).or_default().push(partition);
        }
    }
    Ok(led)
}

/// Asks each leader by itself, all at the same time. The client fails a whole question about many partitions
/// if one of them has no leader or its leader is silent; this way the others still answer, and those that do
/// not are left out.
fn of_each_leader<T: Send>(
    led: &Led,
    ask: impl Fn(&[Partition]) -> Result<HashMap<Partition, T>, KafkaError> + Sync,
) -> HashMap<Partition, T> {
    let leaders = led.iter().filter(|(leader, led)| **leader != NOBODY && !led.is_empty());
    let asked = |(leader, partitions): (&i32, &Vec<Partition>)| {
        ask(partitions).unwrap_or_else(|error| {
            tracing::debug!(leader, error = %error, "a leader does not answer");
            HashMap::new()
        })
    };
    let (asked, leaders) = (&asked, leaders.collect::<Vec<_>>());
    // Most often there is only one to ask.
    if let [only] = leaders[..] {
        return asked(only);
    }
    thread::scope(|scope| {
        let asking = leaders
            .into_iter()
            .map(|leader| scope.spawn(logs::for_the_same(move || asked(leader))));
        let asking: Vec<_> = asking.collect();
        let answered = asking.into_iter().map(|asking| asking.join().unwrap_or_default());
        answered.flatten().collect()
    })
}

fn extents_of_one_leader(
    client: &BaseConsumer<Quiet>,
    partitions: &[Partition],
) -> Result<HashMap<Partition, Extent>, KafkaError> {
    let firsts = offsets(client, partitions, Offset::Beginning)?;
    let ends = offsets(client, partitions, Offset::End)?;
    let extent = |partition: &Partition| {
        let (first, end) = (*firsts.get(partition)?, *ends.get(partition)?);
        Some((*partition, Extent { first, end }))
    };
    Ok(partitions.iter().filter_map(extent).collect())
}

/// The offsets of one kind, of all partitions that the brokers answer for. To them, the two ends of a
/// partition are times before and after all others.
fn offsets(
    client: &BaseConsumer<Quiet>,
    partitions: &[Partition],
    which: Offset,
) -> Result<HashMap<Partition, i64>, KafkaError> {
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
    /// `None` if it is not an assignment.
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
