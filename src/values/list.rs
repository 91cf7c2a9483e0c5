//! Lists: elements in the order in which they were pushed.
//!
//! <https://redis.io/docs/latest/develop/data-types/lists/>

use super::{Aggregate, Entry, Kind, Object, Type};
use crate::structures::table::Payload;

/// Lists: elements in the order in which they were pushed.
#[derive(Debug, Clone)]
pub enum List {
    /// A listpack.
    Packed(Vec<u8>),
}

/// The same, to be read.
#[derive(Debug, Clone, Copy)]
pub enum ListRef<'a> {
    Packed(&'a [u8]),
}

impl List {
    /// An empty one.
    pub fn new() -> List {
        List::Packed(Vec::new())
    }

    /// The packed form of that kind.
    pub fn unpack(kind: Kind, bytes: Vec<u8>) -> List {
        match kind {
            _ => List::Packed(bytes),
        }
    }

    /// The bytes of the packed form, if this is one.
    pub fn packed(&self) -> Option<&[u8]> {
        match self {
            List::Packed(bytes) => Some(bytes),
        }
    }

    /// The memory of the packed form; empty if this is none.
    pub fn into_packed(self) -> Vec<u8> {
        match self {
            List::Packed(bytes) => bytes,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            List::Packed(_) => Kind::List,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.packed().is_some_and(<[u8]>::is_empty)
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            List::Packed(bytes) => bytes.capacity(),
        }
    }

    pub fn view(&self) -> ListRef<'_> {
        match self {
            List::Packed(bytes) => ListRef::Packed(bytes),
        }
    }
}

impl Default for List {
    fn default() -> Self {
        List::new()
    }
}

impl Aggregate for List {
    const TYPE: Type = Type::List;

    fn of(object: &mut Object) -> Option<&mut List> {
        match object {
            Object::List(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::List(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a list.
    #[inline]
    pub fn list(&self) -> Option<ListRef<'a>> {
        Some(match (self.kind(), self.view().payload()) {
            (Kind::List, Payload::Inline(bytes)) => ListRef::Packed(bytes),
            (_, Payload::Boxed(Object::List(value))) => value.view(),
            _ => return None,
        })
    }
}
