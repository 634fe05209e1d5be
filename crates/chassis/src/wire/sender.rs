//! The producer of the command line: records as they are, into the partition that is named, and a stop at the first
//! refusal. Separate from the producers of the services, which publish what a transaction has left in the outbox.

use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

/// How long a record may take to be acknowledged.
const RECORD_MS: u64 = 60_000;
/// The same for all that were handed over last: longer, so that the record's own error is the one that is reported.
const FLUSH: Duration = Duration::from_millis(RECORD_MS + 30_000);
/// The largest record that is sent: more than the brokers take, which therefore decide.
const RECORD_BYTES: u32 = 32 << 20;
/// What may wait to be acknowledged. More than a record, which would never fit otherwise.
const QUEUE_KBYTES: u32 = 2 * (RECORD_BYTES >> 10);
/// How long a full queue is given to drain before it is tried again.
const DRAIN: Duration = Duration::from_millis(20);

/// A record on its way out.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) headers: &'a OwnedHeaders,
    pub(super) value: Option<&'a [u8]>,
    /// The time of sending where it is left out.
    pub(super) timestamp_ms: Option<i64>,
}

/// A producer that stops at the first refusal.
pub(super) struct Sender {
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

impl Sender {
    pub(super) fn new(brokers: &str) -> Result<Self, KafkaError> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // What comes after a refused record does not pass it.
            .set("enable.gapless.guarantee", "true")
            .set("message.max.bytes", RECORD_BYTES.to_string())
            .set("queue.buffering.max.kbytes", QUEUE_KBYTES.to_string())
            .set("message.timeout.ms", RECORD_MS.to_string())
            .set("allow.auto.create.topics", "false")
            .create_with_context(Refusal::default())?;
        Ok(Sender { producer })
    }

    /// Hands a record over; says that an earlier one was refused as soon as that is known.
    pub(super) fn send(&self, record: &Outgoing<'_>) -> Result<(), KafkaError> {
        let mut sent = BaseRecord::<[u8], [u8]>::to(record.topic)
            .partition(record.partition)
            .headers(record.headers.clone());
        (sent.key, sent.payload, sent.timestamp) = (record.key, record.value, record.timestamp_ms);
        loop {
            match self.producer.send(sent) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(DRAIN);
                    self.check()?;
                    sent = back;
                }
                Err((error, _)) => return Err(self.check().err().unwrap_or(error)),
            }
        }
        self.producer.poll(Duration::ZERO);
        self.check()
    }

    /// Returns when everything that was handed over is acknowledged.
    pub(super) fn flush(&self) -> Result<(), KafkaError> {
        let flushed = self.producer.flush(FLUSH);
        self.check()?;
        flushed
    }

    fn check(&self) -> Result<(), KafkaError> {
        let refused = self.producer.context().0.lock().expect("no panic under this lock");
        // It stays: nothing that comes after it is published either.
        refused.clone().map_or(Ok(()), Err)
    }
}
