//! Ordered maps and sets for the engine's own books: subscriptions, watches, waiting clients.
//!
//! ```text
//!   chunks   [ a c d | f g | k m n p ]     sorted runs of up to 128 pairs, none of them empty
//! ```
//!
//! A lookup is two binary searches. An insert moves at most one chunk's pairs and, when a chunk is split, the list of
//! chunks: at a hundred thousand pairs that is a few kilobytes. `std`'s B-tree is faster on millions, but costs about
//! 8 KiB of code for every pair of types; these maps hold thousands at most, and are in a module that people download.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;

/// Sorted chunks, as a search sees them. A trait, so that the search is there once for all types; of its own, because
/// with `dyn Fn` come further copies of each closure.
pub(super) trait Sorted {
    /// How many items that chunk has; 0 for one that is not there.
    fn chunk_len(&self, chunk: usize) -> usize;

    /// How the item there compares with what is searched for; greater, if there is none.
    fn compare(&self, chunk: usize, place: usize) -> Ordering;
}

/// The chunk and place of the item that compares as equal, or where it would be: in the chunk whose first item is the
/// last that compares as less, maybe behind its end. O(log n).
#[inline(never)]
pub(super) fn search(sorted: &dyn Sorted, chunks: usize) -> Result<(usize, usize), (usize, usize)> {
    let chunk = match bisect(chunks, &mut |chunk| sorted.compare(chunk, 0)) {
        Ok(chunk) => return Ok((chunk, 0)),
        Err(after) => after.saturating_sub(1),
    };
    let found = bisect(sorted.chunk_len(chunk), &mut |place| {
        sorted.compare(chunk, place)
    });
    found
        .map(|place| (chunk, place))
        .map_err(|place| (chunk, place))
}

/// The place below `count` that compares as equal, or the first that compares as greater.
fn bisect(count: usize, compare: &mut dyn FnMut(usize) -> Ordering) -> Result<usize, usize> {
    let (mut from, mut to) = (0, count);
    while from < to {
        let middle = from + (to - from) / 2;
        match compare(middle) {
            Ordering::Less => from = middle + 1,
            Ordering::Equal => return Ok(middle),
            Ordering::Greater => to = middle,
        }
    }
    Err(from)
}

/// A chunk is split when it would hold more pairs than this.
const CHUNK: usize = 128;

/// A map whose keys are in order. No hash to flood, and the same order in every run.
#[derive(Clone)]
pub struct OrderedMap<K, V> {
    chunks: Vec<Vec<(K, V)>>,
    len: usize,
}

/// A key that is searched for in a map's chunks.
struct Sought<'a, K, V, Q: ?Sized> {
    chunks: &'a [Vec<(K, V)>],
    key: &'a Q,
}

impl<K: Borrow<Q>, V, Q: Ord + ?Sized> Sorted for Sought<'_, K, V, Q> {
    fn chunk_len(&self, chunk: usize) -> usize {
        self.chunks.get(chunk).map_or(0, Vec::len)
    }

    fn compare(&self, chunk: usize, place: usize) -> Ordering {
        let pair = self.chunks.get(chunk).and_then(|chunk| chunk.get(place));
        pair.map_or(Ordering::Greater, |(key, _)| key.borrow().cmp(self.key))
    }
}

impl<K, V> Default for OrderedMap<K, V> {
    fn default() -> Self {
        OrderedMap {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for OrderedMap<K, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V> OrderedMap<K, V> {
    /// An empty map, without allocation.
    pub fn new() -> Self {
        Self::default()
    }

    /// The chunk and place of `key`, or where it would be.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<(usize, usize), (usize, usize)>
    where
        K: Borrow<Q>,
    {
        let sought = Sought {
            chunks: &self.chunks,
            key,
        };
        search(&sought, self.chunks.len())
    }

    /// The value of `key`. O(log n).
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.find(key).ok()?;
        Some(&self.chunks.get(chunk)?.get(place)?.1)
    }

    /// The value of `key`, to change. O(log n).
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.find(key).ok()?;
        Some(&mut self.chunks.get_mut(chunk)?.get_mut(place)?.1)
    }

    /// The first pair whose key is not below `key`. O(log n).
    pub fn at_or_after<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (Ok((at, place)) | Err((at, place))) = self.find(key);
        let here = self.chunks.get(at)?.get(place);
        let next = || self.chunks.get(at + 1).and_then(|chunk| chunk.first());
        here.or_else(next).map(|(key, value)| (key, value))
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Stores a value; the one that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok((chunk, place)) => {
                let pair = self.chunks.get_mut(chunk)?.get_mut(place)?;
                Some(core::mem::replace(&mut pair.1, value))
            }
            Err((chunk, place)) => {
                self.insert_at(chunk, place, key, value);
                None
            }
        }
    }

    fn insert_at(&mut self, at: usize, place: usize, key: K, value: V) {
        self.len += 1;
        let Some(chunk) = self.chunks.get_mut(at) else {
            return self.chunks.push(vec![(key, value)]);
        };
        chunk.insert(place.min(chunk.len()), (key, value));
        if chunk.len() > CHUNK {
            let upper = chunk.split_off(CHUNK / 2);
            self.chunks.insert(at + 1, upper);
        }
    }

    /// The value of `key`; a default one is stored first if there is none.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        K: Clone,
        V: Default,
    {
        if !self.contains_key(&key) {
            self.insert(key.clone(), V::default());
        }
        match self.find(&key) {
            Ok((chunk, place)) | Err((chunk, place)) => &mut self.chunks[chunk][place].1,
        }
    }

    /// Removes `key`; its value. O(log n), and the moves of one chunk.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (at, place) = self.find(key).ok()?;
        let chunk = self.chunks.get_mut(at)?;
        let (_, value) = chunk.remove(place);
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
        self.len -= 1;
        Some(value)
    }

    /// Keeps the pairs for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for chunk in &mut self.chunks {
            chunk.retain_mut(|(key, value)| keep(key, value));
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
        self.len = self.chunks.iter().map(Vec::len).sum();
    }
}

impl<K, V> OrderedMap<K, V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pair with the lowest key. O(1).
    pub fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// All pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks
            .iter()
            .flatten()
            .map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All pairs, in order, the values to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.chunks
            .iter_mut()
            .flatten()
            .map(|(key, value)| (&*key, value))
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.chunks.iter_mut().flatten().map(|(_, value)| value)
    }

    pub fn clear(&mut self) {
        self.chunks.clear();
        self.len = 0;
    }
}

impl<K, V> IntoIterator for OrderedMap<K, V> {
    type Item = (K, V);
    type IntoIter = core::iter::Flatten<std::vec::IntoIter<Vec<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.chunks.into_iter().flatten()
    }
}

/// A set in order.
#[derive(Clone)]
pub struct OrderedSet<K>(OrderedMap<K, ()>);

impl<K> Default for OrderedSet<K> {
    fn default() -> Self {
        OrderedSet(OrderedMap::default())
    }
}

impl<K: fmt::Debug> fmt::Debug for OrderedSet<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.iter()).finish()
    }
}

impl<K: Ord> OrderedSet<K> {
    /// An empty set, without allocation.
    pub fn new() -> Self {
        Self::default()
    }

    /// A set of one.
    pub fn of(key: K) -> Self {
        let mut set = Self::default();
        set.insert(key);
        set
    }

    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Adds `key`; false when it was there.
    pub fn insert(&mut self, key: K) -> bool {
        match self.0.find(&key) {
            Ok(_) => false,
            Err((chunk, place)) => {
                self.0.insert_at(chunk, place, key, ());
                true
            }
        }
    }

    /// Removes `key`; false when it was not there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.remove(key).is_some()
    }
}

impl<K> OrderedSet<K> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All members, in order.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K> IntoIterator for OrderedSet<K> {
    type Item = K;
    type IntoIter =
        core::iter::Map<<OrderedMap<K, ()> as IntoIterator>::IntoIter, fn((K, ())) -> K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(key, ())| key)
    }
}

impl<'a, K> IntoIterator for &'a OrderedSet<K> {
    type Item = &'a K;
    type IntoIter = core::iter::Map<
        core::iter::Flatten<core::slice::Iter<'a, Vec<(K, ())>>>,
        fn(&'a (K, ())) -> &'a K,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.0.chunks.iter().flatten().map(|(key, ())| key)
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, OrderedMap, OrderedSet};
    use crate::algorithms::rng::Rng;
    use std::collections::BTreeMap;

    #[test]
    fn does_what_the_standard_map_does() {
        let mut rng = Rng::new([1, 2]);
        let (mut ours, mut model) = (OrderedMap::new(), BTreeMap::new());
        for step in 0..20_000u64 {
            let key = rng.below(600);
            match rng.below(3) {
                0 => assert_eq!(ours.remove(&key), model.remove(&key), "step {step}"),
                1 => assert_eq!(
                    ours.insert(key, step),
                    model.insert(key, step),
                    "step {step}"
                ),
                _ => {
                    *ours.or_default(key) += step;
                    *model.entry(key).or_default() += step;
                }
            }
            assert_eq!(ours.get(&key), model.get(&key));
            assert_eq!(ours.len(), model.len());
        }
        assert!(ours.iter().eq(model.iter()));
        assert!(
            ours.chunks
                .iter()
                .all(|chunk| (1..=CHUNK).contains(&chunk.len()))
        );
        ours.retain(|key, _| key % 2 == 0);
        model.retain(|key, _| key % 2 == 0);
        assert!(ours.into_iter().eq(model));
    }

    #[test]
    fn a_set_has_every_member_once() {
        let mut set = OrderedSet::new();
        assert!(
            set.insert(b"b".to_vec()) && set.insert(b"a".to_vec()) && !set.insert(b"b".to_vec())
        );
        assert!(
            set.contains(b"a".as_slice())
                && set.remove(b"a".as_slice())
                && !set.remove(b"a".as_slice())
        );
        assert_eq!(set.into_iter().collect::<Vec<_>>(), [b"b".to_vec()]);
    }
}
