//! Records of a topic once more, byte for byte, to the same topic or to another one. Separate from `archive`, which
//! copies whole topics into empty ones: this takes a selection, at a rate, and goes on where it was interrupted. What
//! it is about is fixed before it begins, so that it never reads what it wrote itself. Blocking: use it on a thread
//! of its own.

use std::io;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::error::KafkaError;
use rdkafka::message::OwnedHeaders;

use super::outside::partition_of;
use super::sender::{Outgoing, Sender};
use super::tail::{Ranges, Record, Tail, TailError, record};

/// How long a topic may be silent before its end.
const SILENCE: Duration = Duration::from_secs(20);
/// How many records are sent, and how long, until the progress is kept: what is sent again after a crash.
const KEEP_AFTER_RECORDS: u64 = 100;
const KEEP_AFTER: Duration = Duration::from_secs(1);

/// Why a replay ended early. It goes on where it was when it is run again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The topic cannot be read.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// The brokers do not take a record.
    #[error("Kafka did not take a record: {0}")]
    Kafka(#[from] KafkaError),
    /// The progress cannot be kept.
    #[error("the progress cannot be kept: {0}")]
    Progress(#[from] io::Error),
}

/// Where to, and how fast.
#[derive(Debug, Clone)]
pub struct Target {
    /// The topic.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many the topic has that is read. Where both have as many, a record stays in its partition.
    pub of_partitions: i32,
    /// Records a second; as fast as the brokers take them when left out.
    pub rate: Option<u32>,
}

/// Shows every record of these ranges.
pub fn each(brokers: &str, ranges: Ranges, show: impl FnMut(Record)) -> Result<(), ReplayError> {
    Tail::between(brokers, ranges)?.read_to_end(SILENCE, show)?;
    Ok(())
}

/// Sends what is wanted of these ranges. `keep` is told again and again what is left to do, and how many records were
/// sent since it was told last; everything before is acknowledged. It answers whether to go on.
pub fn send(
    brokers: &str,
    ranges: Ranges,
    target: &Target,
    is_wanted: impl Fn(&Record) -> bool,
    mut keep: impl FnMut(&Ranges, u64) -> io::Result<bool>,
) -> Result<(), ReplayError> {
    /// Ends the reading where nothing is wrong.
    enum End {
        Asked,
        Failed(ReplayError),
    }
    impl From<TailError> for End {
        fn from(error: TailError) -> Self {
            End::Failed(error.into())
        }
    }

    let (sender, mut left) = (Sender::new(brokers)?, ranges.clone());
    let (mut sent, mut kept) = (0_u64, Instant::now());
    let mut pace = Pace::new(target.rate);
    let tail = Tail::between(brokers, ranges)?;
    let read = tail.read_messages_to_end(SILENCE, |message| {
        let place = (message.topic().to_owned(), message.partition());
        if is_wanted(&record(message)) {
            pace.wait();
            let key = message.key();
            let partition = match (target.partitions == target.of_partitions, key) {
                (false, Some(key)) => partition_of(key, target.partitions),
                (false, None) => message.partition() % target.partitions.max(1),
                (true, _) => message.partition(),
            };
            let headers = message.headers().map_or_else(OwnedHeaders::new, |all| all.detach());
            let (topic, headers, value) = (target.topic.as_str(), &headers, message.payload());
            let outgoing = Outgoing { topic, partition, key, headers, value, timestamp_ms: None };
            sender.send(&outgoing).map_err(|error| End::Failed(error.into()))?;
            sent += 1;
        }
        if let Some((next, _)) = left.get_mut(&place) {
            *next = message.offset() + 1;
        }
        if sent >= KEEP_AFTER_RECORDS || kept.elapsed() >= KEEP_AFTER {
            sender.flush().map_err(|error| End::Failed(error.into()))?;
            let goes_on = keep(&left, sent).map_err(|error| End::Failed(error.into()))?;
            (sent, kept) = (0, Instant::now());
            if !goes_on {
                return Err(End::Asked);
            }
        }
        Ok(())
    });
    match read {
        Err(End::Failed(error)) => return Err(error),
        Err(End::Asked) => return Ok(()),
        // Compaction may have removed the last ones.
        Ok(()) => left.values_mut().for_each(|(next, end)| *next = *end),
    }
    sender.flush()?;
    keep(&left, sent)?;
    Ok(())
}

/// Lets a number of records a second pass.
struct Pace {
    gap: Duration,
    next: Instant,
}

impl Pace {
    fn new(rate: Option<u32>) -> Self {
        let gap = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Pace { gap, next: Instant::now() }
    }

    fn wait(&mut self) {
        let now = Instant::now();
        std::thread::sleep(self.next.saturating_duration_since(now));
        self.next = self.next.max(now) + self.gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_and_a_pause_is_not_made_up_for() {
        let started = Instant::now();
        let mut pace = Pace::new(Some(100));
        (0..6).for_each(|_| pace.wait());
        assert!(started.elapsed() >= Duration::from_millis(50), "{:?}", started.elapsed());
        std::thread::sleep(Duration::from_millis(50));
        let resumed = Instant::now();
        (0..3).for_each(|_| pace.wait());
        assert!(resumed.elapsed() >= Duration::from_millis(20), "{:?}", resumed.elapsed());
    }
}
