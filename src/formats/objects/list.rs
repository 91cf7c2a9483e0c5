//! Lists.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
use crate::algorithms::lzf::Compressor;
use crate::values::{Limits, List, ListRef};

/// A quicklist of listpacks.
const TYPE: u8 = 18;
/// The node is a listpack.
const PACKED: u64 = 2;

pub(super) fn type_byte(_value: ListRef<'_>) -> u8 {
    TYPE
}

pub(super) fn write(out: &mut Vec<u8>, value: ListRef<'_>, compressor: Option<&mut Compressor>) {
    let ListRef::Packed(bytes) = value;
    rdb::write_length(out, 1);
    rdb::write_length(out, PACKED);
    rdb::write_string(out, bytes, compressor);
}

pub(super) fn read(
    _cursor: &mut Cursor<'_>,
    type_byte: u8,
    _limits: &Limits,
) -> Result<List, ReadError> {
    Err(ReadError::UnknownType(type_byte))
}
