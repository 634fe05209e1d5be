//! The chassis' own instruments. docs/metrics.md says what each means.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

use super::maker::Maker;
use super::metric::Metric;
use super::process;
use super::standing::Standing;

/// Bounds for what happens inside, in seconds: a transaction, a flush.
const INSIDE: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];
/// Bounds for an answer, in seconds: up to the longest `wait` of a caller.
const ANSWERS: [f64; 10] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 60.0];

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
    pub(crate) consumer_offset: Gauge<i64>,
    pub(crate) partitions: Gauge<u64>,
    pub(crate) stopped_partitions: Gauge<u64>,
    pub(crate) consumer_hindered: Gauge<u64>,
    pub(crate) partitions_set_back: Counter<u64>,
    pub(crate) http_seconds: Histogram<f64>,
    pub(crate) build_info: Gauge<u64>,
    pub(crate) standing: Standing,
}

impl Metrics {
    pub(super) fn new(meter: &Meter) -> Self {
        Metrics::made_by(&Maker::of(meter))
    }

    /// All of them, by the names on `/metrics`.
    pub(crate) fn described(meter: &Meter) -> Vec<Metric> {
        let make = Maker::of(meter);
        Metrics::made_by(&make);
        make.noted()
    }

    fn made_by(make: &Maker<'_>) -> Self {
        process::measure(make);
        Metrics {
            batch_inputs: make.inputs("flotilla_batch_inputs", "Inputs per transaction"),
            batch_seconds: make.seconds(
                "flotilla_batch_duration",
                "Time of a batch's transaction",
                &INSIDE,
            ),
            retries: make.counter("flotilla_batch_retries", "Batches that ran again, by reason"),
            dead_letters: make
                .counter("flotilla_dead_letters", "Messages set aside, by topic and reason"),
            dead_letters_waiting: make.level(
                "flotilla_dead_letters_waiting",
                "Dead letters that nobody has settled, by reason",
            ),
            unknown_records: make
                .counter("flotilla_unknown_records", "Skipped records of unknown name"),
            published: make
                .counter("flotilla_published_messages", "Messages acknowledged by Kafka"),
            flush_seconds: make.seconds(
                "flotilla_relay_flush_duration",
                "Produce to last acknowledgement",
                &INSIDE,
            ),
            kafka_requests: make
                .counter("flotilla_kafka_requests", "Requests sent to Kafka, by API"),
            outbox_messages: make
                .level("flotilla_outbox_messages", "Committed messages that are not yet published"),
            outbox_age: make.age(
                "flotilla_outbox_age",
                "Time since the oldest batch that is not yet published",
            ),
            outbox_set_apart: make.level(
                "flotilla_outbox_set_apart",
                "Messages that Kafka refuses and those behind them, by topic",
            ),
            relay_leader: make.count("flotilla_relay_leader", "1 in the replica that publishes"),
            replicas: make.count("flotilla_replicas", "Replicas connected to the database"),
            calls: make.counter("flotilla_calls", "Outside calls with a known outcome"),
            calls_open: make.count("flotilla_calls_open", "Outside calls without an outcome"),
            calls_oldest: make.age("flotilla_calls_oldest_age", "Time since the oldest open call"),
            unanswered_calls: make.counter("flotilla_calls_unanswered", "Outside calls made again"),
            consumer_lag: make
                .count("flotilla_consumer_lag", "Unprocessed messages, by topic and partition"),
            consumer_offset: make
                .level("flotilla_consumer_offset", "The database's offset, by topic and partition"),
            partitions: make
                .count("flotilla_partitions", "Partitions that the group gave this replica"),
            partitions_set_back: make.counter(
                "flotilla_partitions_set_back",
                "Partitions read again because the database was set back",
            ),
            stopped_partitions: make
                .count("flotilla_stopped_partitions", "Partitions that wait for an operator"),
            consumer_hindered: make
                .count("flotilla_consumer_hindered", "1 where it cannot hear, by reason"),
            http_seconds: make.seconds(
                "flotilla_http_request_duration",
                "Time until an answer begins, by method, route and status",
                &ANSWERS,
            ),
            build_info: make.count("flotilla_build_info", "1, by version"),
            standing: Standing::shown_by(make),
        }
    }
}
