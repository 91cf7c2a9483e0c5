//! How one element of a listpack is written.

use crate::structures::item::{Item, integer_of};

/// The byte behind the last element.
pub(super) const END: u8 = 0xff;
/// Total length and count, in front of the first element.
pub const HEADER_BYTES: usize = 6;
/// The longest head: an eight-byte integer.
const HEAD_BYTES: usize = 9;
/// The longest trailer.
const TRAILER_BYTES: usize = 5;

/// What the first byte of an element tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Where a text begins, counted from the element's start.
    pub text: usize,
    /// Bytes of head and text, without the trailer.
    pub size: usize,
    pub is_text: bool,
}

impl Head {
    /// The head at the beginning of `bytes`; None at the end of a listpack, and for what is no element.
    #[inline(always)]
    pub fn read(bytes: &[u8]) -> Option<Head> {
        let int = |size| Head {
            text: 0,
            size,
            is_text: false,
        };
        let text = |text, length| Head {
            text,
            size: text + length,
            is_text: true,
        };
        let first = *bytes.first()?;
        Some(match first {
            0x00..=0x7f => int(1),
            0x80..=0xbf => text(1, usize::from(first & 0x3f)),
            0xc0..=0xdf => int(2),
            0xe0..=0xef => text(
                2,
                usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(1)?),
            ),
            0xf0 => text(
                5,
                u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize,
            ),
            0xf1 => int(3),
            0xf2 => int(4),
            0xf3 => int(5),
            0xf4 => int(9),
            _ => return None,
        })
    }

    /// Bytes of the whole element.
    #[inline(always)]
    pub fn total(&self) -> usize {
        self.size + trailer_len(self.size)
    }
}

/// The value of the element whose head is `head`, at the beginning of `bytes`.
#[inline(always)]
pub(super) fn value<'a>(bytes: &'a [u8], head: &Head) -> Option<Item<'a>> {
    if head.is_text {
        return Some(Item::Bytes(bytes.get(head.text..head.size)?));
    }
    int(bytes).map(Item::Int)
}

/// The integer at the beginning of `bytes`.
#[inline(always)]
pub(super) fn int(bytes: &[u8]) -> Option<i64> {
    Some(match *bytes {
        [small @ 0x00..=0x7f, ..] => i64::from(small),
        [high @ 0xc0..=0xdf, low, ..] => {
            let bits = u16::from(high & 0x1f) << 8 | u16::from(low);
            i64::from((bits << 3) as i16 >> 3)
        }
        [0xf1, a, b, ..] => i64::from(i16::from_le_bytes([a, b])),
        [0xf2, a, b, c, ..] => i64::from(i32::from_le_bytes([0, a, b, c]) >> 8),
        [0xf3, a, b, c, d, ..] => i64::from(i32::from_le_bytes([a, b, c, d])),
        [0xf4, a, b, c, d, e, f, g, h, ..] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return None,
    })
}

/// The length of the trailer that says `size`. The odd bounds are those of the format's first implementation.
#[inline(always)]
pub(super) fn trailer_len(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// The size that the trailer at the end of `bytes` says.
#[inline]
pub(super) fn read_trailer(bytes: &[u8]) -> Option<usize> {
    let mut size = 0u64;
    for (place, byte) in bytes.iter().rev().take(TRAILER_BYTES).enumerate() {
        size |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return usize::try_from(size).ok();
        }
    }
    None
}

/// An element, written: a head on the stack, a text elsewhere, a trailer on the stack.
#[derive(Debug)]
pub(super) struct Written<'a> {
    head: [u8; HEAD_BYTES],
    head_len: u8,
    text: &'a [u8],
    trailer: [u8; TRAILER_BYTES],
    trailer_len: u8,
}

impl<'a> Written<'a> {
    /// Texts of canonical integers are written as integers.
    #[inline]
    pub fn text(text: &'a [u8]) -> Written<'a> {
        if let Some(number) = integer_of(text) {
            return Written::int(number);
        }
        let length = text.len();
        let (head, head_len) = match length {
            0..=63 => (start([0x80 | length as u8]), 1),
            64..=4095 => (start([0xe0 | (length >> 8) as u8, length as u8]), 2),
            _ => {
                let [a, b, c, d] = (length as u32).to_le_bytes();
                (start([0xf0, a, b, c, d]), 5)
            }
        };
        Written::new(head, head_len, text)
    }

    #[inline]
    pub fn int(number: i64) -> Written<'a> {
        let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
        let (head, head_len) = match number {
            0..=127 => (start([a]), 1),
            -4096..=4095 => (start([0xc0 | b & 0x1f, a]), 2),
            -0x8000..=0x7fff => (start([0xf1, a, b]), 3),
            -0x80_0000..=0x7f_ffff => (start([0xf2, a, b, c]), 4),
            -0x8000_0000..=0x7fff_ffff => (start([0xf3, a, b, c, d]), 5),
            _ => (start([0xf4, a, b, c, d, e, f, g, h]), 9),
        };
        Written::new(head, head_len, &[])
    }

    #[inline(always)]
    fn new(head: [u8; HEAD_BYTES], head_len: u8, text: &'a [u8]) -> Written<'a> {
        let size = usize::from(head_len) + text.len();
        let length = trailer_len(size);
        let mut trailer = [0; TRAILER_BYTES];
        let mut rest = size;
        for (place, byte) in trailer.iter_mut().take(length).rev().enumerate() {
            // Every byte but the first says that there is one more to its left.
            let more = if place + 1 < length { 0x80 } else { 0 };
            *byte = (rest & 0x7f) as u8 | more;
            rest >>= 7;
        }
        Written {
            head,
            head_len,
            text,
            trailer,
            trailer_len: length as u8,
        }
    }

    /// Bytes of the whole element.
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.head_len) + self.text.len() + usize::from(self.trailer_len)
    }

    /// Head, text and trailer.
    #[inline]
    pub fn parts(&self) -> [&[u8]; 3] {
        let head = self.head.get(..usize::from(self.head_len));
        let trailer = self.trailer.get(..usize::from(self.trailer_len));
        [head.unwrap_or(&[]), self.text, trailer.unwrap_or(&[])]
    }
}

#[inline]
fn start<const N: usize>(bytes: [u8; N]) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = from;
    }
    head
}
