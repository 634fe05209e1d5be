//! Calls to the outside: made after the commit of their intent, outside any transaction, behind a
//! bulkhead. An unknown outcome is asked for again with the same idempotency key until it is known; a
//! known one comes back as an input.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rand::Rng;
use tokio::sync::{Semaphore, mpsc};

use crate::effects::Intent;
use crate::executor::Chain;
use crate::queue::{Item, Origin, Work};
use crate::service::{Outside, Service, Unanswered};
use crate::telemetry::Telemetry;
use crate::trace::TraceContext;

/// Calls under way at once: more would only queue at the other side.
const CONCURRENT_MAX: usize = 256;
/// Calls under way or waiting. What is beyond is left to the sweep, which finds its intent.
const WAITING_MAX: usize = 16_384;
/// The longest one attempt may take; an adapter's own deadline should be shorter.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_LAST: Duration = Duration::from_secs(30);

type Outcome<S> = Result<<S as Service>::Input, Unanswered>;
type Adapter<S> =
    dyn Fn(<S as Service>::Call) -> Pin<Box<dyn Future<Output = Outcome<S>> + Send>> + Send + Sync;

/// An adapter, its type erased.
pub(crate) struct Erased<S: Service> {
    name: &'static str,
    call: Arc<Adapter<S>>,
}

pub(crate) fn erase<S: Service, O: Outside<S>>(outside: O) -> Erased<S> {
    let outside = Arc::new(outside);
    let call = Arc::new(move |call| -> Pin<Box<dyn Future<Output = Outcome<S>> + Send>> {
        let outside = Arc::clone(&outside);
        Box::pin(async move { outside.call(call).await })
    });
    Erased { name: O::NAME, call }
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

struct Inner<S: Service> {
    name: &'static str,
    call: Arc<Adapter<S>>,
    places: Semaphore,
    /// Calls under way or waiting. A sweep that finds the intent of one of these must not make it a
    /// second time: in a long outage such calls would pile up.
    waiting: Mutex<HashSet<S::Call>>,
    outcomes: mpsc::WeakSender<Item<S>>,
    telemetry: Arc<Telemetry>,
}

impl<S: Service> CallQueue<S> {
    pub(crate) fn new(
        erased: Erased<S>,
        outcomes: &mpsc::Sender<Item<S>>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        CallQueue {
            inner: Arc::new(Inner {
                name: erased.name,
                call: erased.call,
                places: Semaphore::new(CONCURRENT_MAX),
                waiting: Mutex::default(),
                // Weak: calls that are under way do not keep a stopping executor alive.
                outcomes: outcomes.downgrade(),
                telemetry,
            }),
        }
    }

    /// Makes calls in the background, all at once. After a stop or a crash their intents are found by the
    /// sweep. One task for all: an adapter in the process answers each without ever waiting.
    pub(crate) fn make(&self, intents: impl IntoIterator<Item = Intent<S::Call>>) {
        let new: Vec<_> = self.inner.admit(intents);
        if new.is_empty() {
            return;
        }
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            let each = |intent: Intent<S::Call>| async {
                let call = intent.call.clone();
                inner.make(intent).await;
                inner.waiting().remove(&call);
            };
            let mut calls: FuturesUnordered<_> = new.into_iter().map(each).collect();
            while calls.next().await.is_some() {}
        });
    }
}

impl<S: Service> Inner<S> {
    fn waiting(&self) -> MutexGuard<'_, HashSet<S::Call>> {
        self.waiting.lock().expect("no panic under this lock")
    }

    /// Those that are not under way already and find room.
    fn admit(&self, intents: impl IntoIterator<Item = Intent<S::Call>>) -> Vec<Intent<S::Call>> {
        let mut waiting = self.waiting();
        let mut left_out = 0;
        let mut admit = |intent: &Intent<S::Call>| {
            if waiting.len() >= WAITING_MAX {
                left_out += 1;
                return false;
            }
            waiting.insert(intent.call.clone())
        };
        let new = intents.into_iter().filter(&mut admit).collect();
        if left_out > 0 {
            tracing::warn!(
                adapter = self.name,
                calls = left_out,
                "too many calls wait; the sweep makes these later"
            );
        }
        new
    }

    async fn make(&self, Intent { call, cause, trace }: Intent<S::Call>) {
        let mut backoff = BACKOFF_FIRST;
        loop {
            let outcome = {
                let _place = self.places.acquire().await.expect("the semaphore is never closed");
                tokio::time::timeout(ATTEMPT_TIMEOUT, (self.call)(call.clone())).await
            };
            let unanswered = match outcome {
                Ok(Ok(input)) => {
                    self.telemetry.metrics.calls.add(1, &[]);
                    return self.deliver(input, cause, trace).await;
                }
                Ok(Err(unanswered)) => Chain(&unanswered).to_string(),
                Err(_elapsed) => "the attempt took too long".to_owned(),
            };
            if self.outcomes.strong_count() == 0 {
                return;
            }
            self.telemetry.metrics.unanswered_calls.add(1, &[]);
            tracing::warn!(
                adapter = self.name, error = %unanswered, pause_ms = backoff.as_millis() as u64,
                "a call is made again"
            );
            // Full jitter, so that callers do not come back in step after an outage.
            let jitter = rand::rng().random_range(0.1..1.0);
            tokio::time::sleep(backoff.mul_f64(jitter)).await;
            backoff = (backoff * 2).min(BACKOFF_LAST);
        }
    }

    async fn deliver(&self, input: S::Input, cause: Option<Arc<str>>, trace: Option<TraceContext>) {
        let Some(outcomes) = self.outcomes.upgrade() else { return };
        let item = Item { work: Work::Input(input), origin: Origin::Own, cause, trace };
        // Closed: the service stops, and the sweep of its next start asks again.
        let _closed = outcomes.send(item).await;
    }
}
