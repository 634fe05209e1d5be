//! Rows by key, and what makes them cheap: those that were written last are remembered, those that begin are
//! presumed not to exist, and neither is read. Such a row may be wrong, so that nothing may rest on it before
//! it is verified: by its version where it is written, by a read where it is not. All of that is here and not
//! in services, where one forgotten line would compile and decide on stale memory.

mod participant;
mod sql;

use std::collections::HashMap;
use std::hash::Hash;

use chrono::{DateTime, Utc};
use events::Events;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row as _};
use uuid::Uuid;

#[cfg(feature = "measuring")]
pub use self::participant::rows_of;
pub use self::participant::{Addressed, Decision, KeyOf, Participant, Reply, Settled};
use self::sql::Sql;
pub use self::sql::{Change, Table};
use crate::effects::Effects;
use crate::failure::Failure;
use crate::presumed::Presumed;
use crate::remembered::Remembered;
use crate::writes::{Columns, Writes};

/// What rows are found by: an id of the service's own, with a UUID in it.
pub trait Key: Copy + Eq + Ord + Hash + From<Uuid> + Into<Uuid> + Send + Sync + 'static {}

impl<K: Copy + Eq + Ord + Hash + From<Uuid> + Into<Uuid> + Send + Sync + 'static> Key for K {}

/// A state that stands in a row of its own.
pub trait Stored: Sized + Send + Sync + 'static {
    /// What its rows are found by.
    type Key: Key;

    /// Where they are.
    const TABLE: Table;

    /// Reads a state from the columns of its table.
    fn read(row: &PgRow) -> Result<Self, Failure>;

    /// Adds the columns of [`Stored::TABLE`], in any order, each with a value for every state.
    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w>;

    /// The state as it will be read, if its key will soon be asked for again. A few thousand are kept.
    fn remembered(self) -> Option<Self> {
        Some(self)
    }
}

/// The rows of a table, as a service holds on to them from batch to batch.
pub struct Keyed<R: Stored> {
    sql: Sql,
    remembered: Remembered<R::Key, Row<R>>,
    presumed: Presumed<R::Key>,
}

/// The rows that one batch of inputs touches.
pub struct Rows<R: Stored> {
    rows: HashMap<R::Key, Row<R>>,
    sql: Sql,
}

/// One row.
struct Row<R> {
    state: R,
    /// How many events were published about the key.
    sequence: i64,
    /// Of the row as it is in the table; 0 when there is none.
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
    /// Loads the rows of a batch, with one statement at most. A key without a row is in its default state.
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
        rows.extend(new.into_iter().map(|key| (key, Row::absent(false))));
        keys.retain(|key| !rows.contains_key(key));
        self.read_into(&mut rows, db, &keys).await?;
        for key in keys {
            rows.entry(key).or_insert_with(|| Row::absent(true));
        }
        Ok(Rows { rows, sql: self.sql.clone() })
    }
}

impl<R: Stored> Keyed<R> {
    /// Reads the states of keys, those that have a row, past everything that is remembered.
    pub async fn read(
        &self,
        db: &mut PgConnection,
        keys: impl IntoIterator<Item = R::Key>,
    ) -> Result<HashMap<R::Key, R>, Failure> {
        let mut rows = HashMap::new();
        self.read_into(&mut rows, db, &keys.into_iter().collect::<Vec<_>>()).await?;
        Ok(rows.into_iter().map(|(key, row)| (key, row.state)).collect())
    }

    /// Without `for update`: whoever writes verifies the version.
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
            let state = R::read(row)?;
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
    /// The state of a key that was loaded.
    pub fn get(&self, key: R::Key) -> Option<&R> {
        self.rows.get(&key).map(|row| &row.state)
    }

    /// All states that were loaded.
    pub fn states(&self) -> impl Iterator<Item = &R> {
        self.rows.values().map(|row| &row.state)
    }

    /// Moves a key to another state, and publishes what that means under its next numbers.
    pub fn enter<E: Events, C>(
        &mut self,
        key: R::Key,
        state: R,
        events: &[E],
        effects: &mut Effects<C>,
    ) {
        let row = self.rows.get_mut(&key).expect("only what was loaded is decided on");
        row.state = state;
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
        // A plain insert: should another replica have been faster, the unique key says so, and the batch
        // runs again with the row that won.
        write(writes, self.sql.insert(), &new);
        write(writes, self.sql.update(), &old);
        Ok(())
    }
}

fn write<R: Stored>(writes: &mut Writes, sql: String, rows: &[(R::Key, &Row<R>, i64)]) {
    if rows.is_empty() {
        return;
    }
    let states: Vec<&R> = rows.iter().map(|(_, row, _)| &row.state).collect();
    let time = |at: &i64| DateTime::from_timestamp_micros(*at).unwrap_or_default();
    let columns = writes
        .add(sql)
        .column(R::TABLE.key, rows.iter().map(|(key, ..)| (*key).into()).collect::<Vec<Uuid>>())
        .column("version", rows.iter().map(|(_, row, _)| row.version).collect::<Vec<_>>())
        .column("sequence", rows.iter().map(|(_, row, _)| row.sequence).collect::<Vec<_>>())
        .column("changed_at", rows.iter().map(|(.., at)| time(at)).collect::<Vec<DateTime<Utc>>>());
    R::write(columns, &states).expect(rows.len(), R::TABLE.name);
}

#[cfg(feature = "measuring")]
impl<R: Stored + Default + PartialEq> Rows<R> {
    /// Rows as they were read after one event each; those in their default state are not there.
    fn of(states: impl IntoIterator<Item = (R::Key, R)>) -> Self {
        let row = |(key, state)| match state == R::default() {
            true => (key, Row::absent(true)),
            false => (key, Row { state, sequence: 1, version: 1, is_read: true, changed_at: None }),
        };
        Rows { rows: states.into_iter().map(row).collect(), sql: Sql::of(&R::TABLE) }
    }
}

impl<R> Row<R> {
    fn absent(is_read: bool) -> Self
    where
        R: Default,
    {
        Row { state: R::default(), sequence: 0, version: 0, is_read, changed_at: None }
    }

    /// The row as it was written, if it was and is to be remembered.
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
    /// Since when.
    pub since: DateTime<Utc>,
    /// All columns, also those that the state no longer needs.
    pub row: PgRow,
}

/// Looks a row up, to show it.
pub async fn find<R: Stored>(db: &PgPool, key: R::Key) -> Result<Option<Shown<R>>, Failure> {
    let sql = Sql::of(&R::TABLE).select();
    let found = sqlx::query(AssertSqlSafe(sql)).bind([key.into()]).fetch_optional(db).await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(Shown { state: R::read(&row)?, since: row.try_get("changed_at")?, row }))
}

#[cfg(all(test, feature = "testing"))]
mod tests;
