//! Tells those who watch an order what becomes of it: one hub per replica. Steps of this replica wake
//! it at once; steps of other replicas are found by one statement for all watched orders, four times
//! a second and only while somebody watches. However many watch, the database sees one reader.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use uuid::Uuid;

use crate::store::{self, OrderRow};

/// Watchers a replica serves at once; each holds a connection and the latest row of its order.
pub(crate) const WATCHERS_MAX: usize = 4_096;
/// How late a step of another replica may be noticed.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// Reads follow each other at this distance at least: one by one they would cost more than all else.
const PACE: Duration = Duration::from_millis(5);
/// How long a round waits for a database that is silent. Then its connection is given up.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// The latest reading of a watched order.
#[derive(Debug, Clone, Default)]
struct Reading {
    /// The hub's round that read it; 0 before the first.
    round: u64,
    /// `None` when there is no such order.
    row: Option<Arc<OrderRow>>,
}

/// As many watch as may watch.
#[derive(Debug, thiserror::Error)]
#[error("too many requests watch orders")]
pub struct TooManyWatchers;

/// The orders that are watched in this replica.
pub(crate) struct Hub {
    db: PgPool,
    /// Subscribes to the changes of this replica; holds their sender.
    changes: Box<dyn Fn() -> broadcast::Receiver<Uuid> + Send + Sync>,
    state: Mutex<State>,
    /// Somebody began to watch.
    joined: Notify,
}

#[derive(Default)]
struct State {
    watched: HashMap<Uuid, Watched>,
    watchers: usize,
    /// To be read in the next round, whether or not it is time to read all.
    due: HashSet<Uuid>,
    /// Rounds begun.
    round: u64,
    running: bool,
}

struct Watched {
    reading: watch::Sender<Reading>,
    watchers: usize,
    /// The first round that began after the latest watcher joined.
    awaited: u64,
}

impl Hub {
    pub(crate) fn new(
        db: PgPool,
        changes: impl Fn() -> broadcast::Receiver<Uuid> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let changes = Box::new(changes);
        Arc::new(Hub { db, changes, state: Mutex::default(), joined: Notify::new() })
    }

    /// Watches an order until the watcher is dropped. Its first news is the order as it is now, read
    /// after this call: no step can fall between.
    pub(crate) fn watch(self: &Arc<Self>, order: Uuid) -> Result<Watcher, TooManyWatchers> {
        let mut state = self.lock();
        if state.watchers >= WATCHERS_MAX {
            return Err(TooManyWatchers);
        }
        state.watchers += 1;
        state.due.insert(order);
        let awaited = state.round + 1;
        let watched = state.watched.entry(order).or_insert_with(|| Watched {
            reading: watch::channel(Reading::default()).0,
            watchers: 0,
            awaited,
        });
        watched.watchers += 1;
        watched.awaited = awaited;
        let reading = watched.reading.subscribe();
        if !state.running {
            state.running = true;
            // Subscribed here, under the lock: every change from now on is heard.
            let changes = (self.changes)();
            tokio::spawn(Arc::clone(self).run(changes));
        }
        drop(state);
        self.joined.notify_one();
        Ok(Watcher { hub: Arc::clone(self), order, reading, awaited, version: 0 })
    }

    /// Runs while somebody watches.
    async fn run(self: Arc<Self>, mut changes: broadcast::Receiver<Uuid>) {
        let mut poll = interval(POLL_EVERY);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut not_before = Instant::now();
        loop {
            let all = tokio::select! {
                () = self.joined.notified() => false,
                _ = poll.tick() => true,
                change = changes.recv() => self.heard(change),
            };
            sleep_until(not_before).await;
            let all = self.drain(&mut changes) || all;
            let Some((orders, versions)) = self.begin_round(all) else { return };
            if orders.is_empty() {
                continue;
            }
            not_before = Instant::now() + PACE;
            let read = store::changed_since(&self.db, &orders, &versions);
            match timeout(READ_PATIENCE, read).await {
                Ok(Ok(rows)) => self.end_round(&orders, rows),
                // The next poll asks again; until then watchers see what they saw.
                Ok(Err(error)) => tracing::warn!(%error, "could not read the watched orders"),
                Err(_elapsed) => tracing::warn!("the database does not answer about orders"),
            }
        }
    }

    /// Notes a change; `true` when changes were missed, so that every order has to be read.
    fn heard(&self, change: Result<Uuid, RecvError>) -> bool {
        match change {
            Ok(order) => {
                let mut state = self.lock();
                if state.watched.contains_key(&order) {
                    state.due.insert(order);
                }
                false
            }
            Err(RecvError::Lagged(_)) => true,
            Err(RecvError::Closed) => unreachable!("the hub holds the sender"),
        }
    }

    /// Notes all changes that wait; `true` when changes were missed.
    fn drain(&self, changes: &mut broadcast::Receiver<Uuid>) -> bool {
        let mut missed = false;
        loop {
            let change = match changes.try_recv() {
                Ok(order) => Ok(order),
                Err(broadcast::error::TryRecvError::Lagged(count)) => Err(RecvError::Lagged(count)),
                Err(broadcast::error::TryRecvError::Empty) => return missed,
                Err(broadcast::error::TryRecvError::Closed) => return missed,
            };
            missed |= self.heard(change);
        }
    }

    /// What to read in this round, each with the version known of it; `None` to end because nobody
    /// watches any more.
    fn begin_round(&self, all: bool) -> Option<(Vec<Uuid>, Vec<i64>)> {
        let mut state = self.lock();
        if state.watched.is_empty() {
            state.running = false;
            return None;
        }
        let due = std::mem::take(&mut state.due);
        if due.is_empty() && !all {
            return Some(Default::default());
        }
        state.round += 1;
        let known =
            |watched: &Watched| watched.reading.borrow().row.as_ref().map_or(0, |row| row.version);
        Some(if all {
            state.watched.iter().map(|(order, watched)| (*order, known(watched))).unzip()
        } else {
            due.iter().filter_map(|order| Some((*order, known(state.watched.get(order)?)))).unzip()
        })
    }

    /// Passes on what the round read: to all watchers of a row that is new, and to those who wait for
    /// their first reading whatever it was.
    fn end_round(&self, asked: &[Uuid], rows: Vec<OrderRow>) {
        let state = self.lock();
        let mut rows: HashMap<Uuid, OrderRow> =
            rows.into_iter().map(|row| (row.order_id, row)).collect();
        for order in asked {
            let Some(watched) = state.watched.get(order) else { continue };
            let row = rows.remove(order);
            watched.reading.send_if_modified(|reading| {
                let awaited = reading.round < watched.awaited;
                let changed = row.is_some();
                reading.round = state.round;
                if let Some(row) = row {
                    reading.row = Some(Arc::new(row));
                }
                awaited || changed
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under this lock")
    }
}

/// Somebody who watches one order.
pub(crate) struct Watcher {
    hub: Arc<Hub>,
    order: Uuid,
    reading: watch::Receiver<Reading>,
    awaited: u64,
    /// The version handed out last.
    version: i64,
}

impl Watcher {
    /// The order as it was after the watching began, `None` when there is none.
    pub(crate) async fn first(&mut self) -> Option<Arc<OrderRow>> {
        let awaited = self.awaited;
        let reading = self.reading.wait_for(|reading| reading.round >= awaited).await;
        let row = reading.expect(SENDER_LIVES).row.clone()?;
        self.version = row.version;
        Some(row)
    }

    /// The order once it is newer than what was handed out last.
    pub(crate) async fn next(&mut self) -> Arc<OrderRow> {
        let known = self.version;
        let newer = |row: &Arc<OrderRow>| row.version > known;
        let reading =
            self.reading.wait_for(|reading| reading.row.as_ref().is_some_and(newer)).await;
        let row = reading.expect(SENDER_LIVES).row.clone().expect("waited for a row");
        self.version = row.version;
        row
    }
}

const SENDER_LIVES: &str = "the hub keeps the sender while there are watchers";

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        state.watchers -= 1;
        if let Some(watched) = state.watched.get_mut(&self.order) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                state.watched.remove(&self.order);
                state.due.remove(&self.order);
            }
        }
    }
}

#[cfg(test)]
mod tests;
