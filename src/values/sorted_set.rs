//! Sorted sets: members in the order of their scores.
//!
//! <https://redis.io/docs/latest/develop/data-types/sorted-sets/>

use super::{Aggregate, Entry, Kind, Object, Type};
use crate::structures::table::Payload;

/// Sorted sets: members in the order of their scores.
#[derive(Debug, Clone)]
pub enum SortedSet {
    /// A listpack of members and scores.
    Packed(Vec<u8>),
}

/// The same, to be read.
#[derive(Debug, Clone, Copy)]
pub enum SortedSetRef<'a> {
    Packed(&'a [u8]),
}

impl SortedSet {
    /// An empty one.
    pub fn new() -> SortedSet {
        SortedSet::Packed(Vec::new())
    }

    /// The packed form of that kind.
    pub fn unpack(kind: Kind, bytes: Vec<u8>) -> SortedSet {
        match kind {
            _ => SortedSet::Packed(bytes),
        }
    }

    /// The bytes of the packed form, if this is one.
    pub fn packed(&self) -> Option<&[u8]> {
        match self {
            SortedSet::Packed(bytes) => Some(bytes),
        }
    }

    /// The memory of the packed form; empty if this is none.
    pub fn into_packed(self) -> Vec<u8> {
        match self {
            SortedSet::Packed(bytes) => bytes,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            SortedSet::Packed(_) => Kind::SortedSetPacked,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.packed().is_some_and(<[u8]>::is_empty)
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            SortedSet::Packed(bytes) => bytes.capacity(),
        }
    }

    pub fn view(&self) -> SortedSetRef<'_> {
        match self {
            SortedSet::Packed(bytes) => SortedSetRef::Packed(bytes),
        }
    }
}

impl Default for SortedSet {
    fn default() -> Self {
        SortedSet::new()
    }
}

impl Aggregate for SortedSet {
    const TYPE: Type = Type::SortedSet;

    fn of(object: &mut Object) -> Option<&mut SortedSet> {
        match object {
            Object::SortedSet(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::SortedSet(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a sorted set.
    #[inline]
    pub fn sorted_set(&self) -> Option<SortedSetRef<'a>> {
        Some(match (self.kind(), self.view().payload()) {
            (Kind::SortedSetPacked, Payload::Inline(bytes)) => SortedSetRef::Packed(bytes),
            (_, Payload::Boxed(Object::SortedSet(value))) => value.view(),
            _ => return None,
        })
    }
}
