//! Keys whose rows are presumed not to exist. What begins with an event or a command nearly always
//! begins for the first time, and a look for its row finds nothing. Separate from the rows that are
//! remembered: those were seen, these were not.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Mutex;

/// Presumes a key new once, and again only after a batch was committed.
///
/// A row that is presumed not to exist must be inserted, and its unique key verifies the presumption:
/// if the row exists after all, nothing of the batch is written, and it runs again. If nothing
/// would be written about it, it must be read: see [`Failure::unread`](crate::Failure::unread).
pub struct Presumed<K> {
    tried: Mutex<HashSet<K>>,
}

impl<K: Eq + Hash + Clone> Presumed<K> {
    /// Those of the keys that may be presumed new. For all others the previous attempt failed:
    /// they have to be read.
    pub fn take(&self, keys: impl IntoIterator<Item = K>) -> Vec<K> {
        let mut tried = self.tried.lock().expect("no panic under this lock");
        keys.into_iter().filter(|key| tried.insert(key.clone())).collect()
    }

    /// A batch was committed, and with it what was presumed for it.
    pub fn settle(&self) {
        self.tried.lock().expect("no panic under this lock").clear();
    }
}

impl<K> Default for Presumed<K> {
    fn default() -> Self {
        Presumed { tried: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_presumed_new_once_until_a_batch_is_committed() {
        let presumed = Presumed::default();
        assert_eq!(presumed.take([1, 2, 1]), [1, 2]);
        assert_eq!(presumed.take([2, 3]), [3]);
        presumed.settle();
        assert_eq!(presumed.take([2]), [2]);
    }
}
