//! Hears of orders' ends from Kafka, on a thread of its own: the client library blocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use chassis::tail::{From, Record, Tail};
use events::{Events, OrderEvent};
use uuid::Uuid;

use crate::ends::{End, Outcome};
use crate::generator::Generator;

/// Ends gathered before they are passed on. Waking the generator costs more than an end does.
const GATHER_MAX: usize = 512;
/// How soon a stop is noticed.
const PATIENCE: Duration = Duration::from_millis(100);

/// A topic's end, from which on nothing will be missed.
pub struct Watch(Tail);

/// A thread that reads.
pub struct Watching {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Watch {
    /// Takes its place at the end of the topic. Blocks.
    pub fn new(brokers: &str) -> anyhow::Result<Self> {
        let tail = Tail::new(brokers, &[OrderEvent::TOPIC], From::End)
            .with_context(|| format!("cannot read {} from Kafka", OrderEvent::TOPIC))?;
        Ok(Watch(tail))
    }

    /// Reads from here on.
    pub fn start(self, generator: Arc<Generator>) -> Watching {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || self.read(&generator, &stopped))
            .expect("the system has room for a thread");
        Watching { stop, thread }
    }

    fn read(self, generator: &Generator, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut ends = Vec::with_capacity(GATHER_MAX);
        while !stop.load(Ordering::Relaxed) {
            let mut patience = PATIENCE;
            while ends.len() < GATHER_MAX
                && let Some(record) = self.0.next_whenever(patience)?
            {
                patience = Duration::ZERO;
                ends.extend(end(&record));
            }
            if !ends.is_empty() {
                generator.gate.ended(generator.ends.ended(&ends));
                ends.clear();
            }
        }
        Ok(())
    }
}

impl Watching {
    /// Whether reading has failed.
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops the thread; returns the error if it had failed.
    pub fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the thread does not panic").context("cannot read order.events")
    }
}

fn end(record: &Record) -> Option<End> {
    let name = record.event_type().rsplit('.').next()?;
    let outcome = match name {
        "OrderCompleted" => Outcome::Completed,
        "OrderCompensated" => Outcome::Compensated,
        _on_its_way => return None,
    };
    let order = Uuid::try_parse(&record.key).ok()?;
    Some(End { order, at: Instant::now(), outcome })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(event_type: &str, key: &str) -> Record {
        Record {
            topic: "order.events".to_owned(),
            partition: 0,
            offset: 0,
            key: key.to_owned(),
            timestamp_ms: 0,
            headers: vec![("ce_type".to_owned(), event_type.to_owned())],
            value: None,
        }
    }

    #[test]
    fn only_the_last_event_of_an_order_is_its_end() {
        let id = Uuid::from_u128(7);
        let seen = |name: &str| {
            let full_name = OrderEvent::RECORDS.iter().find(|r| r.name == name).unwrap().full_name;
            end(&record(full_name, &id.to_string())).map(|end| (end.order, end.outcome))
        };
        assert_eq!(seen("OrderCompleted"), Some((id, Outcome::Completed)));
        assert_eq!(seen("OrderCompensated"), Some((id, Outcome::Compensated)));
        assert_eq!(seen("OrderCancelled"), None);
        assert_eq!(seen("OrderReturned"), None);
        assert!(end(&record("order.OrderCompleted", "not an id")).is_none());
    }
}
