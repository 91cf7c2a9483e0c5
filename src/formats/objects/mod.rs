//! Values as RDB files and DUMP payloads hold them: a type byte, which stands before the key, and the value behind it.
//!
//! What is written are the bytes redis-server 8.2 writes for the same value in the same encoding. What is read may come
//! from any older version; everything is checked, nothing is trusted.

mod array;
mod hash;
mod list;
mod part;
mod set;
mod sorted_set;
mod stream;
mod template;

pub use template::Templates;

pub use part::Part;
use std::borrow::Cow;

use super::rdb::{self, Cursor, ReadError};
use crate::algorithms::lzf::Compressor;
use crate::values::{Entry, Limits, Object, Type};

/// The value of a module, which only that module can tell the end of; and one that describes itself, since Redis 4.0.
const OLD_MODULE: u8 = 6;
pub(super) const MODULE: u8 = 7;

/// A value that was read.
#[derive(Debug, Clone)]
pub enum Loaded<'a> {
    String(Cow<'a, [u8]>),
    Object(Object),
}

/// The byte that says how [`write`] writes a value.
pub fn type_byte(entry: &Entry<'_>) -> u8 {
    let byte = match entry.value_type() {
        Type::String => None,
        Type::List => entry.list().map(list::type_byte),
        Type::Set => entry.set().map(set::type_byte),
        Type::Hash => entry.hash().map(hash::type_byte),
        Type::SortedSet => entry.sorted_set().map(sorted_set::type_byte),
        Type::Stream => entry.stream().map(stream::type_byte),
        Type::Array => entry.array().map(array::type_byte),
    };
    byte.unwrap_or(rdb::TYPE_STRING)
}

/// The type that a type byte means in a file of Valkey 9 or newer; None for one that is not known.
pub fn of_valkey(type_byte: u8) -> Option<u8> {
    match type_byte {
        0..22 => Some(type_byte),
        22 => Some(hash::VALKEY_TABLE),
        _ => None,
    }
}

/// Appends a value, without its type byte; long strings in it are compressed if a compressor is given. O(size).
pub fn write(out: &mut Vec<u8>, entry: &Entry<'_>, compressor: Option<&mut Compressor>) {
    write_part(out, entry, compressor, &mut Part::whole());
}

/// Appends a part of a value, as far as `part` allows and at least something; true when that was the last. The value is
/// the same as before, or this is its first part. O(what is written), and a look for where to go on.
pub fn write_part(
    out: &mut Vec<u8>,
    entry: &Entry<'_>,
    mut compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    loop {
        if write_step(out, entry, compressor.as_deref_mut(), part) {
            return true;
        }
        if part.left() == 0 {
            return false;
        }
    }
}

/// The same, maybe only some of what is allowed.
fn write_step(
    out: &mut Vec<u8>,
    entry: &Entry<'_>,
    compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    if let Some(value) = entry.string() {
        write_text(out, &value.text(), compressor, part)
    } else if let Some(value) = entry.list() {
        list::write(out, value, compressor, part)
    } else if let Some(value) = entry.set() {
        set::write(out, value, compressor, part)
    } else if let Some(value) = entry.hash() {
        hash::write(out, value, compressor, part)
    } else if let Some(value) = entry.sorted_set() {
        sorted_set::write(out, value, compressor, part)
    } else if let Some(value) = entry.stream() {
        stream::write(out, value, compressor, part)
    } else if let Some(value) = entry.array() {
        array::write(out, value, compressor, part)
    } else {
        true
    }
}

/// A string. Only what is neither short nor to be compressed is written in parts.
fn write_text(
    out: &mut Vec<u8>,
    text: &[u8],
    compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    let is_compressed = compressor
        .as_ref()
        .is_some_and(|with| text.len() <= with.longest_bytes);
    let is_short = text.len() < rdb::MIN_COMPRESSED;
    if part.is_at_start() && (is_compressed || is_short || text.len() <= part.left()) {
        rdb::write_string(out, text, compressor);
        part.spend(text.len());
        return true;
    }
    part.stage = 1;
    let mut at = part.at as usize;
    let is_end = rdb::write_slice(out, text, &mut at, part.left());
    part.spend(at - part.at as usize);
    part.at = at as u64;
    is_end
}

/// Reads a value behind its type byte. O(size).
///
/// # Errors
/// When the bytes end too early, say something impossible, or are of a type this engine does not have.
pub fn read<'a>(
    cursor: &mut Cursor<'a>,
    type_byte: u8,
    limits: &Limits,
    templates: &Templates,
) -> Result<Loaded<'a>, ReadError> {
    let object = match type_byte {
        rdb::TYPE_STRING => return cursor.string().map(Loaded::String),
        1 | 10 | 14 | 18 => Object::List(list::read(cursor, type_byte, limits)?),
        2 | 11 | 20 => Object::Set(set::read(cursor, type_byte, limits)?),
        3 | 5 | 12 | 17 => Object::SortedSet(sorted_set::read(cursor, type_byte, limits)?),
        4 | 9 | 13 | 16 | 22..=25 | hash::VALKEY_TABLE => {
            Object::Hash(hash::read(cursor, type_byte, limits)?)
        }
        29..=32 => Object::Hash(template::read(cursor, type_byte, limits, templates)?),
        15 | 19 | 21 | 26 | 27 => Object::Stream(stream::read(cursor, type_byte, limits)?),
        OLD_MODULE | MODULE => return Err(ReadError::Module(cursor.length()?)),
        array::TYPE => Object::Array(array::read(cursor, type_byte, limits)?),
        _ => return Err(ReadError::UnknownType(type_byte)),
    };
    Ok(Loaded::Object(object))
}
