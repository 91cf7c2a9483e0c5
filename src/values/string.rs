//! Strings: bytes, or an integer stored as such.

use super::{Kind, Object};
use crate::structures::item::integer_of;
pub use crate::structures::item::{Item as Str, Text};
use crate::structures::table::Content;

/// Longer strings get an allocation of their own, which can grow in place.
pub const INLINE_LIMIT_BYTES: usize = 960;

/// How a string is stored: integers as such, short ones inline, long ones on their own.
#[inline]
pub fn content(bytes: &[u8]) -> Content<'_, Object> {
    if let Some(number) = integer_of(bytes) {
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

/// What is stored of a string that comes with its expiry from elsewhere: the kind byte and the content.
pub fn brought(
    key_length: usize,
    bytes: &[u8],
    expiry_ms: Option<i64>,
) -> (u8, Content<'_, Object>) {
    let content = content(bytes);
    let kind = match &content {
        Content::Int(_) => WHOLE,
        _ => moved_kind(WHOLE, key_length, bytes.len(), expiry_ms),
    };
    (kind, content)
}

/// The kind byte of a string's bytes under another key, where they come with their expiry.
pub fn moved_kind(kind: u8, key_length: usize, length: usize, expiry_ms: Option<i64>) -> u8 {
    match kind {
        WHOLE => whole_kind(key_length, length, true, expiry_ms.is_some()),
        kind => kind,
    }
}
