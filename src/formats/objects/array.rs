//! Arrays: how many values there are, where the cursor inserted last, and every value with its index.
//!
//! ```text
//!   count   0 | 1 cursor   (index   tag   value) ...      lengths, in RDB's form; indices ascend
//! ```
//!
//! A tag says how a value is written: 0 and 3 a string, 1 an integer of 8 bytes, 2 a double of 8 bytes (both
//! little-endian) that stand for their texts. Redis 8.8 reads all of them as this does; the tools around it describe them.

use super::super::rdb::{self, Cursor, ReadError};
use super::Part;
use crate::algorithms::bytes::Append;
use crate::algorithms::lzf::Compressor;
use crate::algorithms::num::{write_f64, write_i64};
use crate::values::array::MAX_INDEX;
use crate::values::{Array, Limits, Str};

pub(super) const TYPE: u8 = 28;

const STRING: u64 = 0;
const INT: u64 = 1;
const DOUBLE: u64 = 2;
const SHORT_STRING: u64 = 3;

pub(super) fn type_byte(_value: &Array) -> u8 {
    TYPE
}

pub(super) fn write(
    out: &mut Vec<u8>,
    value: &Array,
    mut compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    if part.is_at_start() {
        rdb::write_length(out, value.count());
        rdb::write_length(out, u64::from(value.inserted().is_some()));
        if let Some(inserted) = value.inserted() {
            rdb::write_length(out, inserted);
        }
        part.enter(1);
    }
    let mut is_end = true;
    value.visit(part.at, MAX_INDEX, &mut |index, value| {
        rdb::write_length(out, index);
        let mut length = size_of::<i64>();
        match value {
            Str::Int(number) => {
                rdb::write_length(out, INT);
                out.put(&number.to_le_bytes());
            }
            Str::Bytes(text) => {
                length = text.len();
                rdb::write_length(out, STRING);
                rdb::write_string(out, text, compressor.as_deref_mut());
            }
        }
        part.at = index + 1;
        is_end = part.spend(length) || index == MAX_INDEX;
        is_end
    });
    is_end
}

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    limits: &Limits,
) -> Result<Array, ReadError> {
    if type_byte != TYPE {
        return Err(ReadError::UnknownType(type_byte));
    }
    let count = cursor.length()?;
    let inserted = match cursor.length()? {
        0 => None,
        1 => Some(cursor.length()?).filter(|index| *index <= MAX_INDEX),
        _ => {
            return Err(ReadError::Corrupt(
                "the cursor of an array has an unknown form",
            ));
        }
    };
    if count == 0 {
        return Err(ReadError::Corrupt("an array is empty"));
    }
    let mut array = Array::new();
    array.set_inserted(inserted);
    let mut text = Vec::new();
    for _ in 0..count {
        let index = cursor.length()?;
        if index > MAX_INDEX {
            return Err(ReadError::Corrupt("an index of an array is too high"));
        }
        text.clear();
        match cursor.length()? {
            STRING | SHORT_STRING => text.put(&cursor.string()?),
            INT => write_i64(&mut text, i64::from_le_bytes(cursor.array()?)),
            DOUBLE => write_double(&mut text, f64::from_le_bytes(cursor.array()?)),
            _ => {
                return Err(ReadError::Corrupt(
                    "a value of an array has an unknown form",
                ));
            }
        }
        if !array.set(index, &text, limits) {
            return Err(ReadError::Corrupt("an array has an index twice"));
        }
    }
    Ok(array)
}

/// The text that a double stands for: whole numbers keep the `.0` that told them from integers.
fn write_double(text: &mut Vec<u8>, value: f64) {
    write_f64(text, value);
    if text
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'-')
    {
        text.put(b".0");
    }
}
