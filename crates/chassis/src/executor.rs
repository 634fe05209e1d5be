//! The executor: one loop that turns whatever waits into one transaction. Everything a replica does
//! goes through it, so there is one writer, large batches under load, and one place where failures are
//! classified.

pub(crate) mod queue;
pub(crate) mod handle;
pub(crate) mod clock;
pub(crate) mod inbox;
pub(crate) mod sweep;
pub(crate) mod retention;
pub(crate) mod pace;
pub(crate) mod progress;
pub(crate) mod attempt;
mod stuck;
mod unit;
pub(crate) mod casualties;
mod connection;

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::calls::CallQueue;
use crate::consume::consumer::client::OffsetHint;
use crate::consume::consumer::flow::Flow;
use crate::consume::dead_letters::Reason;
use crate::consume::offsets::{Positions, Processed, Reached};
use crate::executor::clock::Clock;
use crate::executor::pace::{Pace, Replicas};
use crate::executor::progress::Progress;
use crate::executor::queue::{BATCH_MAX, CommandError, Item, Next, Origin, Queue, Work};
use crate::failure::{Chain, Failure};
use crate::ops::telemetry::Telemetry;
use crate::postgres::connection::Writer;
use crate::postgres::trouble::{PATIENCE, within};
use crate::publish::relay::hand_over::HandOver;
use crate::service::Service;
use crate::wire::codec::Encoder;
use attempt::Committed;
pub(crate) use stuck::Stuck;

/// The pauses after transient failures, from the first to the last.
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LAST: Duration = Duration::from_secs(5);
/// A batch of this size is full enough; pausing for more would only cost throughput.
const FULL_ENOUGH: usize = BATCH_MAX / 4;
/// The longest pause. A happy order passes through ten transactions in sequence, so it adds up; as batches
/// grow it is cut to a quarter.
const PAUSE_MAX: Duration = Duration::from_millis(16);
/// How long the offset of ignored events may stay behind while only ignored events come.
const STORE_SKIPPED_EVERY: Duration = Duration::from_secs(1);
/// How often a batch is tried while it fails for a reason that may lie in one of its inputs.
pub(crate) const TRIES: u32 = 3;
/// The same for lost races, as others may win several times in a row.
const RACES: u32 = 8;

/// The executor and what it works with.
pub(crate) struct Executor<S: Service> {
    pub(crate) service: Arc<S>,
    pub(crate) writer: Writer,
    pub(crate) queue: Queue<S>,
    pub(crate) encoder: Arc<Encoder>,
    pub(crate) positions: Arc<Positions>,
    pub(crate) hint: OffsetHint,
    pub(crate) relay: HandOver,
    pub(crate) calls: Option<CallQueue<S>>,
    pub(crate) changes: broadcast::Sender<Uuid>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) replicas: Replicas,
    pub(crate) progress: Arc<Progress>,
    pub(crate) flow: Arc<Flow>,
    /// When offsets were last stored, with a batch or by themselves.
    pub(crate) stored_at: Instant,
    pub(crate) stuck: Stuck,
}

impl<S: Service> Executor<S> {
    /// Works until every sender is gone and the queue is empty.
    pub(crate) async fn run(mut self) {
        let mut pace = Pace::new(PAUSE_MAX, FULL_ENOUGH, self.replicas.clone());
        // The first caller should not wait for the connection. If it fails, the first batch tries again.
        if let Err(error) = self.connect().await {
            tracing::warn!(error = %error, "the executor has no connection yet");
        }
        loop {
            match self.queue.next().await {
                Next::Batch(mut batch) => {
                    if self.queue.waiting() < FULL_ENOUGH {
                        let pause = pace.pause();
                        if !pause.is_zero() {
                            let before = batch.len() + self.queue.waiting();
                            tokio::time::sleep(pause).await;
                            pace.gathered(before, batch.len() + self.queue.waiting());
                        }
                    }
                    self.queue.fill(&mut batch);
                    pace.begin();
                    self.progress.gets_on();
                    self.work(batch).await;
                    self.progress.rests();
                    if self.stored_at.elapsed() >= STORE_SKIPPED_EVERY {
                        self.store_skipped().await;
                    }
                    if self.queue.waiting() == 0 {
                        self.flow.executor_rests();
                    }
                    pace.end();
                }
                Next::Idle => {
                    self.stuck.keep_own(&self.positions);
                    // Callers are refused while it is away, so nobody else would find out that it is back.
                    if let Err(error) = self.connect().await {
                        tracing::debug!(error = %error, "the executor has no connection yet");
                    }
                    self.store_skipped().await;
                    self.flow.executor_rests();
                }
                Next::Closed => break,
            }
        }
        self.store_skipped().await;
        self.hand_calls_back().await;
        self.writer.close().await;
    }

    /// Calls that are still under way have nobody to bring their outcomes to.
    async fn hand_calls_back(&mut self) {
        let Some(calls) = &self.calls else { return };
        if let Err(failure) = within(PATIENCE, calls.hand_back(&mut self.writer)).await {
            tracing::warn!(
                error = %Chain(&failure),
                "calls without an outcome cannot be handed back; they are made again when they fall due"
            );
        }
    }

    /// Processes a batch; what failed alone before is processed alone, and last.
    async fn work(&mut self, batch: Vec<Item<S>>) {
        if self.stuck.is_none() {
            return self.process(batch, TRIES).await;
        }
        self.stuck.keep_own(&self.positions);
        let (later, batch) = batch.into_iter().partition(|item| self.stuck.is_or_follows(item));
        self.process(batch, TRIES).await;
        let (stuck, following): (Vec<_>, Vec<_>) =
            Vec::into_iter(later).partition(|item| self.stuck.is(item));
        for item in stuck {
            self.process(vec![item], 1).await;
        }
        // Stale by now, unless what they follow was processed.
        self.process(following, TRIES).await;
    }

    /// Processes a batch to its end: committed, split around what cannot be, or retried for as long
    /// as it takes. `tries` is how often the whole batch may fail while the database answers.
    pub(crate) async fn process(&mut self, mut batch: Vec<Item<S>>, tries: u32) {
        let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LAST);
        let mut lost_race = false;
        let mut failed = 0;
        loop {
            self.drop_stale(&mut batch);
            drop_abandoned(&mut batch);
            if batch.is_empty() {
                return;
            }
            // A replay is settled in a transaction even when there is nothing else to do.
            let skipped = |item: &Item<S>| {
                matches!((&item.work, &item.origin), (Work::Ignored, Origin::Event(_)))
            };
            if batch.iter().all(skipped) {
                return self.skip(&batch);
            }
            let started = Instant::now();
            match within(PATIENCE, self.attempt(&batch, lost_race)).await {
                Ok(committed) => {
                    self.telemetry
                        .metrics
                        .batch_seconds
                        .record(started.elapsed().as_secs_f64(), &[]);
                    self.telemetry.metrics.batch_inputs.record(batch.len() as u64, &[]);
                    return self.finish(batch, committed);
                }
                Err(failure @ Failure::Permanent(_)) if batch.len() == 1 => {
                    let item = batch.pop().expect("the batch holds one item");
                    match self.set_aside(item, &failure) {
                        Some(poisoned) => batch.push(poisoned),
                        None => return,
                    }
                }
                Err(Failure::Permanent(_)) => return self.halve(batch).await,
                // Nothing was written, and all rows are read the next time: this happens once.
                Err(failure) if failure.must_read() => {}
                Err(failure) => {
                    lost_race |= failure.is_conflict();
                    let was_begun = failure.is_timeout() && self.writer.is_open();
                    self.recover(&failure).await;
                    self.progress.failed(Chain(&failure).to_string());
                    // A server that can be reached again is not silent: perhaps the batch is more than it
                    // can process in time. Tried whole again, it would be just as much.
                    let is_too_much = was_begun && self.connect().await.is_ok();
                    failed += u32::from(failure.may_be_the_inputs() || is_too_much);
                    let most = if failure.is_conflict() { RACES.max(tries) } else { tries };
                    let is_one = batch.len() == 1;
                    if failed < most && (is_one || !is_too_much) {
                        self.wait_to_retry(&failure, &mut backoff).await;
                    } else if !is_one {
                        return self.halve(batch).await;
                    } else {
                        // It may have been committed after all, and only the answer was lost.
                        self.drop_stale(&mut batch);
                        return batch.into_iter().for_each(|item| self.give_up(item, &failure));
                    }
                }
            }
        }
    }

    /// Halving finds the culprit in a few small transactions; all others commit. What the whole failed on
    /// several times, a part of it fails on at once, so it is not tried as often.
    async fn halve(&mut self, mut batch: Vec<Item<S>>) {
        let rest = batch.split_off(batch.len() / 2);
        for half in [batch, rest] {
            let tries = if half.len() > 1 { 1 } else { TRIES };
            Box::pin(self.process(half, tries)).await;
        }
    }

    /// What was fetched under a former assignment belongs to another replica now, and what is
    /// before the database's offset is done.
    pub(crate) fn drop_stale(&self, batch: &mut Vec<Item<S>>) {
        batch.retain(|item| is_current(&self.positions, item));
    }

    fn skip(&self, batch: &[Item<S>]) {
        for item in batch {
            if let Origin::Event(d) = &item.origin {
                self.positions.skip_to(d.partition, d.generation, d.offset + 1);
            }
        }
    }

    /// Offsets of ignored events move with the next transaction, or here when there is none.
    async fn store_skipped(&mut self) {
        self.stored_at = Instant::now();
        let advances = self.positions.advances(&Processed::new()).unwrap_or_default();
        if advances.is_empty() {
            return;
        }
        match self.store(&advances).await {
            Ok(()) => {
                self.positions.committed(&advances);
                self.hint.store(&advances);
            }
            // Nothing is lost: the same offsets move with the next transaction.
            Err(failure) => self.recover(&failure).await,
        }
    }

    async fn wait_to_retry(&mut self, failure: &Failure, backoff: &mut Backoff) {
        if failure.is_conflict() {
            self.telemetry.metrics.retries.add(1, &[KeyValue::new("reason", "conflict")]);
            tracing::debug!(error = %Chain(failure), "a batch lost a race and runs again");
        } else {
            self.telemetry.metrics.retries.add(1, &[KeyValue::new("reason", "failure")]);
            // The first time only: `/readyz` says what lasts.
            match backoff.is_fresh() {
                true => tracing::warn!(error = %Chain(failure), "a batch runs again"),
                false => tracing::debug!(error = %Chain(failure), "a batch runs again"),
            }
        }
        backoff.pause().await;
    }

    /// An input that is alone and cannot be processed. Returns it as poison if it is to be
    /// dead-lettered, in a transaction of its own. Poison that cannot be recorded holds its partition.
    fn set_aside(&mut self, item: Item<S>, failure: &Failure) -> Option<Item<S>> {
        let detail = Chain(failure).to_string();
        match item.origin {
            Origin::Event(delivery)
                if !delivery.never_dead_lettered
                    && !delivery.original.is_empty()
                    && !matches!(item.work, Work::Poison(_)) =>
            {
                let reason = Reason { code: "failed", detail };
                Some(Item { work: Work::Poison(reason), origin: Origin::Event(delivery), ..item })
            }
            Origin::Event(_)
            | Origin::Command(_)
            | Origin::Outcome(_)
            | Origin::Timer
            | Origin::Replay(_) => {
                self.give_up(item, failure);
                None
            }
        }
    }

    /// An input that is alone and still fails. Nobody knows that it always will, so nothing is lost:
    /// an event's partition waits, a caller who waits gets an answer, and the rest comes back.
    fn give_up(&mut self, item: Item<S>, failure: &Failure) {
        let detail = Chain(failure).to_string();
        let about = item.about();
        let (event, key, trace) = (about.event.as_deref(), about.key(), about.trace.as_deref());
        match item.origin {
            Origin::Event(delivery) => self.stuck.hold(&self.positions, &delivery, &about, &detail),
            Origin::Command(reply) => {
                tracing::error!(error = %detail, trace, "a command cannot be processed");
                // The caller may be gone; then nobody needs the answer.
                let _gone = reply.send(Err(CommandError::Failed(detail)));
            }
            Origin::Outcome(_) | Origin::Timer => {
                tracing::error!(
                    error = %detail, event, key, trace,
                    "an outcome or a timer cannot be processed; the sweep brings it back"
                );
            }
            Origin::Replay(replay) => {
                let _gone = replay.answer.send(Err(detail));
            }
        }
    }

    /// After the commit: answer, publish, call, note offsets. None of it is needed for correctness
    /// after a crash: the relay reads rows, the sweep finds calls, callers ask again.
    pub(crate) fn finish(&mut self, batch: Vec<Item<S>>, committed: Committed<S>) {
        self.progress.gets_on();
        self.stored_at = Instant::now();
        self.writer.committed();
        self.positions.committed(&committed.advances);
        self.stuck.passed(&committed.advances);
        self.hint.store(&committed.advances);
        if let Some(outbox) = committed.outbox {
            self.relay.committed(outbox);
        }
        for (item, reply) in batch.into_iter().zip(committed.replies) {
            match (item.origin, reply) {
                (Origin::Command(caller), Some(reply)) => {
                    let _gone = caller.send(Ok(reply));
                }
                (Origin::Replay(replay), Some(_)) => {
                    let refusal = committed.refused.get(&replay.dead_letter);
                    let answer = refusal.map_or(Ok(()), |reason| Err(reason.clone()));
                    let _gone = replay.answer.send(answer);
                }
                (Origin::Replay(replay), None) => {
                    let _gone = replay.answer.send(Ok(()));
                }
                (Origin::Outcome(open_calls), _) => open_calls.close_one(),
                (Origin::Command(_), None) | (Origin::Event(_) | Origin::Timer, _) => {}
            }
        }
        self.telemetry.record(&committed.measures);
        if let (Some(calls), Some(asked)) = (&self.calls, committed.asked) {
            calls.make(asked);
        }
        if self.changes.receiver_count() > 0 {
            for key in committed.changed {
                let _nobody = self.changes.send(key);
            }
        }
    }
}

pub(crate) fn is_current<S: Service>(positions: &Positions, item: &Item<S>) -> bool {
    match &item.origin {
        Origin::Event(d) => positions.is_current(d.partition, d.generation, d.offset),
        Origin::Command(_) | Origin::Outcome(_) | Origin::Timer | Origin::Replay(_) => true,
    }
}

/// A command, or a retry of a dead letter, whose caller has given up is no longer begun: the caller is told
/// that it is not known to be carried out, and it would take effect long after. What is not begun is also
/// never committed much later than it was asked for.
fn drop_abandoned<S: Service>(batch: &mut Vec<Item<S>>) {
    batch.retain(|item| match &item.origin {
        Origin::Command(caller) => !caller.is_closed(),
        Origin::Replay(replay) => !replay.answer.is_closed(),
        Origin::Event(_) | Origin::Outcome(_) | Origin::Timer => true,
    });
}

/// How far a batch reaches in each partition. What was fetched under two assignments of one partition is
/// never in the same batch: the older was dropped already.
pub(crate) fn processed<S: Service>(batch: &[Item<S>]) -> Processed {
    let mut processed = Processed::new();
    for item in batch {
        if let Origin::Event(delivery) = &item.origin {
            let begun = Reached { generation: delivery.generation, next: 0 };
            let reached = processed.entry(delivery.partition).or_insert(begun);
            reached.next = reached.next.max(delivery.offset + 1);
        }
    }
    processed
}
