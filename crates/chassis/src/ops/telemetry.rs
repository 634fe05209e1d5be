//! Metrics and traces. Metrics always exist, for `/metrics`; export over OTLP only if an
//! endpoint is configured. Counted per batch, not per message, so that the hot path hardly notices.

mod maker;
mod metric;
mod metrics;
mod process;
mod spans;
mod standing;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, MeterProvider};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::executor::queue::BATCH_MAX;
use crate::ops::measures::{Group, Measured, Measures};
use crate::run::config::Config;
use crate::service::Reading;
pub use metric::{Kind, Metric};
pub(crate) use metrics::Metrics;
pub(crate) use spans::{BatchSpan, Traced};

/// Bounds for how long the steps of a saga take: from a few hops on an idle machine to a deadline.
const SAGA_SECONDS: [f64; 12] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 900.0];

enum Instrument {
    Counter(Counter<u64>),
    Histogram(Histogram<f64>),
    Gauge(Gauge<f64>),
}

/// Everything that measures.
pub(crate) struct Telemetry {
    pub(crate) metrics: Metrics,
    /// Instruments of the service's own measures, made when first used.
    own: Mutex<HashMap<&'static str, Instrument>>,
    meter: Meter,
    prometheus: prometheus::Registry,
    meters: SdkMeterProvider,
    traces: Option<(SdkTracerProvider, SdkTracer)>,
}

impl Telemetry {
    /// Exporters run on their own threads, so a slow collector does not hold up one that works.
    pub(crate) fn start(service: &'static str, config: &Config) -> anyhow::Result<Self> {
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attribute(KeyValue::new("service.instance.id", config.instance.clone()))
            .build();
        let prometheus = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(prometheus.clone())
            .without_target_info()
            .build()?;
        let mut meters =
            SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(exporter);
        let mut traces = None;
        if let Some(endpoint) = &config.otlp_endpoint {
            let metrics = opentelemetry_otlp::MetricExporter::builder()
                .with_http()
                .with_endpoint(of_signal(endpoint, "metrics"))
                .build()?;
            meters = meters.with_periodic_exporter(metrics);
            let spans = opentelemetry_otlp::SpanExporter::builder()
                .with_http()
                .with_endpoint(of_signal(endpoint, "traces"))
                .build()?;
            let provider = SdkTracerProvider::builder()
                .with_batch_exporter(spans)
                .with_sampler(spans::sampler(config.sampling))
                // A batch is linked to all that it joins.
                .with_max_links_per_span(BATCH_MAX as u32)
                .with_resource(resource)
                .build();
            let tracer = provider.tracer("flotilla");
            traces = Some((provider, tracer));
        }
        let meters = meters.build();
        let meter = meters.meter("flotilla");
        let metrics = Metrics::new(&meter);
        metrics.build_info.record(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
        // An alert looks at its increase, and the first one would not be one without a beginning.
        metrics.partitions_set_back.add(0, &[]);
        Ok(Telemetry { metrics, own: Mutex::default(), meter, prometheus, meters, traces })
    }

    /// Records what the decisions of a batch measured.
    pub(crate) fn record(&self, measures: &Measures) {
        if measures.groups().is_empty() {
            return;
        }
        let mut own = self.own.lock().expect("no panic under this lock");
        for Group { name, label: (key, value), measured } in measures.groups() {
            let labels = [KeyValue::new(*key, *value)];
            let instrument = own.entry(name).or_insert_with(|| match measured {
                Measured::Count(_) => Instrument::Counter(self.meter.u64_counter(*name).build()),
                Measured::Seconds(_) => Instrument::Histogram(
                    self.meter
                        .f64_histogram(*name)
                        .with_unit("s")
                        .with_boundaries(SAGA_SECONDS.to_vec())
                        .build(),
                ),
            });
            match (instrument, measured) {
                (Instrument::Counter(counter), Measured::Count(count)) => {
                    counter.add(*count, &labels);
                }
                (Instrument::Histogram(histogram), Measured::Seconds(all)) => {
                    all.iter().for_each(|seconds| histogram.record(*seconds, &labels));
                }
                // A name has one kind of instrument; the first use decides which.
                (Instrument::Counter(_) | Instrument::Histogram(_) | Instrument::Gauge(_), _) => {}
            }
        }
    }

    /// Shows what a service read from its rows.
    pub(crate) fn show(&self, Reading { name, label, value }: &Reading) {
        let mut own = self.own.lock().expect("no panic under this lock");
        let instrument = own
            .entry(name)
            .or_insert_with(|| Instrument::Gauge(self.meter.f64_gauge(*name).build()));
        if let Instrument::Gauge(gauge) = instrument {
            let labels = label.map(|(key, value)| KeyValue::new(key, value));
            gauge.record(*value, labels.as_slice());
        }
    }

    /// The metrics in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.prometheus.gather());
        text.unwrap_or_else(|error| format!("# metrics cannot be rendered: {error}\n"))
    }

    /// Sends what is still unsent, for at most a few seconds.
    pub(crate) fn shutdown(&self) {
        if let Some((provider, _)) = &self.traces
            && let Err(error) = provider.shutdown_with_timeout(Duration::from_secs(3))
        {
            tracing::warn!(error = %error, "traces could not all be sent");
        }
        if let Err(error) = self.meters.shutdown_with_timeout(Duration::from_secs(3)) {
            tracing::warn!(error = %error, "metrics could not all be sent");
        }
    }
}

/// Where a collector takes one signal, by the convention of OTLP over HTTP.
fn of_signal(endpoint: &str, signal: &str) -> String {
    format!("{}/v1/{signal}", endpoint.trim_end_matches('/'))
}
