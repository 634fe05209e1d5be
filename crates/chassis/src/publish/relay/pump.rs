//! The thread that serves a producer's events: acknowledgements, statistics, errors. rdkafka's own thread
//! polls in steps of 100 ms and spins through the last of each, as it counts in whole milliseconds: a
//! hundredth of a core for every service, whether or not it has anything to do.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer, ProducerContext, PurgeConfig};

use crate::ops::logs;

/// How long one poll lasts while acknowledgements are outstanding. They are served as they arrive; this
/// is only how soon the thread notices that there are none left, and how long a stop may wait for it.
const BUSY: Duration = Duration::from_millis(250);
/// How often an idle producer is served.
const IDLE: Duration = Duration::from_secs(1);
/// Events served each time: its statistics, and what a broken connection reports.
const EVENTS: usize = 16;

/// A producer and the thread that serves it. Dropping it, on any path, blocks nobody: the thread is the
/// last to drop the producer, whose destructor can block.
pub(crate) struct Pump<C: ProducerContext + 'static> {
    // Dropped before the thread is told to stop.
    producer: Arc<BaseProducer<C>>,
    bell: Bell,
    thread: JoinHandle<()>,
}

/// Tells the thread what to do, and to stop when this is dropped.
struct Bell {
    signals: Arc<Signals>,
    thread: Thread,
}

#[derive(Default)]
struct Signals {
    busy: AtomicBool,
    stop: AtomicBool,
}

impl<C: ProducerContext + 'static> Pump<C> {
    pub(super) fn start(producer: BaseProducer<C>) -> Self {
        let producer = Arc::new(producer);
        let signals = Arc::new(Signals::default());
        let serve = {
            let (producer, signals) = (Arc::clone(&producer), Arc::clone(&signals));
            move || serve(&producer, &signals)
        };
        let thread =
            thread::Builder::new().name("producer".to_owned()).spawn(logs::for_the_same(serve));
        let thread = thread.expect("threads can be started");
        Pump { producer, bell: Bell { signals, thread: thread.thread().clone() }, thread }
    }

    /// Drops the producer. It is gone when the thread has ended.
    pub(super) fn close(self) -> JoinHandle<()> {
        let Pump { producer, bell, thread } = self;
        drop(producer);
        drop(bell);
        thread
    }

    pub(crate) fn producer(&self) -> &BaseProducer<C> {
        &self.producer
    }

    /// The producer, for somebody who does not keep it alive.
    pub(super) fn handle(&self) -> Weak<BaseProducer<C>> {
        Arc::downgrade(&self.producer)
    }

    /// Acknowledgements are outstanding from now on, or none are any more.
    pub(super) fn set_busy(&self, busy: bool) {
        self.bell.signals.busy.store(busy, Relaxed);
        if busy {
            // Not lost if the thread is just about to wait: it then does not.
            self.bell.thread.unpark();
        }
    }
}

fn serve<C: ProducerContext>(producer: &BaseProducer<C>, signals: &Signals) {
    while !signals.stop.load(Relaxed) {
        if signals.busy.load(Relaxed) {
            producer.poll(BUSY);
        } else {
            (0..EVENTS).for_each(|_| producer.poll(Duration::ZERO));
            thread::park_timeout(IDLE);
        }
    }
    // Nothing more is sent, even if somebody else still holds the producer.
    producer.purge(PurgeConfig::default().queue().inflight());
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.signals.stop.store(true, Relaxed);
        self.thread.unpark();
    }
}
