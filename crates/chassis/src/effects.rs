//! What decisions ask for: events to publish and calls to make. This is the only door to the outside
//! world; there is no producer to get hold of.

use std::sync::Arc;
use std::time::Duration;

use language::Events;
use uuid::Uuid;

#[cfg(feature = "model")]
use crate::model::fact::Fact;
use crate::ops::measures::Measures;
use crate::publish::outbox::BatchWriter;
use crate::wire::codec::Encoder;
use crate::wire::trace::TraceContext;

/// Collects what the decisions of one batch ask for. Events are encoded at once, into the buffer that
/// becomes the outbox row.
pub struct Effects<C> {
    now_micros: i64,
    encoder: Arc<Encoder>,
    pub(crate) outbox: BatchWriter,
    pub(crate) calls: Vec<Intent<C>>,
    pub(crate) changed: Vec<Uuid>,
    pub(crate) measures: Measures,
    pub(crate) error: Option<crate::wire::codec::EncodeError>,
    pub(crate) refusal: Option<String>,
    cause: Option<Arc<str>>,
    trace: Option<TraceContext>,
    /// Where facts are collected, in place of the outbox.
    #[cfg(feature = "model")]
    facts: Option<Facts>,
}

/// What a service in memory publishes.
#[cfg(feature = "model")]
struct Facts {
    source: &'static str,
    published: Vec<Fact>,
}

/// A call to make, with the cause of its outcome.
pub(crate) struct Intent<C> {
    /// Of the row that asks for it.
    pub(crate) key: Uuid,
    pub(crate) call: C,
    /// How long ago it was first asked for, when this was made from it.
    pub(crate) age: Duration,
    pub(crate) cause: Option<Arc<str>>,
    pub(crate) trace: Option<TraceContext>,
}

impl<C> Effects<C> {
    /// For a batch of this many inputs, which publish at most one event each.
    pub(crate) fn new(now_micros: i64, encoder: Arc<Encoder>, inputs: usize) -> Self {
        Effects {
            now_micros,
            encoder,
            outbox: BatchWriter::for_events(inputs),
            calls: Vec::new(),
            changed: Vec::new(),
            measures: Measures::default(),
            error: None,
            refusal: None,
            cause: None,
            trace: None,
            #[cfg(feature = "model")]
            facts: None,
        }
    }

    /// For a decision in memory of `source`: events are kept as they are.
    #[cfg(feature = "model")]
    pub(crate) fn collecting_facts(source: &'static str, now_micros: i64) -> Self {
        let facts = Some(Facts { source, published: Vec::new() });
        Effects { facts, ..Effects::new(now_micros, Arc::default(), 0) }
    }

    /// The facts that were collected.
    #[cfg(feature = "model")]
    pub(crate) fn facts(&mut self) -> Vec<Fact> {
        self.facts.take().map_or_else(Vec::new, |facts| facts.published)
    }

    /// From here on, effects belong to the input with this cause and this trace.
    pub(crate) fn caused_by(&mut self, cause: Option<Arc<str>>, trace: Option<TraceContext>) {
        self.cause = cause;
        self.trace = trace;
    }

    /// The time of the batch, in microseconds since the Unix epoch, UTC.
    pub fn now_micros(&self) -> i64 {
        self.now_micros
    }

    /// Publishes `event` once the batch is committed. `sequence` counts the events of its key without
    /// gaps, from 1, across the life of the key: with the key it is the event's id.
    pub fn publish<E: Events>(&mut self, sequence: i64, event: &E) {
        if self.error.is_some() {
            return;
        }
        #[cfg(feature = "model")]
        if let Some(Facts { source, published }) = &mut self.facts {
            published.push(Fact::new(source, sequence, event));
            return;
        }
        let meta = crate::publish::outbox::EventMeta {
            sequence,
            time_micros: self.now_micros,
            cause: self.cause.as_deref(),
            trace: self.trace.as_ref(),
        };
        self.error = self.encoder.encode(event, &meta, &mut self.outbox).err();
    }

    /// Makes `call` once the batch, and with it the intent, is committed. Should its outcome be lost in a
    /// crash, [`Calls::open_calls`](crate::Calls::open_calls) is asked by `key` whether it is still open.
    pub fn call(&mut self, key: Uuid, call: C) {
        let (cause, trace) = (self.cause.clone(), self.trace.clone());
        self.calls.push(Intent { key, call, age: Duration::ZERO, cause, trace });
    }

    /// Refuses the present input, an event that asks for something impossible: it becomes a dead
    /// letter with this reason, in the same transaction. The decision must leave the rows as they were.
    pub fn refuse(&mut self, reason: impl Into<String>) {
        self.refusal = Some(reason.into());
    }

    /// Counts something once the batch is committed. Keep labels few and fixed: never an id.
    pub fn count(&mut self, name: &'static str, label: (&'static str, &'static str)) {
        self.measures.count(name, label);
    }

    /// Adds a duration to a histogram once the batch is committed.
    pub fn observe(
        &mut self,
        name: &'static str,
        label: (&'static str, &'static str),
        seconds: f64,
    ) {
        self.measures.observe(name, label, seconds);
    }

    /// Tells watchers of `key` in this replica that it changed. Watchers elsewhere poll.
    pub fn changed(&mut self, key: Uuid) {
        self.changed.push(key);
    }
}
