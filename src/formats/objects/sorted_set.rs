//! Sorted sets: a listpack, or members with their scores from the highest to the lowest.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
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
) {
    if let SortedSetRef::Packed(list) = value {
        return rdb::write_string(out, list.as_bytes(), compressor);
    }
    rdb::write_length(out, value.len() as u64);
    for (member, score) in value.walk(0..value.len(), true) {
        rdb::write_string(out, &member.text(), compressor.as_deref_mut());
        out.put(&score.to_le_bytes());
    }
}

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    limits: &Limits,
) -> Result<SortedSet, ReadError> {
    match type_byte {
        TEXT_SCORES | SCORES => read_members(cursor, type_byte == TEXT_SCORES, limits),
        PACKED => read_packed(cursor, limits),
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

fn read_packed(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<SortedSet, ReadError> {
    let bytes = cursor.string()?.into_owned();
    let is_packed = listpack::is_valid(&bytes);
    let value = is_packed.then(|| SortedSet::Packed(Listpack::from_bytes(bytes)));
    let value = value.filter(|value| value.view().is_sound());
    let mut value = value.ok_or(ReadError::Corrupt("a packed sorted set is damaged"))?;
    value.prepare(value.view().len(), limits);
    Ok(value)
}
