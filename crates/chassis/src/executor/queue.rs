//! The one queue of a replica: events, commands, outcomes of calls and timers, each bounded, all ending
//! in the same executor.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::calls::intents::OpenCalls;
use crate::consume::dead_letters::Reason;
use crate::consume::offsets::Partition;
use crate::service::Service;
use crate::wire::cause::About;
use crate::wire::trace::TraceContext;

/// The most inputs of one transaction. Beyond about 500 a batch gains little more and its callers
/// wait longer (measured: 17 to 24 thousand orders/s at 100, 20 to 33 thousand at 500).
pub(crate) const BATCH_MAX: usize = 512;
/// Commands that may wait. Any more are refused at once with 429, as they would time out waiting.
pub(crate) const COMMANDS_MAX: usize = 4096;
/// How much waiting commands may hold, in bytes of their requests, each of which may be 64 KiB.
pub(crate) const COMMANDS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Decoded events that may wait: two batches, one being processed and one ready.
const EVENTS_MAX: usize = 2 * BATCH_MAX;
/// How much events may hold, from when they are fetched to the end of their batch, in bytes of their
/// records: each holds these and what was decoded from them. A record may be 1 MB, so their number
/// alone would bound little.
const EVENTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A batch is full at this many bytes of records. What it writes may hold them three times: as dead letters, as
/// rows, and as a message of the outbox.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The least share of a batch for outcomes, commands and events, while that many of each wait: callers who
/// flood the service do not keep it from hearing answers, nor does a backlog of events keep it from its callers.
const SHARES: [usize; 3] = [BATCH_MAX / 4, BATCH_MAX * 3 / 8, BATCH_MAX * 3 / 8];
/// Outcomes and timers that may wait; a call that finds it full waits and keeps its bulkhead place.
const OUTCOMES_MAX: usize = 2 * BATCH_MAX;
/// How long the first input of an otherwise empty queue waits for offsets of ignored events to be
/// stored: they cost no transaction of their own while there is work.
const IDLE: Duration = Duration::from_secs(1);

/// One unit of work.
pub(crate) struct Item<S: Service> {
    pub(crate) work: Work<S::Input>,
    pub(crate) origin: Origin<S::Reply>,
    /// The id of the event that caused it, for the headers of what it causes.
    pub(crate) cause: Option<Arc<str>>,
    pub(crate) trace: Option<TraceContext>,
}

impl<S: Service> Item<S> {
    /// What it is about, for the log.
    pub(crate) fn about(&self) -> About {
        About::of(self.cause.clone(), self.trace.as_ref())
    }
}

pub(crate) enum Work<I> {
    Input(I),
    /// An event that asks nothing of this service: its offset is passed, nothing else.
    Ignored,
    /// An event that can never be processed.
    Poison(Reason),
}

/// Why a command was not carried out, or is not known to have been.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// As many commands wait as may wait.
    #[error("too many commands are waiting")]
    Busy,
    /// The service cannot accept commands now.
    #[error("{0}")]
    Unavailable(&'static str),
    /// The commit did not come in time. An attempt that is under way may still carry it out; no other is
    /// begun.
    #[error("the command was not committed in time")]
    TimedOut,
    /// The command itself makes its transaction fail.
    #[error("the command cannot be processed: {0}")]
    Failed(String),
}

pub(crate) enum Origin<R> {
    Event(Delivery),
    Command(oneshot::Sender<Result<R, CommandError>>),
    /// The outcome of a call. Nobody waits for an answer; should it be lost, the call is made again.
    Outcome(Arc<OpenCalls>),
    /// Nobody waits for an answer, and the sweep finds it again.
    Timer,
    /// A dead letter that an operator sent back.
    Replay(Replay),
}

/// Where an event came from, and what is needed to set it aside.
pub(crate) struct Delivery {
    pub(crate) partition: Partition,
    pub(crate) generation: u64,
    pub(crate) offset: i64,
    /// The message as it was, packed; empty for ignored events.
    pub(crate) original: Vec<u8>,
    /// Set where the subscription keeps an inbox.
    pub(crate) inbox_id: Option<String>,
    pub(crate) never_dead_lettered: bool,
    /// Its share of the bytes that events may hold, given back with it.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

/// A dead letter under replay.
pub(crate) struct Replay {
    pub(crate) dead_letter: i64,
    pub(crate) topic: &'static str,
    pub(crate) inbox_id: Option<String>,
    pub(crate) answer: oneshot::Sender<Result<(), String>>,
}

/// The senders' side.
pub(crate) struct Senders<S: Service> {
    pub(crate) commands: mpsc::Sender<Item<S>>,
    pub(crate) events: EventSender<S>,
    pub(crate) outcomes: mpsc::Sender<Item<S>>,
}

/// Where events go in: bounded by their number and by their bytes.
pub(crate) struct EventSender<S: Service> {
    items: mpsc::Sender<Item<S>>,
    bytes: Arc<Semaphore>,
}

impl<S: Service> Clone for EventSender<S> {
    fn clone(&self) -> Self {
        EventSender { items: self.items.clone(), bytes: Arc::clone(&self.bytes) }
    }
}

impl<S: Service> EventSender<S> {
    /// Hands an event over where there is room, else gives it back. `Ok` where nobody receives any more.
    pub(crate) fn try_send(&self, mut item: Item<S>) -> Result<(), Box<Item<S>>> {
        if !item.has_room() {
            match Arc::clone(&self.bytes).try_acquire_many_owned(item.bytes()) {
                Ok(room) => item.takes(room),
                Err(_full) => return Err(Box::new(item)),
            }
        }
        match self.items.try_send(item) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(item)) => Err(Box::new(item)),
        }
    }

    /// Waits until there is room for this event; may be given up at any time.
    pub(crate) async fn make_room(&self, item: &mut Item<S>) {
        if !item.has_room()
            && let Ok(room) = Arc::clone(&self.bytes).acquire_many_owned(item.bytes()).await
        {
            item.takes(room);
        }
        // Closed: nobody receives any more.
        let _place = self.items.reserve().await;
    }
}

impl<S: Service> Item<S> {
    /// What an event holds. A record is smaller than what all events may hold together; it is still capped,
    /// as it would otherwise wait forever.
    fn bytes(&self) -> u32 {
        match &self.origin {
            Origin::Event(delivery) => delivery.original.len().min(EVENTS_BYTES_MAX) as u32,
            Origin::Command(_) | Origin::Outcome(_) | Origin::Timer | Origin::Replay(_) => 0,
        }
    }

    fn has_room(&self) -> bool {
        matches!(&self.origin, Origin::Event(Delivery { room: Some(_), .. }))
    }

    fn takes(&mut self, room: OwnedSemaphorePermit) {
        if let Origin::Event(delivery) = &mut self.origin {
            delivery.room = Some(room);
        }
    }
}

/// The executor's side.
pub(crate) struct Queue<S: Service> {
    commands: mpsc::Receiver<Item<S>>,
    events: mpsc::Receiver<Item<S>>,
    outcomes: mpsc::Receiver<Item<S>>,
}

/// What the executor has to do next.
pub(crate) enum Next<S: Service> {
    Batch(Vec<Item<S>>),
    Idle,
    Closed,
}

pub(crate) fn queue<S: Service>() -> (Senders<S>, Queue<S>) {
    let (commands, commands_out) = mpsc::channel(COMMANDS_MAX);
    let (events, events_out) = mpsc::channel(EVENTS_MAX);
    let (outcomes, outcomes_out) = mpsc::channel(OUTCOMES_MAX);
    (
        Senders {
            commands,
            events: EventSender {
                items: events,
                bytes: Arc::new(Semaphore::new(EVENTS_BYTES_MAX)),
            },
            outcomes,
        },
        Queue { commands: commands_out, events: events_out, outcomes: outcomes_out },
    )
}

impl<S: Service> Queue<S> {
    /// Waits until there is work, until there was none for a while, or until nobody can send any more.
    pub(crate) async fn next(&mut self) -> Next<S> {
        let first = poll_fn(|context| {
            let mut open = false;
            for source in [&mut self.outcomes, &mut self.commands, &mut self.events] {
                match source.poll_recv(context) {
                    Poll::Ready(Some(item)) => return Poll::Ready(Some(item)),
                    Poll::Ready(None) => {}
                    Poll::Pending => open = true,
                }
            }
            if open { Poll::Pending } else { Poll::Ready(None) }
        });
        match tokio::time::timeout(IDLE, first).await {
            Ok(Some(item)) => Next::Batch(vec![item]),
            Ok(None) => Next::Closed,
            Err(_elapsed) => Next::Idle,
        }
    }

    /// How much waits.
    pub(crate) fn waiting(&self) -> usize {
        self.outcomes.len() + self.commands.len() + self.events.len()
    }

    /// Fills the batch with what waits, without waiting for more. Each kind has its share; what is left then
    /// goes first to what others already wait for: outcomes, then callers, then events.
    pub(crate) fn fill(&mut self, batch: &mut Vec<Item<S>>) {
        let mut bytes: usize = batch.iter().map(|item| item.bytes() as usize).sum();
        for shares in [SHARES, [BATCH_MAX; 3]] {
            let sources = [&mut self.outcomes, &mut self.commands, &mut self.events];
            for (source, share) in sources.into_iter().zip(shares) {
                let enough = BATCH_MAX.min(batch.len() + share);
                while batch.len() < enough
                    && bytes < BATCH_BYTES_MAX
                    && let Ok(item) = source.try_recv()
                {
                    bytes += item.bytes() as usize;
                    batch.push(item);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
