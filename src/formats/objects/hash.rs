//! Hashes: a listpack as it stands in memory, or fields one after another.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
use super::super::ziplist;
use crate::algorithms::bytes::Append;
use crate::algorithms::lzf::Compressor;
use crate::structures::listpack::{self, Listpack, ListpackRef};
use crate::values::hash::{self, Hash, HashRef, Life};
use crate::values::{Kind, Limits};

const TABLE: u8 = 4;
const ZIPMAP: u8 = 9;
const ZIPLIST: u8 = 13;
const LISTPACK: u8 = 16;
/// With times to live in milliseconds since the epoch, as Redis 7.4 release candidates wrote them.
const OLD_TABLE_EX: u8 = 22;
const OLD_LISTPACK_EX: u8 = 23;
/// With times to live relative to the earliest one.
const TABLE_EX: u8 = 24;
/// With the deadline in front.
const LISTPACK_EX: u8 = 25;

/// The latest time to live a field can have.
const MAX_EXPIRY_MS: i64 = (1 << 48) - 1;

pub(super) fn type_byte(value: HashRef<'_>) -> u8 {
    match value {
        HashRef::Packed(_) => LISTPACK,
        HashRef::PackedEx(_) => LISTPACK_EX,
        HashRef::Table(_) if value.is_volatile() => TABLE_EX,
        HashRef::Table(_) => TABLE,
    }
}

pub(super) fn write(out: &mut Vec<u8>, value: HashRef<'_>, compressor: Option<&mut Compressor>) {
    match value {
        HashRef::Packed(pack) => rdb::write_string(out, pack.as_bytes(), compressor),
        HashRef::PackedEx(pack) => {
            out.put(&value.deadline_ms().unwrap_or(0).to_le_bytes());
            rdb::write_string(out, pack.pack().as_bytes(), compressor);
        }
        HashRef::Table(_) => write_table(out, value, compressor),
    }
}

fn write_table(out: &mut Vec<u8>, value: HashRef<'_>, mut compressor: Option<&mut Compressor>) {
    let mut earliest_ms = i64::MAX;
    let has_expiry = value.is_volatile();
    if has_expiry {
        value.each(&mut |_, _, expiry_ms| {
            earliest_ms = earliest_ms.min(expiry_ms.unwrap_or(i64::MAX));
        });
        out.put(&earliest_ms.to_le_bytes());
    }
    rdb::write_length(out, value.len() as u64);
    value.each(&mut |field, text, expiry_ms| {
        if has_expiry {
            let after_ms = expiry_ms.map_or(0, |at_ms| at_ms - earliest_ms + 1);
            rdb::write_length(out, after_ms as u64);
        }
        rdb::write_string(out, &field.text(), compressor.as_deref_mut());
        rdb::write_string(out, &text.text(), compressor.as_deref_mut());
    });
}

const BAD: ReadError = ReadError::Corrupt("a hash is not made of fields");

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    limits: &Limits,
) -> Result<Hash, ReadError> {
    let mut hash = match type_byte {
        TABLE | OLD_TABLE_EX | TABLE_EX => return read_fields(cursor, type_byte, limits),
        LISTPACK => read_pack(cursor, Kind::HashPacked)?,
        OLD_LISTPACK_EX => read_pack(cursor, Kind::HashPackedEx)?,
        LISTPACK_EX => {
            // The deadline is found anew.
            cursor.array::<8>()?;
            read_pack(cursor, Kind::HashPackedEx)?
        }
        ZIPLIST => from_texts(ziplist::read(&cursor.string()?)?, limits)?,
        ZIPMAP => from_texts(zipmap(&cursor.string()?).ok_or(BAD)?, limits)?,
        other => return Err(ReadError::UnknownType(other)),
    };
    let is_long = match hash.view() {
        HashRef::Table(_) => false,
        view => {
            let mut longest = 0;
            view.each(&mut |field, value, _| longest = longest.max(field.len()).max(value.len()));
            longest > limits.hash_max_listpack_value_bytes
        }
    };
    if is_long || hash.view().len() > limits.hash_max_listpack_entries {
        hash.make_table(limits);
    }
    Ok(hash)
}

fn read_pack(cursor: &mut Cursor<'_>, kind: Kind) -> Result<Hash, ReadError> {
    let bytes = cursor.string()?.into_owned();
    if !listpack::is_valid(&bytes) {
        return Err(BAD);
    }
    let pack = ListpackRef::new(&bytes);
    let is_good = !pack.is_empty()
        && match kind {
            Kind::HashPackedEx => hash::is_triplets(pack),
            _ => hash::is_pairs(pack),
        };
    match (is_good, kind) {
        (false, _) => Err(BAD),
        (true, Kind::HashPackedEx) => Ok(Hash::PackedEx(hash::PackedEx::from_pack(bytes))),
        (true, _) => Ok(Hash::Packed(Listpack::from_bytes(bytes))),
    }
}

/// Fields one after another.
fn read_fields(cursor: &mut Cursor<'_>, type_byte: u8, limits: &Limits) -> Result<Hash, ReadError> {
    let start_ms = match type_byte {
        TABLE_EX => i64::from_le_bytes(cursor.array()?),
        _ => 1,
    };
    if !(0..=MAX_EXPIRY_MS).contains(&start_ms) {
        return Err(BAD);
    }
    let count = cursor.length()?;
    let mut hash = Hash::new();
    if type_byte != TABLE {
        hash.allow_expiry();
    }
    if usize::try_from(count).is_ok_and(|count| count > limits.hash_max_listpack_entries) {
        hash.make_table(limits);
    }
    for _ in 0..count {
        let after_ms = if type_byte == TABLE {
            0
        } else {
            cursor.length()?
        };
        let life = match i64::try_from(after_ms).map_err(|_| BAD)? {
            0 => Life::Clear,
            after_ms => Life::Until((start_ms - 1).checked_add(after_ms).ok_or(BAD)?),
        };
        if matches!(life, Life::Until(at_ms) if at_ms > MAX_EXPIRY_MS || at_ms < 1) {
            return Err(BAD);
        }
        let (field, value) = (cursor.string()?, cursor.string()?);
        if !hash.set(&field, &value, life, limits) {
            return Err(BAD);
        }
    }
    if hash.is_empty() {
        return Err(BAD);
    }
    hash.renew_deadline();
    Ok(hash)
}

/// Fields and values in turn.
fn from_texts(texts: Vec<Vec<u8>>, limits: &Limits) -> Result<Hash, ReadError> {
    let (pairs, rest) = texts.as_chunks::<2>();
    let mut hash = Hash::new();
    for [field, value] in pairs {
        if !hash.set(field, value, Life::Clear, limits) {
            return Err(BAD);
        }
    }
    match pairs.is_empty() || !rest.is_empty() {
        true => Err(BAD),
        false => Ok(hash),
    }
}

/// The texts of a zipmap: a count, then length and text of each field, and length, unused bytes and text of each value.
fn zipmap(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    fn length<'a>(rest: &mut &'a [u8]) -> Option<usize> {
        let (first, after) = rest.split_first()?;
        *rest = after;
        if *first < 254 {
            return Some(usize::from(*first));
        }
        let (long, after) = rest.split_first_chunk::<4>()?;
        *rest = after;
        (*first == 254).then_some(u32::from_le_bytes(*long) as usize)
    }
    fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
        let (taken, after) = rest.split_at_checked(length)?;
        *rest = after;
        Some(taken)
    }
    let mut rest = bytes.get(1..)?;
    let mut texts = Vec::new();
    while rest != [0xff] {
        let field = length(&mut rest)?;
        texts.push(take(&mut rest, field)?.to_vec());
        let value = length(&mut rest)?;
        let unused = take(&mut rest, 1)?.first().copied()?;
        texts.push(take(&mut rest, value)?.to_vec());
        take(&mut rest, usize::from(unused))?;
    }
    Some(texts)
}
