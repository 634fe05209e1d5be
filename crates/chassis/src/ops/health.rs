//! What the service knows about its own state: readiness, and whether it may accept commands.

#![allow(clippy::disallowed_methods, reason = "since when is only shown, and decides nothing")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

/// How much of the service a part takes down with it while it has a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Something waits, and callers can still be served.
    Degraded,
    /// Callers, or partitions, are better off elsewhere.
    NotReady,
}

/// The problem of a part.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) severity: Severity,
    /// What it waits for and what to do about it.
    pub(crate) reason: String,
    /// When the part's trouble began, whatever the reason was then. Only shown; nothing is decided by it.
    pub(crate) since: DateTime<Utc>,
}

/// What tells a service to stop, in two steps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Departure {
    /// Callers are to go elsewhere.
    pub(crate) leaving: CancellationToken,
    /// Nothing more is accepted.
    pub(crate) stopping: CancellationToken,
}

/// Shared by everything that can have a problem.
pub(crate) struct Health {
    conditions: Mutex<BTreeMap<&'static str, Condition>>,
    /// When something was last done that needs a dependency.
    moved: Mutex<BTreeMap<&'static str, DateTime<Utc>>>,
    started: AtomicBool,
    database_up: AtomicBool,
    outbox_messages: AtomicI64,
    outbox_messages_max: i64,
    departure: Departure,
}

impl Health {
    /// For a process that nobody stops. `outbox_messages_max` is the watermark beyond which commands are refused.
    #[cfg(any(test, feature = "measuring"))]
    pub(crate) fn new(outbox_messages_max: i64) -> Self {
        Health::until(Departure::default(), outbox_messages_max)
    }

    /// For a process that is told to stop.
    pub(crate) fn until(departure: Departure, outbox_messages_max: i64) -> Self {
        Health {
            conditions: Mutex::default(),
            moved: Mutex::default(),
            started: AtomicBool::new(false),
            database_up: AtomicBool::new(false),
            outbox_messages: AtomicI64::new(0),
            outbox_messages_max,
            departure,
        }
    }

    /// `part` waits, for the reason given; callers can still be served. Logged when the reason is new.
    pub(crate) fn waits_for(&self, part: &'static str, reason: String) {
        self.set(part, Severity::Degraded, reason);
    }

    /// Not ready because of `part`.
    pub(crate) fn blocked(&self, part: &'static str, reason: String) {
        self.set(part, Severity::NotReady, reason);
    }

    fn set(&self, part: &'static str, severity: Severity, reason: String) {
        let mut conditions = self.conditions.lock().expect("no panic under this lock");
        let before = conditions.get(part);
        if before.is_some_and(|known| known.reason == reason && known.severity == severity) {
            return;
        }
        tracing::warn!(part, "waiting: {reason}");
        let since = before.map_or_else(Utc::now, |known| known.since);
        conditions.insert(part, Condition { severity, reason, since });
    }

    /// `part` has recovered.
    pub(crate) fn has(&self, part: &'static str) {
        let mut conditions = self.conditions.lock().expect("no panic under this lock");
        if conditions.remove(part).is_some() {
            tracing::info!(part, "no longer waiting");
        }
    }

    /// Something was done that needs `dependency`. Shows an observer whether anything moves, even if nobody
    /// has noticed a problem.
    pub(crate) fn moves(&self, dependency: &'static str) {
        let mut moved = self.moved.lock().expect("no panic under this lock");
        moved.insert(dependency, Utc::now());
    }

    /// When something was last done that needs each dependency.
    pub(crate) fn moved(&self) -> BTreeMap<&'static str, DateTime<Utc>> {
        self.moved.lock().expect("no panic under this lock").clone()
    }

    fn is_worse_than(&self, tolerable: Severity) -> bool {
        let conditions = self.conditions.lock().expect("no panic under this lock");
        conditions.values().any(|condition| condition.severity > tolerable)
    }

    pub(crate) fn set_started(&self) {
        self.started.store(true, Relaxed);
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started.load(Relaxed)
    }

    pub(crate) fn set_database_up(&self, up: bool) {
        self.database_up.store(up, Relaxed);
    }

    /// Notes how many messages wait to be published.
    pub(crate) fn set_outbox_messages(&self, messages: i64) {
        self.outbox_messages.store(messages, Relaxed);
    }

    /// What the service waits for; empty when all is well.
    pub(crate) fn conditions(&self) -> BTreeMap<&'static str, Condition> {
        let mut conditions = self.conditions.lock().expect("no panic under this lock").clone();
        let not_ready = |reason: &str| Condition {
            severity: Severity::NotReady,
            reason: reason.to_owned(),
            since: Utc::now(),
        };
        if !self.is_started() {
            conditions.entry("start").or_insert_with(|| not_ready("the service is starting"));
        }
        if self.is_leaving() {
            conditions.insert("stop", not_ready("the service is stopping"));
        }
        conditions
    }

    /// Whether callers should be sent here. Kafka or the registry being away while the service runs is
    /// no reason against: commands are accepted and events wait in the outbox.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_started()
            && !self.is_leaving()
            && self.database_up.load(Relaxed)
            && !self.is_worse_than(Severity::Degraded)
    }

    /// Why commands are refused now, if they are.
    pub(crate) fn refuses_commands(&self) -> Option<&'static str> {
        if self.is_stopping() {
            Some("the service is stopping")
        } else if !self.is_started() {
            Some("the service is starting")
        } else if !self.database_up.load(Relaxed) {
            Some("the database is away")
        } else if self.outbox_messages.load(Relaxed) > self.outbox_messages_max {
            Some("events have not been published for so long that no more can be kept")
        } else {
            None
        }
    }

    /// Whether callers are to go elsewhere. Those that come all the same are served until it stops.
    pub(crate) fn is_leaving(&self) -> bool {
        self.departure.leaving.is_cancelled() || self.is_stopping()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.departure.stopping.is_cancelled()
    }

    pub(crate) async fn stopping(&self) {
        self.departure.stopping.cancelled().await;
    }
}
