//! What a service says about itself, as data: what it hears, ignores and publishes, whom it calls, its settings and
//! its metrics. All of it is compiled in; `<service> describe` prints it, and tools that are not written in Rust
//! read the file that a test makes of all services. Separate from `run`, which starts what this describes.

use std::collections::BTreeMap;
use std::fmt;

use language::RecordInfo;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use serde::Serialize;

use super::config::{self, Config};
use super::env::{Env, Neighbour, Setting};
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
    /// What they make the service do, in a sentence each, where it says so.
    pub asks: BTreeMap<&'static str, &'static str>,
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
    /// The field of every record that is also the Kafka key.
    pub key: &'static str,
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
            asks: declared.asks.iter().copied().collect(),
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
        key: published.key,
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

/// A service as its program describes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Described {
    #[serde(flatten)]
    pub(crate) own: Description,
    /// The schemas of what it publishes, by their full names.
    pub(crate) schemas: BTreeMap<&'static str, &'static str>,
}

impl Described {
    pub(crate) fn of<S: Service>(app: fn(&mut Env) -> App<S>) -> Self {
        let published = app(&mut Env::from_fn(|_| None)).publishes;
        let records = published.iter().flat_map(|published| published.records);
        Described {
            own: describe(app),
            schemas: records.map(|record| (record.full_name, record.schema)).collect(),
        }
    }
}

/// A program: the service that it is, or those that it hosts, and what every service has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Whole {
    #[serde(flatten)]
    pub(crate) services: Services,
    pub(crate) of_every_service: OfEveryService,
}

/// One service is not a list of one: tools ask the program of a single service about that service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Services {
    One(Box<Described>),
    Several { services: Vec<Described> },
}

impl Whole {
    pub(crate) fn of(mut services: Vec<Described>) -> Self {
        let services = match services.pop() {
            Some(only) if services.is_empty() => Services::One(Box::new(only)),
            last => {
                services.extend(last);
                Services::Several { services }
            }
        };
        Whole { services, of_every_service: of_every_service() }
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let common = &self.of_every_service;
        let services = match &self.services {
            Services::One(service) => std::slice::from_ref(&**service),
            Services::Several { services } => services,
        };
        services.iter().try_for_each(|service| writeln!(f, "{}", service.own))?;
        list_settings(f, "settings of every service", &common.settings)?;
        list_settings(f, "\nsettings of migrate", &common.migration_settings)?;
        list_metrics(f, "\nmetrics of every service", &common.metrics)
    }
}

impl fmt::Display for Description {
    /// For people: what is empty is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.service)?;
        for heard in &self.hears {
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
        for published in &self.publishes {
            writeln!(f, "\npublishes {}: {}", published.topic, published.records.join(", "))?;
        }
        writeln!(f, "\nsets aside on {}", self.dead_letters)?;
        for outside in &self.calls {
            writeln!(f, "\ncalls the {}", outside.name)?;
        }
        list_settings(f, "\nsettings", &self.settings)?;
        list_metrics(f, "\nmetrics", &self.metrics)
    }
}

fn list_settings(f: &mut fmt::Formatter<'_>, title: &str, all: &[Setting]) -> fmt::Result {
    list(f, title, all.iter().map(Setting::to_string))
}

fn list_metrics(f: &mut fmt::Formatter<'_>, title: &str, all: &[Metric]) -> fmt::Result {
    list(f, title, all.iter().map(|metric| format!("{:44} {}", metric.name, metric.meaning)))
}

fn list(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    mut lines: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    if lines.len() == 0 {
        return Ok(());
    }
    writeln!(f, "{title}")?;
    lines.try_for_each(|line| writeln!(f, "  {line}"))
}
