//! Hashes: a listpack as it stands in memory, or fields one after another.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
use super::super::ziplist;
use super::part::{PLACE_BYTES, Part};
use crate::algorithms::bytes::Append;
use crate::algorithms::lzf::Compressor;
use crate::structures::item::Item;
use crate::structures::listpack::{self, Listpack, ListpackRef};
use crate::values::hash::{self, Hash, HashRef, Life, MAX_EXPIRY_MS};
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

/// Fields with values and times to live in milliseconds since the epoch (8 bytes, -1 for none), as Valkey 9 writes them:
/// there it has the number 22.
pub(super) const VALKEY_TABLE: u8 = 222;

pub(super) fn type_byte(value: HashRef<'_>) -> u8 {
    match value {
        HashRef::Packed(_) => LISTPACK,
        HashRef::PackedEx(_) => LISTPACK_EX,
        HashRef::Table(_) if value.is_volatile() => TABLE_EX,
        HashRef::Few(_) | HashRef::Table(_) => TABLE,
    }
}

pub(super) fn write(
    out: &mut Vec<u8>,
    value: HashRef<'_>,
    compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    let bytes = match value {
        HashRef::Packed(pack) => pack.as_bytes(),
        HashRef::PackedEx(pack) => {
            out.put(&value.deadline_ms().unwrap_or(0).to_le_bytes());
            pack.pack().as_bytes()
        }
        HashRef::Few(_) | HashRef::Table(_) => return write_table(out, value, compressor, part),
    };
    rdb::write_string(out, bytes, compressor);
    part.spend(bytes.len());
    true
}

/// The earliest time to live. To find it takes a look at all fields, so a hash that is written in parts goes by a time that
/// is possibly a little earlier.
fn base_ms(value: HashRef<'_>, is_exact: bool) -> i64 {
    if !is_exact {
        return value.earliest_ms().unwrap_or(0);
    }
    let mut earliest_ms = i64::MAX;
    value.each(&mut |_, _, expiry_ms| {
        earliest_ms = earliest_ms.min(expiry_ms.unwrap_or(i64::MAX));
    });
    earliest_ms
}

fn write_table(
    out: &mut Vec<u8>,
    value: HashRef<'_>,
    mut compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    let has_expiry = value.is_volatile();
    let is_first = part.is_at_start();
    if is_first {
        if has_expiry {
            part.base_ms = base_ms(value, part.is_whole());
            out.put(&part.base_ms.to_le_bytes());
        }
        rdb::write_length(out, value.len() as u64);
        part.enter(1);
    }
    let (base_ms, mut written) = (part.base_ms, 0);
    let mut write_field = |field: Item<'_>, text: Item<'_>, expiry_ms: Option<i64>| {
        if has_expiry {
            let after_ms = expiry_ms.map_or(0, |at_ms| at_ms - base_ms + 1);
            rdb::write_length(out, after_ms as u64);
        }
        let (field, text) = (field.text(), text.text());
        rdb::write_string(out, &field, compressor.as_deref_mut());
        rdb::write_string(out, &text, compressor.as_deref_mut());
        written += field.len() + text.len() + PLACE_BYTES;
    };
    if is_first && part.is_whole() {
        value.each(&mut write_field);
        return true;
    }
    part.at = value.scan(part.at, 1, &mut write_field);
    part.spend(written);
    part.at == 0
}

const BAD: ReadError = ReadError::Corrupt("a hash is not made of fields");

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    limits: &Limits,
) -> Result<Hash, ReadError> {
    let mut hash = match type_byte {
        TABLE | OLD_TABLE_EX | TABLE_EX | VALKEY_TABLE => {
            return read_fields(cursor, type_byte, limits);
        }
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
        hash.allow_expiry(limits);
    }
    if usize::try_from(count).is_ok_and(|count| count > limits.hash_max_listpack_entries) {
        hash.make_table(limits);
    }
    for _ in 0..count {
        let mut after_ms = match type_byte {
            TABLE | VALKEY_TABLE => 0,
            _ => cursor.length()?,
        };
        let (field, value) = (cursor.string()?, cursor.string()?);
        if type_byte == VALKEY_TABLE {
            after_ms = u64::try_from(i64::from_le_bytes(cursor.array()?)).unwrap_or(0);
        }
        let life = match i64::try_from(after_ms).map_err(|_| BAD)? {
            0 => Life::Clear,
            after_ms => Life::Until((start_ms - 1).checked_add(after_ms).ok_or(BAD)?),
        };
        if matches!(life, Life::Until(at_ms) if !(1..=MAX_EXPIRY_MS).contains(&at_ms)) {
            return Err(BAD);
        }
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
    fn length(rest: &mut &[u8]) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::hash::HashSeed;

    const AT: i64 = 4_000_000_000_000;

    fn limits(entries: usize) -> Limits {
        Limits {
            hash_max_listpack_entries: entries,
            ..Limits::new(HashSeed::new(1, 2))
        }
    }

    /// The fields in the order of their names, values and times behind them.
    fn fields(hash: &Hash) -> Vec<(String, String, Option<i64>)> {
        let mut all = Vec::new();
        hash.view().each(&mut |field, value, expiry_ms| {
            let text = |item: &[u8]| String::from_utf8_lossy(item).into_owned();
            all.push((text(&field.text()), text(&value.text()), expiry_ms));
        });
        all.sort();
        all
    }

    fn read_as(type_byte: u8, body: &[u8], entries: usize) -> Result<Hash, ReadError> {
        read(&mut Cursor::new(body), type_byte, &limits(entries))
            .inspect(|hash| hash.check().unwrap())
    }

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        rdb::write_string(&mut out, bytes, None);
        out
    }

    /// A listpack of texts and numbers.
    fn pack(items: &[(&str, Option<i64>)]) -> Vec<u8> {
        let mut pack = Listpack::new();
        for (text, number) in items {
            match number {
                Some(number) => pack.push_int(*number),
                None => pack.push(text.as_bytes()),
            }
        }
        string(pack.as_bytes())
    }

    fn two(a: Option<i64>, b: Option<i64>) -> Vec<(String, String, Option<i64>)> {
        let field = |name: &str, value: &str, at| (name.to_owned(), value.to_owned(), at);
        vec![field("a", "x", a), field("b", "y", b)]
    }

    #[test]
    fn every_form_is_read() {
        let relative = [&AT.to_le_bytes()[..], b"\x02\x01\x01a\x01x\x06\x01b\x01y"].concat();
        let absolute = [
            b"\x02\x81",
            &AT.to_be_bytes()[..],
            b"\x01a\x01x\x00\x01b\x01y",
        ]
        .concat();
        let pairs = pack(&[("a", None), ("x", None), ("b", None), ("y", None)]);
        let at = ("", Some(AT));
        let never = ("", Some(0));
        let triplets = pack(&[
            ("a", None),
            ("x", None),
            at,
            ("b", None),
            ("y", None),
            never,
        ]);
        let with_deadline = [&7i64.to_le_bytes()[..], &triplets].concat();
        let zipmap = string(b"\x02\x01a\x01\x00x\x01b\x01\x02y..\xff");
        let ziplist = string(b"\x17\0\0\0\x13\0\0\0\x04\0\0\x01a\x03\x01x\x03\x01b\x03\x01y\xff");
        let forms: [(u8, &[u8], _); 8] = [
            (TABLE, b"\x02\x01a\x01x\x01b\x01y", two(None, None)),
            (ZIPMAP, &zipmap, two(None, None)),
            (ZIPLIST, &ziplist, two(None, None)),
            (LISTPACK, &pairs, two(None, None)),
            (OLD_TABLE_EX, &absolute, two(Some(AT), None)),
            (OLD_LISTPACK_EX, &triplets, two(Some(AT), None)),
            (TABLE_EX, &relative, two(Some(AT), Some(AT + 5))),
            (LISTPACK_EX, &with_deadline, two(Some(AT), None)),
        ];
        for (type_byte, body, expected) in forms {
            for entries in [0, 1, 512] {
                let hash = read_as(type_byte, body, entries).unwrap();
                assert_eq!(fields(&hash), expected, "type {type_byte}");
                let is_table = hash.kind() == Kind::HashTable;
                assert_eq!(is_table, entries < 2, "type {type_byte}");
                let (mut out, kind) = (Vec::new(), type_byte_of(&hash));
                write(&mut out, hash.view(), None, &mut Part::whole());
                assert_eq!(fields(&read_as(kind, &out, entries).unwrap()), expected);
            }
            for length in 0..body.len() {
                assert!(
                    read_as(type_byte, &body[..length], 512).is_err(),
                    "type {type_byte}"
                );
            }
        }
    }

    fn type_byte_of(hash: &Hash) -> u8 {
        type_byte(hash.view())
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let (a, x) = (("a", None), ("x", None));
        let number = |number| ("", Some(number));
        type Items<'a> = &'a [(&'a str, Option<i64>)];
        let packs: [(u8, Items<'_>); 10] = [
            (LISTPACK, &[]),
            (LISTPACK, &[a]),
            (LISTPACK, &[a, x, a, x]),
            (OLD_LISTPACK_EX, &[]),
            (OLD_LISTPACK_EX, &[a, x]),
            (OLD_LISTPACK_EX, &[a, x, ("q", None)]),
            (OLD_LISTPACK_EX, &[a, x, number(-5)]),
            (OLD_LISTPACK_EX, &[a, x, number(1 << 48)]),
            (OLD_LISTPACK_EX, &[a, x, number(0), x, x, number(5)]),
            (OLD_LISTPACK_EX, &[a, x, number(5), a, x, number(5)]),
        ];
        for (type_byte, items) in packs {
            assert!(read_as(type_byte, &pack(items), 512).is_err(), "{items:?}");
        }
        assert!(read_as(TABLE, b"\x00", 512).is_err());
        assert!(read_as(TABLE, b"\x02\x01a\x01x\x01a\x01y", 512).is_err());
        assert!(read_as(TABLE, b"\x02\x01a\x01x\x01a\x01y", 0).is_err());
        for start_ms in [-1, 1 << 48, i64::MAX] {
            let body = [&start_ms.to_le_bytes()[..], b"\x01\x01\x01a\x01x"].concat();
            assert!(read_as(TABLE_EX, &body, 512).is_err());
        }
    }
}
