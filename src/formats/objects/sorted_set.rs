//! Sorted sets: a listpack, or members with their scores from the highest to the lowest.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
use super::super::ziplist;
use super::Part;
use crate::algorithms::bytes::Append;
use crate::algorithms::lzf::Compressor;
use crate::algorithms::num;
use crate::structures::listpack::{self, Listpack};
use crate::structures::ranked::Ranked;
use crate::values::{Limits, SortedSet, SortedSetRef};

/// Members with scores as text.
const TEXT_SCORES: u8 = 3;
/// Members with scores of eight bytes.
const SCORES: u8 = 5;
const ZIPLIST: u8 = 12;
const PACKED: u8 = 17;

/// Lengths of a score's text that stand for what is no text.
const NAN: u8 = 253;
const INFINITE: u8 = 254;
const NEGATIVE_INFINITE: u8 = 255;

pub(super) fn type_byte(value: SortedSetRef<'_>) -> u8 {
    match value {
        SortedSetRef::Packed(_) => PACKED,
        SortedSetRef::Tree(_) => SCORES,
    }
}

pub(super) fn write(
    out: &mut Vec<u8>,
    value: SortedSetRef<'_>,
    mut compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    if let SortedSetRef::Packed(list) = value {
        rdb::write_string(out, list.as_bytes(), compressor);
        part.spend(list.as_bytes().len());
        return true;
    }
    if part.is_at_start() {
        rdb::write_length(out, value.len() as u64);
        part.enter(1);
    }
    let rest = value.len().saturating_sub(part.at as usize);
    for (member, score) in value.walk(0..rest, true) {
        let text = member.text();
        rdb::write_string(out, &text, compressor.as_deref_mut());
        out.put(&score.to_le_bytes());
        part.at += 1;
        if !part.spend(text.len()) {
            return false;
        }
    }
    true
}

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    limits: &Limits,
) -> Result<SortedSet, ReadError> {
    match type_byte {
        TEXT_SCORES | SCORES => read_members(cursor, type_byte == TEXT_SCORES, limits),
        ZIPLIST => {
            let mut list = Listpack::new();
            for text in ziplist::read(&cursor.string()?)? {
                list.push(&text);
            }
            checked(list, limits)
        }
        PACKED => {
            let bytes = cursor.string()?.into_owned();
            if !listpack::is_valid(&bytes) {
                return Err(DAMAGED);
            }
            checked(Listpack::from_bytes(bytes), limits)
        }
        _ => Err(ReadError::UnknownType(type_byte)),
    }
}

fn read_members(
    cursor: &mut Cursor<'_>,
    is_text: bool,
    limits: &Limits,
) -> Result<SortedSet, ReadError> {
    let count = cursor.length()?;
    if count == 0 {
        return Err(ReadError::Corrupt("a sorted set is empty"));
    }
    let mut ranked = Ranked::new(limits.seed.clone());
    for at in 0..count {
        let member = cursor.string()?;
        let score = match is_text {
            true => text_score(cursor)?,
            false => f64::from_le_bytes(cursor.array()?),
        };
        if score.is_nan() {
            return Err(ReadError::Corrupt("a score is not a number"));
        }
        ranked.insert(&member, score);
        if ranked.len() as u64 == at {
            return Err(ReadError::Corrupt("a sorted set has a member twice"));
        }
    }
    Ok(SortedSet::of_ranked(ranked, limits))
}

fn text_score(cursor: &mut Cursor<'_>) -> Result<f64, ReadError> {
    Ok(match cursor.byte()? {
        NAN => f64::NAN,
        INFINITE => f64::INFINITY,
        NEGATIVE_INFINITE => f64::NEG_INFINITY,
        length => {
            let text = cursor.take(u64::from(length))?;
            num::parse_f64(text).ok_or(ReadError::Corrupt("a score is not a number"))?
        }
    })
}

const DAMAGED: ReadError = ReadError::Corrupt("a packed sorted set is damaged");

/// A listpack whose form was looked at, if its elements are members and scores as well.
fn checked(list: Listpack, limits: &Limits) -> Result<SortedSet, ReadError> {
    let mut value = SortedSet::Packed(list);
    if !value.view().is_sound() {
        return Err(DAMAGED);
    }
    value.prepare(value.view().len(), limits);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::hash::HashSeed;

    fn read_as(type_byte: u8, body: &[u8], entries: usize) -> Result<SortedSet, ReadError> {
        let mut limits = Limits::new(HashSeed::new(1, 2));
        limits.zset_max_listpack_entries = entries;
        read(&mut Cursor::new(body), type_byte, &limits)
    }

    fn members(set: &SortedSet) -> Vec<(Vec<u8>, f64)> {
        let members = set.view().iter();
        members
            .map(|(member, score)| (member.to_vec(), score))
            .collect()
    }

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        rdb::write_string(&mut out, bytes, None);
        out
    }

    fn packed(texts: &[&[u8]]) -> Vec<u8> {
        let mut list = Listpack::new();
        texts.iter().for_each(|text| list.push(text));
        string(list.as_bytes())
    }

    #[test]
    fn every_form_comes_back() {
        let expected = [
            (b"b".to_vec(), -1.5),
            (b"a".to_vec(), 7.0),
            (b"c".to_vec(), f64::INFINITY),
        ];
        let text = b"\x03\x01c\xfe\x01a\x017\x01b\x04-1.5";
        let mut scores = b"\x03".to_vec();
        for (member, score) in expected.iter().rev() {
            scores.extend(string(member));
            scores.extend(score.to_le_bytes());
        }
        let ziplist = string(
            b"\x21\0\0\0\x1b\0\0\0\x06\0\0\x01b\x03\x04-1.5\x06\x01a\x03\xf8\x02\x01c\x03\x03inf\xff",
        );
        let pairs = packed(&[b"b", b"-1.5", b"a", b"7", b"c", b"inf"]);
        let forms = [
            (TEXT_SCORES, &text[..]),
            (SCORES, &scores),
            (ZIPLIST, &ziplist),
            (PACKED, &pairs),
        ];
        for (type_byte, body) in forms {
            for entries in [2, 3] {
                let set = read_as(type_byte, body, entries).unwrap();
                assert_eq!(members(&set), expected, "type {type_byte}");
                let mut out = Vec::new();
                write(&mut out, set.view(), None, &mut Part::whole());
                let (kind, written) = if entries == 2 {
                    (SCORES, &scores)
                } else {
                    (PACKED, &pairs)
                };
                assert_eq!((self::type_byte(set.view()), &out), (kind, written));
            }
            for cut in 0..body.len() {
                assert!(
                    read_as(type_byte, &body[..cut], 9).is_err(),
                    "type {type_byte}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_sorted_set_is_refused() {
        let nan = [b"\x01\x01a".as_slice(), &f64::NAN.to_le_bytes()].concat();
        for (type_byte, body) in [
            (TEXT_SCORES, &b"\x00"[..]),
            (TEXT_SCORES, b"\x01\x01a\xfd"),
            (TEXT_SCORES, b"\x01\x01a\x01x"),
            (TEXT_SCORES, b"\x02\x01a\x011\x01a\x012"),
            (SCORES, &nan),
            (SCORES, b"\x00"),
            (ZIPLIST, b"\x03abc"),
            (PACKED, b"\x03abc"),
            (PACKED, &packed(&[])),
            (PACKED, &packed(&[b"a"])),
            (PACKED, &packed(&[b"a", b"x"])),
            (PACKED, &packed(&[b"a", b"nan"])),
            (PACKED, &packed(&[b"a", b"1", b"a", b"2"])),
            (PACKED, &packed(&[b"a", b"2", b"b", b"1"])),
            (PACKED, &packed(&[b"b", b"1", b"a", b"1"])),
        ] {
            assert!(
                read_as(type_byte, body, 9).is_err(),
                "type {type_byte} {body:?}"
            );
        }
        assert_eq!(read_as(4, b"", 9).err(), Some(ReadError::UnknownType(4)));
    }
}
