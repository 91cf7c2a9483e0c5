//! The building blocks of Redis' RDB encoding: lengths, strings, objects.
//!
//! A length is `00xxxxxx` (6 bits), `01xxxxxx` and a byte (14 bits), `0x80` and 4 bytes, or `0x81` and 8 bytes, all
//! big-endian. A string is a length and its bytes, or a byte `11xxxxxx` and a special form: 0, 1, 2 an integer of 1, 2
//! or 4 bytes little-endian that stands for its decimal text, 3 an LZF stream behind its two lengths.

use crate::algorithms::bytes::{Append, Bytes};
use std::borrow::Cow;

use crate::algorithms::lzf::{self, Compressor};
use crate::algorithms::num::{format_i64, parse_i64};

/// The RDB version this crate writes: that of Redis 8.2.
pub const VERSION: u16 = 12;
/// The newest version of which every type is known: that of Redis 8.10. Payloads of DUMP may be as new as this; a file may
/// be newer, as long as everything in it is known.
pub const NEWEST: u16 = 15;
/// The version that Valkey 9 writes; some of its types are its own.
pub const VALKEY: u16 = 80;

/// The type byte of a string object.
pub const TYPE_STRING: u8 = 0;

/// No string may be longer than a 32-bit address space can ever hold.
const MAX_STRING_BYTES: u64 = u32::MAX as u64;
/// Longer text is not tried as an integer: the longest 32-bit one has 11 bytes.
const MAX_INTEGER_TEXT: usize = 11;
/// Shorter strings are not compressed.
pub const MIN_COMPRESSED: usize = 21;

const INT8: u8 = 0xc0;
const INT16: u8 = 0xc1;
const INT32: u8 = 0xc2;
const LZF: u8 = 0xc3;

/// Why bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// They end inside of something.
    Incomplete,
    /// They say something impossible.
    Corrupt(&'static str),
    /// An object type this engine does not have.
    UnknownType(u8),
    /// The value of a module with this id.
    Module(u64),
}

/// Appends a length in its shortest form.
pub fn write_length(out: &mut Vec<u8>, length: u64) {
    match length {
        0..64 => out.push(length as u8),
        64..16384 => out.put(&(length as u16 | 0x4000).to_be_bytes()),
        _ => match u32::try_from(length) {
            Ok(short) => {
                out.push(0x80);
                out.put(&short.to_be_bytes());
            }
            Err(_) => {
                out.push(0x81);
                out.put(&length.to_be_bytes());
            }
        },
    }
}

/// Appends a string as Redis does: as an integer if it is the text of one of 32 bits, else compressed if that is wanted
/// (a compressor is given), the string is longer than 20 bytes and at least four bytes are saved, else as it is.
pub fn write_string(out: &mut Vec<u8>, text: &[u8], compressor: Option<&mut Compressor>) {
    if text.len() <= MAX_INTEGER_TEXT
        && let Some(value) = parse_i64(text)
        && write_integer(out, value)
    {
        return;
    }
    if text.len() >= MIN_COMPRESSED
        && let Some(compressor) = compressor.filter(|with| text.len() <= with.longest_bytes)
        && write_compressed(out, text, compressor, text.len() - 4, text.len() - 4)
    {
        return;
    }
    write_length(out, text.len() as u64);
    out.put(text);
}

/// Appends the next bytes of a string that is written as it is, in parts of about `left` bytes; `at` is how much was
/// written before. True when that was all.
pub fn write_slice(out: &mut Vec<u8>, text: &[u8], at: &mut usize, left: usize) -> bool {
    if *at == 0 {
        write_length(out, text.len() as u64);
    }
    let end = at.saturating_add(left.max(1)).min(text.len());
    out.put(text.get(*at..end).unwrap_or_default());
    *at = end;
    end == text.len()
}

fn write_integer(out: &mut Vec<u8>, value: i64) -> bool {
    if let Ok(value) = i8::try_from(value) {
        out.put(&[INT8, value as u8]);
    } else if let Ok(value) = i16::try_from(value) {
        out.push(INT16);
        out.put(&value.to_le_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(INT32);
        out.put(&value.to_le_bytes());
    } else {
        return false;
    }
    true
}

/// Appends a string compressed, if that fits into `room` bytes and then takes `most` at most; says whether it does. The
/// compressor may ask for a little more room than it takes in the end.
pub fn write_compressed(
    out: &mut Vec<u8>,
    text: &[u8],
    compressor: &mut Compressor,
    room: usize,
    most: usize,
) -> bool {
    let mut packed = Vec::new();
    if !compressor.compress(text, &mut packed, room) || packed.len() > most {
        return false;
    }
    out.push(LZF);
    write_length(out, packed.len() as u64);
    write_length(out, text.len() as u64);
    out.put(&packed);
    true
}

/// Reads encoded bytes from the front.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of the bytes.
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next bytes as they are.
    pub fn take(&mut self, length: u64) -> Result<&'a [u8], ReadError> {
        let length = usize::try_from(length).map_err(|_| ReadError::Incomplete)?;
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(ReadError::Incomplete)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next N bytes as they are.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ReadError::Incomplete)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, ReadError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A length.
    pub fn length(&mut self) -> Result<u64, ReadError> {
        let first = self.byte()?;
        self.length_after(first)
    }

    fn length_after(&mut self, first: u8) -> Result<u64, ReadError> {
        match first {
            0x00..0x40 => Ok(first as u64),
            0x40..0x80 => Ok(((first & 0x3f) as u64) << 8 | self.byte()? as u64),
            0x80 => Ok(u32::from_be_bytes(self.array()?) as u64),
            0x81 => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(ReadError::Corrupt("a length has an unknown form")),
        }
    }

    /// A string. Borrowed unless it was stored as an integer or compressed.
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, ReadError> {
        let integer = |value: i64| Ok(Cow::Owned(format_i64(value).owned()));
        match self.byte()? {
            INT8 => integer(i8::from_le_bytes(self.array()?) as i64),
            INT16 => integer(i16::from_le_bytes(self.array()?) as i64),
            INT32 => integer(i32::from_le_bytes(self.array()?) as i64),
            LZF => self.compressed().map(Cow::Owned),
            first => {
                let length = self.length_after(first)?;
                check_string_length(length)?;
                self.take(length).map(Cow::Borrowed)
            }
        }
    }

    /// Goes past a string without looking into it.
    pub fn skip_string(&mut self) -> Result<(), ReadError> {
        let length = match self.byte()? {
            INT8 => 1,
            INT16 => 2,
            INT32 => 4,
            LZF => {
                let packed = self.length()?;
                self.length()?;
                packed
            }
            first => self.length_after(first)?,
        };
        check_string_length(length)?;
        self.take(length).map(drop)
    }

    fn compressed(&mut self) -> Result<Vec<u8>, ReadError> {
        let packed = self.length()?;
        let length = self.length()?;
        check_string_length(packed)?;
        check_string_length(length)?;
        let packed = self.take(packed)?;
        let mut text = Vec::new();
        lzf::decompress(packed, &mut text, length as usize)
            .ok_or(ReadError::Corrupt("a compressed string is damaged"))?;
        Ok(text)
    }
}

fn check_string_length(length: u64) -> Result<(), ReadError> {
    if length > MAX_STRING_BYTES {
        return Err(ReadError::Corrupt("a string is longer than 4 GiB"));
    }
    Ok(())
}

/// What an object's type byte stands for, for messages about types this engine does not have.
pub fn type_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "string",
        1 | 10 | 14 | 18 => "list",
        2 | 11 | 20 => "set",
        3 | 5 | 12 | 17 => "zset",
        4 | 9 | 13 | 16 | 22..=25 | 29..=32 => "hash",
        6 | 7 => "module",
        15 | 19 | 21 | 26 | 27 => "stream",
        28 => "array",
        33 => "gcra",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_back_in_the_shortest_form() {
        for (length, bytes) in [
            (0, 1),
            (63, 1),
            (64, 2),
            (16_383, 2),
            (16_384, 5),
            (u32::MAX as u64, 5),
            (u32::MAX as u64 + 1, 9),
            (u64::MAX, 9),
        ] {
            let mut out = Vec::new();
            write_length(&mut out, length);
            assert_eq!(out.len(), bytes);
            assert_eq!(Cursor::new(&out).length(), Ok(length));
            out.pop();
            assert_eq!(Cursor::new(&out).length(), Err(ReadError::Incomplete));
        }
        assert!(matches!(
            Cursor::new(b"\xc0").length(),
            Err(ReadError::Corrupt(_))
        ));
        assert!(matches!(
            Cursor::new(b"\x82").length(),
            Err(ReadError::Corrupt(_))
        ));
    }

    #[test]
    fn strings_come_back() {
        let mut compressor = Compressor::new();
        let long = [b'x'; 100];
        let texts: [&[u8]; 14] = [
            b"",
            b"0",
            b"-1",
            b"127",
            b"128",
            b"-32768",
            b"2147483647",
            b"-2147483648",
            b"2147483648",
            b"007",
            b"+5",
            b"hello",
            b"abcdefghijklmnopqrstuvwxyz",
            &long,
        ];
        let sizes = [1, 2, 2, 2, 3, 3, 5, 5, 11, 4, 3, 6, 27, 13];
        for (text, size) in texts.iter().zip(sizes) {
            let mut out = Vec::new();
            write_string(&mut out, text, Some(&mut compressor));
            assert_eq!(out.len(), size, "{text:?}");
            assert_eq!(Cursor::new(&out).string().as_deref(), Ok(*text));
            for cut in 0..out.len() {
                assert_eq!(
                    Cursor::new(&out[..cut]).string(),
                    Err(ReadError::Incomplete)
                );
            }
            out.clear();
            write_string(&mut out, text, None);
            assert_eq!(Cursor::new(&out).string().as_deref(), Ok(*text));
        }
    }

    #[test]
    fn impossible_strings_are_refused() {
        for bytes in [
            &b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"[..],
            b"\xc4",
            b"\xff",
            b"\xc3\x01\x05\x00",
            b"\xc3\x02\x81\0\0\0\x01\0\0\0\0ab",
            b"\xc3\x04\x05\x00a\xe0\xff",
        ] {
            assert!(
                matches!(Cursor::new(bytes).string(), Err(ReadError::Corrupt(_))),
                "{bytes:?}"
            );
        }
        assert_eq!((type_name(16), type_name(99)), (Some("hash"), None));
    }
}
