//! Whether the executor makes progress. Each of its attempts has a deadline, so it never hangs unseen; but a
//! replica that commits nothing while inputs wait should not be sent callers, and one whose loop no longer
//! turns at all should be restarted.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::ops::health::Health;
use crate::postgres::trouble::PATIENCE;

/// How long inputs may wait without a commit before the replica is not ready. As long as a caller waits.
const STALLED: Duration = Duration::from_secs(10);
/// How long an attempt may take before the loop counts as hung: longer than all deadlines of one together.
const HUNG: Duration = Duration::from_secs(4 * PATIENCE.as_secs());

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// What the executor is working on.
#[derive(Default)]
pub(crate) struct Progress {
    work: Mutex<Option<Work>>,
}

/// A batch that is not finished.
struct Work {
    /// When the batch began, or a part of it was last committed.
    since: Instant,
    /// When its last attempt ended.
    turned: Instant,
    /// Why its last attempt failed.
    trouble: String,
}

impl Progress {
    /// A batch begins, or a part of one was committed.
    pub(crate) fn gets_on(&self) {
        let now = Instant::now();
        *self.lock() = Some(Work { since: now, turned: now, trouble: String::new() });
    }

    /// An attempt failed, and another follows.
    pub(crate) fn failed(&self, why: String) {
        if let Some(work) = &mut *self.lock() {
            work.turned = Instant::now();
            work.trouble = why;
        }
    }

    /// Nothing waits.
    pub(crate) fn rests(&self) {
        *self.lock() = None;
    }

    /// Reports whether callers should be sent here, until the service stops.
    pub(crate) async fn watch(self: Arc<Self>, health: Arc<Health>) {
        while !health.is_stopping() {
            self.judge(&health);
            tokio::time::sleep(EVERY).await;
        }
    }

    fn judge(&self, health: &Health) {
        let work = self.lock();
        match work.as_ref().filter(|work| work.since.elapsed() >= STALLED) {
            Some(Work { trouble, .. }) => {
                let seconds = STALLED.as_secs();
                let why = if trouble.is_empty() { "the database takes its time" } else { trouble };
                health.blocked(
                    "executor",
                    format!("nothing was committed for {seconds} s although inputs wait: {why}"),
                );
            }
            None => health.has("executor"),
        }
    }

    /// Whether the loop no longer turns.
    pub(crate) fn is_hung(&self) -> bool {
        self.lock().as_ref().is_some_and(|work| work.turned.elapsed() >= HUNG)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Work>> {
        self.work.lock().expect("no panic under this lock")
    }
}
