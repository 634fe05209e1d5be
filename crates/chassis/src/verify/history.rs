//! What a service was told about each key and what it said, read from topics up to their ends. It joins no group and
//! moves no offset.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use chrono::DateTime;
use language::Events;

use super::judge::{Heard, Said};
use super::{Asked, Verified};
use crate::app::App;
use crate::consume::subscription::{self, Raw, Subscription};
use crate::wire::codec::{Datum, TopicDecoder};
use crate::wire::registry::Registry;
use crate::wire::tail::{From, Record, Tail};

/// How long a topic may be silent before its end: longer than an election takes.
const SILENCE: Duration = Duration::from_secs(30);

/// What is on topics about every key.
pub(super) struct History<S: Verified> {
    pub(super) keys: BTreeMap<String, Told<S>>,
    /// Keys that were left out, as there were more than may be kept in memory.
    pub(super) left_out: usize,
}

/// What is on topics about one key.
pub(super) enum Told<S: Verified> {
    /// By topic and partition what was heard, and what was said.
    Whole { heard: Vec<Vec<Heard<S>>>, said: Vec<Said<S>> },
    /// Why it cannot be judged.
    Unjudged(&'static str),
}

/// Something about it has expired, or its numbers have a gap.
const EXPIRED: &str = "an event is no longer on its topic";
/// The answer to what was heard may be on its way.
const UNDER_WAY: &str = "something was heard or said about it a moment ago";
/// A record about it cannot be read.
const UNREADABLE: &str = "a record about it cannot be read";

/// Reads everything that is there now. Blocking, except for the registry.
pub(super) async fn read<S: Verified>(app: &App<S>, asked: &Asked) -> anyhow::Result<History<S>> {
    let mut reader = Reader::new(app, &asked.registry)?;
    let topics = reader.topics();
    let quiet_since = quiet_since(asked.quiet);
    let tail = Tail::new(&asked.brokers, &topics, From::Beginning)?;
    let mut records = Records::new(asked, &tail);
    tail.read_to_end(SILENCE, |record| records.take(record))?;
    let mut keys = BTreeMap::new();
    let whole_since = records.whole_since();
    for (key, records) in records.keys {
        let times = || records.iter().map(|record| record.timestamp_ms);
        let told = if times().min().is_some_and(|oldest| oldest < whole_since) {
            Told::Unjudged(EXPIRED)
        } else if times().max().is_some_and(|newest| newest > quiet_since) {
            Told::Unjudged(UNDER_WAY)
        } else {
            reader.told(&key, &records).await?
        };
        // What is about other keys than the service's decisions, such as an item.
        if !matches!(&told, Told::Whole { heard, said } if heard.is_empty() && said.is_empty()) {
            keys.insert(key, told);
        }
    }
    Ok(History { keys, left_out: records.left_out.len() })
}

/// Records from this time on, in milliseconds since the Unix epoch, came a moment ago.
#[expect(clippy::disallowed_methods, reason = "records are dated by clocks such as this one")]
fn quiet_since(quiet: Duration) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(quiet).as_millis() as i64
}

/// Records by key.
struct Records<'a> {
    asked: &'a Asked,
    keys: BTreeMap<String, Vec<Record>>,
    left_out: HashSet<String>,
    /// Partitions whose beginning is gone, with the time of the first record that is there.
    expired: HashMap<(String, i32), Option<i64>>,
}

impl<'a> Records<'a> {
    fn new(asked: &'a Asked, tail: &Tail) -> Self {
        let expired = tail.expired().map(|(topic, partition, _)| (topic.to_owned(), partition));
        Records {
            asked,
            keys: BTreeMap::new(),
            left_out: HashSet::new(),
            expired: expired.map(|partition| (partition, None)).collect(),
        }
    }

    fn take(&mut self, record: Record) {
        if let Some(first) = self.expired.get_mut(&(record.topic.clone(), record.partition)) {
            first.get_or_insert(record.timestamp_ms);
        }
        let is_asked_for = self.asked.key().is_none_or(|key| key == record.key);
        if !is_asked_for {
            return;
        }
        if self.keys.len() == self.asked.keys_max && !self.keys.contains_key(&record.key) {
            self.left_out.insert(record.key);
            return;
        }
        self.keys.entry(record.key.clone()).or_default().push(record);
    }

    /// Since when everything is there, in milliseconds since the Unix epoch. Where all that a partition had is gone,
    /// nothing is known to be whole.
    fn whole_since(&self) -> i64 {
        let firsts = self.expired.values().map(|first| first.unwrap_or(i64::MAX));
        firsts.max().unwrap_or(i64::MIN)
    }
}

/// Decodes what the service heard and said.
struct Reader<S: Verified> {
    subscriptions: Vec<Box<dyn Subscription<S>>>,
    own: TopicDecoder<S::Said>,
    registry: Registry,
}

impl<S: Verified> Reader<S> {
    fn new(app: &App<S>, registry: &str) -> anyhow::Result<Self> {
        let subscriptions = app.hears.iter().map(|declared| (declared.build)(&[]));
        Ok(Reader {
            subscriptions: subscriptions.collect::<Result<_, _>>()?,
            own: TopicDecoder::new(&[])?,
            registry: Registry::new(registry),
        })
    }

    fn topics(&self) -> Vec<&'static str> {
        let heard = self.subscriptions.iter().map(|subscription| subscription.topic());
        heard.chain([S::Said::TOPIC]).collect()
    }

    /// What a key's records are to the service.
    async fn told(&mut self, key: &str, records: &[Record]) -> anyhow::Result<Told<S>> {
        let mut heard: BTreeMap<(&str, i32), Vec<Heard<S>>> = BTreeMap::new();
        // What is published twice is the same twice.
        let mut said: BTreeMap<i64, Said<S>> = BTreeMap::new();
        let mut inbox = HashSet::new();
        for record in records {
            if record.topic == S::Said::TOPIC {
                let Some((number, event)) = self.said(record).await? else {
                    return Ok(Told::Unjudged(UNREADABLE));
                };
                said.entry(number).or_insert(event);
                continue;
            }
            match self.heard(record).await? {
                subscription::Heard::Input { input, cause, inbox_id, .. } => {
                    let is_new = inbox_id.is_none_or(|id| inbox.insert((&record.topic, id)));
                    if is_new && S::about(&input).as_deref() == Some(key) {
                        let partition = (record.topic.as_str(), record.partition);
                        heard.entry(partition).or_default().push(Heard {
                            input,
                            name: short(record.event_type()).to_owned(),
                            topic: record.topic.clone(),
                            id: cause.as_ref().to_owned(),
                            at_ms: record.timestamp_ms,
                        });
                    }
                }
                subscription::Heard::Poison { .. } => return Ok(Told::Unjudged(UNREADABLE)),
                subscription::Heard::Ignored
                | subscription::Heard::Unknown
                | subscription::Heard::NeedsSchema(_) => {}
            }
        }
        if !said.keys().copied().eq(1..=said.len() as i64) {
            return Ok(Told::Unjudged(EXPIRED));
        }
        let (heard, said) = (heard.into_values().collect(), said.into_values().collect());
        Ok(Told::Whole { heard, said })
    }

    async fn heard(&self, record: &Record) -> anyhow::Result<subscription::Heard<S::Input>> {
        let subscription = self.subscriptions.iter().find(|heard| heard.topic() == record.topic);
        let subscription =
            subscription.with_context(|| format!("{} is not heard", record.topic))?;
        let text =
            |(name, value): &(String, String)| (name.clone(), Some(value.clone().into_bytes()));
        let headers: Vec<_> = record.headers.iter().map(text).collect();
        let raw = Raw::stored(record.value.as_deref(), &headers);
        match subscription.read(&raw) {
            subscription::Heard::NeedsSchema(id) => {
                let schema = self.registry.schema(id).await?;
                subscription.learn(id, schema.as_deref());
                Ok(subscription.read(&raw))
            }
            heard => Ok(heard),
        }
    }

    /// An event of the service's own, with its number. None where it cannot be read.
    async fn said(&self, record: &Record) -> anyhow::Result<Option<(i64, Said<S>)>> {
        let value = record.value.as_deref();
        if let Ok(Datum::NeedsSchema(id)) = self.own.inspect(value) {
            let schema = self.registry.schema(id).await?;
            self.own.learn(id, schema.as_deref());
        }
        let decoded = match self.own.inspect(value) {
            Ok(Datum::Record(_)) => value.and_then(|value| self.own.decode(value).ok()),
            Ok(Datum::Unknown | Datum::NeedsSchema(_)) | Err(_) => None,
        };
        let number = record.header("ce_sequence").and_then(|text| text.parse().ok());
        let time =
            record.header("ce_time").and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let (Some(event), Some(number), Some(time)) = (decoded, number, time) else {
            return Ok(None);
        };
        let cause = record.header("ce_causationid").map(str::to_owned);
        Ok(Some((number, Said { event, cause, at_micros: time.timestamp_micros() })))
    }
}

/// The name of a record without its namespace.
fn short(full_name: &str) -> &str {
    full_name.rsplit_once('.').map_or(full_name, |(_namespace, name)| name)
}
