//! The declaration of a service: what it hears, publishes, calls and serves. It reads as the service's
//! table of contents.

use std::sync::Arc;
use std::time::Duration;

use language::{Events, RecordInfo};
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;

use crate::calls::Adapter;
use crate::calls::operate::{self, Settles};
use crate::consume::subscription::{self, Declared};
use crate::executor::handle::Handle;
use crate::executor::retention::Life;
use crate::ops::telemetry::Metric;
use crate::rows::show::{self, Shows};
use crate::service::{Calls, Hears, Outside, Service};
use crate::verify::{self, Verified, Verifies};
use crate::wire::codec::Encoder;

/// A service, declared.
pub struct App<S: Service> {
    pub(crate) service: Arc<S>,
    pub(crate) migrations: &'static Migrator,
    pub(crate) hears: Vec<Declared<S>>,
    pub(crate) publishes: Vec<Published>,
    pub(crate) calls: Option<Adapter<S>>,
    pub(crate) forgets: Vec<Life>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) routes: Option<fn(Handle<S>) -> OpenApiRouter>,
    pub(crate) operator_routes: Option<fn(Handle<S>) -> OpenApiRouter>,
    pub(crate) verifies: Option<Verifies<S>>,
}

/// A topic that the service may publish to.
pub(crate) struct Published {
    pub(crate) topic: &'static str,
    pub(crate) key: &'static str,
    pub(crate) records: &'static [RecordInfo],
    pub(crate) add: fn(&mut Encoder, &[u32]) -> Result<(), apache_avro::Error>,
}

impl<S: Service> App<S> {
    /// A service with its state and its migrations.
    pub fn new(service: S, migrations: &'static Migrator) -> Self {
        App {
            service: Arc::new(service),
            migrations,
            hears: Vec::new(),
            publishes: Vec::new(),
            metrics: Vec::new(),
            calls: None,
            forgets: Vec::new(),
            routes: None,
            operator_routes: None,
            verifies: None,
        }
    }

    /// Subscribes to the topic of `E`.
    pub fn hears<E: Events>(mut self) -> Self
    where
        S: Hears<E>,
    {
        self.hears.push(subscription::declare::<S, E>());
        self
    }

    /// Allows publishing to the topic of `E`.
    pub fn publishes<E: Events>(mut self) -> Self {
        let add = |encoder: &mut Encoder, ids: &[u32]| encoder.add::<E>(ids);
        let (topic, key, records) = (E::TOPIC, E::KEY, E::RECORDS);
        self.publishes.push(Published { topic, key, records, add });
        self
    }

    /// Says what the service measures besides the chassis, for those who watch it.
    pub fn measures(mut self, metrics: impl IntoIterator<Item = Metric>) -> Self {
        self.metrics.extend(metrics);
        self
    }

    /// Makes the calls that decisions ask for through `outside`.
    pub fn calls<O: Outside<S>>(self, outside: O) -> Self
    where
        S: Calls,
    {
        self.calls_through(Some(Adapter::of(outside)))
    }

    /// The same, through the adapter that the settings chose, if any: see [`Adapter::from_env`].
    pub fn calls_through(mut self, adapter: Option<Adapter<S>>) -> Self {
        self.calls = adapter;
        self
    }

    /// Deletes the rows of a table of the service once the time in one of their columns is this long ago, some of them
    /// in each sweep. The column needs an index.
    pub fn forgets(mut self, table: &'static str, since: &'static str, kept: Duration) -> Self {
        self.forgets.push(Life { table, since, kept });
        self
    }

    /// Serves routes on the public address.
    pub fn serves(mut self, routes: fn(Handle<S>) -> OpenApiRouter) -> Self {
        self.routes = Some(routes);
        self
    }

    /// Serves its rows on the public address, one by one, and nothing else.
    pub fn shows(self) -> Self
    where
        S: Shows,
    {
        self.serves(show::routes)
    }

    /// Lets operators settle calls, on the admin address.
    pub fn settles(self) -> Self
    where
        S: Settles,
    {
        self.operates(operate::routes)
    }

    /// Serves routes on the admin address: what only operators may do.
    pub fn operates(mut self, routes: fn(Handle<S>) -> OpenApiRouter) -> Self {
        self.operator_routes = Some(routes);
        self
    }

    /// Lets its decisions be made again from topics: `<service> verify` and `<service> explain`.
    pub fn verified(mut self) -> Self
    where
        S: Verified,
    {
        self.verifies = Some(verify::verifies);
        self
    }

    /// All records whose schema ids are needed.
    pub(crate) fn records(&self) -> Vec<&'static RecordInfo> {
        let heard = self.hears.iter().flat_map(|declared| declared.records);
        let mut records: Vec<_> =
            heard.chain(self.publishes.iter().flat_map(|published| published.records)).collect();
        records.sort_by_key(|record| (record.topic, record.name));
        records.dedup_by_key(|record| (record.topic, record.name));
        records
    }

    /// All topics, its own dead letters included.
    pub(crate) fn topics(&self) -> Vec<String> {
        let heard = self.hears.iter().map(|declared| declared.topic);
        let all = heard.chain(self.publishes.iter().map(|published| published.topic));
        let mut topics: Vec<String> = all.map(str::to_owned).collect();
        topics.push(crate::consume::dead_letters::topic_of(S::NAME));
        topics.sort();
        topics.dedup();
        topics
    }

    /// The topics that it publishes to, its own dead letters included.
    pub(crate) fn topics_published(&self) -> Vec<String> {
        let own = self.publishes.iter().map(|published| published.topic.to_owned());
        own.chain([crate::consume::dead_letters::topic_of(S::NAME)]).collect()
    }

    /// Names in `IGNORES` or `NEVER_DEAD_LETTERED` that no record has: misspelt, or renamed.
    pub(crate) fn misspelt(&self) -> Vec<String> {
        let names = self.hears.iter().flat_map(|declared| {
            declared.unknown_names.iter().map(|name| format!("{name} on {}", declared.topic))
        });
        names.collect()
    }
}
