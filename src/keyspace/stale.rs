//! Keys that reads found expired: told of already, still to be deleted.

use crate::structures::ordered::OrderedSet;

/// The keys, each behind the four bytes of its database's number, highest first.
#[derive(Debug, Default)]
pub(super) struct StaleKeys {
    places: OrderedSet<Vec<u8>>,
}

fn place(db: usize, key: &[u8]) -> Vec<u8> {
    [&(db as u32).to_be_bytes(), key].concat()
}

/// Database and key; see [`place`].
fn parts(place: &[u8]) -> Option<(usize, &[u8])> {
    let (db, key) = place.split_first_chunk()?;
    Some((u32::from_be_bytes(*db) as usize, key))
}

impl StaleKeys {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a key; false when it was known. O(log n).
    pub(super) fn add(&mut self, db: usize, key: &[u8]) -> bool {
        self.places.insert(place(db, key))
    }

    /// Removes a key; false when it was not known. O(log n).
    pub(super) fn remove(&mut self, db: usize, key: &[u8]) -> bool {
        self.places.remove(&place(db, key))
    }

    /// Forgets the keys of a database that was emptied. O(n).
    pub(super) fn forget_db(&mut self, db: usize) {
        if self.is_empty() {
            return;
        }
        let mut kept = OrderedSet::new();
        for place in core::mem::take(&mut self.places) {
            if parts(&place).is_some_and(|(other, _)| other != db) {
                kept.insert(place);
            }
        }
        self.places = kept;
    }

    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    /// Hands all of them over.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (usize, Vec<u8>)> + use<> {
        let places = core::mem::take(&mut self.places);
        places
            .into_iter()
            .filter_map(|place| parts(&place).map(|(db, key)| (db, key.to_vec())))
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
