//! Sets: an intset, a listpack, or the members one after another.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
use super::part::{PLACE_BYTES, Part};
use crate::algorithms::lzf::Compressor;
use crate::structures::intset::{self, Intset};
use crate::structures::item::Item;
use crate::structures::listpack::{self, Listpack};
use crate::values::{Limits, Set, SetRef};

const MEMBERS: u8 = 2;
const INTS: u8 = 11;
const PACKED: u8 = 20;

pub(super) fn type_byte(value: SetRef<'_>) -> u8 {
    match value {
        SetRef::Ints(_) => INTS,
        SetRef::Packed(_) => PACKED,
        SetRef::Few(_) | SetRef::Table(_) => MEMBERS,
    }
}

pub(super) fn write(
    out: &mut Vec<u8>,
    value: SetRef<'_>,
    mut compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    if let Some(bytes) = value.packed()
        && type_byte(value) != MEMBERS
    {
        rdb::write_string(out, bytes, compressor);
        part.spend(bytes.len());
        return true;
    }
    let is_first = part.is_at_start();
    if is_first {
        rdb::write_length(out, value.len() as u64);
        part.enter(1);
    }
    let mut written = 0;
    let mut write_member = |member: Item<'_>| {
        let text = member.text();
        rdb::write_string(out, &text, compressor.as_deref_mut());
        written += text.len() + PLACE_BYTES;
    };
    if is_first && part.is_whole() {
        value.walk(&mut |member| {
            write_member(member);
            true
        });
        return true;
    }
    part.at = value.scan(part.at, 1, &mut write_member);
    part.spend(written);
    part.at == 0
}

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    limits: &Limits,
) -> Result<Set, ReadError> {
    let mut set = match type_byte {
        MEMBERS => return read_members(cursor, limits),
        INTS => {
            let bytes = cursor.string()?.into_owned();
            let is_valid = intset::is_valid(&bytes);
            is_valid.then(|| Set::Ints(Intset::from_bytes(bytes)))
        }
        PACKED => {
            let bytes = cursor.string()?.into_owned();
            let is_valid = listpack::is_valid(&bytes);
            let list = is_valid.then(|| Listpack::from_bytes(bytes));
            list.filter(|list| are_distinct(list, limits))
                .map(Set::Packed)
        }
        _ => return Err(ReadError::UnknownType(type_byte)),
    }
    .filter(|set| !set.is_empty())
    .ok_or(ReadError::Corrupt("a packed set is damaged"))?;
    set.prepare(set.view().len(), limits);
    Ok(set)
}

fn read_members(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<Set, ReadError> {
    let count = cursor.length()?;
    if count == 0 {
        return Err(ReadError::Corrupt("a set is empty"));
    }
    let mut set = Set::new();
    set.prepare(usize::try_from(count).unwrap_or(usize::MAX), limits);
    for _ in 0..count {
        if !set.add(&cursor.string()?, limits) {
            return Err(ReadError::Corrupt("a set has a member twice"));
        }
    }
    Ok(set)
}

/// Whether no member of a listpack occurs twice. O(n).
fn are_distinct(list: &Listpack, limits: &Limits) -> bool {
    if let Some(are_distinct) = list.view().are_few_distinct(1) {
        return are_distinct;
    }
    let mut seen = Set::table(limits);
    list.view()
        .iter()
        .all(|(_, member)| seen.add_item(member, limits))
}
