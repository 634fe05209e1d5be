//! The servers of a world, with its database and its topics. They outlive a test's turn, and whoever comes and
//! finds none free starts some.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chassis::Registry;
use chassis::testing::Outsider;
use chassis::topics::{TopicPlan, apply};
use events::Events;
use local::testing::Servers;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{DEAD, PATIENCE, REQUESTS, RequestEvent, TOTALS, TotalChanged, World, processes};

pub(super) struct Shared {
    servers: Servers,
    are_whole: bool,
    is_frozen: bool,
    is_complete: bool,
    pub(super) urls: Urls,
}

/// Worlds at once, whatever the number of test threads: each is a Kafka, a registry and five Postgres.
const WORLDS_MAX: usize = 4;

/// How long a Kafka that was frozen may take to answer, before another client asks.
const ASKED_AGAIN: Duration = Duration::from_secs(2);

static ROOM: Semaphore = Semaphore::const_new(WORLDS_MAX);
/// Servers that no test uses now.
static FREE: Mutex<Vec<Shared>> = Mutex::new(Vec::new());

/// The use of some servers, for one test at a time.
pub(super) struct Turn {
    /// `None` only while it ends.
    shared: Option<Shared>,
    _room: SemaphorePermit<'static>,
}

#[derive(Clone)]
pub(crate) struct Urls {
    pub(super) owner: String,
    pub(crate) app: String,
    pub(crate) brokers: String,
    pub(crate) registry: String,
}

impl Turn {
    pub(super) async fn take() -> Self {
        let room = ROOM.acquire().await.unwrap();
        let free = FREE.lock().unwrap().pop();
        let mut shared = match free {
            Some(shared) => shared,
            None => Shared::start().await,
        };
        shared.make_whole().await;
        Turn { shared: Some(shared), _room: room }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        FREE.lock().unwrap().extend(self.shared.take());
    }
}

impl Deref for Turn {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        self.shared.as_ref().unwrap()
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut Shared {
        self.shared.as_mut().unwrap()
    }
}

impl Shared {
    async fn start() -> Self {
        let servers = Servers::own().await.unwrap();
        let database = servers.fresh_database("tally").await.unwrap();
        let urls = Urls {
            owner: database.owner_url.clone(),
            app: database.app_url.clone(),
            brokers: servers.kafka_brokers(),
            registry: servers.registry_url(),
        };
        create_topics(&urls.brokers).await;
        let registry = Registry::new(&urls.registry);
        for record in RequestEvent::RECORDS.iter().chain(TotalChanged::RECORDS) {
            registry.register(record).await.unwrap();
        }
        processes::migrate(&urls, &database.app_role).await;
        Shared { servers, are_whole: true, is_frozen: false, is_complete: true, urls }
    }

    /// Starts what was killed, also by a test that then failed: one failure is not reported as many.
    async fn make_whole(&mut self) {
        if self.is_frozen {
            self.servers.freeze("kafka", false).unwrap();
            self.is_frozen = false;
        }
        if !self.is_complete {
            create_topics(&self.urls.brokers).await;
            self.is_complete = true;
        }
        if !self.are_whole {
            self.servers.restart().await.unwrap();
            self.are_whole = true;
        }
    }
}

impl World {
    /// Kills Kafka as a power cut would.
    pub(crate) async fn kill_kafka(&mut self) {
        let shared = &mut *self.turn;
        shared.are_whole = false;
        shared.servers.kill("kafka").await.unwrap();
    }

    pub(crate) async fn restart_kafka(&mut self) {
        self.turn.make_whole().await;
    }

    /// Freezes Kafka for that long, as a machine that is paused.
    pub(crate) async fn freeze_kafka(&mut self, time: Duration) {
        self.silence_kafka().await;
        tokio::time::sleep(time).await;
        self.thaw_kafka().await;
        self.wait_until_kafka_names_itself().await;
        // A client may have lost all brokers by that, the test's own as well.
        self.outsider = Arc::new(Outsider::new(&self.urls.brokers).unwrap());
    }

    /// A Kafka that was frozen has given itself up and names no broker for a moment. A client that hears that knows none
    /// any more, and asks again where it began only after five minutes.
    async fn wait_until_kafka_names_itself(&self) {
        let brokers = self.urls.brokers.clone();
        let ask = move || {
            let since = Instant::now();
            loop {
                // Another client each time, as one that heard of none has none to ask.
                let client: BaseConsumer =
                    ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
                let heard = client.fetch_metadata(None, ASKED_AGAIN);
                if heard.is_ok_and(|kafka| !kafka.brokers().is_empty()) {
                    return;
                }
                assert!(since.elapsed() < PATIENCE, "Kafka names no broker");
            }
        };
        tokio::task::spawn_blocking(ask).await.unwrap();
    }

    /// Stops Kafka from answering, without closing a connection.
    pub(crate) async fn silence_kafka(&mut self) {
        self.turn.is_frozen = true;
        self.turn.servers.freeze("kafka", true).unwrap();
    }

    pub(crate) async fn thaw_kafka(&mut self) {
        self.turn.servers.freeze("kafka", false).unwrap();
        self.turn.is_frozen = false;
    }

    /// How many replicas the group of the service has, as Kafka sees it.
    pub(crate) async fn members_of_the_group(&self) -> usize {
        let brokers = self.urls.brokers.clone();
        let ask = move || {
            let client: BaseConsumer =
                ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
            let groups = client.client().fetch_group_list(Some("tally"), PATIENCE).unwrap();
            groups.groups().iter().map(|group| group.members().len()).sum()
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    /// Changes a setting of the topic of totals; all others are Kafka's own again.
    pub(crate) async fn set_totals(&self, setting: &str, value: &str) {
        let config = AlterConfig::new(ResourceSpecifier::Topic(TOTALS)).set(setting, value);
        let altered = self.kafka().alter_configs([&config], &AdminOptions::new()).await.unwrap();
        assert!(altered.iter().all(Result::is_ok), "{altered:?}");
    }

    pub(crate) async fn delete_totals_topic(&mut self) {
        self.turn.is_complete = false;
        self.delete_topic(TOTALS).await;
    }

    /// Deletes the topic of dead letters, with all that tests before this one left there.
    pub(crate) async fn delete_dead_letter_topic(&self) {
        self.delete_topic(DEAD).await;
    }

    pub(crate) async fn delete_request_topic(&self) {
        self.delete_topic(REQUESTS).await;
    }

    pub(crate) async fn recreate_request_topic(&self) {
        self.delete_request_topic().await;
        self.create_topics().await;
    }

    /// Gives the topic of requests this many partitions.
    pub(crate) async fn add_request_partitions(&self, count: usize) {
        let new = [NewPartitions::new(REQUESTS, count)];
        let added = self.kafka().create_partitions(&new, &AdminOptions::new()).await.unwrap();
        assert_eq!(added, [Ok(REQUESTS.to_owned())]);
    }

    /// Deletes the first records of a partition of requests, as their retention does.
    pub(crate) async fn delete_requests_before(&self, partition: i32, offset: i64) {
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(REQUESTS, partition, Offset::Offset(offset)).unwrap();
        let deleted = self.kafka().delete_records(&before, &AdminOptions::new()).await.unwrap();
        let elements = deleted.elements();
        assert!(elements.iter().all(|element| element.error().is_ok()), "{elements:?}");
    }

    fn kafka(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.urls.brokers).create().unwrap()
    }

    async fn delete_topic(&self, topic: &str) {
        chassis::testing::delete_topic(&self.urls.brokers, topic).await.unwrap();
    }

    pub(crate) async fn create_topics(&self) {
        create_topics(&self.urls.brokers).await;
    }
}

async fn create_topics(brokers: &str) {
    let topic = |name: &str| TopicPlan { name: name.to_owned(), partitions: 6, settings: vec![] };
    apply(brokers, &[topic(REQUESTS), topic(TOTALS), topic(DEAD)], 1).await.unwrap();
}
