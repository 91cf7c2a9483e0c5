//! Hashes: fields with values, and with times to live.
//!
//! <https://redis.io/docs/latest/develop/data-types/hashes/>

use super::{Aggregate, Entry, Kind, Object, Type};
use crate::structures::table::Payload;

/// Hashes: fields with values, and with times to live.
#[derive(Debug, Clone)]
pub enum Hash {
    /// A listpack of fields and values.
    Packed(Vec<u8>),
    /// A listpack of fields, values and times to live.
    PackedEx(Vec<u8>),
}

/// The same, to be read.
#[derive(Debug, Clone, Copy)]
pub enum HashRef<'a> {
    Packed(&'a [u8]),
    PackedEx(&'a [u8]),
}

impl Hash {
    /// An empty one.
    pub fn new() -> Hash {
        Hash::Packed(Vec::new())
    }

    /// The packed form of that kind.
    pub fn unpack(kind: Kind, bytes: Vec<u8>) -> Hash {
        match kind {
            Kind::HashPackedEx => Hash::PackedEx(bytes),
            _ => Hash::Packed(bytes),
        }
    }

    /// The bytes of the packed form, if this is one.
    pub fn packed(&self) -> Option<&[u8]> {
        match self {
            Hash::Packed(bytes) | Hash::PackedEx(bytes) => Some(bytes),
        }
    }

    /// The memory of the packed form; empty if this is none.
    pub fn into_packed(self) -> Vec<u8> {
        match self {
            Hash::Packed(bytes) | Hash::PackedEx(bytes) => bytes,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Hash::Packed(_) => Kind::HashPacked,
            Hash::PackedEx(_) => Kind::HashPackedEx,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.packed().is_some_and(<[u8]>::is_empty)
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            Hash::Packed(bytes) | Hash::PackedEx(bytes) => bytes.capacity(),
        }
    }

    pub fn view(&self) -> HashRef<'_> {
        match self {
            Hash::Packed(bytes) => HashRef::Packed(bytes),
            Hash::PackedEx(bytes) => HashRef::PackedEx(bytes),
        }
    }
}

impl Default for Hash {
    fn default() -> Self {
        Hash::new()
    }
}

impl Aggregate for Hash {
    const TYPE: Type = Type::Hash;

    fn of(object: &mut Object) -> Option<&mut Hash> {
        match object {
            Object::Hash(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Hash(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a hash.
    #[inline]
    pub fn hash(&self) -> Option<HashRef<'a>> {
        Some(match (self.kind(), self.view().payload()) {
            (Kind::HashPacked, Payload::Inline(bytes)) => HashRef::Packed(bytes),
            (Kind::HashPackedEx, Payload::Inline(bytes)) => HashRef::PackedEx(bytes),
            (_, Payload::Boxed(Object::Hash(value))) => value.view(),
            _ => return None,
        })
    }
}
