//! What the service knows about its own state: readiness, and whether it may accept commands.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use tokio::sync::watch;

/// Shared by everything that can be well or unwell.
pub(crate) struct Health {
    waits_for: Mutex<BTreeMap<&'static str, String>>,
    started: AtomicBool,
    database_up: AtomicBool,
    outbox_messages: AtomicI64,
    outbox_messages_max: i64,
    stop: watch::Sender<bool>,
}

impl Health {
    /// `outbox_messages_max` is the watermark beyond which commands are refused.
    pub(crate) fn new(outbox_messages_max: i64) -> Self {
        Health {
            waits_for: Mutex::default(),
            started: AtomicBool::new(false),
            database_up: AtomicBool::new(false),
            outbox_messages: AtomicI64::new(0),
            outbox_messages_max,
            stop: watch::channel(false).0,
        }
    }

    /// Not ready because of `part`, for the reason given. Logged when the reason is new.
    pub(crate) fn waits_for(&self, part: &'static str, reason: String) {
        let mut waits = self.waits_for.lock().expect("no panic under this lock");
        if waits.get(part) != Some(&reason) {
            tracing::warn!(part, "waiting: {reason}");
            waits.insert(part, reason);
        }
    }

    /// `part` is well again.
    pub(crate) fn has(&self, part: &'static str) {
        let mut waits = self.waits_for.lock().expect("no panic under this lock");
        if waits.remove(part).is_some() {
            tracing::info!(part, "no longer waiting");
        }
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

    /// What the service waits for; empty when it is well.
    pub(crate) fn waiting(&self) -> BTreeMap<&'static str, String> {
        let mut waits = self.waits_for.lock().expect("no panic under this lock").clone();
        if !self.is_started() {
            waits.entry("start").or_insert_with(|| "the service is starting".to_owned());
        }
        if self.is_stopping() {
            waits.insert("stop", "the service is stopping".to_owned());
        }
        waits
    }

    /// Whether callers should be sent here. Kafka or the registry being away while the service runs is
    /// no reason against: commands are accepted and events wait in the outbox.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_started() && !self.is_stopping() && self.database_up.load(Relaxed)
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

    pub(crate) fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives in `self`, so waiting can only end with the value.
        let _never_closed = stop.wait_for(|stop| *stop).await;
    }
}
