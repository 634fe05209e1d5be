//! Topics in a file: every record copied out, and put back into empty topics, byte for byte, in the partition where it
//! was. For backups of topics and for moves to another cluster. Separate from `tail`, which shows records: a copy
//! keeps what is no text too. It publishes nothing new: a service's events leave through its outbox alone.
//!
//! A file is lines of JSON: the topics with their partitions, the records, and how many there were.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use serde::{Deserialize, Serialize};

use super::limits::CLIENT_BYTES;
use super::tail::{From, Tail, TailError};

/// How long a topic may be silent before its end while it is read.
const SILENCE: Duration = Duration::from_secs(20);
/// How long what was handed over last may take to be acknowledged.
const FLUSH: Duration = Duration::from_secs(60);
/// How long a full queue is given to drain before it is tried again.
const DRAIN: Duration = Duration::from_millis(20);

/// Why topics cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A topic cannot be read.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// The brokers do not answer, or refuse a record.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The file cannot be read or written.
    #[error("the file: {0}")]
    File(#[from] io::Error),
    /// A line is not what a copy has there.
    #[error("line {line} of the file: {detail}")]
    Line {
        /// Its number, from 1 on.
        line: usize,
        /// What is wrong.
        detail: String,
    },
    /// Records would stand beside others, out of their order.
    #[error("{topic} holds {records} records: delete it, and create it again empty")]
    NotEmpty {
        /// The topic.
        topic: String,
        /// How many it has.
        records: i64,
    },
    /// Later records of a key would not go where earlier ones are.
    #[error("{topic} has {found} partitions, and {wanted} in the file: create it with as many")]
    Partitions {
        /// The topic.
        topic: String,
        /// How many it has.
        found: usize,
        /// How many it had when it was copied.
        wanted: usize,
    },
}

/// A line of a file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// The number of partitions of each topic.
    Topics(BTreeMap<String, usize>),
    Record(Copied),
    /// The last line. A file without it is the beginning of one.
    End {
        records: u64,
    },
}

/// A record, its bytes in hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Copied {
    topic: String,
    partition: i32,
    timestamp_ms: Option<i64>,
    key: Option<String>,
    headers: Vec<(String, Option<String>)>,
    value: Option<String>,
}

/// Writes all records that are on these topics now, and returns their number. Blocking: use it on a thread of its own.
pub fn save(brokers: &str, topics: &[&str], mut file: impl Write) -> Result<u64, ArchiveError> {
    let mut partitions = BTreeMap::new();
    let mut tails = Vec::new();
    for topic in topics {
        let tail = Tail::new(brokers, &[topic], From::Beginning)?;
        partitions.insert((*topic).to_owned(), tail.extent().0);
        tails.push(tail);
    }
    write_line(&mut file, &Line::Topics(partitions))?;
    let mut records = 0;
    for tail in tails {
        tail.read_messages_to_end(SILENCE, |message| {
            records += 1;
            write_line(&mut file, &Line::Record(Copied::of(message)))
        })?;
    }
    write_line(&mut file, &Line::End { records })?;
    file.flush()?;
    Ok(records)
}

/// Puts what a file has of these topics, or all of it, into topics of the same names, which must be empty. Returns the
/// number of records. The file is opened twice: nothing is sent of one that is not whole. Blocking: use it on a thread
/// of its own.
pub fn load<R: BufRead>(
    brokers: &str,
    only: &[&str],
    open: impl Fn() -> io::Result<R>,
) -> Result<u64, ArchiveError> {
    check_whole(open()?.lines())?;
    let mut lines = open()?.lines();
    let Some(Line::Topics(topics)) = lines.next().map(|line| parsed(1, line)).transpose()? else {
        return Err(line_error(1, "the topics with their partitions are expected here"));
    };
    let wanted = |topic: &str| only.is_empty() || only.contains(&topic);
    if let Some(missing) = only.iter().find(|topic| !topics.contains_key(**topic)) {
        let known: Vec<&str> = topics.keys().map(String::as_str).collect();
        return Err(line_error(1, format!("{missing} is not among {}", known.join(", "))));
    }
    for (topic, partitions) in topics.iter().filter(|(topic, _)| wanted(topic)) {
        check_empty(brokers, topic, *partitions)?;
    }
    let loader = Loader::new(brokers)?;
    let mut loaded = 0;
    for (number, line) in (2..).zip(lines) {
        match parsed(number, line)? {
            Line::Record(record) if wanted(&record.topic) => {
                loader.send(number, &record)?;
                loaded += 1;
            }
            Line::Record(_unwanted) => {}
            Line::End { .. } => break,
            Line::Topics(_) => return Err(line_error(number, "a record is expected here")),
        }
    }
    loader.finish()?;
    Ok(loaded)
}

/// That the last line is there, and as many records before it as it says.
fn check_whole(lines: impl Iterator<Item = io::Result<String>>) -> Result<(), ArchiveError> {
    let (mut number, mut last) = (0, String::new());
    for line in lines {
        last = line?;
        number += 1;
    }
    match serde_json::from_str(&last) {
        Ok(Line::End { records }) if records as usize + 2 == number => Ok(()),
        _other => Err(line_error(number, "the copy ends here, and is not whole: take another one")),
    }
}

/// That a topic is there, holds nothing and has this many partitions.
fn check_empty(brokers: &str, topic: &str, wanted: usize) -> Result<(), ArchiveError> {
    let topic = topic.to_owned();
    match Tail::new(brokers, &[&topic], From::Beginning)?.extent() {
        (found, _) if found != wanted => Err(ArchiveError::Partitions { topic, found, wanted }),
        (_, 0) => Ok(()),
        (_, records) => Err(ArchiveError::NotEmpty { topic, records }),
    }
}

impl Copied {
    fn of(message: &impl Message) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers.iter().map(|h| (h.key.to_owned(), h.value.map(hex::encode))).collect()
        });
        Copied {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(hex::encode),
            headers,
            value: message.payload().map(hex::encode),
        }
    }
}

/// A producer that stops at the first refusal.
struct Loader {
    producer: BaseProducer<Refusal>,
}

/// The first record that the brokers did not take.
#[derive(Default)]
struct Refusal(Mutex<Option<KafkaError>>);

impl ClientContext for Refusal {}

impl ProducerContext for Refusal {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().expect("no panic under this lock").get_or_insert(error.clone());
        }
    }
}

impl Loader {
    fn new(brokers: &str) -> Result<Self, KafkaError> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // What comes after a refused record does not pass it.
            .set("enable.gapless.guarantee", "true")
            .set("message.max.bytes", CLIENT_BYTES.to_string())
            .create_with_context(Refusal::default())?;
        Ok(Loader { producer })
    }

    fn send(&self, line: usize, record: &Copied) -> Result<(), ArchiveError> {
        let bytes = |text: &Option<String>| text.as_ref().map(hex::decode).transpose();
        let wrong = |error: hex::FromHexError| line_error(line, error.to_string());
        let (key, value) =
            (bytes(&record.key).map_err(wrong)?, bytes(&record.value).map_err(wrong)?);
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            let value = bytes(value).map_err(wrong)?;
            headers = headers.insert(Header { key, value: value.as_ref() });
        }
        let mut sent = BaseRecord::<[u8], [u8]>::to(&record.topic)
            .partition(record.partition)
            .headers(headers);
        (sent.key, sent.payload, sent.timestamp) =
            (key.as_deref(), value.as_deref(), record.timestamp_ms);
        loop {
            match self.producer.send(sent) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(DRAIN);
                    self.check()?;
                    sent = back;
                }
                Err((error, _)) => return Err(self.check().err().unwrap_or(error).into()),
            }
        }
        self.producer.poll(Duration::ZERO);
        Ok(self.check()?)
    }

    fn finish(self) -> Result<(), ArchiveError> {
        let flushed = self.producer.flush(FLUSH);
        self.check()?;
        Ok(flushed?)
    }

    fn check(&self) -> Result<(), KafkaError> {
        let mut refused = self.producer.context().0.lock().expect("no panic under this lock");
        refused.take().map_or(Ok(()), Err)
    }
}

fn write_line(file: &mut impl Write, line: &Line) -> Result<(), ArchiveError> {
    serde_json::to_writer(&mut *file, line).map_err(io::Error::from)?;
    Ok(file.write_all(b"\n")?)
}

fn parsed(number: usize, line: io::Result<String>) -> Result<Line, ArchiveError> {
    serde_json::from_str(&line?).map_err(|error| line_error(number, error.to_string()))
}

fn line_error(line: usize, detail: impl Into<String>) -> ArchiveError {
    ArchiveError::Line { line, detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_copy_is_refused_before_a_broker_is_asked() {
        let load = |text: &str| {
            load("nowhere.invalid:1", &["b"], || Ok(text.as_bytes())).unwrap_err().to_string()
        };
        assert!(load("").contains("is not whole"), "{}", load(""));
        let cut = load("{\"topics\":{\"a\":1}}\n{\"end\":{\"records\":1}}\n");
        assert!(cut.contains("line 2 of the file: the copy ends here"), "{cut}");
        let other = load("{\"topics\":{\"a\":1}}\n{\"end\":{\"records\":0}}\n");
        assert!(other.contains("b is not among a"), "{other}");
        let headless = load("{\"end\":{\"records\":0}}\n{\"end\":{\"records\":0}}\n");
        assert!(headless.contains("the topics with their partitions"), "{headless}");
    }
}
