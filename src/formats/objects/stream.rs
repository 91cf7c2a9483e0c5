//! Streams.

use super::super::rdb::{Cursor, ReadError};
use crate::algorithms::lzf::Compressor;
use crate::values::{Limits, Stream};

pub(super) fn type_byte(_value: &Stream) -> u8 {
    21
}

pub(super) fn write(out: &mut Vec<u8>, value: &Stream, compressor: Option<&mut Compressor>) {
    let _ = (out, value, compressor);
}

pub(super) fn read(
    _cursor: &mut Cursor<'_>,
    type_byte: u8,
    _limits: &Limits,
) -> Result<Stream, ReadError> {
    Err(ReadError::UnknownType(type_byte))
}
