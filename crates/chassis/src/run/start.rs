//! The start: wait for each dependency, naming it, then build the parts and connect them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast, watch};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use super::safety;
use super::stop::{Stop, share};
use super::tasks::{Part, Tasks};
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
use crate::ops::health::{Departure, Health};
use crate::ops::observe::Observer;
use crate::ops::telemetry::Telemetry;
use crate::postgres::connection::Writer;
use crate::postgres::database;
use crate::publish::relay::hand_over::HandOver;
use crate::publish::relay::{ProducerSettings, Relay};
use crate::run::config::Config;
use crate::service::Service;
use crate::wire::codec::Encoder;
use crate::wire::registry::{self, Ids, Registry};

/// How many changes a slow watcher may be behind before it has to look for itself.
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
    stop: Stop,
}

/// Everything that runs, and how to stop it.
pub(super) struct Running {
    pub(super) tasks: Tasks,
    pub(super) stop: Stop,
    /// Holds the member of the group that the consumer polls, if the service hears anything.
    pub(super) seat: Option<Arc<Seat>>,
    pub(super) senders: Box<dyn std::any::Any + Send>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) health: Arc<Health>,
    pub(super) shutdown_timeout: Duration,
    pub(super) stop_delay: Duration,
}

impl<S: Service> Starting<S> {
    /// Opens the ports. Of the parts, only these run from here on.
    pub(super) fn new(
        mut app: App<S>,
        config: Config,
        public: TcpListener,
        admin: TcpListener,
    ) -> anyhow::Result<(Self, Tasks)> {
        let telemetry = Arc::new(Telemetry::start(S::NAME, &config)?);
        let stop = Stop::new();
        let departure =
            Departure { leaving: stop.leaving.clone(), stopping: stop.accepting.clone() };
        let health = Health::until(departure, config.outbox_messages_max);
        let health = Arc::new(health);
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
        let public_router =
            http::public(S::NAME, routes, Arc::clone(&health), Arc::clone(&telemetry));
        let mut tasks = Tasks::new(Arc::clone(&health));
        let stopping = stop.accepting.clone().cancelled_owned();
        let left = share(config.shutdown.saturating_sub(config.stop_delay));
        let bounds = Bounds { connections: http::CONNECTIONS_MAX, stop: left };
        tasks.spawn(Part::Http, http::serve(public, public_router, bounds, stopping));
        let bounds = Bounds { connections: http::ADMIN_CONNECTIONS_MAX, ..bounds };
        // It reports the stop until the end.
        let never = std::future::pending();
        tasks.spawn(Part::Admin, http::serve(admin, admin_router, bounds, never));
        let starting = Starting {
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
            stop,
        };
        Ok((starting, tasks))
    }

    /// Waits for what the service needs; returns the ids of its schemas.
    pub(super) async fn dependencies(&mut self) -> Ids {
        let ids = self.wait_for_database_and_schemas().await;
        self.wait_for_topics().await;
        ids
    }

    /// Starts the parts.
    pub(super) fn start(self, ids: &Ids, tasks: Tasks) -> anyhow::Result<Running> {
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
        self.assemble(tasks, encoder, for_consumer)
    }

    fn assemble(
        self,
        mut tasks: Tasks,
        encoder: Encoder,
        subscriptions: Vec<Box<dyn Subscription<S>>>,
    ) -> anyhow::Result<Running> {
        let topics = self.app.topics();
        let positions = Arc::new(Positions::default());
        let flow = Arc::<Flow>::default();
        let seat = self.start_polling(&mut tasks, subscriptions, &positions, &flow)?;
        let replicas = Replicas::default();
        let (relay, hand_over) = self.relay(replicas.clone());
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
        let sweep = sweep::run(
            Arc::clone(&self.app.service),
            writer("sweep"),
            self.senders.outcomes.downgrade(),
            calls.clone(),
            Arc::clone(&self.health),
            time,
            upkeep,
        );
        let executor = Executor {
            service: self.app.service,
            writer: writer("executor"),
            queue: self.queue,
            encoder: Arc::new(encoder),
            positions,
            hint: seat.as_ref().map_or_else(OffsetHint::none, OffsetHint::of),
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
        let (brokers, topics) = (self.config.kafka_brokers, topics);
        tasks.spawn(Part::Executor, executor.run());
        tasks.spawn(Part::Relay, relay.run(self.stop.publishing.clone()));
        tasks.spawn(Part::Sweep, sweep);
        tasks.spawn(Part::Progress, self.progress.watch(Arc::clone(&self.health)));
        tasks.spawn(Part::Topics, safety::run(brokers, topics, Arc::clone(&self.health)));
        Ok(Running {
            tasks,
            stop: self.stop,
            seat,
            senders: Box::new(self.senders),
            telemetry: self.telemetry,
            health: self.health,
            shutdown_timeout: self.config.shutdown,
            stop_delay: self.config.stop_delay,
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

    /// Returns the seat of the group's member, unless there is nothing to hear.
    fn start_polling(
        &self,
        tasks: &mut Tasks,
        subscriptions: Vec<Box<dyn Subscription<S>>>,
        positions: &Arc<Positions>,
        flow: &Arc<Flow>,
    ) -> anyhow::Result<Option<Arc<Seat>>> {
        if subscriptions.is_empty() {
            return Ok(None);
        }
        let consuming = Consuming {
            config: self.config.clone(),
            client_id: format!("{}-{}", S::NAME, Uuid::new_v4()),
            subscriptions,
            events: self.senders.events.clone(),
            positions: Arc::clone(positions),
            health: Arc::clone(&self.health),
            telemetry: Arc::clone(&self.telemetry),
            stop: self.stop.fetching.clone(),
            rejoin: Arc::default(),
            complaint: Arc::default(),
            flow: Arc::clone(flow),
            runtime: tokio::runtime::Handle::current(),
        };
        let watch = Watch::of(&consuming, Arc::clone(&self.sight)).run();
        let seat = Arc::new(Seat::default());
        consumer::subscribe(&seat, &consuming)?;
        let polled = Arc::clone(&seat);
        tasks.spawn(Part::Watch, watch);
        tasks.spawn_blocking(Part::Consumer, move || consumer::run(&polled, &consuming));
        Ok(Some(seat))
    }
}
