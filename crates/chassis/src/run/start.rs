//! The start: wait for each dependency, naming it, then build the parts and connect them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio::task::JoinHandle;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use super::{StopBell, safety, share};
use crate::app::App;
use crate::calls::CallQueue;
use crate::consume::consumer::{self, Consuming, Flow, OffsetHint, Seat, Sight, Watch};
use crate::consume::heard::Heard;
use crate::consume::offsets::Positions;
use crate::consume::subscription::Subscription;
use crate::executor::handle::{Handle, Inner};
use crate::executor::pace::Replicas;
use crate::executor::progress::Progress;
use crate::executor::queue::{COMMANDS_BYTES_MAX, Queue, Senders, queue};
use crate::executor::retention::Retention;
use crate::executor::sweep;
use crate::executor::{Executor, Stuck};
use crate::http;
use crate::http::Bounds;
use crate::ops::admin::{self, Admin, Replays};
use crate::ops::health::Health;
use crate::ops::observe::Observer;
use crate::ops::telemetry::Telemetry;
use crate::postgres::connection::Writer;
use crate::postgres::database;
use crate::publish::relay::hand_over::HandOver;
use crate::publish::relay::{ProducerSettings, Relay};
use crate::run::config::Config;
use crate::service::Service;
use crate::wire::codec::Encoder;
use crate::wire::registry::{self, Registry};

/// Changes that a slow watcher may be behind before it has to look for itself.
const CHANGES_MAX: usize = 4096;

/// A service that is not ready yet: it answers health checks and turns callers away.
pub(super) struct Starting<S: Service> {
    pub(super) app: App<S>,
    pub(super) config: Config,
    pub(super) health: Arc<Health>,
    progress: Arc<Progress>,
    telemetry: Arc<Telemetry>,
    pub(super) handle: Handle<S>,
    senders: Senders<S>,
    queue: Queue<S>,
    replays: watch::Sender<Option<Arc<Replays<S>>>>,
    sight: Arc<Sight>,
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
    pub(super) health: Arc<Health>,
    pub(super) progress: Arc<Progress>,
    pub(super) shutdown_timeout: Duration,
}

/// What hears: the polling thread, where the member of the group sits that it polls, and the look at the whole
/// group.
pub(super) struct Poller {
    pub(super) thread: thread::JoinHandle<()>,
    pub(super) seat: Arc<Seat>,
    pub(super) watch: JoinHandle<()>,
}

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
                service: Arc::clone(&app.service),
                commands: senders.commands.downgrade(),
                db: db.clone(),
                changes,
                health: Arc::clone(&health),
                telemetry: Arc::clone(&telemetry),
                clock: Arc::default(),
                command_bytes: Semaphore::new(COMMANDS_BYTES_MAX),
            }),
        };
        let progress = Arc::<Progress>::default();
        let (replays, replays_seen) = watch::channel(None);
        let topics = app.hears.iter().map(|heard| heard.topic).collect();
        let sight = Arc::new(Sight::new(topics, &config.kafka_brokers, db.clone()));
        let operators = app.operator_routes.take();
        let operators = operators.map_or_else(OpenApiRouter::new, |routes| routes(handle.clone()));
        let admin_router = admin::router(
            operators,
            Admin {
                db,
                health: Arc::clone(&health),
                progress: Arc::clone(&progress),
                telemetry: Arc::clone(&telemetry),
                replays: replays_seen,
                topics: app.topics_published(),
                sight: Arc::clone(&sight),
            },
        );
        let routes = app.routes.take().map_or_else(OpenApiRouter::new, |r| r(handle.clone()));
        let public_router = http::public(S::NAME, routes, Arc::clone(&health));
        let stopping = Arc::clone(&health);
        let stop = async move { stopping.stopping().await };
        let bounds = Bounds { connections: http::CONNECTIONS_MAX, stop: share(config.shutdown) };
        let http = tokio::spawn(http::serve(public, public_router, bounds, stop));
        let bounds = Bounds { connections: http::ADMIN_CONNECTIONS_MAX, ..bounds };
        let admin = tokio::spawn(http::serve(admin, admin_router, bounds, std::future::pending()));
        Ok(Starting {
            app,
            config,
            health,
            progress,
            telemetry,
            handle,
            senders,
            queue,
            replays,
            sight,
            http,
            admin,
        })
    }

    /// Waits for the dependencies, then starts the parts.
    pub(super) async fn run(mut self) -> anyhow::Result<Running> {
        let ids = self.wait_for_database_and_schemas().await;
        self.wait_for_topics().await;
        let (brokers, topics) = (self.config.kafka_brokers.clone(), self.app.topics());
        // It ends with the process.
        tokio::spawn(safety::run(brokers, topics, Arc::clone(&self.health)));
        let ids_of = |records: &'static [language::RecordInfo]| -> Vec<u32> {
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
        let flow = Arc::<Flow>::default();
        let (poller, hint) = self.start_polling(subscriptions, &positions, &flow, &stop_polling)?;
        let replicas = Replicas::default();
        let (relay, hand_over) = self.relay(replicas.clone());
        let stop_relay: StopBell = (Arc::default(), Arc::default());
        let wake_relay = hand_over.bell();
        let calls = self.app.calls.map(|erased| {
            let (health, telemetry) = (Arc::clone(&self.health), Arc::clone(&self.telemetry));
            CallQueue::new(erased, &self.senders.outcomes, health, telemetry)
        });
        let writer = |part: &'static str| {
            Writer::new(self.config.database_url.clone(), part, Arc::clone(&self.health))
        };
        let heard = self.app.hears.iter().map(|heard| heard.topic).collect();
        let time = sweep::Time {
            clock: Arc::clone(&self.handle.inner.clock),
            heard: Heard::new(&self.config.kafka_brokers, heard),
        };
        let upkeep = sweep::Upkeep {
            observer: Observer::new(
                Arc::clone(&self.health),
                Arc::clone(&self.telemetry),
                replicas.clone(),
                Arc::clone(&positions),
            ),
            retention: Retention::new(&self.config, &self.app.forgets),
        };
        let sweep = tokio::spawn(sweep::run(
            Arc::clone(&self.app.service),
            writer("sweep"),
            self.senders.outcomes.downgrade(),
            calls.clone(),
            Arc::clone(&self.health),
            time,
            upkeep,
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
            clock: Arc::clone(&self.handle.inner.clock),
            replicas,
            progress: Arc::clone(&self.progress),
            flow,
            stored_at: Instant::now(),
            stuck: Stuck::new(Arc::clone(&self.health)),
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
            health: self.health,
            progress: self.progress,
            shutdown_timeout: self.config.shutdown,
        })
    }

    fn relay(&self, replicas: Replicas) -> (Relay, HandOver) {
        Relay::new(
            Writer::new(self.config.database_url.clone(), "relay", Arc::clone(&self.health)),
            self.config.database_url.clone(),
            ProducerSettings {
                brokers: self.config.kafka_brokers.clone(),
                compression: self.config.compression.clone(),
                service: S::NAME,
            },
            self.config.outbox_kept,
            Arc::clone(&self.health),
            Arc::clone(&self.telemetry),
            replicas,
        )
    }

    fn start_polling(
        &self,
        subscriptions: Vec<Box<dyn Subscription<S>>>,
        positions: &Arc<Positions>,
        flow: &Arc<Flow>,
        stop: &Arc<AtomicBool>,
    ) -> anyhow::Result<(Option<Poller>, OffsetHint)> {
        if subscriptions.is_empty() {
            return Ok((None, OffsetHint::none()));
        }
        let consuming = Consuming {
            config: self.config.clone(),
            client_id: format!("{}-{}", S::NAME, Uuid::new_v4()),
            subscriptions,
            events: self.senders.events.clone(),
            positions: Arc::clone(positions),
            health: Arc::clone(&self.health),
            telemetry: Arc::clone(&self.telemetry),
            stop: Arc::clone(stop),
            rejoin: Arc::default(),
            complaint: Arc::default(),
            flow: Arc::clone(flow),
            runtime: tokio::runtime::Handle::current(),
        };
        let watch = Watch::of(&consuming, Arc::clone(&self.sight)).run();
        let seat = Arc::new(Seat::default());
        consumer::subscribe(&seat, &consuming)?;
        let (polled, hint) = (Arc::clone(&seat), OffsetHint::of(&seat));
        let thread = thread::Builder::new()
            .name("consumer".to_owned())
            .spawn(move || consumer::run(&polled, &consuming))?;
        Ok((Some(Poller { thread, seat, watch: tokio::spawn(watch) }), hint))
    }
}
