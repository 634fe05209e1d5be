//! Rows by key, and what makes them cheap: those that were written last are remembered, those that begin are
//! presumed not to exist, and neither is read. Such a row may be wrong, so nothing may rest on it before it is
//! verified: by its version if it is written, by a read if it is not. All of that is here and not in
//! services, where one forgotten line would compile and decide on stale memory. A [`KeyedService`] cannot get it
//! wrong; a service that also has other rows must call [`Keyed::load`], [`Rows::save`] and [`Keyed::committed`] in
//! its own methods of the same names.

pub(crate) mod remembered;
pub(crate) mod presumed;
pub(crate) mod show;
mod service;
mod sql;

use std::collections::HashMap;
use std::hash::Hash;

use chrono::{DateTime, Utc};
use language::Events;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row as _};
use uuid::Uuid;

#[cfg(feature = "measuring")]
pub use self::service::rows_of;
pub use self::service::{Addressed, Decision, KeyOf, KeyedService, Reply};
use self::sql::Sql;
pub use self::sql::{Column, Table};
use crate::effects::Effects;
use crate::failure::Failure;
use crate::postgres::writes::{Columns, Writes};
use crate::rows::presumed::Presumed;
use crate::rows::remembered::Remembered;

/// What rows are found by: an id of the service's own, with a UUID in it.
pub trait Key: Copy + Eq + Ord + Hash + From<Uuid> + Into<Uuid> + Send + Sync + 'static {}

impl<K: Copy + Eq + Ord + Hash + From<Uuid> + Into<Uuid> + Send + Sync + 'static> Key for K {}

/// A state that is stored in a row of its own.
pub trait Stored: Sized + Send + Sync + 'static {
    /// What its rows are found by.
    type Key: Key;

    /// Where they are.
    const TABLE: Table;

    /// Reads a state from the columns of its table.
    fn read(row: &PgRow) -> Result<Self, Failure>;

    /// Adds the columns of [`Stored::TABLE`] except those that are written once, in any order, each with a value
    /// for every state. The state of a key without a row is never written: no transition leads back to it.
    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w>;

    /// Adds the columns of new rows: those of [`Stored::write`], and those that are written once.
    fn write_new<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w> {
        Self::write(columns, states)
    }

    /// The state as it will be read, if its key will be needed again soon. A few thousand are kept.
    fn remembered(self) -> Option<Self> {
        Some(self)
    }
}

/// The rows of a table, as a service keeps them from batch to batch.
pub struct Keyed<R: Stored> {
    sql: Sql,
    remembered: Remembered<R::Key, Row<R>>,
    presumed: Presumed<R::Key>,
}

/// The rows that one batch of inputs touches.
#[derive(Clone)]
pub struct Rows<R: Stored> {
    rows: HashMap<R::Key, Row<R>>,
    sql: Sql,
}

/// One row.
#[derive(Clone)]
struct Row<R> {
    state: R,
    /// How many events were published about the key.
    sequence: i64,
    /// The version of the row in the table; 0 if there is none.
    version: i64,
    /// Whether it was read for this batch. Otherwise it is remembered, or presumed not to exist.
    is_read: bool,
    /// When this batch changed it, if it did, in microseconds since the Unix epoch.
    changed_at: Option<i64>,
}

/// A key that an input touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched<K> {
    /// The key.
    pub key: K,
    /// Whether the key nearly always begins with this input, so that a look for its row would find nothing.
    pub begins: bool,
}

impl<R: Stored> Default for Keyed<R> {
    fn default() -> Self {
        let sql = Sql::of(&R::TABLE);
        Keyed { sql, remembered: Remembered::default(), presumed: Presumed::default() }
    }
}

impl<R: Stored + Default> Keyed<R> {
    /// Loads the rows of a batch, with at most one statement. A key without a row is in its default state.
    pub async fn load(
        &self,
        db: &mut PgConnection,
        touched: impl IntoIterator<Item = Touched<R::Key>>,
    ) -> Result<Rows<R>, Failure> {
        let (mut keys, mut begun) = (Vec::new(), Vec::new());
        for Touched { key, begins } in touched {
            keys.push(key);
            begun.extend(begins.then_some(key));
        }
        let mut rows = self.remembered.take(&mut keys);
        begun.retain(|key| !rows.contains_key(key));
        let new = self.presumed.take(begun);
        rows.extend(new.into_iter().map(|key| (key, Row::new(R::default(), false))));
        keys.retain(|key| !rows.contains_key(key));
        self.read_into(&mut rows, db, &keys).await?;
        for key in keys {
            rows.entry(key).or_insert_with(|| Row::new(R::default(), true));
        }
        Ok(Rows { rows, sql: self.sql.clone() })
    }
}

impl<R: Stored> Keyed<R> {
    /// Loads those rows of a batch that exist, with at most one statement.
    pub async fn load_existing(
        &self,
        db: &mut PgConnection,
        mut keys: Vec<R::Key>,
    ) -> Result<Rows<R>, Failure> {
        let mut rows = self.remembered.take(&mut keys);
        self.read_into(&mut rows, db, &keys).await?;
        Ok(Rows { rows, sql: self.sql.clone() })
    }

    /// Reads the states of the keys that have a row, bypassing everything that is remembered.
    pub async fn read(
        &self,
        db: &mut PgConnection,
        keys: impl IntoIterator<Item = R::Key>,
    ) -> Result<HashMap<R::Key, R>, Failure> {
        let mut rows = HashMap::new();
        self.read_into(&mut rows, db, &keys.into_iter().collect::<Vec<_>>()).await?;
        Ok(rows.into_iter().map(|(key, row)| (key, row.state)).collect())
    }

    /// Without `for update`, as the write verifies the version.
    async fn read_into(
        &self,
        rows: &mut HashMap<R::Key, Row<R>>,
        db: &mut PgConnection,
        keys: &[R::Key],
    ) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut ids: Vec<Uuid> = keys.iter().map(|key| (*key).into()).collect();
        ids.sort_unstable();
        ids.dedup();
        let found = sqlx::query(AssertSqlSafe(self.sql.select())).bind(ids).fetch_all(db).await?;
        for row in &found {
            let key: Uuid = row.try_get(R::TABLE.key)?;
            let (sequence, version) = (row.try_get("sequence")?, row.try_get("version")?);
            let state = R::read(row).map_err(|failure| unreadable::<R>(key, failure))?;
            let row = Row { state, sequence, version, is_read: true, changed_at: None };
            rows.insert(key.into(), row);
        }
        Ok(())
    }

    /// Remembers what was committed.
    pub fn committed(&self, rows: Rows<R>) {
        self.presumed.settle();
        let written = rows.rows.into_iter().filter_map(|(key, row)| Some((key, row.written()?)));
        self.remembered.put(written);
    }
}

impl<R: Stored> Rows<R> {
    /// The state of a key that was loaded. Only the key that is changed is verified at the commit: a decision
    /// about one key based on the state of another may rest on a state that is gone by then.
    pub fn get(&self, key: R::Key) -> Option<&R> {
        self.rows.get(&key).map(|row| &row.state)
    }

    /// All states, by key.
    pub fn iter(&self) -> impl Iterator<Item = (R::Key, &R)> {
        self.rows.iter().map(|(key, row)| (*key, &row.state))
    }

    /// Begins a key that nobody else can have begun, such as one that was just generated, and publishes what
    /// that means.
    pub fn begin<E: Events, C>(
        &mut self,
        key: R::Key,
        state: R,
        events: &[E],
        effects: &mut Effects<C>,
    ) {
        self.rows.insert(key, Row::new(state, true));
        self.change(key, events, effects, |_as_it_begins| {});
    }

    /// Moves a key to another state, and publishes what that means under its next numbers.
    pub fn enter<E: Events, C>(
        &mut self,
        key: R::Key,
        state: R,
        events: &[E],
        effects: &mut Effects<C>,
    ) {
        self.change(key, events, effects, |before| *before = state);
    }

    /// The same, where the next state is made from the one before.
    pub fn change<E: Events, C>(
        &mut self,
        key: R::Key,
        events: &[E],
        effects: &mut Effects<C>,
        change: impl FnOnce(&mut R),
    ) {
        let row = self.rows.get_mut(&key).expect("only what was loaded is decided on");
        change(&mut row.state);
        row.changed_at = Some(effects.now_micros());
        for event in events {
            row.sequence += 1;
            effects.publish(row.sequence, event);
        }
        effects.changed(key.into());
    }

    /// Adds what changed to the batch's writes, in the order of the keys, so that replicas that write the
    /// same rows do not deadlock. A row that was not read and does not change makes the batch run again
    /// with all of its rows read: what was decided on it would never be verified.
    pub fn save(&self, writes: &mut Writes) -> Result<(), Failure> {
        if self.rows.values().any(|row| !row.is_read && row.changed_at.is_none()) {
            return Err(Failure::unread(R::TABLE.name));
        }
        let changed = self.rows.iter().filter_map(|(key, row)| Some((*key, row, row.changed_at?)));
        let mut changed: Vec<_> = changed.collect();
        changed.sort_unstable_by_key(|(key, ..)| *key);
        let (new, old): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|(_, row, _)| row.version == 0);
        // A plain insert: should another replica have been faster, it violates the unique key, and the batch
        // runs again with the row that won.
        write(writes, self.sql.insert(), &new, R::write_new);
        write(writes, self.sql.update(), &old, R::write);
        Ok(())
    }
}

fn write<R: Stored>(
    writes: &mut Writes,
    sql: String,
    rows: &[(R::Key, &Row<R>, i64)],
    add_states: for<'w> fn(Columns<'w>, &[&R]) -> Columns<'w>,
) {
    if rows.is_empty() {
        return;
    }
    let states: Vec<&R> = rows.iter().map(|(_, row, _)| &row.state).collect();
    let mut columns = writes
        .add_built(sql)
        .each(R::TABLE.key, rows, |(key, ..)| -> Uuid { (*key).into() })
        .each("version", rows, |(_, row, _)| row.version)
        .each("sequence", rows, |(_, row, _)| row.sequence);
    if R::TABLE.is_dated {
        let time = |at: i64| DateTime::from_timestamp_micros(at).unwrap_or_default();
        columns = columns.each("changed_at", rows, |(.., at)| time(*at));
    }
    add_states(columns, &states).expect(rows.len(), R::TABLE.name);
}

impl<R: Stored> Default for Rows<R> {
    /// For a batch that touches none.
    fn default() -> Self {
        Rows { rows: HashMap::new(), sql: Sql::of(&R::TABLE) }
    }
}

#[cfg(feature = "measuring")]
impl<R: Stored> Rows<R> {
    /// Rows as they were read after one event each, for benchmarks.
    pub fn read_as(states: impl IntoIterator<Item = (R::Key, R)>) -> Self {
        let row = |state| Row { sequence: 1, version: 1, ..Row::new(state, true) };
        let rows = states.into_iter().map(|(key, state)| (key, row(state))).collect();
        Rows { rows, ..Rows::default() }
    }
}

#[cfg(feature = "model")]
impl<R: Stored + Default> Rows<R> {
    /// Rows as they are loaded for keys that have none yet.
    pub fn absent(keys: impl IntoIterator<Item = R::Key>) -> Self {
        let row = |key| (key, Row::new(R::default(), true));
        Rows { rows: keys.into_iter().map(row).collect(), ..Rows::default() }
    }
}

#[cfg(feature = "testing")]
impl<R: Stored> Keyed<R> {
    /// Rows as in a batch that leads to these states, with one more event each. For tests of what reads
    /// them.
    pub async fn led_to(
        &self,
        db: &mut PgConnection,
        states: impl IntoIterator<Item = (R::Key, R)>,
        now_micros: i64,
    ) -> Result<Rows<R>, Failure> {
        let states: Vec<(R::Key, R)> = states.into_iter().collect();
        let mut rows = Rows::default();
        let keys: Vec<R::Key> = states.iter().map(|(key, _)| *key).collect();
        self.read_into(&mut rows.rows, db, &keys).await?;
        for (key, state) in states {
            let before = rows.rows.remove(&key);
            let (sequence, version) = before.map_or((0, 0), |row| (row.sequence, row.version));
            let (sequence, changed_at) = (sequence + 1, Some(now_micros));
            rows.rows.insert(key, Row { state, sequence, version, is_read: true, changed_at });
        }
        Ok(rows)
    }
}

impl<R> Row<R> {
    /// The row of a key that has none.
    fn new(state: R, is_read: bool) -> Self {
        Row { state, sequence: 0, version: 0, is_read, changed_at: None }
    }

    /// The row as written, if it was written and is to be remembered.
    fn written(self) -> Option<Self>
    where
        R: Stored,
    {
        self.changed_at?;
        let Row { state, sequence, version, .. } = self;
        let (state, version) = (state.remembered()?, version + 1);
        Some(Row { state, sequence, version, is_read: false, changed_at: None })
    }
}

/// A row as it is shown: outside the executor, so that nothing is decided on it.
pub struct Shown<R> {
    /// The state.
    pub state: R,
    /// Since when, if the table keeps that.
    pub since: Option<DateTime<Utc>>,
    /// All columns that are read, including those that the state no longer needs.
    pub row: PgRow,
}

/// Looks a row up, to show it.
pub async fn find_row<R: Stored>(
    db: &PgPool,
    key: R::Key,
) -> Result<Option<Shown<R>>, sqlx::Error> {
    let sql = Sql::of(&R::TABLE).select();
    let found = sqlx::query(AssertSqlSafe(sql)).bind([key.into()]).fetch_optional(db).await?;
    let Some(row) = found else { return Ok(None) };
    let state = R::read(&row).map_err(|failure| {
        let (Failure::Retry(why) | Failure::Permanent(why)) = unreadable::<R>(key.into(), failure);
        sqlx::Error::Decode(why)
    })?;
    let since = if R::TABLE.is_dated { Some(row.try_get("changed_at")?) } else { None };
    Ok(Some(Shown { state, since, row }))
}

/// A row that no version of the service can have written, or that this one does not read.
#[derive(Debug, thiserror::Error)]
#[error("{table} row {key} cannot be read")]
struct Unreadable {
    table: &'static str,
    key: Uuid,
    source: Box<dyn std::error::Error + Send + Sync>,
}

fn unreadable<R: Stored>(key: Uuid, failure: Failure) -> Failure {
    let error = |source| Unreadable { table: R::TABLE.name, key, source };
    match failure {
        Failure::Permanent(source) => Failure::permanent(error(source)),
        Failure::Retry(source) => Failure::retry(error(source)),
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
