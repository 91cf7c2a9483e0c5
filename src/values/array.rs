//! Arrays: values at 64-bit indices, and the cursor at which ARINSERT goes on.
//!
//! <https://redis.io/docs/latest/develop/data-types/arrays/>

use super::{Aggregate, Entry, Limits, Object, Str, Type};
use crate::structures::sparse_array::{Shape, SliceShape, SparseArray};
use crate::structures::table::Payload;

/// The highest index at which a value can be; the one above it stands for "none".
pub const MAX_INDEX: u64 = u64::MAX - 1;

/// Values at 64-bit indices.
#[derive(Debug, Clone, Default)]
pub struct Array(Box<Body>);

#[derive(Debug, Clone)]
struct Body {
    slots: SparseArray,
    /// Where the cursor inserted last; None before the first time.
    inserted: Option<u64>,
}

impl Default for Body {
    fn default() -> Self {
        Body {
            slots: SparseArray::new(1),
            inserted: None,
        }
    }
}

impl Array {
    /// An empty one.
    pub fn new() -> Array {
        Array::default()
    }

    pub fn is_empty(&self) -> bool {
        self.0.slots.is_empty()
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        size_of::<Body>() + self.0.slots.heap_bytes()
    }

    /// Panics when an invariant does not hold. O(n); for tests and debugging.
    pub fn check(&self) {
        self.0.slots.check();
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.0.slots.count()
    }

    /// The highest index with a value, and one.
    pub fn len(&self) -> u64 {
        self.0.slots.last_index().map_or(0, |last| last + 1)
    }

    pub fn slice_size(&self) -> usize {
        self.0.slots.slice_size()
    }

    pub fn shape(&self) -> Shape {
        self.0.slots.shape()
    }

    pub fn slice_shape(&self) -> SliceShape {
        self.0.slots.slice_shape()
    }

    #[inline]
    pub fn get(&self, index: u64) -> Option<Str<'_>> {
        self.0.slots.get(index)
    }

    /// Shows the values from index `from` to `to`, both included, in that order (backwards if `from` is the higher one), for
    /// as long as `each` returns true.
    pub fn visit(&self, from: u64, to: u64, each: &mut dyn FnMut(u64, Str<'_>) -> bool) {
        self.0.slots.visit(from, to, each);
    }

    /// Stores a value; whether there was none before.
    pub fn set(&mut self, index: u64, text: &[u8], limits: &Limits) -> bool {
        let slots = &mut self.0.slots;
        // An array keeps the slices it began with.
        if slots.is_empty() && slots.slice_size() != limits.array_slice_size {
            *slots = SparseArray::new(limits.array_slice_size);
        }
        slots.set(index, text, limits.array_thresholds)
    }

    /// Removes the values from index `from` to `to`, both included; how many there were.
    pub fn remove_range(&mut self, from: u64, to: u64, limits: &Limits) -> u64 {
        self.0.slots.remove_range(from, to, limits.array_thresholds)
    }

    /// Where the cursor inserted last.
    pub fn inserted(&self) -> Option<u64> {
        self.0.inserted
    }

    /// Lets the cursor go on behind `inserted`, or from the start.
    pub fn set_inserted(&mut self, inserted: Option<u64>) {
        self.0.inserted = inserted;
    }

    /// Where the cursor inserts next; None when no index is left.
    pub fn next_index(&self) -> Option<u64> {
        match self.0.inserted {
            None => Some(0),
            Some(inserted) if inserted >= MAX_INDEX => None,
            Some(inserted) => Some(inserted + 1),
        }
    }

    /// The indices of the last `count` places before the cursor, the nearest first: downwards, and from 0 to the end of the
    /// array again.
    pub fn last_places(&self, count: u64) -> impl Iterator<Item = u64> + use<> {
        let len = self.len();
        let last = len.saturating_sub(1);
        // A cursor behind the end, or none, starts at the end.
        let start = self.0.inserted.filter(|at| *at < len).unwrap_or(last);
        let below = move |at: u64| if at == 0 { last } else { at - 1 };
        let mut next = start;
        (0..count.min(len)).map(move |_| {
            let at = next;
            next = below(at);
            at
        })
    }

    /// Inserts a value at the cursor in a ring of `size` places; where.
    pub fn insert_in_ring(&mut self, size: u64, text: &[u8], limits: &Limits) -> u64 {
        let at = self.next_index().unwrap_or(u64::MAX) % size;
        self.set(at, text, limits);
        self.0.inserted = Some(at);
        at
    }

    /// Fits the values into a ring of `size` places. Those before the cursor, back to the first place without one, are laid
    /// out from 0 on, and the others are dropped, when the ring has become smaller than the array is long, or larger while
    /// the cursor is in the middle of it. O(1) if nothing changes, else O(size).
    pub fn fit_ring(&mut self, size: u64, limits: &Limits) {
        let len = self.len();
        let is_wrapped = self.0.inserted.is_some_and(|at| at.saturating_add(1) < len);
        if size == len || (size > len && !is_wrapped) {
            return;
        }
        let inserted = self.0.inserted.map(|at| at % len);
        let mut old = std::mem::take(self);
        old.0.inserted = inserted;
        let values = old.last_places(size).map_while(|at| old.get(at));
        let values: Vec<Str<'_>> = values.collect();
        for (at, value) in values.iter().rev().enumerate() {
            self.set(at as u64, &value.text(), limits);
            self.0.inserted = Some(at as u64);
        }
    }
}

impl Aggregate for Array {
    const TYPE: Type = Type::Array;

    fn of(object: &mut Object) -> Option<&mut Array> {
        match object {
            Object::Array(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Array(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is an array.
    #[inline]
    pub fn array(&self) -> Option<&'a Array> {
        match self.view().payload() {
            Payload::Boxed(Object::Array(value)) => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::hash::HashSeed;

    fn limits() -> Limits {
        Limits::new(HashSeed::new(1, 2))
    }

    fn ring(size: u64, values: std::ops::Range<u8>) -> Array {
        let mut array = Array::new();
        for value in values {
            array.insert_in_ring(size, &[b'a' + value], &limits());
        }
        array
    }

    fn texts(array: &Array) -> String {
        let mut all = String::new();
        for at in 0..array.len() {
            let text = array.get(at).map_or(vec![b'-'], Str::to_vec);
            all.push_str(&String::from_utf8_lossy(&text));
        }
        all
    }

    #[test]
    fn rings_wrap_grow_and_shrink() {
        let mut array = ring(5, 0..8);
        assert_eq!(
            (texts(&array).as_str(), array.next_index()),
            ("fghde", Some(3))
        );
        array.fit_ring(5, &limits());
        assert_eq!(texts(&array), "fghde");
        array.fit_ring(8, &limits());
        assert_eq!(
            (texts(&array).as_str(), array.next_index()),
            ("defgh", Some(5))
        );
        array.fit_ring(9, &limits());
        assert_eq!(texts(&array), "defgh");
        array.fit_ring(2, &limits());
        assert_eq!(
            (texts(&array).as_str(), array.next_index()),
            ("gh", Some(2))
        );
        assert_eq!(array.insert_in_ring(2, b"i", &limits()), 0);
        assert_eq!(texts(&array), "ih");
    }

    #[test]
    fn a_new_size_keeps_what_is_behind_the_last_hole() {
        let mut array = ring(5, 0..8);
        array.remove_range(1, 1, &limits());
        array.fit_ring(8, &limits());
        assert_eq!((texts(&array).as_str(), array.inserted()), ("h", Some(0)));
        let mut array = ring(5, 0..8);
        array.remove_range(2, 2, &limits());
        array.fit_ring(3, &limits());
        assert!(array.is_empty() && array.inserted().is_none());
    }

    #[test]
    fn places_go_backwards_from_the_cursor() {
        let mut array = ring(5, 0..8);
        assert_eq!(array.last_places(9).collect::<Vec<_>>(), [2, 1, 0, 4, 3]);
        array.set_inserted(None);
        assert_eq!(array.last_places(2).collect::<Vec<_>>(), [4, 3]);
        array.set_inserted(Some(MAX_INDEX));
        assert_eq!(array.last_places(2).collect::<Vec<_>>(), [4, 3]);
        assert_eq!(array.next_index(), None);
        assert_eq!(Array::new().last_places(2).count(), 0);
    }
}
