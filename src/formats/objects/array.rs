//! Arrays.

use super::super::rdb::{Cursor, ReadError};
use crate::algorithms::lzf::Compressor;
use crate::values::{Array, Limits};

/// A type of our own: what redis-server writes for an array is not documented.
pub(super) const TYPE: u8 = 200;

pub(super) fn type_byte(_value: &Array) -> u8 {
    TYPE
}

pub(super) fn write(out: &mut Vec<u8>, value: &Array, compressor: Option<&mut Compressor>) {
    let _ = (out, value, compressor);
}

pub(super) fn read(
    _cursor: &mut Cursor<'_>,
    type_byte: u8,
    _limits: &Limits,
) -> Result<Array, ReadError> {
    Err(ReadError::UnknownType(type_byte))
}
