//! Rows as this replica wrote them last. An order's row is read and written several times within a
//! second, mostly by the same replica: what it wrote it need not read again. Separate from the executor,
//! as only a service knows its rows.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::Mutex;

/// Rows kept of each kind: a few times what is under way at full load, in a megabyte or two.
const ROWS_MAX: usize = 8_192;

/// A bounded memory of rows, by key. Those that were not asked for are forgotten first.
///
/// Another replica may have changed a row since. So what is decided on a remembered row must be verified
/// when it is written, by the version that it had; and where nothing would be written, the row must be
/// read: see [`Failure::unread`](crate::Failure::unread).
pub struct Remembered<K, R> {
    halves: Mutex<Halves<K, R>>,
}

struct Halves<K, R> {
    young: HashMap<K, R>,
    /// Dropped as a whole when the young ones fill their half.
    old: HashMap<K, R>,
}

impl<K: Eq + Hash, R> Remembered<K, R> {
    /// Takes the rows with these keys out; the keys of all others stay in `keys`. A row is out for one
    /// attempt only: when that fails, the next one reads it.
    pub fn take(&self, keys: &mut Vec<K>) -> HashMap<K, R> {
        let mut taken = HashMap::with_capacity(keys.len());
        let mut halves = self.halves.lock().expect("no panic under this lock");
        let Halves { young, old } = &mut *halves;
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
        let mut halves = self.halves.lock().expect("no panic under this lock");
        for (key, row) in rows {
            if halves.young.len() >= ROWS_MAX / 2 {
                halves.old = mem::take(&mut halves.young);
            }
            halves.young.insert(key, row);
        }
    }
}

impl<K, R> Default for Remembered<K, R> {
    fn default() -> Self {
        Remembered { halves: Mutex::new(Halves { young: HashMap::new(), old: HashMap::new() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_taken_once_and_what_is_not_known_is_left_to_be_read() {
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
    fn no_more_is_remembered_than_the_limit_and_the_latest_is() {
        let remembered = Remembered::default();
        let last = ROWS_MAX * 3;
        remembered.put((0..=last).map(|key| (key, ())));
        let found = remembered.take(&mut (0..=last).collect());
        assert!(found.len() <= ROWS_MAX && found.contains_key(&last));
    }
}
