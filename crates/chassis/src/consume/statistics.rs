//! What librdkafka counts about itself and reports once a second: the requests it really sent, and whether it
//! knows a broker. Nothing is measured per message.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use opentelemetry::KeyValue;
use serde::Deserialize;

use crate::ops::telemetry::Telemetry;

/// How often a client reports. Composing and parsing the text takes a fraction of a millisecond.
pub(crate) const INTERVAL_MS: &str = "1000";

/// The few of librdkafka's figures that are used.
/// <https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md>
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Statistics {
    brokers: HashMap<String, Broker>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Broker {
    source: String,
    #[serde(rename = "req")]
    requests: Requests,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Requests {
    #[serde(rename = "Produce")]
    produce: u64,
    #[serde(rename = "Fetch")]
    fetch: u64,
}

impl Statistics {
    /// Reads the text of a client. What cannot be read is logged: metrics never stop the work.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text)
            .inspect_err(|error| tracing::warn!(error = %error, "librdkafka's statistics"))
            .ok()
    }

    /// Whether the client knows a broker at all, from its settings or from another broker. Its
    /// list also holds what are not brokers: itself, and the coordinator of its group.
    pub(crate) fn has_brokers(&self) -> bool {
        self.brokers.values().any(|broker| matches!(&*broker.source, "configured" | "learned"))
    }
}

/// Counts the requests of one client. Its figures begin at 0 with each client; the metric goes on.
pub(crate) struct RequestCounter {
    telemetry: Arc<Telemetry>,
    produce: AtomicU64,
    fetch: AtomicU64,
    /// How often the client has reported.
    times: AtomicU64,
}

/// The requests that a client has reported since it was made.
#[cfg(feature = "measuring")]
#[derive(Debug, Clone, Copy)]
pub struct RequestCounts {
    /// How often it has reported. What was sent before a moment is counted once it has reported twice since:
    /// the first report may have been composed before.
    pub times: u64,
    /// Produce requests.
    pub produce: u64,
    /// Fetch requests.
    pub fetch: u64,
}

impl RequestCounter {
    pub(crate) fn new(telemetry: Arc<Telemetry>) -> Self {
        RequestCounter {
            telemetry,
            produce: AtomicU64::new(0),
            fetch: AtomicU64::new(0),
            times: AtomicU64::new(0),
        }
    }

    #[cfg(feature = "measuring")]
    pub(crate) fn told(&self) -> RequestCounts {
        let [times, produce, fetch] =
            [&self.times, &self.produce, &self.fetch].map(|count| count.load(Relaxed));
        RequestCounts { times, produce, fetch }
    }

    pub(crate) fn count(&self, statistics: &Statistics) {
        let sum = |of: fn(&Requests) -> u64| -> u64 {
            statistics.brokers.values().map(|broker| of(&broker.requests)).sum()
        };
        self.add("produce", &self.produce, sum(|requests| requests.produce));
        self.add("fetch", &self.fetch, sum(|requests| requests.fetch));
        self.times.fetch_add(1, Relaxed);
    }

    fn add(&self, api: &'static str, seen: &AtomicU64, now: u64) {
        // Fewer than before when a broker left the cluster and took its figures with it.
        let more = now.saturating_sub(seen.swap(now, Relaxed));
        if more > 0 {
            self.telemetry.metrics.kafka_requests.add(more, &[KeyValue::new("api", api)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{ "name": "a#consumer-1", "ts": 5,
        "brokers": {
            "k:1/1": { "name": "k:1/1", "req": { "Fetch": 7, "Metadata": 2 } },
            "k:2/2": { "name": "k:2/2", "req": { "Fetch": 3, "Produce": 4 } } },
        "topics": { "t": { "partitions": {
            "0": { "hi_offset": 25, "lo_offset": 0 },
            "1": { "hi_offset": 100 },
            "2": { "hi_offset": -1001 },
            "-1": { "hi_offset": -1001 } } } } }"#;

    #[test]
    fn requests_of_all_brokers_are_read() {
        let statistics = Statistics::parse(TEXT).unwrap();
        let fetches: u64 = statistics.brokers.values().map(|broker| broker.requests.fetch).sum();
        let produces: u64 = statistics.brokers.values().map(|broker| broker.requests.produce).sum();
        assert_eq!((fetches, produces), (10, 4));
        assert!(Statistics::parse(b"{").is_none());
    }

    #[test]
    fn a_client_that_knows_no_broker_is_told_from_one_that_does() {
        let known = |source: &str| {
            let text = format!(
                r#"{{ "brokers": {{ "a": {{ "source": "{source}" }},
                "GroupCoordinator": {{ "source": "logical" }} }} }}"#
            );
            Statistics::parse(text.as_bytes()).unwrap().has_brokers()
        };
        assert_eq!(["configured", "learned", "internal"].map(known), [true, true, false]);
        assert!(!Statistics::parse(b"{}").unwrap().has_brokers());
    }
}
