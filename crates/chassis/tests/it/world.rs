//! The world of these tests: one set of servers, one database and one set of topics for the whole
//! binary, in which one test at a time starts and kills processes of the example service. Tests keep
//! out of each other's way by their keys.

mod detour;
mod database;
mod metrics;
mod processes;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use chassis::Registry;
use chassis::tail::{From, Record, Tail};
use chassis::testing::{Framer, Outsider};
use chassis::topics::{TopicPlan, apply};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, query_as, query_scalar};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;

#[path = "../../examples/tally/language.rs"]
mod language;

pub(crate) use detour::Detour;
pub(crate) use language::AdditionRequested;
use language::TotalChanged;
use processes::Processes;

use events::Events;

/// How long anything may take before a test gives up. Generous: the machine may be busy with others.
const PATIENCE: Duration = Duration::from_secs(60);
const REQUESTS: &str = AdditionRequested::TOPIC;
const TOTALS: &str = TotalChanged::TOPIC;
const DEAD: &str = "tally.dead-letters";

static WORLD: Mutex<Option<Shared>> = Mutex::const_new(None);
static KEYS: AtomicU32 = AtomicU32::new(0);

struct Shared {
    servers: local::testing::Servers,
    urls: Urls,
}

#[derive(Clone)]
pub(crate) struct Urls {
    owner: String,
    app: String,
    brokers: String,
    pub(crate) registry: String,
}

/// One test's turn.
pub(crate) struct World {
    pub(crate) urls: Urls,
    db: PgPool,
    outsider: Arc<Outsider>,
    framer: Arc<Framer>,
    sending: JoinSet<()>,
    processes: Processes,
    _turn: MutexGuard<'static, Option<Shared>>,
}

/// Where a message stands.
pub(crate) type Place = (i32, i64);

pub(crate) struct DeadLetter {
    pub(crate) id: i64,
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) payload: Option<Vec<u8>>,
}

pub(crate) fn request(key: &str, amount: i64) -> AdditionRequested {
    AdditionRequested { key: key.to_owned(), amount }
}

/// The headers of a well-formed request.
pub(crate) fn headers_of(id: &str) -> Vec<(&'static str, String)> {
    let record = &AdditionRequested::RECORDS[0];
    vec![
        ("ce_id", id.to_owned()),
        ("ce_source", "tests".to_owned()),
        ("ce_type", record.full_name.to_owned()),
    ]
}

impl World {
    /// Waits for this test's turn; the first one starts the servers.
    pub(crate) async fn enter() -> Self {
        let mut turn = WORLD.lock().await;
        if turn.is_none() {
            *turn = Some(Shared::start().await);
        }
        let urls = turn.as_ref().unwrap().urls.clone();
        World {
            db: PgPoolOptions::new().max_connections(2).connect(&urls.owner).await.unwrap(),
            outsider: Arc::new(Outsider::new(&urls.brokers).unwrap()),
            framer: Arc::new(framer(&urls).await),
            sending: JoinSet::new(),
            processes: Processes::new(urls.clone()),
            urls,
            _turn: turn,
        }
    }

    /// A key that no other test, and no earlier run, uses.
    pub(crate) fn fresh_key(&self, name: &str) -> String {
        format!("{name}-{}-{}", std::process::id(), KEYS.fetch_add(1, Relaxed))
    }

    /// Sends a request and waits until Kafka has it.
    pub(crate) async fn send(&self, request: &AdditionRequested, id: &str) -> Place {
        let value = self.encode(request);
        self.send_raw(&request.key, &headers_of(id), Some(&value)).await
    }

    pub(crate) async fn send_raw(
        &self,
        key: &str,
        headers: &[(&str, String)],
        value: Option<&[u8]>,
    ) -> Place {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.outsider.send(REQUESTS, key, &headers, value).await.unwrap()
    }

    /// Sends a request in the background; `flush` waits for all of them.
    pub(crate) fn enqueue(&mut self, request: &AdditionRequested, id: &str) {
        let (outsider, framer) = (self.outsider.clone(), self.framer.clone());
        let (request, id) = (request.clone(), id.to_owned());
        self.sending.spawn(async move {
            outsider.publish(&framer, "tests", &id, &request).await.unwrap();
        });
    }

    pub(crate) async fn flush(&mut self) {
        while let Some(sent) = self.sending.join_next().await {
            sent.unwrap();
        }
    }

    pub(crate) async fn wait_for_total(&self, key: &str, total: i64) {
        wait(&format!("{key} to reach {total}"), async || match self.total(key).await {
            found if found == total => Ok(()),
            found => Err(format!("it is {found}")),
        })
        .await;
    }

    /// Waits until every committed batch is published and its row cleared.
    pub(crate) async fn wait_until_published(&self) {
        wait("the outbox to be empty", async || {
            let rows: i64 = query_scalar("select count(*) from flotilla.outbox")
                .fetch_one(&self.db)
                .await
                .unwrap();
            if rows == 0 { Ok(()) } else { Err(format!("it has {rows} rows")) }
        })
        .await;
    }

    /// Sequence and total of each event of a key, the first copy of each.
    pub(crate) fn totals_told(&self, key: &str) -> Vec<(i64, i64)> {
        let mut told = BTreeMap::new();
        let mut order = Vec::new();
        for record in self.read(TOTALS, key) {
            let sequence: i64 = record.header("ce_sequence").unwrap().parse().unwrap();
            let value = record.value.unwrap();
            if let Some(first) = told.insert(sequence, value.clone()) {
                assert_eq!(first, value, "copies of {key}/{sequence} differ");
                continue;
            }
            order.push((sequence, total_of(&value)));
        }
        order
    }

    /// A header of each event of a key.
    pub(crate) fn headers_told(&self, key: &str, name: &str) -> Vec<String> {
        let records = self.read(TOTALS, key);
        records.iter().map(|record| record.header(name).unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn dead_letter_records(&self, key: &str) -> Vec<Record> {
        self.read(DEAD, key)
    }

    fn read(&self, topic: &str, key: &str) -> Vec<Record> {
        let tail = Tail::new(&self.urls.brokers, &[topic], From::Beginning).unwrap();
        let mut records = Vec::new();
        tail.read_to_end(PATIENCE, |record| {
            if record.key == key {
                records.push(record);
            }
        })
        .unwrap();
        records
    }

    /// The dead letter of the message at a place, once it is there.
    pub(crate) async fn dead_letter(&self, (partition, offset): Place) -> DeadLetter {
        wait(&format!("a dead letter of {partition}@{offset}"), async || {
            let found: Option<(i64, String, String, Option<Vec<u8>>)> = query_as(
                "select id, reason, detail, payload from flotilla.dead_letters
                 where topic = $1 and partition = $2 and message_offset = $3",
            )
            .bind(REQUESTS)
            .bind(partition)
            .bind(offset)
            .fetch_optional(&self.db)
            .await
            .unwrap();
            found
                .map(|(id, reason, detail, payload)| DeadLetter { id, reason, detail, payload })
                .ok_or_else(|| "there is none".to_owned())
        })
        .await
    }

    /// Deletes the topic of dead letters, with all that tests before this one left there.
    pub(crate) async fn delete_dead_letter_topic(&self) {
        self.delete_topic(DEAD).await;
    }

    pub(crate) async fn recreate_request_topic(&self) {
        self.delete_topic(REQUESTS).await;
        self.create_topics().await;
    }

    async fn delete_topic(&self, topic: &str) {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.urls.brokers).create().unwrap();
        let deleted = admin.delete_topics(&[topic], &AdminOptions::new()).await.unwrap();
        assert_eq!(deleted, [Ok(topic.to_owned())]);
    }

    pub(crate) async fn create_topics(&self) {
        create_topics(&self.urls.brokers).await;
    }

    fn registry(&self) -> Registry {
        Registry::new(&self.urls.registry)
    }
}

async fn framer(urls: &Urls) -> Framer {
    Framer::new::<AdditionRequested>(&Registry::new(&urls.registry)).await.unwrap()
}

/// The total in an encoded `TotalChanged`: Avro's last long, zigzag and variable in length.
fn total_of(value: &[u8]) -> i64 {
    let key_length = usize::from(value[5] >> 1);
    let bytes = &value[6 + key_length..];
    let raw = bytes.iter().rev().fold(0_u64, |raw, byte| raw << 7 | u64::from(byte & 0x7f));
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

async fn create_topics(brokers: &str) {
    let topic = |name: &str| TopicPlan { name: name.to_owned(), partitions: 6, settings: vec![] };
    apply(brokers, &[topic(REQUESTS), topic(TOTALS), topic(DEAD)], 1).await.unwrap();
}

impl Shared {
    async fn start() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let database = servers.fresh_database("tally").await.unwrap();
        let urls = Urls {
            owner: database.owner_url.clone(),
            app: database.app_url.clone(),
            brokers: servers.kafka_brokers(),
            registry: servers.registry_url(),
        };
        create_topics(&urls.brokers).await;
        let registry = Registry::new(&urls.registry);
        for record in AdditionRequested::RECORDS.iter().chain(TotalChanged::RECORDS) {
            registry.register(record).await.unwrap();
        }
        processes::migrate(&urls, &database.app_role).await;
        Shared { servers, urls }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Named so that it is kept: the servers live as long as the tests.
        let _kept = &self.servers;
    }
}

/// Asks until the answer is good, for as long as patience lasts.
pub(crate) async fn wait<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(why) if started.elapsed() > PATIENCE => panic!("waited for {what}, but {why}"),
            Err(_not_yet) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// A JSON answer over HTTP.
pub(crate) type Answer = (u16, Value);
