//! The text of ids: `<ms>-<seq>`.

use crate::algorithms::num;
pub use crate::structures::runs::Id;

/// The longest text of an id: two numbers of 20 digits and a dash.
const MAX_TEXT: usize = 41;
/// Redis looks at no longer text.
const MAX_INPUT: usize = 127;

/// The text of an id, on the stack.
#[derive(Debug, Clone, Copy)]
pub struct IdText {
    bytes: [u8; MAX_TEXT],
    len: u8,
}

impl core::ops::Deref for IdText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Id {
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    pub const MAX: Id = Id {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// `<ms>-<seq>`.
    #[inline(never)]
    pub fn text(self) -> IdText {
        let mut text = IdText {
            bytes: [0; MAX_TEXT],
            len: 0,
        };
        let (ms, seq) = (num::format_u64(self.ms), num::format_u64(self.seq));
        let mut rest = text.bytes.as_mut_slice();
        for part in [ms.as_bytes(), b"-", seq.as_bytes()] {
            if let Some((to, after)) = core::mem::take(&mut rest).split_at_mut_checked(part.len()) {
                to.copy_from_slice(part);
                rest = after;
                text.len += part.len() as u8;
            }
        }
        text
    }

    /// The next higher id; None behind the highest.
    pub fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id {
                ms: self.ms.checked_add(1)?,
                seq: 0,
            }),
        }
    }

    /// The next lower id; None before the lowest.
    pub fn prev(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id {
                ms: self.ms.checked_sub(1)?,
                seq: u64::MAX,
            }),
        }
    }

    /// Sixteen bytes that sort as ids do.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// The id of sixteen such bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Id {
        let both = u128::from_be_bytes(bytes);
        Id {
            ms: (both >> 64) as u64,
            seq: both as u64,
        }
    }

    /// The id of a text `<ms>-<seq>` or `<ms>`, which stands for the one with sequence number `missing_seq`. None for
    /// anything else. Like Redis, which leaves it to C's `strtoull`, this takes spaces and a sign before a number that
    /// is not written canonically.
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<Id> {
        match parse(text)? {
            (ms, Seq::Is(seq)) => Some(Id { ms, seq }),
            (ms, Seq::Missing) => Some(Id {
                ms,
                seq: missing_seq,
            }),
            (_, Seq::Next) => None,
        }
    }
}

/// What a text says about the sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seq {
    Is(u64),
    Missing,
    /// `*`: whatever comes next.
    Next,
}

/// Both parts of the text of an id.
pub fn parse(text: &[u8]) -> Option<(u64, Seq)> {
    if text.len() > MAX_INPUT {
        return None;
    }
    let text = text.split(|byte| *byte == 0).next()?;
    let Some(dash) = text.iter().position(|byte| *byte == b'-') else {
        return Some((parse_number(text)?, Seq::Missing));
    };
    let ms = parse_number(text.get(..dash)?)?;
    match text.get(dash + 1..)? {
        b"*" => Some((ms, Seq::Next)),
        seq => Some((ms, Seq::Is(parse_number(seq)?))),
    }
}

/// A number as Redis reads it: an `i64` that is not negative, or else whatever `strtoull` makes of it.
fn parse_number(text: &[u8]) -> Option<u64> {
    if let Some(number) = num::parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let is_space = |byte: &&u8| matches!(**byte, b' ' | b'\t'..=b'\r');
    let spaces = text.iter().take_while(is_space).count();
    let text = text.get(spaces..)?;
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(if is_negative {
        value.wrapping_neg()
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use super::{Id, Seq, parse};

    #[test]
    fn texts_come_back() {
        for (ms, seq) in [(0, 0), (1, 2), (u64::MAX, u64::MAX), (1_700_000_000_000, 7)] {
            let id = Id { ms, seq };
            assert_eq!(Id::parse(&id.text(), 0), Some(id));
            assert_eq!(Id::from_bytes(id.to_bytes()), id);
            assert!(
                id.next()
                    .is_none_or(|next| next > id && next.prev() == Some(id))
            );
        }
        assert_eq!(
            &*Id::MAX.text(),
            b"18446744073709551615-18446744073709551615"
        );
        assert_eq!((Id::MAX.next(), Id::MIN.prev()), (None, None));
    }

    #[test]
    fn reads_what_redis_reads() {
        let ok: [(&[u8], (u64, Seq)); 8] = [
            (b"5", (5, Seq::Missing)),
            (b"5-*", (5, Seq::Next)),
            (b"005-0", (5, Seq::Is(0))),
            (b" +5-7", (5, Seq::Is(7))),
            (b"0--0", (0, Seq::Is(0))),
            (b"0--05", (0, Seq::Is(u64::MAX - 4))),
            (b"18446744073709551615", (u64::MAX, Seq::Missing)),
            (b"1-1\0x", (1, Seq::Is(1))),
        ];
        for (text, wanted) in ok {
            assert_eq!(parse(text), Some(wanted), "{text:?}");
        }
        let bad: [&[u8]; 10] = [
            b"",
            b"-",
            b"+",
            b"*",
            b"1-",
            b"-1",
            b"0--5",
            b"1-2-3",
            b"18446744073709551616",
            b"1 ",
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse(&[b'0'; 128]), None);
        assert_eq!(parse(&[b'0'; 127]), Some((0, Seq::Missing)));
    }
}
