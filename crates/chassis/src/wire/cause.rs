//! What an event is called where it is a cause: `source/key/sequence`, which no two events share; and what a line of
//! the log is about.

use std::sync::Arc;

use super::trace::TraceContext;

/// The event that is processed or has caused this, and the trace that it belongs to.
pub(crate) struct About {
    pub(crate) event: Option<Arc<str>>,
    pub(crate) trace: Option<String>,
}

impl About {
    pub(crate) fn of(event: Option<Arc<str>>, trace: Option<&TraceContext>) -> Self {
        About { event, trace: trace.map(|trace| format!("{:032x}", trace.trace_id)) }
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.event.as_deref().map(key_of)
    }
}

/// The key: in the fleet's own events their order. An event from outside may have no key beside its id.
pub(crate) fn key_of(cause: &str) -> &str {
    let id = cause.split_once('/').map_or(cause, |(_source, id)| id);
    id.rsplit_once('/').map_or(id, |(key, _sequence)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stands_between_the_source_and_the_sequence() {
        assert_eq!(key_of("order/0192/3"), "0192");
        assert_eq!(key_of("warehouse.stock-adjustments/42"), "42");
        assert_eq!(key_of("odd"), "odd");
    }
}
