//! The chassis' own instruments. docs/metrics.md says what each means.

use std::cell::RefCell;

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

use super::metric::{Kind, Metric};

/// The chassis' own instruments.
pub(crate) struct Metrics {
    pub(crate) batch_inputs: Histogram<u64>,
    pub(crate) batch_seconds: Histogram<f64>,
    pub(crate) retries: Counter<u64>,
    pub(crate) dead_letters: Counter<u64>,
    pub(crate) dead_letters_waiting: Gauge<i64>,
    pub(crate) unknown_records: Counter<u64>,
    pub(crate) published: Counter<u64>,
    pub(crate) flush_seconds: Histogram<f64>,
    pub(crate) kafka_requests: Counter<u64>,
    pub(crate) outbox_messages: Gauge<i64>,
    pub(crate) outbox_age: Gauge<f64>,
    pub(crate) outbox_set_apart: Gauge<i64>,
    pub(crate) relay_leader: Gauge<u64>,
    pub(crate) replicas: Gauge<u64>,
    pub(crate) calls: Counter<u64>,
    pub(crate) unanswered_calls: Counter<u64>,
    pub(crate) calls_open: Gauge<u64>,
    pub(crate) calls_oldest: Gauge<f64>,
    pub(crate) consumer_lag: Gauge<u64>,
    pub(crate) partitions: Gauge<u64>,
    pub(crate) stopped_partitions: Gauge<u64>,
    pub(crate) consumer_hindered: Gauge<u64>,
    pub(crate) partitions_set_back: Counter<u64>,
}

impl Metrics {
    pub(super) fn new(meter: &Meter) -> Self {
        Metrics::noting(meter, &RefCell::default())
    }

    /// All of them, by the names on `/metrics`.
    pub(crate) fn described(meter: &Meter) -> Vec<Metric> {
        let noted = RefCell::default();
        Metrics::noting(meter, &noted);
        noted.into_inner()
    }

    /// Makes the instruments and notes each, so that what is described is what there is.
    fn noting(meter: &Meter, noted: &RefCell<Vec<Metric>>) -> Self {
        let note = |metric| noted.borrow_mut().push(metric);
        let counter = |name: &'static str, what| {
            note(Metric::counter(name, what));
            meter.u64_counter(name).with_description(what).build()
        };
        let count = |name: &'static str, what| {
            note(Metric::gauge(name, what));
            meter.u64_gauge(name).with_description(what).build()
        };
        let level = |name: &'static str, what| {
            note(Metric::gauge(name, what));
            meter.i64_gauge(name).with_description(what).build()
        };
        let age = |name: &'static str, what| {
            note(Metric { kind: Kind::Gauge, ..Metric::duration(name, what) });
            meter.f64_gauge(name).with_description(what).with_unit("s").build()
        };
        let seconds = |name: &'static str, what| {
            note(Metric::duration(name, what));
            let histogram = meter.f64_histogram(name).with_description(what).with_unit("s");
            histogram
                .with_boundaries(vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0])
                .build()
        };
        let inputs = |name: &'static str, what| {
            note(Metric { kind: Kind::Histogram, ..Metric::gauge(name, what) });
            let histogram = meter.u64_histogram(name).with_description(what);
            histogram
                .with_boundaries(vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0])
                .build()
        };
        Metrics {
            batch_inputs: inputs("flotilla_batch_inputs", "Inputs per transaction"),
            batch_seconds: seconds("flotilla_batch_duration", "Time of a batch's transaction"),
            retries: counter("flotilla_batch_retries", "Batches that ran again, by reason"),
            dead_letters: counter(
                "flotilla_dead_letters",
                "Messages set aside, by topic and reason",
            ),
            dead_letters_waiting: level(
                "flotilla_dead_letters_waiting",
                "Dead letters that nobody has settled, by reason",
            ),
            unknown_records: counter("flotilla_unknown_records", "Skipped records of unknown name"),
            published: counter("flotilla_published_messages", "Messages acknowledged by Kafka"),
            flush_seconds: seconds(
                "flotilla_relay_flush_duration",
                "Produce to last acknowledgement",
            ),
            kafka_requests: counter("flotilla_kafka_requests", "Requests sent to Kafka, by API"),
            outbox_messages: level(
                "flotilla_outbox_messages",
                "Committed messages that are not yet published",
            ),
            outbox_age: age(
                "flotilla_outbox_age",
                "Time since the oldest batch that is not yet published",
            ),
            outbox_set_apart: level(
                "flotilla_outbox_set_apart",
                "Messages that Kafka refuses and those behind them, by topic",
            ),
            relay_leader: count("flotilla_relay_leader", "1 in the replica that publishes"),
            replicas: count("flotilla_replicas", "Replicas connected to the database"),
            calls: counter("flotilla_calls", "Outside calls with a known outcome"),
            calls_open: count("flotilla_calls_open", "Outside calls without an outcome"),
            calls_oldest: age("flotilla_calls_oldest_age", "Time since the oldest open call"),
            unanswered_calls: counter("flotilla_calls_unanswered", "Outside calls made again"),
            consumer_lag: count("flotilla_consumer_lag", "Unprocessed messages, by topic"),
            partitions: count("flotilla_partitions", "Partitions that the group gave this replica"),
            partitions_set_back: counter(
                "flotilla_partitions_set_back",
                "Partitions read again because the database was set back",
            ),
            stopped_partitions: count(
                "flotilla_stopped_partitions",
                "Partitions that wait for an operator",
            ),
            consumer_hindered: count(
                "flotilla_consumer_hindered",
                "1 where it cannot hear, by reason",
            ),
        }
    }
}
