//! Sets.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
use crate::algorithms::lzf::Compressor;
use crate::values::{Limits, Set, SetRef};

pub(super) fn type_byte(value: SetRef<'_>) -> u8 {
    match value {
        SetRef::Ints(_) => 11,
        SetRef::Packed(_) => 20,
    }
}

pub(super) fn write(out: &mut Vec<u8>, value: SetRef<'_>, compressor: Option<&mut Compressor>) {
    let (SetRef::Ints(bytes) | SetRef::Packed(bytes)) = value;
    rdb::write_string(out, bytes, compressor);
}

pub(super) fn read(
    _cursor: &mut Cursor<'_>,
    type_byte: u8,
    _limits: &Limits,
) -> Result<Set, ReadError> {
    Err(ReadError::UnknownType(type_byte))
}
