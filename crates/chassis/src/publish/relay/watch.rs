//! Whether Kafka answers while there is nothing to publish. Without this, a broker that is away shows only
//! with the first event that it does not take.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

use super::Relay;
use super::publisher::{Context, Publisher};

/// How often the brokers are asked. One small request, and soon enough for a person who looks.
const EVERY: Duration = Duration::from_secs(5);
/// How often while they do not answer.
const EVERY_AWAY: Duration = Duration::from_secs(1);
/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the relay does at the moment. Messages under way say more than a question would.
#[derive(Default)]
pub(super) struct Traffic {
    /// Counts beginnings and ends, so it is odd while something is under way.
    steps: AtomicU64,
    /// Weak: the relay alone decides when producers are gone.
    producer: Mutex<Weak<BaseProducer<Context>>>,
}

impl Traffic {
    pub(super) fn step(&self) {
        self.steps.fetch_add(1, Relaxed);
    }

    /// Nothing is under way any more, no matter how it ended.
    pub(super) fn rest(&self) {
        self.steps.fetch_add(self.steps.load(Relaxed) % 2, Relaxed);
    }

    pub(super) fn goes_through(&self, publisher: &Publisher) {
        *self.producer.lock().expect("no panic under this lock") = publisher.handle();
    }

    fn ask(&self, topic: &str) -> Option<Result<(), KafkaError>> {
        let producer = self.producer.lock().expect("no panic under this lock").upgrade()?;
        Some(producer.client().fetch_metadata(Some(topic), PATIENCE).map(|_known| ()))
    }
}

/// Asks for as long as it is polled. It borrows nothing from the relay, which publishes meanwhile.
pub(super) fn run(relay: &Relay) -> impl Future<Output = Infallible> + use<> {
    let (health, brokers) = (Arc::clone(&relay.health), relay.producer.brokers.clone());
    let topic = crate::consume::dead_letters::topic_of(relay.producer.service);
    let traffic = Arc::clone(&relay.traffic);
    async move {
        let mut pause = EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let before = traffic.steps.load(Relaxed);
            if before % 2 == 1 {
                continue;
            }
            let (asked, topic) = (Arc::clone(&traffic), topic.clone());
            let answer = tokio::task::spawn_blocking(move || asked.ask(&topic)).await;
            let (Ok(Some(answer)), true) = (answer, traffic.steps.load(Relaxed) == before) else {
                continue;
            };
            pause = match answer {
                Ok(()) => {
                    health.has("kafka");
                    EVERY
                }
                Err(error) => {
                    let reason = format!(
                        "Kafka at {brokers} does not answer ({error}); what is committed waits in the outbox"
                    );
                    health.waits_for("kafka", reason);
                    EVERY_AWAY
                }
            };
        }
    }
}
