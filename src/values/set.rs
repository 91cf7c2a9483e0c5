//! Sets: members, each once.
//!
//! <https://redis.io/docs/latest/develop/data-types/sets/>

use super::{Aggregate, Entry, Kind, Object, Type};
use crate::structures::table::Payload;

/// Sets: members, each once.
#[derive(Debug, Clone)]
pub enum Set {
    /// A listpack.
    Packed(Vec<u8>),
    /// An intset.
    Ints(Vec<u8>),
}

/// The same, to be read.
#[derive(Debug, Clone, Copy)]
pub enum SetRef<'a> {
    Packed(&'a [u8]),
    Ints(&'a [u8]),
}

impl Set {
    /// An empty one.
    pub fn new() -> Set {
        Set::Packed(Vec::new())
    }

    /// The packed form of that kind.
    pub fn unpack(kind: Kind, bytes: Vec<u8>) -> Set {
        match kind {
            Kind::SetInts => Set::Ints(bytes),
            _ => Set::Packed(bytes),
        }
    }

    /// The bytes of the packed form, if this is one.
    pub fn packed(&self) -> Option<&[u8]> {
        match self {
            Set::Packed(bytes) | Set::Ints(bytes) => Some(bytes),
        }
    }

    /// The memory of the packed form; empty if this is none.
    pub fn into_packed(self) -> Vec<u8> {
        match self {
            Set::Packed(bytes) | Set::Ints(bytes) => bytes,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Set::Packed(_) => Kind::SetPacked,
            Set::Ints(_) => Kind::SetInts,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.packed().is_some_and(<[u8]>::is_empty)
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            Set::Packed(bytes) | Set::Ints(bytes) => bytes.capacity(),
        }
    }

    pub fn view(&self) -> SetRef<'_> {
        match self {
            Set::Packed(bytes) => SetRef::Packed(bytes),
            Set::Ints(bytes) => SetRef::Ints(bytes),
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Set::new()
    }
}

impl Aggregate for Set {
    const TYPE: Type = Type::Set;

    fn of(object: &mut Object) -> Option<&mut Set> {
        match object {
            Object::Set(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Set(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a set.
    #[inline]
    pub fn set(&self) -> Option<SetRef<'a>> {
        Some(match (self.kind(), self.view().payload()) {
            (Kind::SetPacked, Payload::Inline(bytes)) => SetRef::Packed(bytes),
            (Kind::SetInts, Payload::Inline(bytes)) => SetRef::Ints(bytes),
            (_, Payload::Boxed(Object::Set(value))) => value.view(),
            _ => return None,
        })
    }
}
