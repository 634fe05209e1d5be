//! Events that cannot be processed and are not set aside: their partitions wait, for longer each time, and
//! everybody is told. Separate from the loop, as such an event keeps coming back, and should then
//! neither fail together with others nor keep them waiting.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::consume::offsets::{Advance, Partition, Positions};
use crate::executor::queue::{Delivery, Item, Origin};
use crate::ops::health::Health;
use crate::service::Service;
use crate::wire::cause::About;

/// How long a partition is held when its next event cannot be processed; doubled each time, up to the
/// last. An attempt may take as long as a statement may, and nobody else progresses meanwhile.
const HOLD_FIRST: Duration = Duration::from_secs(5);
const HOLD_LAST: Duration = Duration::from_secs(300);

/// The stuck events of this replica's partitions.
pub(crate) struct Stuck {
    health: Arc<Health>,
    events: HashMap<Partition, Event>,
}

struct Event {
    offset: i64,
    hold: Duration,
    why: String,
}

impl Stuck {
    pub(crate) fn new(health: Arc<Health>) -> Self {
        Stuck { health, events: HashMap::new() }
    }

    /// Holds the partition of an event that failed alone.
    pub(super) fn hold(
        &mut self,
        positions: &Positions,
        delivery: &Delivery,
        about: &About,
        why: &str,
    ) {
        let Delivery { partition, offset, .. } = *delivery;
        let known = self.events.get(&partition).filter(|event| event.offset == offset);
        let hold = known.map_or(HOLD_FIRST, |event| (event.hold * 2).min(HOLD_LAST));
        if known.is_none() {
            tracing::error!(
                error = why,
                topic = partition.topic,
                partition = partition.number,
                offset,
                event = about.event.as_deref(),
                key = about.key(),
                trace = about.trace.as_deref(),
                "an event cannot be processed: its partition is held, and it is tried again"
            );
        }
        positions.hold(partition, hold);
        self.events.insert(partition, Event { offset, hold, why: why.to_owned() });
        self.tell();
    }

    pub(super) fn is_none(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether this event failed alone before.
    pub(super) fn is<S: Service>(&self, item: &Item<S>) -> bool {
        self.compare(item, |offset, stuck| offset == stuck)
    }

    /// Whether the event failed alone before, or comes after one that did.
    pub(super) fn is_or_follows<S: Service>(&self, item: &Item<S>) -> bool {
        self.compare(item, |offset, stuck| offset >= stuck)
    }

    fn compare<S: Service>(&self, item: &Item<S>, holds: fn(i64, i64) -> bool) -> bool {
        match &item.origin {
            Origin::Event(delivery) => {
                let stuck = self.events.get(&delivery.partition);
                stuck.is_some_and(|stuck| holds(delivery.offset, stuck.offset))
            }
            Origin::Command(_) | Origin::Outcome(_) | Origin::Timer | Origin::Replay(_) => false,
        }
    }

    /// Forgets what was processed after all.
    pub(super) fn passed(&mut self, advances: &[Advance]) {
        let passed = |partition: &Partition, event: &Event| {
            let mut of_it = advances.iter().filter(|advance| advance.partition == *partition);
            of_it.any(|advance| advance.to > event.offset)
        };
        self.forget(|partition, event| passed(partition, event));
    }

    /// Forgets what belongs to another replica now, and what the database is past: somebody else processed it,
    /// or an operator moved the offset.
    pub(super) fn keep_own(&mut self, positions: &Positions) {
        self.forget(|partition, event| {
            !positions.is_ours(*partition) || positions.is_past(*partition, event.offset)
        });
    }

    fn forget(&mut self, is_gone: impl Fn(&Partition, &Event) -> bool) {
        let before = self.events.len();
        self.events.retain(|partition, event| !is_gone(partition, event));
        if self.events.len() < before {
            self.tell();
        }
    }

    fn tell(&self) {
        let mut stuck: Vec<_> = self.events.iter().collect();
        stuck.sort_by_key(|(partition, _)| **partition);
        let told: Vec<String> = stuck
            .into_iter()
            .map(|(Partition { topic, number }, Event { offset, why, .. })| {
                format!("{topic}/{number} stands at offset {offset}: {why}")
            })
            .collect();
        match told.is_empty() {
            true => self.health.has("events"),
            false => self.health.waits_for("events", told.join("; ")),
        }
    }
}
