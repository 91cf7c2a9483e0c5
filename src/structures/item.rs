//! One short value of a collection: bytes, or an integer where its text is one.

use crate::algorithms::bytes::Bytes;
use crate::algorithms::num::{self, IntText};

/// The longest text of an `i64`.
const INT_TEXT_BYTES: usize = 20;

/// A value, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    Bytes(&'a [u8]),
    Int(i64),
}

/// The bytes of an [`Item`].
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

impl<'a> Item<'a> {
    /// The bytes; an integer's digits stand in the result itself.
    #[inline]
    pub fn text(self) -> Text<'a> {
        match self {
            Item::Bytes(bytes) => Text::Bytes(bytes),
            Item::Int(number) => Text::Int(num::format_i64(number)),
        }
    }

    /// The length in bytes.
    pub fn len(self) -> usize {
        self.text().len()
    }

    pub fn is_empty(self) -> bool {
        matches!(self, Item::Bytes([]))
    }

    pub fn to_vec(self) -> Vec<u8> {
        self.text().owned()
    }

    /// The value as an integer, if its text is one.
    #[inline(always)]
    pub fn integer(self) -> Option<i64> {
        match self {
            Item::Int(number) => Some(number),
            Item::Bytes(bytes) => num::parse_i64(bytes),
        }
    }
}

/// What is looked for among items: a text, and once and for all the integer it is.
#[derive(Debug, Clone, Copy)]
pub struct Needle<'a> {
    pub text: &'a [u8],
    pub int: Option<i64>,
}

impl<'a> Needle<'a> {
    #[inline]
    pub fn new(text: &'a [u8]) -> Needle<'a> {
        Needle {
            text,
            int: integer_of(text),
        }
    }

    /// Whether an item has this text.
    #[inline(always)]
    pub fn is(&self, item: Item<'_>) -> bool {
        match item {
            Item::Bytes(bytes) => bytes == self.text,
            Item::Int(number) => self.int == Some(number),
        }
    }
}

/// The integer whose canonical text this is; most texts are refused by their first byte.
#[inline]
pub fn integer_of(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'..=b'9' | b'-', ..] if text.len() <= INT_TEXT_BYTES => num::parse_i64(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, Needle};

    #[test]
    fn a_text_and_the_integer_it_is_are_one() {
        assert_eq!(&*Item::Int(-12).text(), b"-12");
        assert_eq!(
            (Item::Int(-12).len(), Item::Bytes(b"").is_empty()),
            (3, true)
        );
        assert_eq!(Item::Bytes(b"7").integer(), Some(7));
        let seven = Needle::new(b"7");
        assert!(seven.is(Item::Int(7)) && seven.is(Item::Bytes(b"7")));
        let padded = Needle::new(b"07");
        assert!(!padded.is(Item::Int(7)) && padded.is(Item::Bytes(b"07")));
    }
}
