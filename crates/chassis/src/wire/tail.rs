//! Reading topics from outside the fleet: for people, for the audit, and for benchmarks. It
//! joins no group and moves no offset.

mod values;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::wire::headers;
pub use values::Decoder;

/// Why topics cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// There is no such topic, so nothing would ever come from it.
    #[error("no topic is called {name}; there are: {}", known.join(", "))]
    UnknownTopic {
        /// What was asked for.
        name: String,
        /// The topics that exist, without Kafka's own.
        known: Vec<String>,
    },
    /// There is no such partition.
    #[error("{} has no partition {partition}", topics.join(", "))]
    UnknownPartition {
        /// The topics that were asked for.
        topics: Vec<String>,
        /// The number.
        partition: i32,
    },
    /// The brokers do not answer, or refuse.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// Records that were there when reading began do not come.
    #[error(
        "nothing came for {} s, and {open} partitions are not read to their end: {topic}/{partition} stands at \
         {position} of {end}; its leader is away, or somebody's transaction is open there: read again when it is over",
        silence.as_secs()
    )]
    Silent {
        /// How long nothing came.
        silence: Duration,
        /// How many partitions were not read to their end.
        open: usize,
        /// The topic of the first of them.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where reading stands there.
        position: i64,
        /// Where it was to end.
        end: i64,
    },
}

/// How long the brokers may take to say which partitions there are.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

/// How soon a partition without a leader is asked for again.
const LEADER_PAUSE: Duration = Duration::from_millis(100);

/// How long the client is asked to wait at once: it counts milliseconds in 31 bits.
const POLL_MAX: Duration = Duration::from_secs(3_600);

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the first record that the topic still has.
    Beginning,
    /// With the first record written after the tail was made.
    End,
    /// With the first record of each partition that is not older, in milliseconds since the Unix epoch.
    Time(i64),
    /// With this record of each partition, or the nearest one that is there.
    Offset(i64),
}

/// Where reading to the end stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// At what was the end when the tail was made.
    End,
    /// Before the first record of each partition that is as young as this, in milliseconds since the Unix epoch.
    Time(i64),
    /// Before this record of each partition.
    Offset(i64),
}

/// Which part of topics is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Where reading begins.
    pub from: From,
    /// Where reading to the end stops.
    pub to: To,
    /// One partition of each topic; all when left out.
    pub partition: Option<i32>,
}

/// Partitions with the first record that is read of each, and the first that is not.
pub type Ranges = BTreeMap<(String, i32), (i64, i64)>;

/// A record as it is on its topic.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its key, which is text on every topic of the fleet.
    pub key: String,
    /// When it was written, by the producer's clock, in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Its headers, in their order; bytes that are not text are replaced. None where the name of one is not text.
    pub headers: Vec<(String, String)>,
    /// Its value, with the frame of five bytes.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The record's full name, from its `ce_type`; empty when it has none.
    pub fn event_type(&self) -> &str {
        self.header("ce_type").unwrap_or_default()
    }

    /// The registry's id of the schema that its value names, if it has the frame.
    pub fn schema_id(&self) -> Option<u32> {
        match self.value.as_deref()? {
            [0, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => None,
        }
    }
}

/// Reads topics, all partitions, as they grow. Blocking: use it on a thread of its own.
pub struct Tail {
    consumer: BaseConsumer,
    ranges: Ranges,
    /// Where each partition is read to: its end when the tail was made, or what was asked for.
    ends: HashMap<(String, i32), i64>,
    /// The first record that each partition still had then.
    firsts: HashMap<(String, i32), i64>,
}

impl Tail {
    /// Starts reading. The positions are fixed before this returns: nothing written later is missed.
    pub fn new(brokers: &str, topics: &[&str], from: From) -> Result<Self, TailError> {
        Tail::within(brokers, topics, Scope { from, to: To::End, partition: None })
    }

    /// The same with a part of the topics.
    pub fn within(brokers: &str, topics: &[&str], scope: Scope) -> Result<Self, TailError> {
        let consumer = consumer(brokers)?;
        let until = Instant::now() + METADATA_TIMEOUT;
        let mut asked = partitions(&consumer, topics, until)?;
        asked.retain(|(_, number)| scope.partition.is_none_or(|only| only == *number));
        if let (true, Some(partition)) = (asked.is_empty(), scope.partition) {
            let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
            return Err(TailError::UnknownPartition { topics, partition });
        }
        // The ends come first: where no record is that young, the partition's end is the place, and one that is written
        // meanwhile lies behind it.
        let mut extents = Vec::new();
        for (topic, number) in &asked {
            extents.push(patiently(until, || {
                consumer.fetch_watermarks(topic, *number, METADATA_TIMEOUT)
            })?);
        }
        let times = |time| at_time(&consumer, &asked, time, until);
        let begin = if let From::Time(time) = scope.from { times(time)? } else { HashMap::new() };
        let stop = if let To::Time(time) = scope.to { times(time)? } else { HashMap::new() };
        let (mut ranges, mut firsts) = (Ranges::new(), HashMap::new());
        for (partition, (first, end)) in asked.into_iter().zip(extents) {
            let start = match scope.from {
                From::Beginning => first,
                From::End => end,
                From::Time(_) => begin.get(&partition).copied().unwrap_or(end).min(end),
                From::Offset(offset) => offset.clamp(first, end),
            };
            let end = match scope.to {
                To::End => end,
                To::Time(_) => stop.get(&partition).copied().unwrap_or(end).min(end),
                To::Offset(offset) => offset.clamp(first, end),
            };
            firsts.insert(partition.clone(), first);
            ranges.insert(partition, (start, end.max(start)));
        }
        Tail::started(consumer, ranges, firsts)
    }

    /// Starts reading what lies between these offsets.
    pub fn between(brokers: &str, ranges: Ranges) -> Result<Self, TailError> {
        let firsts = ranges.iter().map(|(partition, (start, _))| (partition.clone(), *start));
        let firsts = firsts.collect();
        Tail::started(consumer(brokers)?, ranges, firsts)
    }

    fn started(
        consumer: BaseConsumer,
        ranges: Ranges,
        firsts: HashMap<(String, i32), i64>,
    ) -> Result<Self, TailError> {
        let mut assignment = TopicPartitionList::new();
        for ((topic, number), (start, _)) in &ranges {
            assignment.add_partition_offset(topic, *number, Offset::Offset(*start))?;
        }
        consumer.assign(&assignment)?;
        let ends = ranges.iter().map(|(partition, (_, end))| (partition.clone(), *end)).collect();
        Ok(Tail { consumer, ranges, ends, firsts })
    }

    /// What is read to the end, as it was fixed when the tail was made.
    pub fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// The partitions whose beginning was no longer there when the tail was made, with the offset of
    /// the first record that was.
    pub fn expired(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        let began_later = self.firsts.iter().filter(|(_, first)| **first > 0);
        began_later.map(|((topic, partition), first)| (topic.as_str(), *partition, *first))
    }

    /// The first record that each partition had when the tail was made, and its end.
    pub fn extents(&self) -> impl Iterator<Item = (&str, i32, i64, i64)> {
        self.ends.iter().map(|(partition, end)| {
            let first = self.firsts.get(partition).copied().unwrap_or_default();
            (partition.0.as_str(), partition.1, first, *end)
        })
    }

    /// How many partitions the topics have, and how many of their records were there when the tail was made.
    pub fn extent(&self) -> (i32, i64) {
        self.extents().fold((0, 0), |(partitions, records), (_, _, first, end)| {
            (partitions + 1, records + end - first)
        })
    }

    /// The next record, or `None` when none came within `timeout`.
    pub fn next(&self, timeout: Duration) -> Result<Option<Record>, KafkaError> {
        Ok(self.next_message(timeout)?.map(|message| record(&message)))
    }

    /// The same, borrowed, with every byte as it is on the topic.
    fn next_message(&self, timeout: Duration) -> Result<Option<BorrowedMessage<'_>>, KafkaError> {
        // Later than a clock can represent is never.
        let until = Instant::now().checked_add(timeout);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let over = left.is_some_and(|left| left.is_zero());
            match self.consumer.poll(left.map_or(POLL_MAX, |left| left.min(POLL_MAX))) {
                None if over => return Ok(None),
                None => {}
                Some(Ok(message)) => return Ok(Some(message)),
                // The client recovers from these by itself; the caller must know about anything else.
                Some(Err(KafkaError::MessageConsumption(_))) if !over => {}
                Some(Err(error)) => return Err(error),
            }
        }
    }

    /// The same for a reader that outlives an absence of the brokers: while they are away nothing comes, and
    /// afterwards it goes on where it was.
    pub fn next_whenever(&self, timeout: Duration) -> Result<Option<Record>, KafkaError> {
        match self.next(timeout) {
            Err(KafkaError::MessageConsumption(_)) => Ok(None),
            answer => answer,
        }
    }

    /// Reads everything that was there when the tail was made, in the order of each partition.
    pub fn read_to_end(
        &self,
        silence: Duration,
        mut each: impl FnMut(Record),
    ) -> Result<(), TailError> {
        self.try_read_to_end(silence, |record| {
            each(record);
            Ok(())
        })
    }

    /// The same until `each` fails.
    pub fn try_read_to_end<E: std::convert::From<TailError>>(
        &self,
        silence: Duration,
        mut each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        self.read_messages_to_end(silence, |message| each(record(message)))
    }

    /// The same, borrowed, with every byte as it is on the topic.
    pub(super) fn read_messages_to_end<E: std::convert::From<TailError>>(
        &self,
        silence: Duration,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut open = self.ends.clone();
        retain_open(&mut open, &self.consumer.assignment().map_err(TailError::from)?);
        while !open.is_empty() {
            let Some(message) = self.next_message(silence).map_err(TailError::from)? else {
                // Compaction can remove the last records before the end; the position passes them.
                let positions = self.consumer.position().map_err(TailError::from)?;
                retain_open(&mut open, &positions);
                return silent(silence, &open, &positions)
                    .map_or(Ok(()), |error| Err(error.into()));
            };
            let partition = (message.topic().to_owned(), message.partition());
            let done = open.get(&partition).is_some_and(|end| message.offset() + 1 >= *end);
            if done {
                open.remove(&partition);
            }
            if self.ends.get(&partition).is_some_and(|end| message.offset() < *end) {
                each(&message)?;
            }
        }
        Ok(())
    }
}

fn consumer(brokers: &str) -> Result<BaseConsumer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        // Required by the client library; with assigned partitions and no commits it stays unused.
        .set("group.id", "tail")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        // As the services read: what a producer took back is not there.
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "16384")
        // A user who waits for brokers that were away wants to know soon that they are back; by default
        // the client would only try every ten seconds by then.
        .set("reconnect.backoff.max.ms", "500")
        .create()
}

/// The first record of each partition that is not older; without the partitions whose records all are.
fn at_time(
    consumer: &BaseConsumer,
    asked: &[(String, i32)],
    time_ms: i64,
    until: Instant,
) -> Result<HashMap<(String, i32), i64>, TailError> {
    let mut times = TopicPartitionList::new();
    for (topic, number) in asked {
        times.add_partition_offset(topic, *number, Offset::Offset(time_ms.max(0)))?;
    }
    let found = patiently(until, || consumer.offsets_for_times(times.clone(), METADATA_TIMEOUT))?;
    let mut places = HashMap::new();
    for element in found.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            places.insert((element.topic().to_owned(), element.partition()), offset);
        }
    }
    Ok(places)
}

/// Keeps the partitions that were not read up to these ends.
fn retain_open(ends: &mut HashMap<(String, i32), i64>, positions: &TopicPartitionList) {
    ends.retain(|(topic, partition), end| position(positions, topic, *partition) < *end);
}

fn position(positions: &TopicPartitionList, topic: &str, partition: i32) -> i64 {
    let found = positions.find_partition(topic, partition);
    found.and_then(|element| element.offset().to_raw()).unwrap_or_default()
}

/// The complaint about partitions that are still open, if any are.
fn silent(
    silence: Duration,
    open: &HashMap<(String, i32), i64>,
    positions: &TopicPartitionList,
) -> Option<TailError> {
    let ((topic, partition), end) = open.iter().min()?;
    Some(TailError::Silent {
        silence,
        open: open.len(),
        topic: topic.clone(),
        partition: *partition,
        position: position(positions, topic, *partition),
        end: *end,
    })
}

/// All partitions of these topics.
fn partitions(
    consumer: &BaseConsumer,
    topics: &[&str],
    until: Instant,
) -> Result<Vec<(String, i32)>, TailError> {
    let all = patiently(until, || {
        let metadata = consumer.fetch_metadata(None, METADATA_TIMEOUT)?;
        // A topic that was just created may be shown without its partitions.
        let asked = metadata.topics().iter().filter(|topic| topics.contains(&topic.name()));
        match asked.filter_map(|topic| topic.error()).next() {
            Some(error) => Err(KafkaError::MetadataFetch(error.into())),
            None => Ok(metadata),
        }
    })?;
    let existing = || all.topics().iter().map(|topic| topic.name());
    if let Some(name) = topics.iter().find(|name| !existing().any(|known| known == **name)) {
        let ours = existing().filter(|known| !known.starts_with("__"));
        let mut known: Vec<String> = ours.map(str::to_owned).collect();
        known.sort_unstable();
        return Err(TailError::UnknownTopic { name: (*name).to_owned(), known });
    }
    let asked = all.topics().iter().filter(|topic| topics.contains(&topic.name()));
    let each = asked.flat_map(|topic| {
        topic.partitions().iter().map(|partition| (topic.name().to_owned(), partition.id()))
    });
    Ok(each.collect())
}

/// Asks again while partitions of a topic that was just created, or whose broker stopped, have no leader.
fn patiently<T>(until: Instant, ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition, UnknownTopicOrPartition};
    loop {
        match ask() {
            Err(error)
                if matches!(
                    error.rdkafka_error_code(),
                    Some(LeaderNotAvailable | NotLeaderForPartition | UnknownTopicOrPartition)
                ) && Instant::now() < until =>
            {
                std::thread::sleep(LEADER_PAUSE);
            }
            answer => return answer,
        }
    }
}

/// A record for people; bytes that are not text are replaced.
pub(super) fn record(message: &BorrowedMessage<'_>) -> Record {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = headers::of(message).unwrap_or_default().into_iter();
    let headers = headers
        .map(|(name, value)| (name.to_owned(), value.map(text).unwrap_or_default()))
        .collect();
    Record {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(text).unwrap_or_default(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or_default(),
        headers,
        value: message.payload().map(<[u8]>::to_vec),
    }
}
