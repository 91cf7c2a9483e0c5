//! Items in the order of their ids, mostly appended at the end and taken from the front.
//!
//! ```text
//!   chunks   [ a b c .. ] [ h k .. ] [ p q r ]     runs of up to 64 items, none of them empty, ids rising throughout
//! ```
//!
//! Invariants: no chunk is empty; ids rise strictly, within chunks and from one to the next; `len` is the sum of the
//! chunks' lengths, `heap_bytes` what the chunks and their list have from the allocator.
//!
//! An item behind all others starts a new chunk when the last is full, so that appending leaves full chunks behind it
//! and never copies more than one; an item in the middle splits a full chunk. The list of chunks moves as a whole when
//! one goes from its front: 24 bytes for 64 items.

use super::ordered::{self, Sorted};
use core::cmp::Ordering;

/// What the order goes by: two numbers, the higher one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Id {
    pub ms: u64,
    pub seq: u64,
}

/// An item that knows its id.
pub trait Keyed {
    fn id(&self) -> Id;
}

impl Keyed for Id {
    fn id(&self) -> Id {
        *self
    }
}

/// A chunk is full at this length.
const CHUNK: usize = 64;

/// Where an item stands: the chunk and the place in it. Valid until the next change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    chunk: usize,
    at: usize,
}

/// The items.
#[derive(Debug)]
pub struct Runs<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
    chunk_bytes: usize,
}

impl<T: Clone> Clone for Runs<T> {
    /// The copy has no spare room, and accounts for that.
    fn clone(&self) -> Self {
        let chunks = self.chunks.clone();
        let held: usize = chunks.iter().map(Vec::capacity).sum();
        Runs {
            chunks,
            len: self.len,
            chunk_bytes: held * size_of::<T>(),
        }
    }
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Runs {
            chunks: Vec::new(),
            len: 0,
            chunk_bytes: 0,
        }
    }
}

/// An id that is searched for in the chunks.
struct Sought<'a, T> {
    chunks: &'a [Vec<T>],
    id: Id,
}

impl<T: Keyed> Sorted for Sought<'_, T> {
    fn chunk_len(&self, chunk: usize) -> usize {
        self.chunks.get(chunk).map_or(0, Vec::len)
    }

    fn compare(&self, chunk: usize, place: usize) -> Ordering {
        let item = self.chunks.get(chunk).and_then(|chunk| chunk.get(place));
        item.map_or(Ordering::Greater, |item| item.id().cmp(&self.id))
    }
}

impl<T: Keyed> Runs<T> {
    /// No items, no allocation.
    pub fn new() -> Runs<T> {
        Runs::default()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes the allocator gave for the items, without what they hold themselves. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.chunk_bytes + self.chunks.capacity() * size_of::<Vec<T>>()
    }

    /// Where the item with this id is, or where the first with a higher id is (maybe behind the end). O(log n).
    pub fn find(&self, id: Id) -> Result<Place, Place> {
        let sought = Sought {
            chunks: &self.chunks,
            id,
        };
        let place = |(chunk, at)| Place { chunk, at };
        match ordered::search(&sought, self.chunks.len()) {
            Ok(found) => Ok(place(found)),
            Err((chunk, at)) if at == sought.chunk_len(chunk) && chunk + 1 < self.chunks.len() => {
                Err(place((chunk + 1, 0)))
            }
            Err(between) => Err(place(between)),
        }
    }

    /// The first item whose id is not lower. O(log n).
    pub fn seek(&self, id: Id) -> Place {
        self.find(id).unwrap_or_else(|place| place)
    }

    pub fn get(&self, place: Place) -> Option<&T> {
        self.chunks.get(place.chunk)?.get(place.at)
    }

    pub fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        self.chunks.get_mut(place.chunk)?.get_mut(place.at)
    }

    /// The item with this id. O(log n).
    pub fn with_id(&self, id: Id) -> Option<&T> {
        self.get(self.find(id).ok()?)
    }

    pub fn first(&self) -> Option<&T> {
        self.chunks.first()?.first()
    }

    pub fn last(&self) -> Option<&T> {
        self.chunks.last()?.last()
    }

    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.chunks.last_mut()?.last_mut()
    }

    /// The first place; there is an item unless the list is empty.
    pub fn start(&self) -> Place {
        Place { chunk: 0, at: 0 }
    }

    /// The place behind the last item.
    pub fn end(&self) -> Place {
        match self.chunks.last() {
            Some(items) => Place {
                chunk: self.chunks.len() - 1,
                at: items.len(),
            },
            None => self.start(),
        }
    }

    /// The place behind `place`.
    pub fn next(&self, place: Place) -> Place {
        let Place { chunk, at } = place;
        match self.chunks.get(chunk) {
            Some(items) if at + 1 >= items.len() && chunk + 1 < self.chunks.len() => Place {
                chunk: chunk + 1,
                at: 0,
            },
            _ => Place { chunk, at: at + 1 },
        }
    }

    /// The place before `place`; None at the start.
    pub fn prev(&self, place: Place) -> Option<Place> {
        let Place { chunk, at } = place;
        if let Some(at) = at.checked_sub(1) {
            return Some(Place { chunk, at });
        }
        let chunk = chunk.checked_sub(1)?;
        let at = self.chunks.get(chunk)?.len().checked_sub(1)?;
        Some(Place { chunk, at })
    }

    /// All items, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Shows the items from the first whose id is not below `from`, as long as `visit` returns true. True at the end. O(log n)
    /// to the first.
    pub fn visit_from(&self, from: Id, visit: &mut dyn FnMut(&T) -> bool) -> bool {
        let mut place = self.seek(from);
        while let Some(item) = self.get(place) {
            if !visit(item) {
                return false;
            }
            place = self.next(place);
        }
        true
    }

    /// Puts an item in its place; false (and the item is dropped) when there is one with its id. O(log n), O(1) for the
    /// highest id.
    pub fn insert(&mut self, item: T) -> bool {
        let id = item.id();
        if self.last().is_none_or(|last| last.id() < id) {
            self.append(item);
            return true;
        }
        let Err(mut place) = self.find(id) else {
            return false;
        };
        // Rather behind the chunk before than in front of this one.
        if place.at == 0 && place.chunk > 0 {
            place.chunk -= 1;
            place.at = self.chunks.get(place.chunk).map_or(0, Vec::len);
        }
        let Some(items) = self.chunks.get_mut(place.chunk) else {
            return false;
        };
        let mut grown = 0;
        if items.len() >= CHUNK {
            let upper = items.split_off(CHUNK / 2);
            grown = upper.capacity();
            let (target, at) = match place.at.checked_sub(CHUNK / 2) {
                Some(at) => (place.chunk + 1, at),
                None => (place.chunk, place.at),
            };
            self.chunks.insert(place.chunk + 1, upper);
            place = Place { chunk: target, at };
        }
        if let Some(items) = self.chunks.get_mut(place.chunk) {
            let before = items.capacity();
            items.insert(place.at.min(items.len()), item);
            grown += items.capacity() - before;
        }
        self.chunk_bytes += grown * size_of::<T>();
        self.len += 1;
        true
    }

    fn append(&mut self, item: T) {
        self.len += 1;
        if let Some(items) = self.chunks.last_mut()
            && items.len() < CHUNK
        {
            let before = items.capacity();
            if items.len() == before {
                items.reserve_exact(before.min(CHUNK - before));
            }
            items.push(item);
            self.chunk_bytes += (items.capacity() - before) * size_of::<T>();
            return;
        }
        // One item is often all there will be; behind a full chunk there will be many.
        let capacity = if self.chunks.is_empty() { 1 } else { CHUNK };
        let mut items = Vec::with_capacity(capacity);
        items.push(item);
        self.chunk_bytes += items.capacity() * size_of::<T>();
        self.chunks.push(items);
    }

    /// Takes the item at `place` out. O(1), and the moves of one chunk; the items behind it are at other places then,
    /// the next one at this place unless it was the last of its chunk.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        let items = self.chunks.get_mut(place.chunk)?;
        if place.at >= items.len() {
            return None;
        }
        let item = items.remove(place.at);
        self.len -= 1;
        if items.is_empty() {
            self.chunk_bytes -= items.capacity() * size_of::<T>();
            self.chunks.remove(place.chunk);
        }
        Some(item)
    }

    /// Takes the item with this id out. O(log n).
    pub fn remove_id(&mut self, id: Id) -> Option<T> {
        let place = self.find(id).ok()?;
        self.remove(place)
    }

    /// Panics when an invariant does not hold. For tests. O(n).
    pub fn check(&self) {
        assert!(
            self.chunks
                .iter()
                .all(|items| !items.is_empty() && items.len() <= CHUNK)
        );
        let ids: Vec<Id> = self.iter().map(Keyed::id).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ids.len(), self.len);
        let held: usize = self.chunks.iter().map(Vec::capacity).sum();
        assert_eq!(held * size_of::<T>(), self.chunk_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{Id, Runs};
    use crate::algorithms::rng::Rng;
    use std::collections::BTreeSet;

    fn id(number: u64) -> Id {
        Id {
            ms: number / 7,
            seq: number % 7,
        }
    }

    #[test]
    fn does_what_a_set_of_the_standard_library_does() {
        let mut rng = Rng::new([21, 22]);
        let (mut ours, mut model) = (Runs::new(), BTreeSet::new());
        let mut top = 0;
        for step in 0..30_000 {
            let some = id(rng.below(2_000));
            match rng.below(6) {
                0 | 1 => assert_eq!(ours.insert(some), model.insert(some), "step {step}"),
                2 => {
                    top += rng.below(3);
                    assert_eq!(ours.insert(id(top)), model.insert(id(top)));
                }
                3 => assert_eq!(ours.remove_id(some).is_some(), model.remove(&some)),
                4 => {
                    let first = ours.remove(ours.start());
                    assert_eq!(first, model.pop_first());
                }
                _ => {
                    let place = ours.seek(some);
                    assert_eq!(ours.get(place), model.range(some..).next());
                    let after = ours.get(ours.next(place));
                    assert_eq!(after, model.range(some..).nth(1));
                    let before = ours.prev(place).and_then(|place| ours.get(place));
                    assert_eq!(before, model.range(..some).next_back());
                }
            }
            assert_eq!(ours.len(), model.len());
            assert_eq!(ours.last(), model.last());
            if step % 500 == 0 {
                ours.check();
                assert!(ours.iter().eq(model.iter()));
                assert!(ours.iter().rev().eq(model.iter().rev()));
                let last = ours.prev(ours.end()).and_then(|place| ours.get(place));
                assert_eq!(last, model.last());
            }
        }
    }

    #[test]
    fn appending_leaves_full_chunks() {
        let mut ours = Runs::new();
        for number in 0..10_000 {
            ours.insert(id(number));
        }
        ours.check();
        assert!(ours.heap_bytes() < 10_000 * 16 + 64 * 16 + 256 * 24);
    }
}
