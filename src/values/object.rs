//! Values that do not fit into their entry, or are too structured for it.

use super::{Array, Hash, Kind, List, Set, SortedSet, Stream, Type};
use crate::algorithms::bytes::{Append, Bytes};
use crate::structures::listpack;
use crate::structures::table::{Content, Shape};

/// Packed aggregates up to this length stand inside their entry.
pub const PACKED_INLINE_BYTES: usize = 512;

/// A value too large or too structured to stand inside its entry.
#[derive(Debug, Clone)]
pub enum Object {
    /// A long string; grows in place.
    String(Vec<u8>),
    List(List),
    Set(Set),
    Hash(Hash),
    SortedSet(SortedSet),
    Stream(Stream),
    Array(Array),
}

/// A key has everything an entry can have.
impl Shape for Object {
    const HAS_CLOCK: bool = true;
}

/// What every type but the string is: made of parts, changed in place, and gone when the last part is.
pub trait Aggregate: Sized {
    const TYPE: Type;

    /// The value in an object, if the object is of this type.
    fn of(object: &mut Object) -> Option<&mut Self>;

    fn into_object(self) -> Object;
}

/// The same expression for the value of any aggregate; another for strings.
macro_rules! each {
    ($object:expr, $value:ident => $aggregate:expr, $string:pat => $other:expr) => {
        match $object {
            Object::String($string) => $other,
            Object::List($value) => $aggregate,
            Object::Set($value) => $aggregate,
            Object::Hash($value) => $aggregate,
            Object::SortedSet($value) => $aggregate,
            Object::Stream($value) => $aggregate,
            Object::Array($value) => $aggregate,
        }
    };
}

impl Object {
    /// An empty value of that type.
    pub fn new(value_type: Type) -> Object {
        match value_type {
            Type::String => Object::String(Vec::new()),
            Type::List => Object::List(List::new()),
            Type::Set => Object::Set(Set::new()),
            Type::Hash => Object::Hash(Hash::new()),
            Type::SortedSet => Object::SortedSet(SortedSet::new()),
            Type::Stream => Object::Stream(Stream::new()),
            Type::Array => Object::Array(Array::new()),
        }
    }

    /// The same, in the memory that `bytes` lends where the first form of the type is a listpack.
    pub fn new_in(value_type: Type, bytes: &mut Vec<u8>) -> Object {
        let kind = match value_type {
            Type::List => Kind::List,
            Type::Hash => Kind::HashPacked,
            Type::SortedSet => Kind::SortedSetPacked,
            Type::String | Type::Set | Type::Stream | Type::Array => {
                return Object::new(value_type);
            }
        };
        bytes.clear();
        bytes.put(&listpack::EMPTY);
        Object::unpack(kind, core::mem::take(bytes))
    }

    /// The aggregate whose packed form stood in an entry of that kind.
    pub fn unpack(kind: Kind, bytes: Vec<u8>) -> Object {
        match kind.value_type() {
            Type::List => Object::List(List::unpack(kind, bytes)),
            Type::Set => Object::Set(Set::unpack(kind, bytes)),
            Type::Hash => Object::Hash(Hash::unpack(kind, bytes)),
            Type::SortedSet => Object::SortedSet(SortedSet::unpack(kind, bytes)),
            Type::String => Object::String(bytes),
            Type::Stream | Type::Array => Object::new(kind.value_type()),
        }
    }

    /// The packed form, if this is in one.
    pub fn packed(&self) -> Option<&[u8]> {
        match self {
            Object::List(list) => list.packed(),
            Object::Set(set) => set.packed(),
            Object::Hash(hash) => hash.packed(),
            Object::SortedSet(sorted_set) => sorted_set.packed(),
            Object::String(_) | Object::Stream(_) | Object::Array(_) => None,
        }
    }

    /// The memory of the packed form, for further use.
    pub fn into_packed(self) -> Vec<u8> {
        match self {
            Object::List(list) => list.into_packed(),
            Object::Set(set) => set.into_packed(),
            Object::Hash(hash) => hash.into_packed(),
            Object::SortedSet(sorted_set) => sorted_set.into_packed(),
            Object::String(bytes) => bytes,
            Object::Stream(_) | Object::Array(_) => Vec::new(),
        }
    }

    /// Whether it is short enough to stand inside an entry.
    #[inline(always)]
    pub fn fits_inline(&self) -> bool {
        self.packed()
            .is_some_and(|bytes| bytes.len() <= PACKED_INLINE_BYTES)
    }

    /// Type and encoding.
    pub fn kind(&self) -> Kind {
        match self {
            Object::String(_) => Kind::RawString,
            Object::List(list) => list.kind(),
            Object::Set(set) => set.kind(),
            Object::Hash(hash) => hash.kind(),
            Object::SortedSet(sorted_set) => sorted_set.kind(),
            Object::Stream(_) => Kind::Stream,
            Object::Array(_) => Kind::Array,
        }
    }

    /// Whether nothing is left for which the key should be kept. Empty strings and streams stay.
    pub fn is_spent(&self) -> bool {
        match self {
            Object::String(_) | Object::Stream(_) => false,
            object => each!(object, value => value.is_empty(), _ => false),
        }
    }

    /// Verifies the value's invariants, and that it is of that kind and worth a key. O(n); for tests and debugging.
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self, kind: Kind) -> Result<(), String> {
        if self.kind() != kind {
            return Err("stored as another kind than it is".to_owned());
        }
        if self.is_spent() {
            return Err("empty, but still there".to_owned());
        }
        match self {
            Object::String(_) => Ok(()),
            Object::List(List::Packed(pack)) => pack.check(),
            Object::List(List::Linked(list)) => list.check(),
            Object::Set(set) => set.check(),
            Object::Hash(hash) => hash.check(),
            Object::SortedSet(sorted_set) => sorted_set.check(),
            Object::Stream(stream) => {
                stream.check();
                Ok(())
            }
            Object::Array(array) => {
                array.check();
                Ok(())
            }
        }
    }

    /// Bytes held from the allocator, this object's own included. O(1).
    pub fn memory_bytes(&self) -> usize {
        size_of::<Object>() + each!(self, value => value.heap_bytes(), bytes => bytes.capacity())
    }

    /// The form in which it is stored in an entry, with the entry's kind. `bytes` gets the memory of packed forms: short
    /// ones are stored from there, of longer ones a copy without spare room.
    pub fn into_content(self, bytes: &mut Vec<u8>) -> (u8, Content<'_, Object>) {
        let kind = self.kind();
        let is_packed = self.packed().is_some();
        if self.fits_inline() {
            *bytes = self.into_packed();
            (kind as u8, Content::Inline(bytes))
        } else if is_packed {
            *bytes = self.into_packed();
            let object = Object::unpack(kind, bytes.as_slice().owned());
            (kind as u8, Content::Boxed(Box::new(object)))
        } else {
            (kind as u8, Content::Boxed(Box::new(self)))
        }
    }
}
