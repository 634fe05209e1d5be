//! What is traced: a command, a message that is processed, and the batch in which it is. Separate from the exporters,
//! which `telemetry` starts.

use axum::http::HeaderMap;
use opentelemetry::trace::{
    Link, Span, SpanContext, SpanKind, Status, TraceContextExt, TraceId, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, SdkTracer, ShouldSample};

use super::Telemetry;
use crate::wire::cause::key_of;
use crate::wire::trace::TraceContext;

impl Telemetry {
    /// The span of a command, a child of the caller's if the headers name one.
    pub(crate) fn command_span(&self, service: &'static str, headers: &HeaderMap) -> Traced {
        let header = headers.get("traceparent").and_then(|value| value.to_str().ok());
        // A list may come in several headers.
        let states = headers.get_all("tracestate").iter();
        let states: Vec<&str> = states.filter_map(|value| value.to_str().ok()).collect();
        let parent = header.and_then(TraceContext::parse);
        let parent = parent.map(|parent| parent.with_state(Some(&states.join(","))));
        let Some((_, tracer)) = &self.traces else { return Traced { span: None, context: parent } };
        self.child(tracer, format!("command {service}"), SpanKind::Server, parent, Vec::new())
    }

    /// The span of one attempt at a batch, with a link to each trace that it joins: why a message waited for others is
    /// seen in none of them alone. A trace of its own, as it has no one parent; none if nothing in it is recorded.
    pub(crate) fn batch_span<'a>(
        &self,
        service: &'static str,
        items: usize,
        joined: impl Iterator<Item = &'a TraceContext>,
    ) -> BatchSpan {
        let Some((_, tracer)) = &self.traces else { return BatchSpan(None) };
        let recorded = joined.filter(|trace| trace.is_sampled()).map(TraceContext::span_context);
        let links: Vec<Link> = recorded.map(Link::with_context).collect();
        if links.is_empty() {
            return BatchSpan(None);
        }
        let builder = tracer
            .span_builder(format!("batch {service}"))
            .with_kind(SpanKind::Internal)
            .with_attributes([KeyValue::new("messaging.batch.message_count", count(items))])
            .with_links(links);
        BatchSpan(Some(tracer.build_with_context(builder, &Context::new())))
    }

    /// The span of processing one message, if its trace is recorded. Nothing is created for the
    /// others: a span that is sampled out costs almost as much as encoding an event. With the id of the event that
    /// is processed or has caused this, and its key: a trace is looked for by its order.
    pub(crate) fn process_span(
        &self,
        batch: &BatchSpan,
        topic: &str,
        cause: Option<&str>,
        context: Option<TraceContext>,
    ) -> Traced {
        match (&self.traces, context) {
            (Some((_, tracer)), Some(parent)) if parent.is_sampled() => {
                let mut attributes = vec![
                    KeyValue::new("messaging.system", "kafka"),
                    KeyValue::new("messaging.operation.name", "process"),
                    KeyValue::new("messaging.operation.type", "process"),
                    KeyValue::new("messaging.destination.name", topic.to_owned()),
                ];
                if let Some(id) = cause {
                    attributes.extend([
                        KeyValue::new("messaging.message.id", id.to_owned()),
                        KeyValue::new("messaging.message.conversation_id", key_of(id).to_owned()),
                    ]);
                }
                let name = format!("process {topic}");
                let mut traced =
                    self.child(tracer, name, SpanKind::Consumer, Some(parent), attributes);
                if let (Some(span), Some(batch)) = (&mut traced.span, batch.context()) {
                    span.add_link(batch, Vec::new());
                }
                traced
            }
            (_, context) => Traced { span: None, context },
        }
    }

    fn child(
        &self,
        tracer: &SdkTracer,
        name: String,
        kind: SpanKind,
        parent: Option<TraceContext>,
        attributes: Vec<KeyValue>,
    ) -> Traced {
        let builder = tracer.span_builder(name).with_kind(kind).with_attributes(attributes);
        let parent = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent.span_context()),
            None => Context::new(),
        };
        let span = tracer.build_with_context(builder, &parent);
        let context = Some(TraceContext::of(span.span_context()));
        Traced { span: Some(span), context }
    }
}

/// A span, if one is recorded, and the context that effects of this work carry. The span ends when it
/// is dropped.
pub(crate) struct Traced {
    span: Option<opentelemetry_sdk::trace::Span>,
    context: Option<TraceContext>,
}

impl Traced {
    pub(crate) fn context(&self) -> Option<TraceContext> {
        self.context.clone()
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.span.is_some()
    }
}

/// The span of a batch, if one is recorded. It ends when it is dropped.
pub(crate) struct BatchSpan(Option<opentelemetry_sdk::trace::Span>);

impl BatchSpan {
    /// For a batch that is not traced.
    #[cfg(feature = "measuring")]
    pub(crate) fn untraced() -> Self {
        BatchSpan(None)
    }

    fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|span| span.span_context().clone())
    }

    /// Says of the span that the attempt failed, and why.
    pub(crate) fn failed(&mut self, error: &dyn std::fmt::Display) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(error.to_string()));
        }
    }
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// Which traces are recorded: those whose caller wants it, and of those that begin here this share (0 to 1).
pub(super) fn sampler(share: f64) -> impl ShouldSample + 'static {
    let begun_here = Sampler::TraceIdRatioBased(share);
    OfLinks(Sampler::ParentBased(Box::new(begun_here)))
}

/// A span that joins a recorded trace is recorded, whatever its own trace's share is: otherwise links would lead
/// nowhere.
#[derive(Debug, Clone)]
struct OfLinks(Sampler);

impl ShouldSample for OfLinks {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let joins_recorded = links.iter().any(|link| link.span_context.is_sampled());
        let sampler = if joins_recorded { &Sampler::AlwaysOn } else { &self.0 };
        sampler.should_sample(parent, trace, name, kind, attributes, links)
    }
}
