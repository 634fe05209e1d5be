//! A member of a service's group that only reads: a consumer with the service's own settings, and
//! nothing behind it. It lets a benchmark measure what Kafka costs when nothing else does any work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::Offset;
use tokio::sync::{Notify, watch};

use super::settings::config;
use crate::app::App;
use crate::consume::consumer::{POLL, client};
use crate::consume::statistics::{RequestCounter, RequestCounts, Statistics};
use crate::ops::telemetry::Telemetry;
use crate::service::Service;

/// How long a group may take to form, or to read what was published.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the brokers may take to say where a partition ends.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A consumer that reads from the ends of a service's topics on.
pub struct Reader {
    topics: Vec<&'static str>,
    client: Arc<BaseConsumer<ReaderContext>>,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How far it has read, and how far it has to.
#[derive(Default)]
struct Progress {
    read: AtomicU64,
    expected: AtomicU64,
    caught_up: Notify,
}

impl Reader {
    /// Joins the group of a service, of which no replica runs, and waits until it holds its topics.
    pub async fn start<S: Service>(app: &App<S>, brokers: &str) -> anyhow::Result<Self> {
        let config = config(brokers);
        let telemetry = Arc::new(Telemetry::start(S::NAME, &config)?);
        let topics: Vec<&'static str> = app.hears.iter().map(|heard| heard.topic).collect();
        let (assigned, mut assignments) = watch::channel(0);
        let context = ReaderContext { requests: RequestCounter::new(telemetry), assigned };
        let client: BaseConsumer<ReaderContext> =
            client::settings(&config, S::NAME, topics.len()).create_with_context(context)?;
        client.subscribe(&topics)?;
        let reader = Reader::poll(topics, client)?;
        let all = assignments.wait_for(|partitions| *partitions >= reader.topics.len());
        let joined = tokio::time::timeout(PATIENCE, all).await;
        joined.with_context(|| format!("the group of {} is not formed", S::NAME))??;
        Ok(reader)
    }

    fn poll(
        topics: Vec<&'static str>,
        client: BaseConsumer<ReaderContext>,
    ) -> Result<Self, std::io::Error> {
        let (client, progress) = (Arc::new(client), Arc::new(Progress::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let read = {
            let (client, progress) = (Arc::clone(&client), Arc::clone(&progress));
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Relaxed) {
                    match client.poll(POLL) {
                        Some(Ok(_message)) => progress.note(),
                        Some(Err(error)) => tracing::warn!(error = %error, "reader"),
                        None => {}
                    }
                }
            }
        };
        let thread = Some(thread::Builder::new().name("reader".to_owned()).spawn(read)?);
        Ok(Reader { topics, client, progress, stop, thread })
    }

    /// Whether it reads a topic.
    pub fn hears(&self, topic: &str) -> bool {
        self.topics.contains(&topic)
    }

    /// This many more messages will be published on its topics. Must be called before they are.
    pub fn expect(&self, messages: u64) {
        self.progress.expected.fetch_add(messages, SeqCst);
    }

    /// Returns when it has read everything expected.
    pub async fn caught_up(&self) -> anyhow::Result<()> {
        let Progress { read, expected, caught_up } = &*self.progress;
        let all = async {
            while read.load(SeqCst) < expected.load(SeqCst) {
                caught_up.notified().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, all).await;
        waited.with_context(|| format!("a reader of {} is behind", self.topics.join(", ")))
    }

    /// The requests that it has reported.
    pub fn told(&self) -> RequestCounts {
        self.client.context().requests.told()
    }
}

impl Progress {
    /// Wakes the waiting task once, not for each message.
    fn note(&self) {
        if self.read.fetch_add(1, SeqCst) + 1 == self.expected.load(SeqCst) {
            self.caught_up.notify_one();
        }
    }
}

impl Drop for Reader {
    /// Leaves the group. Waits for a poll at most.
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of a reader panicked");
        }
        self.client.unsubscribe();
    }
}

struct ReaderContext {
    requests: RequestCounter,
    /// How many partitions the reader holds.
    assigned: watch::Sender<usize>,
}

impl ClientContext for ReaderContext {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(error = %error, "reader: {reason}");
    }

    fn stats_raw(&self, text: &[u8]) {
        if let Some(statistics) = Statistics::parse(text) {
            self.requests.count(&statistics);
        }
    }
}

impl ConsumerContext for ReaderContext {
    /// The end as it is now. `Offset::End` would be looked up a moment later, and what is
    /// published by then would never be read.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(list) = rebalance else { return };
        for mut element in list.elements() {
            let ends = consumer.fetch_watermarks(element.topic(), element.partition(), END_TIMEOUT);
            let placed = ends.and_then(|(_, end)| element.set_offset(Offset::Offset(end)));
            if let Err(error) = placed {
                tracing::error!(error = %error, topic = element.topic(), "its end is not known");
            }
        }
    }

    fn post_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            self.assigned.send_modify(|partitions| *partitions += list.count());
        }
    }
}
