//! Keys that reads found expired: told of already, still to be deleted.

use std::collections::{BTreeMap, BTreeSet};

/// The keys by database; no empty sets.
#[derive(Debug, Default)]
pub(super) struct StaleKeys {
    dbs: BTreeMap<usize, BTreeSet<Vec<u8>>>,
}

impl StaleKeys {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.dbs.is_empty()
    }

    /// Adds a key; false when it was known. O(log n).
    pub(super) fn add(&mut self, db: usize, key: &[u8]) -> bool {
        let keys = self.dbs.entry(db).or_default();
        !keys.contains(key) && keys.insert(key.to_vec())
    }

    /// Removes a key; false when it was not known. O(log n).
    pub(super) fn remove(&mut self, db: usize, key: &[u8]) -> bool {
        let Some(keys) = self.dbs.get_mut(&db) else {
            return false;
        };
        let was_known = keys.remove(key);
        if keys.is_empty() {
            self.dbs.remove(&db);
        }
        was_known
    }

    /// Forgets the keys of a database that was emptied.
    pub(super) fn forget_db(&mut self, db: usize) {
        self.dbs.remove(&db);
    }

    pub(super) fn clear(&mut self) {
        self.dbs.clear();
    }

    /// Hands all of them over.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (usize, Vec<u8>)> + use<> {
        let dbs = std::mem::take(&mut self.dbs);
        dbs.into_iter()
            .flat_map(|(db, keys)| keys.into_iter().map(move |key| (db, key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_once() {
        let mut stale = StaleKeys::default();
        assert!(stale.add(0, b"a") && !stale.add(0, b"a") && stale.add(1, b"a"));
        assert!(stale.remove(0, b"a") && !stale.remove(0, b"a"));
        assert!(stale.add(0, b"b") && stale.add(0, b"a"));
        let taken: Vec<_> = stale.take().collect();
        let expected = [(0, "a"), (0, "b"), (1, "a")];
        assert_eq!(
            taken,
            expected.map(|(db, key)| (db, key.as_bytes().to_vec()))
        );
        assert!(stale.is_empty());
        stale.add(2, b"a");
        stale.forget_db(2);
        assert!(stale.is_empty());
    }
}
