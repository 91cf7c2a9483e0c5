//! Sorted sets.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
use crate::algorithms::lzf::Compressor;
use crate::values::{Limits, SortedSet, SortedSetRef};

pub(super) fn type_byte(_value: SortedSetRef<'_>) -> u8 {
    17
}

pub(super) fn write(
    out: &mut Vec<u8>,
    value: SortedSetRef<'_>,
    compressor: Option<&mut Compressor>,
) {
    let SortedSetRef::Packed(bytes) = value;
    rdb::write_string(out, bytes, compressor);
}

pub(super) fn read(
    _cursor: &mut Cursor<'_>,
    type_byte: u8,
    _limits: &Limits,
) -> Result<SortedSet, ReadError> {
    Err(ReadError::UnknownType(type_byte))
}
