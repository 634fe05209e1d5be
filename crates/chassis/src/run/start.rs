//! The start: wait for each dependency, naming it, then build the parts and connect them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;
use utoipa_axum::router::OpenApiRouter;

use super::StopBell;
use crate::admin::{self, Admin, Replays};
use crate::app::App;
use crate::calls::CallQueue;
use crate::codec::Encoder;
use crate::config::Config;
use crate::consumer::{self, Consuming, OffsetHint};
use crate::executor::{Chain, Executor, Writer};
use crate::handle::{Handle, Inner};
use crate::health::Health;
use crate::observe::Observer;
use crate::offsets::Positions;
use crate::queue::{Queue, Senders, queue};
use crate::registry::{self, Ids, Registry};
use crate::relay::{HandOver, ProducerSettings, Relay};
use crate::service::Service;
use crate::subscription::Subscription;
use crate::telemetry::Telemetry;
use crate::{database, http, sweep, topics};

/// The pause between attempts to reach a dependency.
const PAUSE: Duration = Duration::from_millis(500);
/// Changes that a slow watcher may be behind before it has to look for itself.
const CHANGES_MAX: usize = 4096;

/// A service that is not ready yet: it answers health checks and turns callers away.
pub(super) struct Starting<S: Service> {
    app: App<S>,
    config: Config,
    pub(super) health: Arc<Health>,
    telemetry: Arc<Telemetry>,
    handle: Handle<S>,
    senders: Senders<S>,
    queue: Queue<S>,
    replays: watch::Sender<Option<Arc<Replays<S>>>>,
    http: JoinHandle<()>,
    admin: JoinHandle<()>,
}

/// Everything that runs, and how to stop it.
pub(super) struct Running {
    pub(super) http: JoinHandle<()>,
    pub(super) admin: JoinHandle<()>,
    pub(super) executor: JoinHandle<()>,
    pub(super) relay: JoinHandle<()>,
    pub(super) sweep: JoinHandle<()>,
    pub(super) poller: Option<Poller>,
    pub(super) stop_polling: Arc<AtomicBool>,
    pub(super) stop_relay: StopBell,
    pub(super) wake_relay: Arc<Notify>,
    pub(super) senders: Box<dyn std::any::Any + Send>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) shutdown_timeout: Duration,
}

/// The polling thread, and the member of the group that it polls.
type Poller = (thread::JoinHandle<()>, Arc<consumer::Client>);

impl<S: Service> Starting<S> {
    pub(super) fn new(
        mut app: App<S>,
        config: Config,
        public: TcpListener,
        admin: TcpListener,
    ) -> anyhow::Result<Self> {
        let telemetry = Arc::new(Telemetry::start(S::NAME, &config)?);
        let health = Arc::new(Health::new(config.outbox_messages_max));
        let db = database::readers(&config.database_url.0, S::NAME)?;
        let (senders, queue) = queue::<S>();
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        let handle = Handle {
            inner: Arc::new(Inner {
                commands: senders.commands.downgrade(),
                db: db.clone(),
                changes,
                health: Arc::clone(&health),
                telemetry: Arc::clone(&telemetry),
            }),
        };
        let (replays, replays_seen) = watch::channel(None);
        let admin_router = admin::router(Admin {
            db,
            health: Arc::clone(&health),
            telemetry: Arc::clone(&telemetry),
            replays: replays_seen,
        });
        let routes = app.routes.take().map_or_else(OpenApiRouter::new, |r| r(handle.clone()));
        let public_router = http::public(S::NAME, routes, Arc::clone(&health));
        let stopping = Arc::clone(&health);
        let stop = async move { stopping.stopping().await };
        let http = tokio::spawn(serve("the public port", public, public_router, stop));
        let admin =
            tokio::spawn(serve("the admin port", admin, admin_router, std::future::pending()));
        Ok(Starting {
            app,
            config,
            health,
            telemetry,
            handle,
            senders,
            queue,
            replays,
            http,
            admin,
        })
    }

    /// Waits for the dependencies, then starts the parts.
    pub(super) async fn run(mut self) -> anyhow::Result<Running> {
        let ids = self.wait_for_database_and_schemas().await;
        self.wait_for_topics().await;
        let ids_of = |records: &'static [events::RecordInfo]| -> Vec<u32> {
            records.iter().map(|record| ids[&registry::subject(record)]).collect()
        };
        let mut encoder = Encoder::default();
        for published in &self.app.publishes {
            (published.add)(&mut encoder, &ids_of(published.records))?;
        }
        let subscriptions = || {
            let built = self.app.hears.iter().map(|heard| (heard.build)(&ids_of(heard.records)));
            built.collect::<Result<Vec<_>, _>>()
        };
        let (for_consumer, for_replays) = (subscriptions()?, subscriptions()?);
        let items = self.senders.outcomes.downgrade();
        let registry = Registry::new(&self.config.registry_url);
        let replays = Replays { subscriptions: for_replays, items, registry };
        self.replays.send_replace(Some(Arc::new(replays)));
        self.assemble(encoder, for_consumer)
    }

    fn assemble(
        self,
        encoder: Encoder,
        subscriptions: Vec<Box<dyn Subscription<S>>>,
    ) -> anyhow::Result<Running> {
        let positions = Arc::new(Positions::default());
        let stop_polling = Arc::new(AtomicBool::new(false));
        let (poller, hint) = self.start_polling(subscriptions, &positions, &stop_polling)?;
        let (relay, hand_over) = self.relay();
        let stop_relay: StopBell = (Arc::default(), Arc::default());
        let wake_relay = hand_over.bell();
        let calls = self.app.calls.map(|erased| {
            CallQueue::new(erased, &self.senders.outcomes, Arc::clone(&self.telemetry))
        });
        let writer = |part: &'static str| {
            Writer::new(self.config.database_url.clone(), part, Arc::clone(&self.health))
        };
        let sweep = tokio::spawn(sweep::run(
            Arc::clone(&self.app.service),
            writer("sweep"),
            self.senders.outcomes.downgrade(),
            calls.clone(),
            Arc::clone(&self.health),
            Observer::new(Arc::clone(&self.health), Arc::clone(&self.telemetry)),
        ));
        let executor = Executor {
            service: self.app.service,
            writer: writer("executor"),
            queue: self.queue,
            encoder: Arc::new(encoder),
            positions,
            hint,
            relay: hand_over,
            calls,
            changes: self.handle.inner.changes.clone(),
            telemetry: Arc::clone(&self.telemetry),
        };
        Ok(Running {
            http: self.http,
            admin: self.admin,
            executor: tokio::spawn(executor.run()),
            relay: tokio::spawn(relay.run(Arc::clone(&stop_relay.1), Arc::clone(&stop_relay.0))),
            sweep,
            poller,
            stop_polling,
            stop_relay,
            wake_relay,
            senders: Box::new(self.senders),
            telemetry: self.telemetry,
            shutdown_timeout: self.config.shutdown,
        })
    }

    fn relay(&self) -> (Relay, HandOver) {
        Relay::new(
            Writer::new(self.config.database_url.clone(), "relay", Arc::clone(&self.health)),
            self.config.database_url.clone(),
            ProducerSettings {
                brokers: self.config.kafka_brokers.clone(),
                compression: self.config.compression.clone(),
                service: S::NAME,
            },
            Arc::clone(&self.health),
            Arc::clone(&self.telemetry),
        )
    }

    fn start_polling(
        &self,
        subscriptions: Vec<Box<dyn Subscription<S>>>,
        positions: &Arc<Positions>,
        stop: &Arc<AtomicBool>,
    ) -> anyhow::Result<(Option<Poller>, OffsetHint)> {
        if subscriptions.is_empty() {
            return Ok((None, OffsetHint::none()));
        }
        let consuming = Consuming {
            subscriptions,
            events: self.senders.events.clone(),
            positions: Arc::clone(positions),
            registry: Registry::new(&self.config.registry_url),
            health: Arc::clone(&self.health),
            telemetry: Arc::clone(&self.telemetry),
            stop: Arc::clone(stop),
            runtime: tokio::runtime::Handle::current(),
        };
        let (client, hint) = consumer::subscribe(&self.config, &consuming)?;
        let polled = Arc::clone(&client);
        let thread = thread::Builder::new()
            .name("consumer".to_owned())
            .spawn(move || consumer::run(&polled, &consuming))?;
        Ok((Some((thread, client)), hint))
    }

    /// The ids of all schemas compiled in: from the database where an earlier start left them, else
    /// from the registry.
    async fn wait_for_database_and_schemas(&mut self) -> Ids {
        let records = self.app.records();
        let registry = Registry::new(&self.config.registry_url);
        loop {
            match self.try_schemas(&records, &registry).await {
                Ok(Some(ids)) => {
                    self.health.set_database_up(true);
                    for part in ["database", "schema", "registry"] {
                        self.health.has(part);
                    }
                    return ids;
                }
                Ok(None) => {}
                Err(error) => {
                    self.health.waits_for("database", format!("the database is away: {error}"))
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_schemas(
        &self,
        records: &[&'static events::RecordInfo],
        registry: &Registry,
    ) -> Result<Option<Ids>, sqlx::Error> {
        let mut db = database::writer(&self.config.database_url.0, "start").await?;
        self.health.has("database");
        if let Some(missing) = database::missing_migration(&mut db, self.app.migrations).await? {
            let name = S::NAME;
            let reason = format!("migration {missing} is missing: run `{name} migrate`");
            self.health.waits_for("schema", reason);
            return Ok(None);
        }
        self.health.has("schema");
        let mut ids = registry::stored_ids(&mut db, records).await?;
        let unknown: Vec<_> =
            records.iter().copied().filter(|r| !ids.contains_key(&registry::subject(r))).collect();
        let mut learnt: Ids = HashMap::new();
        for record in &unknown {
            let subject = registry::subject(record);
            match registry.id_of(&subject, record.schema).await {
                Ok(Some(id)) => {
                    learnt.insert(subject, id);
                }
                Ok(None) => {
                    let reason = format!(
                        "{subject} is not registered with this build's schema: run `flotilla schema register`"
                    );
                    self.health.waits_for("registry", reason);
                    return Ok(None);
                }
                Err(error) => {
                    self.health.waits_for("registry", Chain(&error).to_string());
                    return Ok(None);
                }
            }
        }
        registry::store_ids(&mut db, &unknown, &learnt).await?;
        ids.extend(learnt);
        Ok(Some(ids))
    }

    async fn wait_for_topics(&self) {
        let wanted = self.app.topics();
        loop {
            let brokers = self.config.kafka_brokers.clone();
            let existing = tokio::task::spawn_blocking(move || topics::existing(&brokers)).await;
            match existing {
                Ok(Ok(existing)) => {
                    let missing: Vec<&str> = wanted
                        .iter()
                        .map(String::as_str)
                        .filter(|topic| !existing.contains_key(*topic))
                        .collect();
                    if missing.is_empty() {
                        self.health.has("kafka");
                        return;
                    }
                    let reason = format!(
                        "no such topic: {}; create with `flotilla topics apply`",
                        missing.join(", ")
                    );
                    self.health.waits_for("kafka", reason);
                }
                Ok(Err(error)) => {
                    let brokers = &self.config.kafka_brokers;
                    let reason = format!("Kafka at {brokers} does not answer: {error}");
                    self.health.waits_for("kafka", reason);
                }
                Err(error) => self.health.waits_for("kafka", error.to_string()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn serve(
    what: &'static str,
    listener: TcpListener,
    router: axum::Router,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    if let Err(error) = http::serve(listener, router, stop).await {
        tracing::error!(error = %error, "{what} is no longer served");
    }
}
