//! A metric as data, for those who look at it: the name on `/metrics`, its kind, its meaning. Separate from the
//! instruments, which services do not handle.

use serde::Serialize;

/// A metric, as `/metrics` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What it counts or measures.
    pub meaning: &'static str,
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It shows the present value.
    Gauge,
    /// It counts values by their size.
    Histogram,
}

impl Metric {
    /// What [`Effects::count`](crate::Effects::count) counts.
    pub fn counter(name: &str, meaning: &'static str) -> Self {
        Metric { name: format!("{name}_total"), kind: Kind::Counter, meaning }
    }

    /// What [`Effects::observe`](crate::Effects::observe) observes, in seconds.
    pub fn duration(name: &str, meaning: &'static str) -> Self {
        Metric { name: format!("{name}_seconds"), kind: Kind::Histogram, meaning }
    }

    /// What [`Service::observe`](crate::Service::observe) reads; the name ends with its unit, if it has one.
    pub fn gauge(name: &str, meaning: &'static str) -> Self {
        Metric { name: name.to_owned(), kind: Kind::Gauge, meaning }
    }
}
