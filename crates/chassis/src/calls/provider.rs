//! Whether the other side of calls answers: reported once when it stops and once when it starts again, not with
//! every attempt, of which there are thousands a minute while it is away.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;

use super::{Panicked, TookTooLong};
use crate::failure::Chain;
use crate::ops::health::Health;
use crate::ops::telemetry::Telemetry;
use crate::service::Unanswered;

/// This many attempts in a row without an outcome, over at least that time, and the provider counts as away.
/// A single one means nothing: it is made again.
const AWAY_ATTEMPTS: u32 = 3;
const AWAY_TIME: Duration = Duration::from_secs(2);

pub(super) struct Provider {
    name: &'static str,
    labels: [KeyValue; 1],
    health: Arc<Health>,
    telemetry: Arc<Telemetry>,
    /// Calls that had an outcome.
    answers: AtomicU64,
    /// Whether any attempt since the last outcome had none; spares calls that succeed the lock.
    is_in_doubt: AtomicBool,
    doubt: Mutex<Option<Doubt>>,
}

/// Since the last outcome.
struct Doubt {
    since: Instant,
    attempts: u32,
}

impl Provider {
    pub(super) fn new(name: &'static str, health: Arc<Health>, telemetry: Arc<Telemetry>) -> Self {
        let labels = [KeyValue::new("provider", name)];
        let (answers, is_in_doubt) = (AtomicU64::new(0), AtomicBool::new(false));
        Provider { name, labels, health, telemetry, answers, is_in_doubt, doubt: Mutex::default() }
    }

    /// A call has an outcome.
    pub(super) fn answered(&self) {
        self.telemetry.metrics.calls.add(1, &self.labels);
        self.health.moves(self.name);
        self.answers.fetch_add(1, Relaxed);
        self.trust();
    }

    /// How many calls have had an outcome.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Relaxed)
    }

    /// There is no longer any sign that the provider is away.
    fn trust(&self) {
        if self.is_in_doubt.load(Relaxed) {
            let mut doubt = self.doubt.lock().expect("no panic under this lock");
            *doubt = None;
            self.is_in_doubt.store(false, Relaxed);
            self.health.has(self.name);
        }
    }

    /// An attempt has no outcome, and another follows.
    pub(super) fn unanswered(&self, why: &Unanswered) {
        let cause = cause(why);
        let labels = [self.labels[0].clone(), KeyValue::new("cause", cause)];
        self.telemetry.metrics.unanswered_calls.add(1, &labels);
        tracing::debug!(provider = self.name, error = %Chain(why), "a call is made again");
        let mut doubt = self.doubt.lock().expect("no panic under this lock");
        self.is_in_doubt.store(true, Relaxed);
        let now = doubt.get_or_insert_with(|| Doubt { since: Instant::now(), attempts: 0 });
        now.attempts += 1;
        if now.attempts >= AWAY_ATTEMPTS && now.since.elapsed() >= AWAY_TIME {
            let name = self.name;
            self.health.waits_for(
                name,
                format!(
                    "{name} gives no outcomes ({cause}). Its calls are made again, under the same idempotency \
                     keys, until it does; is it reachable, and what does it say of itself?"
                ),
            );
        }
    }

    /// Reports what is open. If nothing is, nobody waits for the provider: the last call may have got its
    /// outcome elsewhere, from an operator or another replica.
    pub(super) fn show(&self, open: usize, oldest: Duration) {
        if open == 0 {
            self.trust();
        }
        let metrics = &self.telemetry.metrics;
        metrics.calls_open.record(open as u64, &self.labels);
        metrics.calls_oldest.record(oldest.as_secs_f64(), &self.labels);
    }
}

/// Few and fixed, for a label.
fn cause(why: &Unanswered) -> &'static str {
    if why.is_refused() {
        return "refused";
    }
    let mut source: Option<&(dyn Error + 'static)> = why.source();
    while let Some(error) = source {
        if error.is::<TookTooLong>() {
            return "timeout";
        }
        if error.is::<Panicked>() {
            return "panic";
        }
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            return match () {
                () if error.is_timeout() => "timeout",
                () if error.is_connect() => "unreachable",
                () => "broken_off",
            };
        }
        source = error.source();
    }
    "unclear_answer"
}

#[cfg(test)]
mod tests;
