//! OpenTelemetry's own collector, with the configuration that the fleet is deployed with, except where it writes to:
//! its log, which is read here.

use std::time::Duration;

use anyhow::Result;
use e2e::shop::Shop;
use local::{Lifetime, Process, ProcessSpec};

use crate::prometheus::address;
use crate::{installed, root};

/// How long it may take until it listens.
const READY: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(10);

pub(crate) struct Collector {
    process: Process,
    /// For OTLP over HTTP.
    pub(crate) url: String,
}

/// A span as it arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty where there is none.
    pub(crate) parent: String,
    /// The order that it is about, where it says so.
    pub(crate) order: String,
    /// The spans that it is linked to, by their ids.
    pub(crate) links: Vec<String>,
}

impl Collector {
    pub(crate) async fn of(shop: &Shop) -> Self {
        let settings = shop.fleet.environment().settings();
        let folder = settings.root.join("collector");
        std::fs::create_dir_all(&folder).unwrap();
        let address = address(settings);
        let differs = folder.join("differs.yaml");
        std::fs::write(&differs, differences(&address)).unwrap();
        let program = installed("collector").join("collector");
        let spec = ProcessSpec::new("otel-collector", program).args([
            format!("--config={}", root().join("observability/collector.yaml").display()),
            format!("--config={}", differs.display()),
        ]);
        let process = Process::start(settings, &spec, Lifetime::WithParent).unwrap();
        let collector = Collector { process, url: format!("http://{address}") };
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        // It answers whatever it is sent; only whether it does counts.
        let listens = async || http.get(&collector.url).send().await.is_ok();
        collector.process.wait_ready(READY, listens).await.unwrap();
        collector
    }

    /// The spans of all traces that have arrived.
    pub(crate) fn spans(&self) -> Vec<Span> {
        read(&self.process.output())
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.process.stop(STOP).await
    }
}

/// What is merged into observability/collector.yaml.
fn differences(address: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}\n\
         exporters: {{debug: {{verbosity: detailed}}}}\n\
         service:\n  pipelines: {{traces: {{exporters: [debug]}}}}\n  telemetry: {{metrics: {{level: none}}}}\n"
    )
}

/// Reads what the exporter `debug` writes: a line for each field, those of the resource before those of its spans.
fn read(output: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut service = String::new();
    for line in output.lines().map(str::trim) {
        if line.starts_with("Span #") {
            spans.push(Span { service: service.clone(), ..Span::default() });
        } else if let Some(name) = text(line, "-> service.name: Str(") {
            service = name;
        } else if let (Some(span), Some((field, value))) =
            (spans.last_mut(), line.split_once(" : "))
        {
            let value = value.trim().to_owned();
            match field.trim() {
                "Trace ID" => span.trace = value,
                "Parent ID" => span.parent = value,
                "ID" => span.id = value,
                "Name" => span.name = value,
                _other => {}
            }
        }
        if let (Some(span), Some(order)) =
            (spans.last_mut(), text(line, "-> messaging.message.conversation_id: Str("))
        {
            span.order = order;
        }
        if let (Some(span), Some(link)) = (spans.last_mut(), line.strip_prefix("-> ID: ")) {
            span.links.push(link.to_owned());
        }
    }
    spans
}

/// What an attribute's line says, if it begins like this.
fn text(line: &str, beginning: &str) -> Option<String> {
    Some(line.strip_prefix(beginning)?.strip_suffix(')')?.to_owned())
}

#[test]
fn spans_are_read_from_the_collectors_log() {
    let output = "\
Resource SchemaURL: \n\
Resource attributes:\n     -> service.name: Str(order)\nScopeSpans #0\n\
Span #0\n    Trace ID       : 4bf9\n    Parent ID      : \n    ID             : 00f0\n    Name           : command order\n\
Span #1\n    Trace ID       : 4bf9\n    Parent ID      : 00f0\n    ID             : 00f1\n    Name           : process it\n\
Attributes:\n     -> messaging.message.conversation_id: Str(7)\n\
Links:\nSpanLink #0\n     -> Trace ID: 4bfa\n     -> ID: 00f2\n     -> TraceState: \n";
    let command = Span {
        service: "order".into(),
        name: "command order".into(),
        trace: "4bf9".into(),
        id: "00f0".into(),
        ..Span::default()
    };
    let process = Span {
        name: "process it".into(),
        id: "00f1".into(),
        parent: "00f0".into(),
        order: "7".into(),
        links: vec!["00f2".into()],
        ..command.clone()
    };
    assert_eq!(read(output), [command, process]);
}
