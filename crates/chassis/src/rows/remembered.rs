//! Rows as this replica wrote them last. An order's row is read and written several times within a
//! second, mostly by the same replica, which need not read again what it wrote. Separate from the executor,
//! as only a service knows its rows.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};

/// Rows kept of each kind: a few times what is under way at full load, in a megabyte or two.
const ROWS_MAX: usize = 8_192;

/// Counts lost histories whose rows may be remembered: a new connection may lead to a database that
/// was set back, in which other rows have the versions that these had. One for the whole process, so that
/// no service has to think of it.
static HISTORY: AtomicU64 = AtomicU64::new(0);

/// Empties every service's memory.
pub(crate) fn forget() {
    HISTORY.fetch_add(1, SeqCst);
}

/// A bounded memory of rows, by key. Those that were not asked for are forgotten first.
///
/// Another replica may have changed a row since. So what is decided on a remembered row must be verified
/// when it is written, by the version that it had; and where nothing would be written, the row must be
/// read: see [`Failure::unread`](crate::Failure::unread). The chassis empties it whenever the rows may
/// belong to a history that the database has lost.
pub struct Remembered<K, R> {
    halves: Mutex<Halves<K, R>>,
}

struct Halves<K, R> {
    /// The history that these rows belong to.
    history: u64,
    young: HashMap<K, R>,
    /// Dropped as a whole when the young ones fill their half.
    old: HashMap<K, R>,
}

impl<K: Eq + Hash, R> Remembered<K, R> {
    /// Takes out the rows with these keys; the keys without one stay in `keys`. A row is out for one
    /// attempt only: if that fails, the next one reads it.
    pub fn take(&self, keys: &mut Vec<K>) -> HashMap<K, R> {
        let mut taken = HashMap::with_capacity(keys.len());
        let mut halves = self.lock();
        let Halves { young, old, .. } = &mut *halves;
        keys.retain(|key| {
            if taken.contains_key(key) {
                return false;
            }
            let found = young.remove_entry(key).or_else(|| old.remove_entry(key));
            let is_unknown = found.is_none();
            taken.extend(found);
            is_unknown
        });
        taken
    }

    /// Remembers rows that were committed a moment ago.
    pub fn put(&self, rows: impl IntoIterator<Item = (K, R)>) {
        let mut halves = self.lock();
        for (key, row) in rows {
            if halves.young.len() >= ROWS_MAX / 2 {
                halves.old = mem::take(&mut halves.young);
            }
            halves.young.insert(key, row);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Halves<K, R>> {
        let mut halves = self.halves.lock().expect("no panic under this lock");
        let history = HISTORY.load(SeqCst);
        if halves.history != history {
            *halves = Halves { history, young: HashMap::new(), old: HashMap::new() };
        }
        halves
    }
}

impl<K, R> Default for Remembered<K, R> {
    fn default() -> Self {
        let history = HISTORY.load(SeqCst);
        let halves = Halves { history, young: HashMap::new(), old: HashMap::new() };
        Remembered { halves: Mutex::new(halves) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test at a time: forgetting in one is forgetting in all.
    static TURN: Mutex<()> = Mutex::new(());

    #[test]
    fn a_row_is_taken_once_and_what_is_not_known_is_left_to_be_read() {
        let _turn = TURN.lock();
        let remembered = Remembered::default();
        remembered.put([(1, "one"), (2, "two")]);
        let mut keys = vec![2, 3];
        assert_eq!(remembered.take(&mut keys), HashMap::from([(2, "two")]));
        assert_eq!(keys, [3]);
        keys = vec![2];
        assert!(remembered.take(&mut keys).is_empty());
        assert_eq!(keys, [2]);
    }

    #[test]
    fn what_is_remembered_of_a_database_that_may_be_another_now_is_forgotten() {
        let _turn = TURN.lock();
        let remembered = Remembered::default();
        remembered.put([(1, "one")]);
        forget();
        assert!(remembered.take(&mut vec![1]).is_empty());
        remembered.put([(1, "another")]);
        assert_eq!(remembered.take(&mut vec![1]), HashMap::from([(1, "another")]));
    }

    #[test]
    fn no_more_is_remembered_than_the_limit_and_the_latest_is() {
        let _turn = TURN.lock();
        let remembered = Remembered::default();
        let last = ROWS_MAX * 3;
        remembered.put((0..=last).map(|key| (key, ())));
        let found = remembered.take(&mut (0..=last).collect());
        assert!(found.len() <= ROWS_MAX && found.contains_key(&last));
    }
}
