//! Tells those who watch a row what happens to it: one hub per replica. Steps of this replica wake
//! it at once; steps of other replicas are found by one statement for all watched rows, four times
//! a second and only while somebody watches. However many watch, the database sees one reader.

pub(crate) mod follow;
pub(crate) mod wait;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::Serialize;
use sqlx::PgPool;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use uuid::Uuid;

use crate::executor::handle::Handle;
use crate::http::problem::Problem;
use crate::service::Service;

/// A row that can be watched: it has a history that only grows, and an end.
pub trait Watched: Sized + Send + Sync + 'static {
    /// Something that happened to it, as it is reported.
    type Entry: Serialize;

    /// What it is found by, and what decisions name with [`Effects::changed`](crate::Effects::changed).
    fn key(&self) -> Uuid;

    /// The row's version: every write counts it up.
    fn version(&self) -> i64;

    /// Whether there is nothing left to wait for.
    fn has_ended(&self) -> bool;

    /// An entry of its history, counted from 0, and the entry's name.
    fn entry(&self, nth: usize) -> Option<(&'static str, Self::Entry)>;

    /// The rows with these keys that are newer than the known version of each.
    fn newer(
        db: &PgPool,
        keys: &[Uuid],
        versions: &[i64],
    ) -> impl Future<Output = Result<Vec<Self>, sqlx::Error>> + Send;
}

/// Watchers a replica serves at once; each holds a connection and the latest row.
const WATCHERS_MAX: usize = 4_096;
/// How late a step of another replica may be noticed.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// The least distance between reads: one by one they would cost more than everything else.
const PACE: Duration = Duration::from_millis(5);
/// How long a round waits for a database that is silent. Then its connection is given up.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// The latest reading of a watched row.
struct Latest<W> {
    /// The hub's round that read it; 0 before the first.
    round: u64,
    /// `None` when there is no such row.
    row: Option<Arc<W>>,
}

/// The limit of watchers is reached.
#[derive(Debug, thiserror::Error)]
#[error("too many requests watch; ask now and then instead")]
pub struct TooManyWatchers;

impl From<TooManyWatchers> for Problem {
    fn from(error: TooManyWatchers) -> Self {
        Problem::unavailable(error.to_string())
            .code("too_many_watchers")
            .retry_after(Duration::from_secs(5))
    }
}

/// The rows that are watched in this replica.
pub struct Hub<W: Watched> {
    db: PgPool,
    /// Subscribes to the changes of this replica; holds their sender.
    changes: Box<dyn Fn() -> broadcast::Receiver<Uuid> + Send + Sync>,
    state: Mutex<State<W>>,
    /// Somebody began to watch.
    joined: Notify,
}

struct State<W> {
    watched: HashMap<Uuid, Readers<W>>,
    watchers: usize,
    /// To be read in the next round, even if it is not time to read all.
    due: HashSet<Uuid>,
    /// Rounds begun.
    round: u64,
    running: bool,
}

struct Readers<W> {
    latest: watch::Sender<Latest<W>>,
    watchers: usize,
    /// The first round that began after the latest watcher joined.
    awaited: u64,
}

impl<W: Watched> Hub<W> {
    /// The hub of a service's rows.
    pub fn of<S: Service>(handle: &Handle<S>) -> Arc<Self> {
        let own = handle.clone();
        Hub::new(handle.db().clone(), move || own.changes())
    }

    fn new(
        db: PgPool,
        changes: impl Fn() -> broadcast::Receiver<Uuid> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let changes = Box::new(changes);
        let (watched, due) = (HashMap::new(), HashSet::new());
        let state = State { watched, watchers: 0, due, round: 0, running: false };
        Arc::new(Hub { db, changes, state: Mutex::new(state), joined: Notify::new() })
    }

    /// Watches a row until the watcher is dropped. Its first news is the row as it is now, read
    /// after this call: no step can fall between.
    fn watch(self: &Arc<Self>, key: Uuid) -> Result<Watcher<W>, TooManyWatchers> {
        let mut state = self.lock();
        if state.watchers >= WATCHERS_MAX {
            return Err(TooManyWatchers);
        }
        state.watchers += 1;
        state.due.insert(key);
        let awaited = state.round + 1;
        let watched = state.watched.entry(key).or_insert_with(|| Readers {
            latest: watch::channel(Latest { round: 0, row: None }).0,
            watchers: 0,
            awaited,
        });
        watched.watchers += 1;
        watched.awaited = awaited;
        let latest = watched.latest.subscribe();
        if !state.running {
            state.running = true;
            // Subscribed here, under the lock: every change from now on is heard.
            let changes = (self.changes)();
            tokio::spawn(Arc::clone(self).run(changes));
        }
        drop(state);
        self.joined.notify_one();
        Ok(Watcher { hub: Arc::clone(self), key, latest, awaited, version: 0 })
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
            let Some((keys, versions)) = self.begin_round(all) else { return };
            if keys.is_empty() {
                continue;
            }
            not_before = Instant::now() + PACE;
            let read = W::newer(&self.db, &keys, &versions);
            match timeout(READ_PATIENCE, read).await {
                Ok(Ok(rows)) => self.end_round(&keys, rows),
                // The next poll asks again; until then watchers keep what they saw last.
                Ok(Err(error)) => tracing::warn!(%error, "could not read the watched rows"),
                Err(_elapsed) => {
                    tracing::warn!("the database does not answer about the watched rows")
                }
            }
        }
    }

    /// Notes a change; `true` when changes were missed, so that every row has to be read.
    fn heard(&self, change: Result<Uuid, RecvError>) -> bool {
        match change {
            Ok(key) => {
                let mut state = self.lock();
                if state.watched.contains_key(&key) {
                    state.due.insert(key);
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
                Ok(key) => Ok(key),
                Err(broadcast::error::TryRecvError::Lagged(count)) => Err(RecvError::Lagged(count)),
                Err(broadcast::error::TryRecvError::Empty) => return missed,
                Err(broadcast::error::TryRecvError::Closed) => return missed,
            };
            missed |= self.heard(change);
        }
    }

    /// What to read in this round, each with its known version; `None` to end because nobody
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
        let known = |readers: &Readers<W>| {
            readers.latest.borrow().row.as_ref().map_or(0, |row| row.version())
        };
        Some(if all {
            state.watched.iter().map(|(key, readers)| (*key, known(readers))).unzip()
        } else {
            due.iter().filter_map(|key| Some((*key, known(state.watched.get(key)?)))).unzip()
        })
    }

    /// Passes on what the round read: to all watchers of a row that is new, and to those who wait for
    /// their first reading in any case.
    fn end_round(&self, asked: &[Uuid], rows: Vec<W>) {
        let state = self.lock();
        let mut rows: HashMap<Uuid, W> = rows.into_iter().map(|row| (row.key(), row)).collect();
        for key in asked {
            let Some(watched) = state.watched.get(key) else { continue };
            let row = rows.remove(key);
            watched.latest.send_if_modified(|latest| {
                let awaited = latest.round < watched.awaited;
                let changed = row.is_some();
                latest.round = state.round;
                if let Some(row) = row {
                    latest.row = Some(Arc::new(row));
                }
                awaited || changed
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().expect("no panic under this lock")
    }
}

/// Somebody who watches one row.
struct Watcher<W: Watched> {
    hub: Arc<Hub<W>>,
    key: Uuid,
    latest: watch::Receiver<Latest<W>>,
    awaited: u64,
    /// The version handed out last.
    version: i64,
}

impl<W: Watched> Watcher<W> {
    /// The row as it was after the watching began, `None` when there is none.
    async fn first(&mut self) -> Option<Arc<W>> {
        let awaited = self.awaited;
        let latest = self.latest.wait_for(|latest| latest.round >= awaited).await;
        let row = latest.expect(SENDER_LIVES).row.clone()?;
        self.version = row.version();
        Some(row)
    }

    /// The row once it is newer than what was handed out last.
    async fn next(&mut self) -> Arc<W> {
        let known = self.version;
        let newer = |row: &Arc<W>| row.version() > known;
        let latest = self.latest.wait_for(|latest| latest.row.as_ref().is_some_and(newer)).await;
        let row = latest.expect(SENDER_LIVES).row.clone().expect("waited for a row");
        self.version = row.version();
        row
    }
}

const SENDER_LIVES: &str = "the hub keeps the sender while there are watchers";

impl<W: Watched> Drop for Watcher<W> {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        state.watchers -= 1;
        if let Some(watched) = state.watched.get_mut(&self.key) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                state.watched.remove(&self.key);
                state.due.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
