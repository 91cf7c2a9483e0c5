//! What a value is: its type, its encodings, its operations. No keys, no replies.

pub mod array;
pub mod hash;
mod limits;
pub mod list;
mod object;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;

pub use array::Array;
pub use hash::{Hash, HashRef};
pub use limits::Limits;
pub use list::{List, ListRef};
pub use object::{Aggregate, Object, PACKED_INLINE_BYTES};
pub use set::{Set, SetRef};
pub use sorted_set::{SortedSet, SortedSetRef};
pub use stream::Stream;
pub use string::Str;

use crate::structures::table::{EntryView, Payload};

/// Type and encoding of an entry: what its `kind` byte says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An integer, or short bytes set as a whole: OBJECT ENCODING says `int` or `embstr`.
    String = 0,
    /// Bytes that were changed in place or that Redis would not keep beside the key: `raw`.
    RawString = 1,
    /// A listpack.
    List = 2,
    /// A quicklist.
    ListLinked = 3,
    /// An intset.
    SetInts = 4,
    /// A listpack.
    SetPacked = 5,
    SetTable = 6,
    /// A listpack.
    HashPacked = 7,
    /// A listpack whose fields have times to live.
    HashPackedEx = 8,
    HashTable = 9,
    /// A listpack.
    SortedSetPacked = 10,
    /// What Redis calls a skiplist.
    SortedSetTree = 11,
    Stream = 12,
    Array = 13,
}

/// Every kind at the place of its byte.
const KINDS: [Kind; 14] = [
    Kind::String,
    Kind::RawString,
    Kind::List,
    Kind::ListLinked,
    Kind::SetInts,
    Kind::SetPacked,
    Kind::SetTable,
    Kind::HashPacked,
    Kind::HashPackedEx,
    Kind::HashTable,
    Kind::SortedSetPacked,
    Kind::SortedSetTree,
    Kind::Stream,
    Kind::Array,
];

impl Kind {
    /// The kind of an entry's `kind` byte.
    #[inline]
    pub fn of(byte: u8) -> Kind {
        KINDS
            .get(usize::from(byte))
            .copied()
            .unwrap_or(Kind::String)
    }

    #[inline]
    pub fn value_type(self) -> Type {
        match self {
            Kind::String | Kind::RawString => Type::String,
            Kind::List | Kind::ListLinked => Type::List,
            Kind::SetInts | Kind::SetPacked | Kind::SetTable => Type::Set,
            Kind::HashPacked | Kind::HashPackedEx | Kind::HashTable => Type::Hash,
            Kind::SortedSetPacked | Kind::SortedSetTree => Type::SortedSet,
            Kind::Stream => Type::Stream,
            Kind::Array => Type::Array,
        }
    }

    /// What OBJECT ENCODING says of a value in memory of its own.
    fn encoding(self) -> &'static str {
        match self {
            Kind::String => "embstr",
            Kind::RawString => "raw",
            Kind::List | Kind::SetPacked | Kind::HashPacked | Kind::SortedSetPacked => "listpack",
            Kind::ListLinked => "quicklist",
            Kind::SetInts => "intset",
            Kind::SetTable | Kind::HashTable => "hashtable",
            Kind::HashPackedEx => "listpackex",
            Kind::SortedSetTree => "skiplist",
            Kind::Stream => "stream",
            Kind::Array => "sliced-array",
        }
    }
}

/// The types as TYPE names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
    Array,
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::SortedSet => "zset",
            Type::Hash => "hash",
            Type::Stream => "stream",
            Type::Array => "array",
        }
    }

    /// The type called `name`, in any case.
    pub fn parse(name: &[u8]) -> Option<Type> {
        let all = [
            Type::String,
            Type::List,
            Type::Set,
            Type::SortedSet,
            Type::Hash,
            Type::Stream,
            Type::Array,
        ];
        all.into_iter()
            .find(|candidate| candidate.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// A key with its value, as it stands in the keyspace; borrowed, cheap to copy.
pub struct Entry<'a>(EntryView<'a, Object>);

impl Clone for Entry<'_> {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for Entry<'_> {}

impl<'a> Entry<'a> {
    pub fn new(view: EntryView<'a, Object>) -> Entry<'a> {
        Entry(view)
    }

    pub fn view(&self) -> EntryView<'a, Object> {
        self.0
    }

    #[inline(always)]
    pub fn key(&self) -> &'a [u8] {
        self.0.key()
    }

    pub fn kind(&self) -> Kind {
        Kind::of(self.0.kind())
    }

    pub fn value_type(&self) -> Type {
        self.kind().value_type()
    }

    /// When the key expires, in ms since the epoch.
    #[inline(always)]
    pub fn expiry_ms(&self) -> Option<i64> {
        self.0.expiry_ms()
    }

    /// The value, if it is a string.
    #[inline]
    pub fn string(&self) -> Option<Str<'a>> {
        match self.0.payload() {
            Payload::Int(number) => Some(Str::Int(number)),
            Payload::Inline(bytes) if self.value_type() == Type::String => Some(Str::Bytes(bytes)),
            Payload::Boxed(Object::String(bytes)) => Some(Str::Bytes(bytes)),
            Payload::Inline(_) | Payload::Boxed(_) => None,
        }
    }

    /// What OBJECT ENCODING says.
    pub fn encoding(&self) -> &'static str {
        match (self.0.payload(), self.kind()) {
            (Payload::Int(_), _) => "int",
            (Payload::Boxed(Object::String(_)), _) => "raw",
            (_, kind) => kind.encoding(),
        }
    }

    /// Verifies the value's own invariants and that its kind is the one it is stored as. O(n); for tests and debugging.
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        match self.0.payload() {
            Payload::Int(_) if self.kind() == Kind::String => Ok(()),
            Payload::Int(_) => Err("a number under the name of another type".to_owned()),
            Payload::Inline(_) if self.value_type() == Type::String => Ok(()),
            Payload::Inline(bytes) => {
                let object = Object::unpack(self.kind(), bytes.to_vec());
                if !object.fits_inline() {
                    return Err("inside its entry, but too large for that".to_owned());
                }
                object.check(self.kind())
            }
            Payload::Boxed(object) => object.check(self.kind()),
        }
    }

    /// Bytes the key and its value take, without the index.
    pub fn memory_bytes(&self) -> usize {
        let object = match self.0.payload() {
            Payload::Boxed(object) => object.memory_bytes(),
            Payload::Inline(_) | Payload::Int(_) => 0,
        };
        self.0.memory_bytes() + object
    }
}
