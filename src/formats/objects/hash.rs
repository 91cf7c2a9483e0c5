//! Hashes.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
use crate::algorithms::lzf::Compressor;
use crate::values::{Hash, HashRef, Limits};

pub(super) fn type_byte(value: HashRef<'_>) -> u8 {
    match value {
        HashRef::Packed(_) => 16,
        HashRef::PackedEx(_) => 25,
    }
}

pub(super) fn write(out: &mut Vec<u8>, value: HashRef<'_>, compressor: Option<&mut Compressor>) {
    let (HashRef::Packed(bytes) | HashRef::PackedEx(bytes)) = value;
    rdb::write_string(out, bytes, compressor);
}

pub(super) fn read(
    _cursor: &mut Cursor<'_>,
    type_byte: u8,
    _limits: &Limits,
) -> Result<Hash, ReadError> {
    Err(ReadError::UnknownType(type_byte))
}
