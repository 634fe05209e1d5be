//! Calls to the outside: made after the commit of their intent, outside any transaction, behind a
//! bulkhead. An unknown outcome is asked for again with the same idempotency key until it is known; a
//! known one comes back as an input.

pub(crate) mod outside;
pub(crate) mod intents;
pub(crate) mod settle;
pub(crate) mod operate;
mod provider;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use sqlx::{Connection, PgConnection};
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use self::intents::{OpenCalls, Own};
use crate::backoff::Backoff;
use crate::effects::Intent;
use crate::executor::queue::{Item, Origin, Work};
use crate::failure::Chain;
use crate::failure::Failure;
use crate::ops::health::Health;
use crate::ops::telemetry::Telemetry;
use crate::postgres::connection::Writer;
use crate::postgres::writes::Writes;
use crate::service::{Calls, Outside, Service, Unanswered};
use provider::Provider;

/// Calls under way at once: more would only queue at the other side.
const CONCURRENT_MAX: usize = 256;
/// Calls under way or waiting. Any more are left to the sweep, which finds their intents.
const WAITING_MAX: usize = 16_384;
/// A call that waits for longer may be settled without its answer.
const LONG: Duration = Duration::from_secs(30);
/// How many of the oldest of those one sweep looks at: a batch's worth.
const LOOKED_AT_MAX: usize = 512;
/// The longest one attempt may take; an adapter's own deadline should be shorter.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// The pauses between attempts at a call, from the first to the last.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_LAST: Duration = Duration::from_secs(30);

/// An attempt did not end in time.
#[derive(Debug, thiserror::Error)]
#[error("the attempt took longer than {} s", ATTEMPT_TIMEOUT.as_secs())]
struct TookTooLong;

/// The adapter has a bug.
#[derive(Debug, thiserror::Error)]
#[error("the adapter panicked")]
struct Panicked;

type Outcome<S> = Result<<S as Service>::Input, Unanswered>;
type Call<S> =
    dyn Fn(<S as Service>::Call, Duration) -> BoxFuture<'static, Outcome<S>> + Send + Sync;

type OpenCallsOf<S> =
    for<'a> fn(
        &'a S,
        &'a mut PgConnection,
        &'a [Uuid],
    ) -> BoxFuture<'a, Result<Vec<(Uuid, <S as Service>::Call)>, Failure>>;

/// Who makes a service's calls, and how to find what there is to do, with their types erased.
pub struct Adapter<S: Service> {
    pub(crate) name: &'static str,
    kind: &'static str,
    call: Arc<Call<S>>,
    open: OpenCallsOf<S>,
}

impl<S: Calls> Adapter<S> {
    /// The adapter for `outside`.
    pub fn of<O: Outside<S>>(outside: O) -> Self {
        let outside = Arc::new(outside);
        let call = Arc::new(move |call, age| -> BoxFuture<'static, Outcome<S>> {
            let outside = Arc::clone(&outside);
            Box::pin(async move { outside.call(call, age).await })
        });
        let (name, kind) = (O::NAME, std::any::type_name::<O>());
        Adapter {
            name,
            kind,
            call,
            open: |service, db, keys| Box::pin(service.open_calls(db, keys)),
        }
    }
}

impl<S: Service> fmt::Debug for Adapter<S> {
    /// Only the type of the adapter itself, as it holds a key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} through {}", self.name, self.kind)
    }
}

/// All calls that the decisions of one batch ask for, and the id of their intents.
pub(crate) struct Asked<C> {
    id: Uuid,
    calls: Vec<Intent<C>>,
}

impl<C> Asked<C> {
    /// Adds the intents to the batch's writes. `None` where there are none.
    pub(crate) fn of(calls: Vec<Intent<C>>, writes: &mut Writes) -> Option<Self> {
        let keys: Vec<Uuid> = calls.iter().map(|intent| intent.key).collect();
        let ages: Vec<Duration> = calls.iter().map(|intent| intent.age).collect();
        let id = Uuid::new_v4();
        (!keys.is_empty()).then(|| {
            intents::write(writes, id, &keys, &ages);
            Asked { id, calls }
        })
    }

    #[cfg(feature = "measuring")]
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }
}

/// The bulkhead of one adapter.
pub(crate) struct CallQueue<S: Service> {
    inner: Arc<Inner<S>>,
}

impl<S: Service> Clone for CallQueue<S> {
    fn clone(&self) -> Self {
        CallQueue { inner: Arc::clone(&self.inner) }
    }
}

/// A call under way or waiting.
struct Waiting {
    /// The number of the task that makes it. A call that was given up may be asked for again while its
    /// first task sleeps: that task must not go on in place of the new one.
    number: u64,
    key: Uuid,
    since: Instant,
}

struct Inner<S: Service> {
    adapter: Adapter<S>,
    places: Semaphore,
    /// Calls under way or waiting. A sweep that finds the intent of one of these must not make it a
    /// second time: in a long outage such calls would pile up.
    waiting: Mutex<HashMap<S::Call, Waiting>>,
    /// Calls admitted so far.
    admitted: AtomicU64,
    own: Arc<Mutex<Own>>,
    outcomes: mpsc::WeakSender<Item<S>>,
    provider: Provider,
}

impl<S: Service> CallQueue<S> {
    pub(crate) fn new(
        adapter: Adapter<S>,
        outcomes: &mpsc::Sender<Item<S>>,
        health: Arc<Health>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let provider = Provider::new(adapter.name, health, telemetry);
        CallQueue {
            inner: Arc::new(Inner {
                adapter,
                places: Semaphore::new(CONCURRENT_MAX),
                waiting: Mutex::default(),
                admitted: AtomicU64::new(0),
                own: Arc::default(),
                // Weak: calls that are under way do not keep a stopping executor alive.
                outcomes: outcomes.downgrade(),
                provider,
            }),
        }
    }

    /// Makes calls in the background, all at once. After a stop or a crash the sweep finds their intents; those that a
    /// stopping service asks for are left to it from the start.
    /// One task for all: an in-process adapter answers each without ever waiting.
    pub(crate) fn make(&self, asked: Asked<S::Call>) {
        // Those that are not admitted stay open, and so do their intents: they become due.
        let open = OpenCalls::new(asked.id, asked.calls.len(), &self.inner.own);
        if self.inner.is_stopping() {
            return;
        }
        let new = self.inner.admit(asked.calls);
        if new.is_empty() {
            return;
        }
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            let (inner, open) = (&*inner, &open);
            let each = |(number, intent): (u64, Intent<S::Call>)| async move {
                let call = intent.call.clone();
                inner.make(intent, UnderWay { inner, call, number }, open).await;
            };
            let mut calls: FuturesUnordered<_> = new.into_iter().map(each).collect();
            while calls.next().await.is_some() {}
        });
    }

    /// Makes calls due whose outcomes are lost to a stop: whoever sweeps next makes them, and their orders do not wait
    /// for as long as after a crash. For when nobody takes outcomes any more.
    pub(crate) async fn hand_back(&self, writer: &mut Writer) -> Result<(), Failure> {
        let open = self.inner.own().take_open();
        if open.is_empty() {
            return Ok(());
        }
        Ok(intents::make_due(writer.connection().await?, &open).await?)
    }

    /// Gives up calls that have waited for long and are no longer open: another replica got the answer, or
    /// an operator said what it is. Nothing else would end them if the answer never comes.
    async fn give_up_closed(&self, service: &S, db: &mut PgConnection) -> Result<(), Failure> {
        let mut long: Vec<(Instant, Uuid, S::Call)> = {
            let waiting = self.inner.waiting();
            let long = waiting.iter().filter(|(_, call)| call.since.elapsed() > LONG);
            long.map(|(call, waiting)| (waiting.since, waiting.key, call.clone())).collect()
        };
        if long.is_empty() {
            return Ok(());
        }
        long.sort_unstable_by_key(|(since, ..)| *since);
        long.truncate(LOOKED_AT_MAX);
        let keys: Vec<Uuid> = long.iter().map(|(_, key, _)| *key).collect();
        let open = (self.inner.adapter.open)(service, db, &keys).await?;
        let open: HashSet<S::Call> = open.into_iter().map(|(_, call)| call).collect();
        let mut waiting = self.inner.waiting();
        for (_, _, call) in long.iter().filter(|(_, _, call)| !open.contains(call)) {
            waiting.remove(call);
        }
        Ok(())
    }

    /// Forgets intents whose calls are all answered, and makes those calls again that are due and still
    /// open. They become due again later, so that two replicas do not both make them; a call that is
    /// nevertheless made twice has the same idempotency key.
    pub(crate) async fn sweep(&self, service: &S, db: &mut PgConnection) -> Result<(), Failure> {
        self.inner.show();
        let answered = {
            let mut own = self.inner.own();
            // During a stop outcomes are lost, and their calls handed back.
            if !self.inner.is_stopping() {
                own.forget_lost();
            }
            own.take_answered()
        };
        intents::delete(db, &answered).await?;
        self.give_up_closed(service, db).await?;
        if !intents::is_any_due(db).await? {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        let due = intents::take_due(&mut tx).await?;
        let keys: Vec<Uuid> = due.keys().copied().collect();
        let open = (self.inner.adapter.open)(service, &mut tx, &keys).await?;
        let age = |key: &Uuid| due.get(key).copied().unwrap_or_default();
        let intent = |(key, call)| Intent { age: age(&key), key, call, cause: None, trace: None };
        let mut writes = Writes::default();
        let again = Asked::of(open.into_iter().map(intent).collect(), &mut writes);
        writes.execute(&mut tx).await?;
        tx.commit().await?;
        if let Some(again) = again {
            self.make(again);
        }
        Ok(())
    }
}

/// A call that is not made a second time while this value lives.
struct UnderWay<'a, S: Service> {
    inner: &'a Inner<S>,
    call: S::Call,
    number: u64,
}

impl<S: Service> UnderWay<'_, S> {
    /// Whether it was not given up meanwhile.
    fn is_wanted(&self) -> bool {
        self.inner.waiting().get(&self.call).is_some_and(|call| call.number == self.number)
    }
}

impl<S: Service> Drop for UnderWay<'_, S> {
    fn drop(&mut self) {
        if let Entry::Occupied(call) = self.inner.waiting().entry(self.call.clone())
            && call.get().number == self.number
        {
            call.remove();
        }
    }
}

impl<S: Service> Inner<S> {
    /// Reports how many calls are open in this replica, and for how long.
    fn show(&self) {
        let waiting = self.waiting();
        let oldest = waiting.values().map(|call| call.since.elapsed()).max();
        self.provider.show(waiting.len(), oldest.unwrap_or_default());
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<S::Call, Waiting>> {
        self.waiting.lock().expect("no panic under this lock")
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().expect("no panic under this lock")
    }

    /// Whether nobody takes outcomes any more.
    fn is_stopping(&self) -> bool {
        self.outcomes.strong_count() == 0
    }

    /// The calls that are not under way already and find room, each with its number.
    fn admit(&self, intents: Vec<Intent<S::Call>>) -> Vec<(u64, Intent<S::Call>)> {
        let now = Instant::now();
        let mut waiting = self.waiting();
        let mut left_out = 0;
        let admit = |intent: Intent<S::Call>| {
            if waiting.len() >= WAITING_MAX {
                left_out += 1;
                return None;
            }
            match waiting.entry(intent.call.clone()) {
                Entry::Occupied(_under_way) => None,
                Entry::Vacant(entry) => {
                    // Also counts the time of a former process.
                    let since = now.checked_sub(intent.age).unwrap_or(now);
                    let number = self.admitted.fetch_add(1, Relaxed);
                    entry.insert(Waiting { number, key: intent.key, since });
                    Some((number, intent))
                }
            }
        };
        let new = intents.into_iter().filter_map(admit).collect();
        if left_out > 0 {
            tracing::warn!(
                adapter = self.adapter.name,
                calls = left_out,
                "too many calls wait; the sweep makes these later"
            );
        }
        new
    }

    async fn make(
        &self,
        intent: Intent<S::Call>,
        under_way: UnderWay<'_, S>,
        open: &Arc<OpenCalls>,
    ) {
        let Intent { call, cause, trace, age, key } = intent;
        let (begun, answers) = (Instant::now(), self.provider.answers());
        let mut is_told = false;
        let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LAST);
        loop {
            let outcome = {
                let _place = self.places.acquire().await.expect("the semaphore is never closed");
                let age = age + begun.elapsed();
                let attempt = async { (self.adapter.call)(call.clone(), age).await };
                // A panic is a bug in the adapter. It must not take the other calls of the batch down with it.
                let caught = AssertUnwindSafe(attempt).catch_unwind();
                tokio::time::timeout(ATTEMPT_TIMEOUT, caught).await
            };
            let unanswered = match outcome {
                Ok(Ok(Ok(input))) => {
                    self.provider.answered();
                    let origin = Origin::Outcome(Arc::clone(open));
                    let item = Item { work: Work::Input(input), origin, cause, trace };
                    return self.deliver(item).await;
                }
                Ok(Ok(Err(unanswered))) => unanswered,
                Ok(Err(_panic)) => Unanswered::new(Panicked),
                Err(_elapsed) => Unanswered::new(TookTooLong),
            };
            if self.is_stopping() {
                return;
            }
            self.provider.unanswered(&unanswered);
            // If no call is answered, this call is not at fault: the provider's condition is reported once
            // for all of them.
            if !is_told
                && unanswered.is_refused()
                && age + begun.elapsed() > LONG
                && self.provider.answers() > answers
            {
                is_told = true;
                tracing::error!(
                    adapter = self.adapter.name, %key, error = %Chain(&unanswered),
                    "a call is refused while others are answered; it is made again until it is settled"
                );
            }
            backoff.pause().await;
            if !under_way.is_wanted() {
                return;
            }
        }
    }

    async fn deliver(&self, item: Item<S>) {
        let Some(outcomes) = self.outcomes.upgrade() else { return };
        // Closed: the service stops, and hands the call back.
        let _closed = outcomes.send(item).await;
    }
}

#[cfg(test)]
mod tests;
