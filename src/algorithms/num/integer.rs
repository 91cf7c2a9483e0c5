//! Integers: strict parsing, printing without `core::fmt`, and memory sizes.

/// The longest text of a 64-bit integer: 20 bytes (`-9223372036854775808`, `18446744073709551615`).
pub const MAX_TEXT_LEN: usize = 20;

/// The decimal text of a 64-bit integer on the stack.
#[derive(Debug, Clone, Copy)]
pub struct IntText {
    bytes: [u8; MAX_TEXT_LEN],
    start: u8,
}

impl IntText {
    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start as usize..).unwrap_or_default()
    }
}

impl core::ops::Deref for IntText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Reads a signed integer in its canonical text only: an optional `-`, no plus, no spaces, no leading zero, no `-0`,
/// within 64 bits. What this refuses Redis keeps as a plain string. O(length), at most 20 bytes are looked at.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let magnitude = parse_u64(digits)?;
    if !negative {
        return i64::try_from(magnitude).ok();
    }
    if magnitude == 0 || magnitude > 1 << 63 {
        return None;
    }
    Some((magnitude as i64).wrapping_neg())
}

/// Reads how many of something are wanted: not negative; more than a machine can count are as many as it can.
pub fn parse_count(text: &[u8]) -> Option<usize> {
    parse_i64(text).and_then(count_of)
}

/// A number as a count: not negative; more than a machine can count are as many as it can.
pub fn count_of(number: i64) -> Option<usize> {
    (number >= 0).then(|| usize::try_from(number).unwrap_or(usize::MAX))
}

/// Reads an unsigned integer in its canonical text only (see [`parse_i64`]).
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    if rest.len() >= MAX_TEXT_LEN {
        return None;
    }
    if first == b'0' {
        return rest.is_empty().then_some(0);
    }
    let mut value = digit(first)?;
    // Eighteen digits cannot overflow, so only the last steps of a long text need the checked form.
    let (safe, checked) = rest.split_at(rest.len().min(17));
    for &byte in safe {
        value = value * 10 + digit(byte)?;
    }
    for &byte in checked {
        value = value.checked_mul(10)?.checked_add(digit(byte)?)?;
    }
    Some(value)
}

#[inline]
fn digit(byte: u8) -> Option<u64> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(value as u64)
}

const PAIRS: &[u8; 200] = &digit_pairs();

const fn digit_pairs() -> [u8; 200] {
    let mut pairs = [0; 200];
    let mut i = 0;
    while i < 100 {
        pairs[i * 2] = b'0' + (i / 10) as u8;
        pairs[i * 2 + 1] = b'0' + (i % 10) as u8;
        i += 1;
    }
    pairs
}

/// The text of a signed integer.
pub fn format_i64(value: i64) -> IntText {
    let mut text = format_u64(value.unsigned_abs());
    if value < 0 {
        // 19 digits at most, so a place for the sign is left.
        text.start -= 1;
        text.bytes[text.start as usize % MAX_TEXT_LEN] = b'-';
    }
    text
}

/// The text of an unsigned integer.
pub fn format_u64(value: u64) -> IntText {
    let mut bytes = [b'0'; MAX_TEXT_LEN];
    let mut at = MAX_TEXT_LEN;
    let mut rest = value;
    while rest >= 100 {
        let pair = (rest % 100) as usize * 2;
        rest /= 100;
        at -= 2;
        bytes[at] = PAIRS[pair];
        bytes[at + 1] = PAIRS[pair + 1];
    }
    if rest >= 10 {
        at -= 2;
        bytes[at] = PAIRS[rest as usize * 2];
        bytes[at + 1] = PAIRS[rest as usize * 2 + 1];
    } else {
        at -= 1;
        bytes[at] = b'0' + rest as u8;
    }
    IntText {
        bytes,
        start: at as u8,
    }
}

/// Appends the text of a signed integer.
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(format_i64(value).as_bytes());
}

/// Appends the text of an unsigned integer.
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(format_u64(value).as_bytes());
}

/// Reads a memory size as a configuration file writes it: digits and one of the units `b`, `k` (1000), `kb` (1024),
/// `m`, `mb`, `g`, `gb`, in any case. Returns bytes. A missing number counts as zero and an overflowing product wraps,
/// as in Redis; a number of more than 64 bits is taken as the largest.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    if digits >= 128 {
        return None;
    }
    const UNITS: [(&[u8], u64); 8] = [
        (b"", 1),
        (b"b", 1),
        (b"k", 1000),
        (b"kb", 1 << 10),
        (b"m", 1_000_000),
        (b"mb", 1 << 20),
        (b"g", 1_000_000_000),
        (b"gb", 1 << 30),
    ];
    let (_, scale) = UNITS
        .iter()
        .find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
    let value = number.iter().fold(0u64, |sum, byte| {
        sum.saturating_mul(10).saturating_add((byte - b'0') as u64)
    });
    Some(value.wrapping_mul(*scale))
}

/// Reads `N%` with a canonical N of at least zero; whether N may pass 100 is the caller's rule.
pub fn parse_percent(text: &[u8]) -> Option<u64> {
    parse_u64(text.strip_suffix(b"%")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_parse() {
        for value in [
            0,
            1,
            -1,
            9,
            10,
            99,
            100,
            12345,
            i64::MAX,
            i64::MIN,
            i64::MIN + 1,
        ] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
            assert_eq!(&*format_i64(value), value.to_string().as_bytes());
        }
        for value in [
            0,
            7,
            u64::MAX,
            10_000_000_000_000_000_000,
            999_999_999_999_999_999,
        ] {
            assert_eq!(parse_u64(value.to_string().as_bytes()), Some(value));
            assert_eq!(&*format_u64(value), value.to_string().as_bytes());
        }
        let refused: [&[u8]; 14] = [
            b"",
            b"-",
            b"+1",
            b" 1",
            b"1 ",
            b"01",
            b"-0",
            b"-01",
            b"1a",
            b"0x1",
            b"1\0",
            b"9223372036854775808",
            b"-9223372036854775809",
            b"100000000000000000000",
        ];
        for text in refused {
            assert_eq!(parse_i64(text), None, "{text:?}");
        }
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"99999999999999999999"), None);
        assert_eq!(parse_u64(b"-1"), None);
    }

    #[test]
    fn memory_sizes_have_units() {
        let cases: [(&[u8], Option<u64>); 12] = [
            (b"100", Some(100)),
            (b"1k", Some(1000)),
            (b"1KB", Some(1024)),
            (b"2m", Some(2_000_000)),
            (b"2Mb", Some(2 << 20)),
            (b"1g", Some(1_000_000_000)),
            (b"3gb", Some(3 << 30)),
            (b"5b", Some(5)),
            (b"mb", Some(0)),
            (b"-1", None),
            (b"1.5gb", None),
            (b"10x", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_memory(text), want, "{text:?}");
        }
    }
}
