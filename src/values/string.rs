//! Strings: bytes, or an integer stored as such.

use super::{Kind, Object};
use crate::algorithms::num::{self, IntText};
use crate::structures::table::Content;

/// Longer strings get an allocation of their own, which can grow in place.
pub const INLINE_LIMIT_BYTES: usize = 960;
/// The longest text of an `i64`.
const INT_TEXT_BYTES: usize = 20;

/// A string value, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Str<'a> {
    Bytes(&'a [u8]),
    Int(i64),
}

/// The bytes of a [`Str`].
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    Bytes(&'a [u8]),
    Int(IntText),
}

impl std::ops::Deref for Text<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Text::Bytes(bytes) => bytes,
            Text::Int(text) => text.as_bytes(),
        }
    }
}

impl<'a> Str<'a> {
    /// The bytes; an integer's digits stand in the result itself.
    #[inline]
    pub fn text(self) -> Text<'a> {
        match self {
            Str::Bytes(bytes) => Text::Bytes(bytes),
            Str::Int(number) => Text::Int(num::format_i64(number)),
        }
    }

    /// The length in bytes.
    pub fn len(self) -> usize {
        self.text().len()
    }

    pub fn is_empty(self) -> bool {
        matches!(self, Str::Bytes([]))
    }

    pub fn to_vec(self) -> Vec<u8> {
        self.text().to_vec()
    }

    /// The value as an integer, if its text is one.
    pub fn integer(self) -> Option<i64> {
        match self {
            Str::Int(number) => Some(number),
            Str::Bytes(bytes) => num::parse_i64(bytes),
        }
    }
}

/// How a string is stored: integers as such, short ones inline, long ones on their own.
#[inline]
pub fn content(bytes: &[u8]) -> Content<'_, Object> {
    if bytes.len() <= INT_TEXT_BYTES
        && bytes
            .first()
            .is_some_and(|first| first.is_ascii_digit() || *first == b'-')
        && let Some(number) = num::parse_i64(bytes)
    {
        return Content::Int(number);
    }
    raw_content(bytes)
}

/// The same without a look for integers.
#[inline]
pub fn raw_content(bytes: &[u8]) -> Content<'_, Object> {
    if bytes.len() <= INLINE_LIMIT_BYTES {
        Content::Inline(bytes)
    } else {
        Content::Boxed(Box::new(Object::String(bytes.to_vec())))
    }
}

/// The kind byte of a string that was set as a whole.
pub const WHOLE: u8 = Kind::String as u8;
/// The kind byte of a string that was changed in place.
pub const CHANGED: u8 = Kind::RawString as u8;

/// Redis keeps a key, its expiry and a short value in one allocation of so many bytes at most: `embstr`.
const EMBEDDED_BYTES: usize = 64;
/// Headers and terminators in it.
const EMBEDDED_OVERHEAD_BYTES: usize = 23;
const EXPIRY_BYTES: usize = 8;
/// Keys from this length on have a longer header, which the sum above leaves out; the allocation they get has room for
/// an expiry then.
const LONG_KEY_BYTES: usize = 32;

/// Whether Redis would keep a string of `length` bytes beside its key.
#[inline]
fn is_embedded(key_length: usize, length: usize, has_expiry: bool) -> bool {
    let expiry = if has_expiry { EXPIRY_BYTES } else { 0 };
    EMBEDDED_OVERHEAD_BYTES + expiry + key_length + length <= EMBEDDED_BYTES
}

/// Whether an embedded string stays so when its key, which had no expiry, gets one.
pub fn stays_embedded(key_length: usize, length: usize) -> bool {
    let has_slack = key_length >= LONG_KEY_BYTES
        && EMBEDDED_OVERHEAD_BYTES + 2 + key_length + length > EMBEDDED_BYTES;
    is_embedded(key_length, length, true) || has_slack
}

/// The kind byte of bytes that are set as a whole, on a key that had an expiry before and has one now.
#[inline]
pub fn whole_kind(key_length: usize, length: usize, had_expiry: bool, has_expiry: bool) -> u8 {
    let is_embedded = match (had_expiry, has_expiry) {
        (_, false) => is_embedded(key_length, length, false),
        (true, true) => is_embedded(key_length, length, true),
        (false, true) => {
            is_embedded(key_length, length, false) && stays_embedded(key_length, length)
        }
    };
    if is_embedded { WHOLE } else { CHANGED }
}

/// The kind byte of a string's bytes under another key, where they come with their expiry.
pub fn moved_kind(kind: u8, key_length: usize, length: usize, expiry_ms: Option<i64>) -> u8 {
    match kind {
        WHOLE => whole_kind(key_length, length, true, expiry_ms.is_some()),
        kind => kind,
    }
}
