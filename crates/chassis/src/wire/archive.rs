//! Topics in a file: every record copied out, and put back into empty topics, byte for byte, in the partition where it
//! was. For backups of topics and for moves to another cluster. Separate from `tail`, which shows records: a copy
//! keeps what is no text too. It publishes nothing new: a service's events leave through its outbox alone. Behind a
//! feature that only the command line has, as no service has a use for it.
//!
//! A file is lines of JSON: the topics with their partitions, the records, and how many there were with the SHA-256 of
//! all lines before. It holds what readers are shown: nothing of a transaction that is open or was given up.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Write};
use std::time::Duration;

use rdkafka::Message;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::headers;
use super::sender::{Outgoing, Sender};
use super::tail::{From, Tail, TailError};

/// What the lines of a file mean. A build reads no other.
const VERSION: u32 = 1;

/// How long a topic may be silent before its end while it is read.
const SILENCE: Duration = Duration::from_secs(20);
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
    /// A record cannot be copied.
    #[error(
        "{topic}/{partition} has a header at offset {offset} whose name is not UTF-8, which cannot be copied: name \
         the other topics"
    )]
    Header {
        /// Its topic.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Its place there.
        offset: i64,
    },
    /// Records would stand beside others, out of their order.
    #[error(
        "{}: delete what is not empty, create it again, and load it; so also where a load was interrupted",
        topics.iter().map(|(topic, n)| format!("{topic} holds {n} records")).collect::<Vec<_>>().join(", ")
    )]
    NotEmpty {
        /// All topics that are not empty, with how many records each has.
        topics: Vec<(String, i64)>,
    },
    /// Later records of a key would not go where earlier ones are.
    #[error("{topic} has {found} partitions, and {wanted} in the file: create it with as many")]
    Partitions {
        /// The topic.
        topic: String,
        /// How many it has.
        found: i32,
        /// How many it had when it was copied.
        wanted: i32,
    },
}

/// What was copied.
#[derive(Debug, Default)]
pub struct Saved {
    /// How many records.
    pub records: u64,
    /// How many offsets each partition has between its beginning and its end that no record came for: compacted,
    /// expired meanwhile, or a transaction's own.
    pub missing: BTreeMap<(String, i32), i64>,
}

/// A line of a file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// The first line: how to read the file, and the number of partitions of each topic.
    Copy {
        version: u32,
        topics: BTreeMap<String, i32>,
    },
    Record(Copied),
    /// The last line. A file without it is the beginning of one.
    End {
        records: u64,
        sha256: String,
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

/// Writes all records that are on these topics now. Blocking: use it on a thread of its own.
pub fn save(brokers: &str, topics: &[&str], file: impl Write) -> Result<Saved, ArchiveError> {
    let mut partitions = BTreeMap::new();
    let mut tails = Vec::new();
    for topic in topics {
        let tail = Tail::new(brokers, &[topic], From::Beginning)?;
        partitions.insert((*topic).to_owned(), tail.extent().0);
        tails.push(tail);
    }
    let mut file = Hashed { file, hash: Sha256::new() };
    file.write_line(&Line::Copy { version: VERSION, topics: partitions })?;
    let mut saved = Saved::default();
    for tail in tails {
        let mut read: HashMap<i32, i64> = HashMap::new();
        tail.read_messages_to_end(SILENCE, |message| {
            saved.records += 1;
            *read.entry(message.partition()).or_default() += 1;
            file.write_line(&Line::Record(Copied::of(message)?))
        })?;
        for (topic, partition, first, end) in tail.extents() {
            let missing = end - first - read.get(&partition).copied().unwrap_or_default();
            if missing > 0 {
                saved.missing.insert((topic.to_owned(), partition), missing);
            }
        }
    }
    let sha256 = hex::encode(file.hash.clone().finalize());
    file.write_line(&Line::End { records: saved.records, sha256 })?;
    file.file.flush()?;
    Ok(saved)
}

/// A file, and the hash of what was written to it.
struct Hashed<W> {
    file: W,
    hash: Sha256,
}

impl<W: Write> Hashed<W> {
    fn write_line(&mut self, line: &Line) -> Result<(), ArchiveError> {
        let mut bytes = serde_json::to_vec(line).map_err(io::Error::from)?;
        bytes.push(b'\n');
        self.hash.update(&bytes);
        Ok(self.file.write_all(&bytes)?)
    }
}

/// Puts what a file has of these topics, or all of it, into topics of the same names, which must be empty. Returns the
/// number of records. The file is opened twice: nothing is sent of one that is not whole. Blocking: use it on a thread
/// of its own.
pub fn load<R: BufRead>(
    brokers: &str,
    only: &[&str],
    open: impl Fn() -> io::Result<R>,
) -> Result<u64, ArchiveError> {
    let mut topics = check_whole(open()?)?;
    if let Some(missing) = only.iter().find(|topic| !topics.contains_key(**topic)) {
        let known: Vec<&str> = topics.keys().map(String::as_str).collect();
        return Err(line_error(1, format!("{missing} is not among {}", known.join(", "))));
    }
    topics.retain(|topic, _| only.is_empty() || only.contains(&topic.as_str()));
    check_empty(brokers, &topics)?;
    let sender = Sender::new(brokers)?;
    let mut loaded = 0;
    for (number, line) in (1..).zip(open()?.lines()) {
        match parsed(number, line?.as_bytes())? {
            Line::Record(record) if topics.contains_key(&record.topic) => {
                let Decoded { key, headers, value } = record.decoded(number)?;
                sender.send(&Outgoing {
                    topic: &record.topic,
                    partition: record.partition,
                    key: key.as_deref(),
                    headers: &headers,
                    value: value.as_deref(),
                    timestamp_ms: record.timestamp_ms,
                })?;
                loaded += 1;
            }
            Line::Record(_) | Line::Copy { .. } | Line::End { .. } => {}
        }
    }
    sender.flush()?;
    Ok(loaded)
}

/// That each line is what it has to be, and the last one is there and right. Returns the topics.
fn check_whole(mut file: impl BufRead) -> Result<BTreeMap<String, i32>, ArchiveError> {
    let (mut hash, mut bytes, mut number, mut found) = (Sha256::new(), Vec::new(), 1, 0_u64);
    file.read_until(b'\n', &mut bytes)?;
    let topics = match parsed(number, &bytes)? {
        Line::Copy { version: VERSION, topics } => topics,
        Line::Copy { version, .. } => {
            let detail = format!(
                "version {version}, and this build reads {VERSION}: take the build that wrote it"
            );
            return Err(line_error(number, detail));
        }
        _other => {
            return Err(line_error(number, "the topics with their partitions are expected here"));
        }
    };
    loop {
        hash.update(&bytes);
        bytes.clear();
        number += 1;
        if file.read_until(b'\n', &mut bytes)? == 0 {
            return Err(line_error(
                number,
                "the copy ends here, and is not whole: take another one",
            ));
        }
        match parsed(number, &bytes)? {
            Line::Record(record) => {
                let partitions = topics.get(&record.topic).copied().unwrap_or_default();
                if !(0..partitions).contains(&record.partition) {
                    let place = format!("{}/{}", record.topic, record.partition);
                    return Err(line_error(
                        number,
                        format!("the first line does not have {place}"),
                    ));
                }
                record.decoded(number)?;
                found += 1;
            }
            Line::End { records, sha256 } => {
                let is_right = records == found && sha256 == hex::encode(hash.finalize());
                let is_last = file.fill_buf()?.is_empty();
                return match is_right && is_last {
                    true => Ok(topics),
                    false => Err(line_error(number, "the copy was changed: take another one")),
                };
            }
            Line::Copy { .. } => return Err(line_error(number, "a record is expected here")),
        }
    }
}

/// That topics are there, hold nothing and have these numbers of partitions.
fn check_empty(brokers: &str, topics: &BTreeMap<String, i32>) -> Result<(), ArchiveError> {
    let mut filled = Vec::new();
    for (topic, wanted) in topics {
        let (topic, wanted) = (topic.clone(), *wanted);
        match Tail::new(brokers, &[&topic], From::Beginning)?.extent() {
            (found, _) if found != wanted => {
                return Err(ArchiveError::Partitions { topic, found, wanted });
            }
            (_, 0) => {}
            (_, records) => filled.push((topic, records)),
        }
    }
    match filled.is_empty() {
        true => Ok(()),
        false => Err(ArchiveError::NotEmpty { topics: filled }),
    }
}

impl Copied {
    fn of(message: &BorrowedMessage<'_>) -> Result<Self, ArchiveError> {
        let (topic, partition) = (message.topic().to_owned(), message.partition());
        let Some(headers) = headers::of(message) else {
            return Err(ArchiveError::Header { topic, partition, offset: message.offset() });
        };
        let headers = headers.into_iter();
        Ok(Copied {
            topic,
            partition,
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(hex::encode),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.map(hex::encode)))
                .collect(),
            value: message.payload().map(hex::encode),
        })
    }

    /// Its key, headers and value.
    fn decoded(&self, line: usize) -> Result<Decoded, ArchiveError> {
        let bytes = |text: &Option<String>| {
            let bytes = text.as_ref().map(hex::decode).transpose();
            bytes.map_err(|error| line_error(line, error.to_string()))
        };
        let mut headers = OwnedHeaders::new();
        for (key, value) in &self.headers {
            // The client library would panic.
            if key.contains('\0') {
                return Err(line_error(line, "the name of a header has a zero byte"));
            }
            headers = headers.insert(Header { key, value: bytes(value)?.as_ref() });
        }
        Ok(Decoded { key: bytes(&self.key)?, headers, value: bytes(&self.value)? })
    }
}

/// What is behind the digits of a record.
struct Decoded {
    key: Option<Vec<u8>>,
    headers: OwnedHeaders,
    value: Option<Vec<u8>>,
}

fn parsed(number: usize, line: &[u8]) -> Result<Line, ArchiveError> {
    serde_json::from_slice(line).map_err(|error| line_error(number, error.to_string()))
}

fn line_error(line: usize, detail: impl Into<String>) -> ArchiveError {
    ArchiveError::Line { line, detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy with these lines between its first and its last.
    fn copy(records: &[&str]) -> String {
        let first = "{\"copy\":{\"version\":1,\"topics\":{\"a\":1}}}\n";
        let lines = format!("{first}{}", records.concat());
        let sha256 = hex::encode(Sha256::digest(&lines));
        format!("{lines}{{\"end\":{{\"records\":{},\"sha256\":\"{sha256}\"}}}}\n", records.len())
    }

    fn record(place: &str, key: &str) -> String {
        let place = format!("{place},\"timestamp_ms\":1,\"headers\":[],\"value\":null");
        format!("{{\"record\":{{{place},\"key\":\"{key}\"}}}}\n")
    }

    /// Why a copy is refused, before a broker is asked.
    fn refused(text: &str) -> String {
        load("nowhere.invalid:1", &["b"], || Ok(text.as_bytes())).unwrap_err().to_string()
    }

    #[test]
    fn a_file_that_is_no_copy_is_refused_before_a_broker_is_asked() {
        assert!(refused("").contains("line 1 of the file"), "{}", refused(""));
        let headless = refused("{\"end\":{\"records\":0,\"sha256\":\"\"}}\n");
        assert!(headless.contains("the topics with their partitions"), "{headless}");
        let other = refused(&copy(&[]));
        assert!(other.contains("b is not among a"), "{other}");
        let newer = refused(&copy(&[]).replace("\"version\":1", "\"version\":2"));
        assert!(newer.contains("version 2, and this build reads 1"), "{newer}");
    }

    #[test]
    fn a_copy_that_was_cut_or_changed_is_refused_before_a_broker_is_asked() {
        let good = record("\"topic\":\"a\",\"partition\":0", "00");
        let whole = copy(&[&good]);
        assert!(refused(&whole).contains("b is not among a"), "{}", refused(&whole));
        let (cut, _end) = whole.trim_end().rsplit_once('\n').unwrap();
        assert!(
            refused(cut).contains("line 3 of the file: the copy ends here"),
            "{}",
            refused(cut)
        );
        for changed in [whole.replace("\"00\"", "\"01\""), format!("{whole}{good}")] {
            assert!(refused(&changed).contains("was changed"), "{}", refused(&changed));
        }
    }

    #[test]
    fn a_record_that_cannot_be_sent_is_found_before_a_broker_is_asked() {
        for place in ["\"topic\":\"a\",\"partition\":1", "\"topic\":\"c\",\"partition\":0"] {
            let said = refused(&copy(&[&record(place, "00")]));
            assert!(said.contains("line 2 of the file: the first line does not have"), "{said}");
        }
        let said = refused(&copy(&[&record("\"topic\":\"a\",\"partition\":0", "0")]));
        assert!(said.contains("line 2 of the file: Odd number of digits"), "{said}");
    }
}
