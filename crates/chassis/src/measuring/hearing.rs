//! Records from memory in place of Kafka: what the consumer makes of a record, and a substitute for the
//! registry, for services that are measured without both.

use std::sync::Arc;

use super::wire::{Record, ids};
use crate::app::App;
use crate::consume::offsets::{Partition, Positions};
use crate::consume::subscription::{Declared, Heard, Raw, Subscription};
use crate::executor::queue::{Delivery, Item, Origin, Work};
use crate::publish::outbox::pack_one;
use crate::service::Service;
use crate::wire::codec::{self, Encoder};

/// The encoder of a service's topics.
pub(super) fn encoder<S: Service>(app: &App<S>) -> Arc<Encoder> {
    codec::limit_allocations();
    let mut encoder = Encoder::default();
    for published in &app.publishes {
        (published.add)(&mut encoder, &ids(published.records)).expect("schemas are Avro");
    }
    Arc::new(encoder)
}

/// All that a service hears: its topics, of one partition each.
pub(super) struct Hearing<S: Service> {
    subscriptions: Vec<Box<dyn Subscription<S>>>,
    pub(super) positions: Arc<Positions>,
}

impl<S: Service> Hearing<S> {
    pub(super) fn new(hears: &[Declared<S>]) -> Self {
        let subscriptions = hears.iter().map(|heard| (heard.build)(&ids(heard.records)));
        let positions = Positions::default();
        for heard in hears {
            positions.assign(Partition { topic: heard.topic, number: 0 }, 0);
        }
        Hearing {
            subscriptions: subscriptions.map(|built| built.expect("schemas are Avro")).collect(),
            positions: Arc::new(positions),
        }
    }

    /// Where the records of a topic come from, if the service hears it.
    pub(super) fn partition(&self, topic: &str) -> Option<Partition> {
        let subscription = self.subscriptions.iter().find(|s| s.topic() == topic)?;
        Some(Partition { topic: subscription.topic(), number: 0 })
    }

    /// What a record is to the executor; nothing if it asks nothing of the service.
    pub(super) fn read(&self, record: &Record, offset: i64) -> Option<Item<S>> {
        let subscription = self.subscriptions.iter().find(|s| s.topic() == record.topic)?;
        let raw = Raw::stored(Some(&record.value), &record.headers);
        let (input, cause, inbox_id, never_dead_lettered) = match subscription.read(&raw) {
            Heard::Input { input, cause, inbox_id, never_dead_lettered } => {
                (input, cause, inbox_id, never_dead_lettered)
            }
            Heard::Ignored => return None,
            Heard::Unknown | Heard::Poison { .. } | Heard::NeedsSchema(_) => {
                panic!("{} cannot read a record of {}", S::NAME, record.topic)
            }
        };
        let partition = Partition { topic: subscription.topic(), number: 0 };
        let delivery = Delivery {
            partition,
            generation: self.positions.generation(partition).expect("it is held"),
            offset,
            original: pack_one(Some(&record.key), raw.headers(), raw.value),
            inbox_id,
            never_dead_lettered,
            room: None,
        };
        Some(Item {
            work: Work::Input(input),
            origin: Origin::Event(delivery),
            cause: Some(cause),
            trace: raw.trace(),
        })
    }
}
