//! The only producer of the fleet: a flush of packed batches, in order, acknowledged by all in-sync
//! replicas or reported as failed. After a failure a new producer starts from the first batch that is
//! not known to be published: duplicates are possible, gaps are not.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use chrono::{SecondsFormat, TimeZone, Utc};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use tokio::sync::oneshot;

use super::CommittedBatch;
use super::pump::Pump;
use crate::limits::CLIENT_BYTES;
use crate::outbox::{Packed, Unreadable, unpack};
use crate::statistics::{self, RequestCounter, Statistics};
use crate::telemetry::Telemetry;

/// How long a message may stay unacknowledged before the flush counts as failed. Long enough for a
/// leader election; the rows stay, so nothing hangs on it.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the closing producer may take to let go.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A flush of so few messages goes out at once. librdkafka allows a partition five unacknowledged
/// messages of an idempotent producer before it sends a request with more; while others wait, its
/// thread spins until an acknowledgement makes room.
const PROMPT_MESSAGES_MAX: u32 = 5;
const PROMPT_LINGER_MS: &str = "0";
/// A larger flush is gathered while it is handed over, which takes less: a request for each partition
/// in place of several, and nothing that waits behind them.
const GATHERING_LINGER_MS: &str = "1";

/// What the producer is made from.
#[derive(Clone)]
pub(crate) struct ProducerSettings {
    pub(crate) brokers: String,
    pub(crate) compression: String,
    pub(crate) service: &'static str,
}

/// Why a flush failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("Kafka did not take the events")]
    Kafka(#[from] KafkaError),
    #[error("the events cannot be read from the outbox")]
    Unreadable(#[from] Unreadable),
    #[error("the producer went away")]
    Gone,
}

/// One flush: counts acknowledgements down and reports the first failure.
pub(super) struct Flush {
    outstanding: AtomicU64,
    failure: Mutex<Option<KafkaError>>,
    done: Mutex<Option<oneshot::Sender<()>>>,
}

impl Flush {
    fn settle(&self, count: u64) {
        if self.outstanding.fetch_sub(count, SeqCst) == count
            && let Some(done) = self.done.lock().expect("no panic under this lock").take()
        {
            let _gone = done.send(());
        }
    }
}

pub(super) struct Context {
    pub(super) requests: RequestCounter,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(error = %error, "producer: {reason}");
    }

    fn stats_raw(&self, text: &[u8]) {
        if let Some(statistics) = Statistics::parse(text) {
            self.requests.count(&statistics);
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Flush>;

    fn delivery(&self, result: &DeliveryResult<'_>, flush: Arc<Flush>) {
        if let Err((error, _)) = result {
            let mut failure = flush.failure.lock().expect("no panic under this lock");
            failure.get_or_insert_with(|| error.clone());
        }
        flush.settle(1);
    }
}

/// Texts of headers. A flush is thousands of messages: each is written where the one before stood.
#[derive(Default)]
pub(crate) struct Texts {
    time_micros: i64,
    /// All messages of a batch have the same.
    time: String,
    /// The key and the sequence.
    id: String,
}

impl Texts {
    fn write(&mut self, key: &str, sequence: i64, time_micros: i64) {
        if self.time.is_empty() || self.time_micros != time_micros {
            let time = Utc.timestamp_micros(time_micros).single().unwrap_or_default();
            self.time = time.to_rfc3339_opts(SecondsFormat::Micros, true);
            self.time_micros = time_micros;
        }
        self.id.clear();
        write!(self.id, "{key}/{sequence}").expect("a string takes everything");
    }
}

pub(super) struct Publisher {
    settings: ProducerSettings,
    telemetry: Arc<Telemetry>,
    pub(super) prompt: Pump<Context>,
    /// Made when there is a first flush for it.
    pub(super) gathering: Option<Pump<Context>>,
}

impl Publisher {
    pub(super) fn new(
        settings: &ProducerSettings,
        telemetry: &Arc<Telemetry>,
    ) -> Result<Self, KafkaError> {
        Ok(Publisher {
            settings: settings.clone(),
            telemetry: Arc::clone(telemetry),
            prompt: start(settings, telemetry, PROMPT_LINGER_MS)?,
            gathering: None,
        })
    }

    /// The producer for a flush of so many messages. A flush is acknowledged before the next begins, so
    /// their order is kept whichever producer each goes through.
    fn pump(&mut self, messages: u32) -> Result<&Pump<Context>, KafkaError> {
        if messages <= PROMPT_MESSAGES_MAX {
            return Ok(&self.prompt);
        }
        if self.gathering.is_none() {
            self.gathering = Some(start(&self.settings, &self.telemetry, GATHERING_LINGER_MS)?);
        }
        Ok(self.gathering.as_ref().unwrap_or(&self.prompt))
    }

    /// Publishes packed batches and answers how many messages that were, once all are acknowledged.
    pub(super) async fn publish(
        &mut self,
        batches: &VecDeque<CommittedBatch>,
    ) -> Result<u64, PublishError> {
        let service = self.settings.service;
        let pump = self.pump(batches.iter().map(|batch| batch.message_count).sum())?;
        let (done, acknowledged) = oneshot::channel();
        // One more than the messages, so that the flush cannot be done before the last is sent.
        let flush = Arc::new(Flush {
            outstanding: AtomicU64::new(1),
            failure: Mutex::new(None),
            done: Mutex::new(Some(done)),
        });
        pump.set_busy(true);
        let mut texts = Texts::default();
        let mut count = 0;
        let mut refused = None;
        'batches: for batch in batches {
            for message in unpack(&batch.row)? {
                flush.outstanding.fetch_add(1, SeqCst);
                let record = record(&message, service, &flush, &mut texts);
                if let Err((error, _record)) = pump.producer().send(record) {
                    flush.settle(1);
                    refused = Some(error);
                    break 'batches;
                }
                count += 1;
            }
        }
        flush.settle(1);
        // Also after a refusal: what was sent must be settled before anybody sends it again.
        acknowledged.await.map_err(|_closed| PublishError::Gone)?;
        pump.set_busy(false);
        let failure = flush.failure.lock().expect("no panic under this lock").take();
        match refused.or(failure) {
            None => Ok(count),
            Some(error) => Err(PublishError::Kafka(error)),
        }
    }

    /// Lets go of the producers. Their destructors can block, so they get a thread and a deadline.
    pub(super) async fn close(self) {
        for pump in std::iter::once(&self.prompt).chain(&self.gathering) {
            if let Some((code, reason)) = pump.producer().client().fatal_error() {
                tracing::error!(error = %code, "a producer failed for good and is replaced: {reason}");
            }
        }
        let closing = tokio::task::spawn_blocking(move || drop(self));
        if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!("the producers did not close in time");
        }
    }
}

fn start(
    settings: &ProducerSettings,
    telemetry: &Arc<Telemetry>,
    linger_ms: &str,
) -> Result<Pump<Context>, KafkaError> {
    let requests = RequestCounter::new(Arc::clone(telemetry));
    let producer: BaseProducer<Context> = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", settings.service)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // The same key on the same partition as for Java clients.
        .set("partitioner", "murmur2_random")
        .set("compression.type", &settings.compression)
        .set("linger.ms", linger_ms)
        .set("batch.num.messages", "10000")
        .set("message.max.bytes", CLIENT_BYTES.to_string())
        // Brokers that were away for minutes are noticed soon after they are back; the default waits 10 s.
        .set("reconnect.backoff.max.ms", "1000")
        .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
        .set("allow.auto.create.topics", "false")
        .set("socket.nagle.disable", "true")
        .set("statistics.interval.ms", statistics::INTERVAL_MS)
        .create_with_context(Context { requests })?;
    Ok(Pump::start(producer))
}

fn record<'a>(
    message: &'a Packed<'_>,
    service: &str,
    flush: &Arc<Flush>,
    texts: &mut Texts,
) -> BaseRecord<'a, [u8], [u8], Arc<Flush>> {
    let opaque = Arc::clone(flush);
    match message {
        Packed::Event { topic, key, payload, .. } => BaseRecord::with_opaque_to(topic, opaque)
            .key(key.as_bytes())
            .payload(*payload)
            .headers(headers(service, message, texts)),
        Packed::Raw { topic, key, headers, payload } => {
            let mut owned = OwnedHeaders::new_with_capacity(headers.len());
            for (name, value) in headers {
                owned = owned.insert(Header { key: name, value: *value });
            }
            let mut record = BaseRecord::with_opaque_to(topic, opaque).headers(owned);
            record.key = *key;
            record.payload = *payload;
            record
        }
    }
}

/// CloudEvents in binary mode, W3C trace context, and where the event stands: which order it
/// belongs to, what caused it, its place in the sequence of its key.
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>
pub(crate) fn headers(service: &str, message: &Packed<'_>, texts: &mut Texts) -> OwnedHeaders {
    let Packed::Event { event_type, key, sequence, time_micros, cause, trace, .. } = message else {
        unreachable!("only events get derived headers")
    };
    texts.write(key, *sequence, *time_micros);
    let sequence = &texts.id[key.len() + 1..];
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", &texts.id),
        ("ce_source", service),
        ("ce_type", event_type),
        ("ce_time", &texts.time),
        ("ce_subject", key),
        ("ce_sequence", sequence),
        ("ce_correlationid", key),
        ("content-type", "application/vnd.confluent.avro"),
    ];
    let mut owned = OwnedHeaders::new_with_capacity(headers.len() + 2);
    for (name, value) in headers {
        owned = owned.insert(Header { key: name, value: Some(value) });
    }
    if let Some(cause) = cause {
        owned = owned.insert(Header { key: "ce_causationid", value: Some(*cause) });
    }
    if let Some(trace) = trace {
        owned = owned.insert(Header { key: "traceparent", value: Some(&trace.header()) });
    }
    owned
}
