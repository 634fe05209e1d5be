//! The only producers of the fleet. Messages are handed over in order and acknowledged by all in-sync
//! replicas; for each that is not, the reason is known. After a failure new producers start with what is not
//! known to be published: duplicates are possible, gaps are not.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use tokio::sync::Notify;

use super::headers::{Texts, record};
use super::pump::Pump;
use crate::consume::statistics::{self, RequestCounter, Statistics};
use crate::ops::logs;
use crate::ops::telemetry::Telemetry;
use crate::publish::outbox::Packed;
use crate::wire::limits::CLIENT_BYTES;

/// How long producers may take to close: less than the lease lasts, which is not renewed
/// meanwhile.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a topic may be unknown to the brokers before what is sent to it counts as refused. Others
/// wait meanwhile; a topic that was created a moment ago is known to all brokers sooner.
const UNKNOWN_TOPIC_MS: &str = "5000";

/// Up to this many messages are sent without lingering. librdkafka allows a partition five unacknowledged
/// messages of an idempotent producer before it sends a request with more; while others wait, its thread spins
/// until an acknowledgement makes room.
const PROMPT_MESSAGES_MAX: usize = 5;
const PROMPT_LINGER_MS: &str = "0";
/// More than that are gathered while they are handed over, which takes less: one request for each partition
/// in place of several, and nothing that waits behind them.
const GATHERING_LINGER_MS: &str = "1";

/// The settings of the producers.
#[derive(Clone)]
pub(crate) struct ProducerSettings {
    pub(crate) brokers: String,
    pub(crate) compression: String,
    pub(crate) service: &'static str,
}

/// Messages under way, by their numbers.
#[derive(Default)]
pub(crate) struct Sent {
    /// One more than the messages while they are handed over, so that it is not settled before the last.
    outstanding: AtomicUsize,
    acknowledged: Box<[AtomicBool]>,
    failures: Mutex<Vec<(usize, KafkaError)>>,
    settled: Notify,
}

impl Sent {
    fn new(messages: usize) -> Self {
        Sent {
            outstanding: AtomicUsize::new(1),
            acknowledged: (0..messages).map(|_| AtomicBool::new(false)).collect(),
            ..Sent::default()
        }
    }

    fn report(&self, number: usize, error: Option<KafkaError>) {
        match error {
            None => self.acknowledged[number].store(true, SeqCst),
            Some(error) => self.fail(number, error),
        }
        self.settle_one();
    }

    fn fail(&self, number: usize, error: KafkaError) {
        self.failures.lock().expect("no panic under this lock").push((number, error));
    }

    fn settle_one(&self) {
        if self.outstanding.fetch_sub(1, SeqCst) == 1 {
            self.settled.notify_one();
        }
    }

    /// Resolves when the fate of each message is known.
    pub(crate) async fn settled(&self) {
        while self.outstanding.load(SeqCst) > 0 {
            self.settled.notified().await;
        }
    }

    pub(super) fn is_acknowledged(&self, number: usize) -> bool {
        self.acknowledged[number].load(SeqCst)
    }

    /// Messages that are under way, to see whether anything moves.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.load(SeqCst)
    }

    /// Those that failed, and why.
    pub(crate) fn failures(&self) -> Vec<(usize, KafkaError)> {
        std::mem::take(&mut *self.failures.lock().expect("no panic under this lock"))
    }
}

pub(crate) struct Context {
    pub(crate) requests: RequestCounter,
    sent: Mutex<Arc<Sent>>,
    /// What the client said last about brokers that it cannot use.
    trouble: Arc<Mutex<Option<String>>>,
    service: &'static str,
}

impl ClientContext for Context {
    /// Repeated with every attempt to connect, so it is kept for the report that events wait.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, "producer: {reason}");
        let mut trouble = self.trouble.lock().expect("no panic under this lock");
        *trouble = Some(reason.to_owned());
    }

    /// That it failed as a whole is reported with the messages that failed, and the warning that it may do so
    /// comes with every producer that is made: both are only for debugging.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // Mostly a thread of librdkafka's, which is this client's alone.
        logs::works_for(self.service);
        match (facility, level) {
            ("FATAL" | "CONFWARN", _) | (_, RDKafkaLogLevel::Debug) => {
                tracing::debug!("librdkafka: {facility} {text}");
            }
            (_, RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice) => {
                tracing::info!("librdkafka: {facility} {text}");
            }
            (
                _,
                RDKafkaLogLevel::Warning
                | RDKafkaLogLevel::Error
                | RDKafkaLogLevel::Critical
                | RDKafkaLogLevel::Alert
                | RDKafkaLogLevel::Emerg,
            ) => tracing::warn!("librdkafka: {facility} {text}"),
        }
    }

    fn stats_raw(&self, text: &[u8]) {
        if let Some(statistics) = Statistics::parse(text) {
            self.requests.count(&statistics);
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let error = result.as_ref().err().map(|(error, _)| error.clone());
        self.sent.lock().expect("no panic under this lock").report(number, error);
    }
}

pub(crate) struct Publisher {
    settings: ProducerSettings,
    telemetry: Arc<Telemetry>,
    trouble: Arc<Mutex<Option<String>>>,
    pub(crate) prompt: Pump<Context>,
    /// Made when it is first needed.
    pub(crate) gathering: Option<Pump<Context>>,
    alone: Option<Pump<Context>>,
}

impl Publisher {
    pub(crate) fn new(
        settings: &ProducerSettings,
        telemetry: &Arc<Telemetry>,
    ) -> Result<Self, KafkaError> {
        let trouble = Arc::default();
        Ok(Publisher {
            settings: settings.clone(),
            telemetry: Arc::clone(telemetry),
            prompt: start(settings, telemetry, &trouble, Kind::Prompt)?,
            trouble,
            gathering: None,
            alone: None,
        })
    }

    /// The producer for this many messages. All are settled before the next are sent, so their order is
    /// kept no matter which producer each goes through.
    fn pump(&mut self, kind: Kind) -> Result<&Pump<Context>, KafkaError> {
        let slot = match kind {
            Kind::Prompt => return Ok(&self.prompt),
            Kind::Gathering => &mut self.gathering,
            Kind::Alone => &mut self.alone,
        };
        let made = match slot.take() {
            Some(made) => made,
            None => start(&self.settings, &self.telemetry, &self.trouble, kind)?,
        };
        Ok(slot.insert(made))
    }

    /// Hands over some of the messages, by their numbers and in their order.
    pub(crate) fn send(
        &mut self,
        messages: &[Packed<'_>],
        numbers: &[usize],
    ) -> Result<Arc<Sent>, KafkaError> {
        let prompt = numbers.len() <= PROMPT_MESSAGES_MAX;
        self.hand_over(messages, numbers, if prompt { Kind::Prompt } else { Kind::Gathering })
    }

    /// Hands over one message that may be refused, through a producer that others do not depend on.
    pub(super) fn send_alone(
        &mut self,
        messages: &[Packed<'_>],
        number: usize,
    ) -> Result<Arc<Sent>, KafkaError> {
        self.hand_over(messages, &[number], Kind::Alone)
    }

    fn hand_over(
        &mut self,
        messages: &[Packed<'_>],
        numbers: &[usize],
        kind: Kind,
    ) -> Result<Arc<Sent>, KafkaError> {
        let service = self.settings.service;
        let pump = self.pump(kind)?;
        let sent = Arc::new(Sent::new(messages.len()));
        {
            let context = pump.producer().client().context();
            *context.sent.lock().expect("no panic under this lock") = Arc::clone(&sent);
        }
        pump.set_busy(true);
        let mut texts = Texts::default();
        for &number in numbers {
            sent.outstanding.fetch_add(1, SeqCst);
            let record = record(&messages[number], service, number, &mut texts);
            if let Err((error, _record)) = pump.producer().send(record) {
                // Nothing behind it is sent: it may be of the same key.
                sent.report(number, Some(error));
                break;
            }
        }
        sent.settle_one();
        Ok(sent)
    }

    /// Everything that was handed over is settled.
    pub(crate) fn rest(&self) {
        for pump in self.pumps() {
            pump.set_busy(false);
        }
    }

    fn pumps(&self) -> impl Iterator<Item = &Pump<Context>> {
        std::iter::once(&self.prompt).chain(&self.gathering).chain(&self.alone)
    }

    /// What the client said about the brokers since it was asked last.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().expect("no panic under this lock").take()
    }

    /// The producer that is always there.
    pub(super) fn handle(&self) -> Weak<BaseProducer<Context>> {
        self.prompt.handle()
    }

    /// Drops the producers, and what is still under way. Returns when they are gone, or do not
    /// come to an end: their destructors can block.
    pub(crate) async fn close(self) {
        let Publisher { prompt, gathering, alone, .. } = self;
        let pumps = std::iter::once(prompt).chain(gathering).chain(alone);
        let threads: Vec<_> = pumps.map(Pump::close).collect();
        let closing = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("the thread of a producer panicked");
                }
            }
        });
        if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!("the producers did not close in time");
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prompt,
    Gathering,
    Alone,
}

fn start(
    settings: &ProducerSettings,
    telemetry: &Arc<Telemetry>,
    trouble: &Arc<Mutex<Option<String>>>,
    kind: Kind,
) -> Result<Pump<Context>, KafkaError> {
    let context = Context {
        requests: RequestCounter::new(Arc::clone(telemetry)),
        sent: Mutex::default(),
        trouble: Arc::clone(trouble),
        service: settings.service,
    };
    let linger_ms = if kind == Kind::Gathering { GATHERING_LINGER_MS } else { PROMPT_LINGER_MS };
    let producer: BaseProducer<Context> = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", settings.service)
        .set("enable.idempotence", "true")
        // When Kafka refuses one batch of a partition, those behind it must not be taken: they hold later
        // events of the same keys. The producer fails as a whole and is replaced.
        .set("enable.gapless.guarantee", if kind == Kind::Alone { "false" } else { "true" })
        .set("acks", "all")
        // The same key on the same partition as for Java clients.
        .set("partitioner", "murmur2_random")
        .set("compression.type", &settings.compression)
        .set("linger.ms", linger_ms)
        .set("batch.num.messages", "10000")
        .set("message.max.bytes", CLIENT_BYTES.to_string())
        // Brokers that were away for minutes are noticed soon after they are back; the default waits 10 s.
        .set("reconnect.backoff.max.ms", "1000")
        // No single message gives up, as those behind it would overtake it: the relay gives up all of
        // them together when nothing moves.
        .set("message.timeout.ms", "0")
        .set("topic.metadata.propagation.max.ms", UNKNOWN_TOPIC_MS)
        .set("allow.auto.create.topics", "false")
        .set("socket.nagle.disable", "true")
        .set("statistics.interval.ms", statistics::INTERVAL_MS)
        .create_with_context(context)?;
    Ok(Pump::start(producer))
}
