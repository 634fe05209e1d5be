//! The W3C trace context as plain data: it travels through queues, outbox rows and Kafka headers
//! whether or not this process exports spans, and costs nothing when there is none.

use std::str::FromStr;
use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The longest `tracestate` that is passed on: as much as the specification asks for (section 3.3.1.5).
/// A longer one is dropped whole, which it allows.
const STATE_BYTES_MAX: usize = 512;

/// A parsed `traceparent` (W3C Trace Context, section 3.2), version 00, and the `tracestate` next to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    pub(crate) flags: u8,
    /// What upstream tracing systems note about the trace; passed on as it is.
    pub(crate) state: Option<Arc<str>>,
}

impl TraceContext {
    /// Parses a `traceparent` header. Anything malformed is no context: tracing never fails work.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |s: &str, length| s.len() == length && s.bytes().all(|b| b.is_ascii_hexdigit());
        if version == "ff"
            || !hex(version, 2)
            || !hex(trace, 32)
            || !hex(span, 16)
            || !hex(flags, 2)
        {
            return None;
        }
        let context = TraceContext {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
            state: None,
        };
        (context.trace_id != 0 && context.span_id != 0).then_some(context)
    }

    /// The same with a `tracestate` header, if there is one that can be passed on.
    pub fn with_state(mut self, header: Option<&str>) -> Self {
        let is_visible = |text: &&str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let is_short = |text: &&str| (1..=STATE_BYTES_MAX).contains(&text.len());
        self.state = header.map(str::trim).filter(is_short).filter(is_visible).map(Arc::from);
        self
    }

    /// The text of `traceparent`.
    pub fn header(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }

    /// Whether the one who began the trace wants it recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    pub(crate) fn span_context(&self) -> SpanContext {
        SpanContext::new(
            TraceId::from(self.trace_id),
            SpanId::from(self.span_id),
            TraceFlags::new(self.flags),
            true,
            // A state that this library cannot parse ends here, as it would in any other.
            self.state
                .as_deref()
                .and_then(|text| TraceState::from_str(text).ok())
                .unwrap_or_default(),
        )
    }

    pub(crate) fn of(span: &SpanContext) -> Self {
        TraceContext {
            trace_id: u128::from_be_bytes(span.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(span.span_id().to_bytes()),
            flags: span.trace_flags().to_u8(),
            state: None,
        }
        .with_state(Some(&span.trace_state().header()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_survives_parsing_and_printing() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(text).unwrap();
        assert_eq!(context.header(), text);
        assert!(context.is_sampled());
    }

    #[test]
    fn a_tracestate_is_passed_on_unless_it_is_too_long_or_no_text() {
        let context = |state: &str| {
            let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            TraceContext::parse(parent).unwrap().with_state(Some(state))
        };
        let kept = context(" congo=t61rcWkgMzE,rojo=00f067aa0ba902b7 ");
        assert_eq!(kept.state.as_deref(), Some("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"));
        assert_eq!(TraceContext::of(&kept.span_context()), kept);
        for state in ["", " ", "a=\u{1}", "a=\u{e9}", &"x".repeat(513)] {
            assert_eq!(context(state).state, None, "{state}");
        }
    }

    #[test]
    fn a_malformed_traceparent_is_no_context() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }
}
