//! What a value is: its type, its encodings, its operations. No keys, no replies.

pub mod string;

pub use string::Str;

use crate::structures::table::{EntryView, Payload};

/// A value too large or too structured to stand inside its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A long string; grows in place.
    String(Vec<u8>),
}

/// The type and, where the payload does not tell, the encoding of an entry: what its `kind` byte says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An integer, or short bytes set as a whole: OBJECT ENCODING says `int` or `embstr`.
    String = 0,
    /// Bytes that were changed in place or that Redis would not keep beside the key: `raw`.
    RawString = 1,
}

impl Kind {
    /// The kind of an entry's `kind` byte.
    pub fn of(byte: u8) -> Kind {
        match byte {
            1 => Kind::RawString,
            _ => Kind::String,
        }
    }

    pub fn value_type(self) -> Type {
        match self {
            Kind::String | Kind::RawString => Type::String,
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
            Payload::Inline(_) => None,
        }
    }

    /// What OBJECT ENCODING says.
    pub fn encoding(&self) -> &'static str {
        match (self.0.payload(), self.kind()) {
            (Payload::Int(_), _) => "int",
            (Payload::Inline(_), Kind::String) => "embstr",
            (Payload::Inline(_) | Payload::Boxed(Object::String(_)), _) => "raw",
        }
    }

    /// Bytes the key and its value take, without the index.
    pub fn memory_bytes(&self) -> usize {
        let object = match self.0.payload() {
            Payload::Boxed(Object::String(bytes)) => size_of::<Object>() + bytes.capacity(),
            Payload::Inline(_) | Payload::Int(_) => 0,
        };
        self.0.memory_bytes() + object
    }
}
