//! What a service says about itself, as data: what it hears, ignores and publishes, whom it calls, its settings and
//! its metrics. All of it is compiled in; `<service> describe` prints it, and tools that are not written in Rust
//! read the file that a test makes of all services. Separate from `run`, which starts what this describes.

use std::collections::BTreeMap;
use std::fmt;

use language::RecordInfo;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use serde::Serialize;

use super::config::{self, Config, Env, Neighbour, Setting};
use crate::app::App;
use crate::consume::dead_letters;
use crate::ops::telemetry::{Metric, Metrics};
use crate::service::{Deduplication, Service};

/// What a service says about itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// Its name.
    pub service: &'static str,
    /// The topics that it hears.
    pub hears: Vec<HeardTopic>,
    /// The topics that it publishes to, except its dead letters.
    pub publishes: Vec<PublishedTopic>,
    /// Where what it sets aside is published.
    pub dead_letters: String,
    /// Whom it calls outside the fleet.
    pub calls: Vec<Neighbour>,
    /// Its own settings.
    pub settings: Vec<Setting>,
    /// Its own metrics.
    pub metrics: Vec<Metric>,
}

/// What every service has from the chassis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfEveryService {
    /// Settings of a service that runs.
    pub settings: Vec<Setting>,
    /// Settings of `<service> migrate`.
    pub migration_settings: Vec<Setting>,
    /// Metrics.
    pub metrics: Vec<Metric>,
}

/// A topic that a service hears, by the names of its records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeardTopic {
    /// Its name.
    pub topic: &'static str,
    /// Records that are decoded and become inputs, if they ask something of the service.
    pub hears: Vec<&'static str>,
    /// Records that never concern the service.
    pub ignores: Vec<&'static str>,
    /// Records that hold their partition if they cannot be processed.
    pub never_dead_lettered: Vec<&'static str>,
    /// Whether a redelivery is told apart by the event's id, or by a decision that changes nothing.
    pub deduplication: &'static str,
    /// Whether every record needs a `ce_sequence`.
    pub numbered: bool,
}

/// A topic that a service publishes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedTopic {
    /// Its name.
    pub topic: &'static str,
    /// Its records, by the full names of their schemas.
    pub records: Vec<&'static str>,
}

/// Describes a service. Nothing is started, and no setting is required.
pub fn describe<S: Service>(app: fn(&mut Env) -> App<S>) -> Description {
    let mut env = Env::from_fn(|_| None);
    let app = app(&mut env);
    let heard = app.hears.iter().map(|declared| {
        let all = declared.records.iter().map(|record| record.name);
        HeardTopic {
            topic: declared.topic,
            hears: all.filter(|name| !declared.ignores.contains(name)).collect(),
            ignores: declared.ignores.to_vec(),
            never_dead_lettered: declared.never_dead_lettered.to_vec(),
            deduplication: match declared.deduplication {
                Deduplication::Inbox => "inbox",
                Deduplication::Idempotent => "idempotent",
            },
            numbered: declared.is_numbered,
        }
    });
    // An adapter that the settings choose does not exist without them.
    let mut calls = env.neighbours().to_vec();
    if let Some(adapter) = app.calls.as_ref().filter(|_| calls.is_empty()) {
        calls.push(Neighbour { name: adapter.name, setting: None });
    }
    let full_names =
        |records: &[RecordInfo]| records.iter().map(|record| record.full_name).collect();
    let published = app.publishes.iter().map(|published| PublishedTopic {
        topic: published.topic,
        records: full_names(published.records),
    });
    Description {
        service: S::NAME,
        hears: heard.collect(),
        publishes: published.collect(),
        dead_letters: dead_letters::topic_of(S::NAME),
        calls,
        metrics: app.metrics.clone(),
        settings: env.known().to_vec(),
    }
}

/// Describes what all services have in common.
pub fn of_every_service() -> OfEveryService {
    let (mut serving, mut migrating) = (Env::from_fn(|_| None), Env::from_fn(|_| None));
    Config::read(&mut serving);
    config::migration(&mut migrating);
    // Without a reader its instruments measure nothing.
    let meter = SdkMeterProvider::builder().build().meter("description");
    OfEveryService {
        settings: serving.known().to_vec(),
        migration_settings: migrating.known().to_vec(),
        metrics: Metrics::described(&meter),
    }
}

/// A whole service: its own part, and what every service has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Whole {
    #[serde(flatten)]
    pub(crate) own: Description,
    /// The schemas of what it publishes, by their full names.
    pub(crate) schemas: BTreeMap<&'static str, &'static str>,
    pub(crate) of_every_service: OfEveryService,
}

impl Whole {
    pub(crate) fn of<S: Service>(app: fn(&mut Env) -> App<S>) -> Self {
        let published = app(&mut Env::from_fn(|_| None)).publishes;
        let records = published.iter().flat_map(|published| published.records);
        Whole {
            own: describe(app),
            schemas: records.map(|record| (record.full_name, record.schema)).collect(),
            of_every_service: of_every_service(),
        }
    }
}

impl fmt::Display for Whole {
    /// For people: what is empty is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Whole { own, of_every_service: common, .. } = self;
        writeln!(f, "{}", own.service)?;
        for heard in &own.hears {
            writeln!(f, "\nhears {}: {}", heard.topic, heard.hears.join(", "))?;
            for (what, names) in
                [("ignores", &heard.ignores), ("never sets aside", &heard.never_dead_lettered)]
            {
                if !names.is_empty() {
                    writeln!(f, "  {what} {}", names.join(", "))?;
                }
            }
            writeln!(f, "  a redelivery has no effect: {}", heard.deduplication)?;
        }
        for published in &own.publishes {
            writeln!(f, "\npublishes {}: {}", published.topic, published.records.join(", "))?;
        }
        writeln!(f, "\nsets aside on {}", own.dead_letters)?;
        for outside in &own.calls {
            writeln!(f, "\ncalls the {}", outside.name)?;
        }
        writeln!(f, "\nsettings")?;
        own.settings.iter().chain(&common.settings).try_for_each(|s| writeln!(f, "  {s}"))?;
        writeln!(f, "\nsettings of migrate")?;
        common.migration_settings.iter().try_for_each(|s| writeln!(f, "  {s}"))?;
        writeln!(f, "\nmetrics")?;
        own.metrics
            .iter()
            .chain(&common.metrics)
            .try_for_each(|metric| writeln!(f, "  {:44} {}", metric.name, metric.meaning))
    }
}
