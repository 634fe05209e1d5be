//! An event as it was published, without its bytes: what passes between services that run in memory. Separate
//! from `model`, because effects collect facts and a model collects effects.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use language::{Events, RecordInfo};

/// An event as it was published.
#[derive(Clone)]
pub struct Fact {
    record: &'static RecordInfo,
    source: &'static str,
    key: Arc<str>,
    id: Arc<str>,
    sequence: i64,
    event: Arc<dyn Event>,
}

/// An event of any topic.
trait Event: Any + fmt::Debug + Send + Sync {}

impl<E: Events> Event for E {}

impl Fact {
    /// An event that `source` publishes as number `sequence` of its key.
    pub fn new<E: Events>(source: &'static str, sequence: i64, event: &E) -> Self {
        let key: Arc<str> = event.key().into();
        Fact {
            record: &E::RECORDS[event.record()],
            source,
            id: format!("{source}/{key}/{sequence}").into(),
            key,
            sequence,
            event: Arc::new(event.clone()),
        }
    }

    /// Who published it.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Its topic.
    pub fn topic(&self) -> &'static str {
        self.record.topic
    }

    /// The name of its record, such as `OrderPlaced`.
    pub fn name(&self) -> &'static str {
        self.record.name
    }

    /// Whom or what it is about.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// Its number among the facts of its key.
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// The event's id, as in headers.
    pub(crate) fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The event, where it is one of this topic.
    pub(crate) fn event<E: Events>(&self) -> Option<&E> {
        let event: &dyn Any = &*self.event;
        event.downcast_ref()
    }
}

/// The event and its number: what tells one fact from another.
impl fmt::Debug for Fact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}, number {}", self.event, self.sequence)
    }
}
