//! Makes instruments, and notes each for the service's description. Separate from the lists of instruments, of which
//! there are several.

use std::cell::RefCell;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

use super::metric::{Kind, Metric};

/// Makes instruments and notes each, so that the description matches what exists.
pub(super) struct Maker<'m> {
    meter: &'m Meter,
    noted: RefCell<Vec<Metric>>,
}

impl<'m> Maker<'m> {
    pub(super) fn of(meter: &'m Meter) -> Self {
        Maker { meter, noted: RefCell::default() }
    }

    /// What was made.
    pub(super) fn noted(self) -> Vec<Metric> {
        self.noted.into_inner()
    }

    fn note(&self, metric: Metric) {
        self.noted.borrow_mut().push(metric);
    }

    pub(super) fn counter(&self, name: &'static str, what: &'static str) -> Counter<u64> {
        self.note(Metric::counter(name, what));
        self.meter.u64_counter(name).with_description(what).build()
    }

    pub(super) fn count(&self, name: &'static str, what: &'static str) -> Gauge<u64> {
        self.note(Metric::gauge(name, what));
        self.meter.u64_gauge(name).with_description(what).build()
    }

    pub(super) fn level(&self, name: &'static str, what: &'static str) -> Gauge<i64> {
        self.note(Metric::gauge(name, what));
        self.meter.i64_gauge(name).with_description(what).build()
    }

    pub(super) fn age(&self, name: &'static str, what: &'static str) -> Gauge<f64> {
        self.note(Metric { kind: Kind::Gauge, ..Metric::duration(name, what) });
        self.meter.f64_gauge(name).with_description(what).with_unit("s").build()
    }

    pub(super) fn seconds(
        &self,
        name: &'static str,
        what: &'static str,
        bounds: &[f64],
    ) -> Histogram<f64> {
        self.note(Metric::duration(name, what));
        let histogram = self.meter.f64_histogram(name).with_description(what).with_unit("s");
        histogram.with_boundaries(bounds.to_vec()).build()
    }

    pub(super) fn inputs(&self, name: &'static str, what: &'static str) -> Histogram<u64> {
        self.note(Metric { kind: Kind::Histogram, ..Metric::gauge(name, what) });
        let histogram = self.meter.u64_histogram(name).with_description(what);
        histogram
            .with_boundaries(vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0])
            .build()
    }

    /// A gauge that is looked at when somebody asks, and then shows what `look` finds, by one label.
    pub(super) fn looked_at(
        &self,
        name: &'static str,
        what: &'static str,
        look: impl Fn(&mut dyn FnMut(Option<KeyValue>, u64)) + Send + Sync + 'static,
    ) {
        self.note(Metric::gauge(name, what));
        let gauge = self.meter.u64_observable_gauge(name).with_description(what);
        gauge
            .with_callback(move |found| {
                look(&mut |label, value| found.observe(value, label.as_slice()));
            })
            .build();
    }

    /// Likewise a single figure with a unit, in OpenTelemetry's words and in Prometheus'; none where it cannot be had.
    pub(super) fn measured(
        &self,
        (name, unit, ending): (&'static str, &'static str, &'static str),
        what: &'static str,
        look: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) {
        self.note(Metric::gauge(&format!("{name}{ending}"), what));
        let gauge = self.meter.f64_observable_gauge(name).with_description(what).with_unit(unit);
        gauge.with_callback(move |found| _ = look().map(|value| found.observe(value, &[]))).build();
    }

    /// Likewise seconds that only grow.
    pub(super) fn spent(
        &self,
        name: &'static str,
        what: &'static str,
        look: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) {
        self.note(Metric::counter(&format!("{name}_seconds"), what));
        let counter = self.meter.f64_observable_counter(name).with_description(what);
        counter
            .with_unit("s")
            .with_callback(move |found| _ = look().map(|value| found.observe(value, &[])))
            .build();
    }
}
