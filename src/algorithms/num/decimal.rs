//! Exact conversion of number text to binary floating point of any precision up to 64 bits.
//!
//! Short numbers (up to 19 digits, decimal exponent within 27) go through 128-bit integers; all others through a plain
//! big integer. Both are exact, so both round correctly.

/// What a text says, before it is rounded to a format.
#[derive(Clone, Copy, Debug)]
pub enum Scan<'a> {
    /// `[-]digits * 10^exp10`; `digits` may hold one point, which `exp10` already accounts for.
    Decimal {
        negative: bool,
        digits: &'a [u8],
        exp10: i64,
    },
    /// `[-]mantissa * 2^exp2`, plus something smaller than one unit if `sticky`.
    Hex {
        negative: bool,
        mantissa: u128,
        sticky: bool,
        exp2: i64,
    },
    /// Infinity.
    Infinite { negative: bool },
    /// Not a number.
    Nan,
}

/// A binary floating point format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Bits of the mantissa, the leading one included.
    pub precision: u32,
    /// Exponent of the last mantissa bit of the smallest denormal.
    pub min_exp: i32,
    /// Exponent of the last mantissa bit of the largest finite number.
    pub max_exp: i32,
    /// Digits that can influence rounding; the rest of a longer text only says "a little more".
    pub max_digits: usize,
}

/// A rounded magnitude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounded {
    /// Zero; `exact` is false when a non-zero number was too small.
    Zero { exact: bool },
    /// `mantissa * 2^exp`; `mantissa` has the format's precision, or fewer bits at the format's lowest exponent.
    Finite { mantissa: u64, exp: i32 },
    /// Too large.
    Overflow,
}

/// Reads a number as C's `strtod` does in the "C" locale, but leading space is refused and the whole text must be used.
pub fn scan(text: &[u8]) -> Option<Scan<'_>> {
    let (negative, body) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    match body.first()? {
        b'0' if body.len() > 2 && body[1] | 0x20 == b'x' => scan_hex(negative, &body[2..]),
        b'0'..=b'9' | b'.' => scan_decimal(negative, body),
        _ => scan_word(negative, body),
    }
}

fn scan_word(negative: bool, body: &[u8]) -> Option<Scan<'_>> {
    if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
        return Some(Scan::Infinite { negative });
    }
    let (word, rest) = body.split_at_checked(3)?;
    if !word.eq_ignore_ascii_case(b"nan") {
        return None;
    }
    match rest {
        [] => Some(Scan::Nan),
        [b'(', payload @ .., b')'] => payload
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .then_some(Scan::Nan),
        _ => None,
    }
}

fn scan_decimal(negative: bool, body: &[u8]) -> Option<Scan<'_>> {
    let (mut end, mut count, mut point) = (0, 0usize, None);
    for &byte in body {
        match byte {
            b'0'..=b'9' => count += 1,
            b'.' if point.is_none() => point = Some(end),
            _ => break,
        }
        end += 1;
    }
    if count == 0 {
        return None;
    }
    let (digits, rest) = body.split_at(end);
    let fraction = point.map_or(0, |at| end - at - 1) as i64;
    let exp10 = match rest {
        [] => 0,
        [b'e' | b'E', exponent @ ..] => scan_exponent(exponent)?,
        _ => return None,
    };
    Some(Scan::Decimal {
        negative,
        digits,
        exp10: exp10 - fraction,
    })
}

fn scan_hex(negative: bool, body: &[u8]) -> Option<Scan<'_>> {
    let (mut mantissa, mut sticky, mut exp2) = (0u128, false, 0i64);
    let (mut end, mut count, mut point) = (0, 0usize, false);
    for &byte in body {
        let Some(value) = (byte as char).to_digit(16) else {
            if byte != b'.' || point {
                break;
            }
            point = true;
            end += 1;
            continue;
        };
        if mantissa >> 124 == 0 {
            mantissa = mantissa << 4 | value as u128;
            exp2 -= 4 * point as i64;
        } else {
            sticky |= value != 0;
            exp2 += 4 * !point as i64;
        }
        count += 1;
        end += 1;
    }
    if count == 0 {
        return None;
    }
    match &body[end..] {
        [] => {}
        [b'p' | b'P', exponent @ ..] => exp2 += scan_exponent(exponent)?,
        _ => return None,
    }
    Some(Scan::Hex {
        negative,
        mantissa,
        sticky,
        exp2,
    })
}

/// The digits after `e` or `p`, saturated far outside of every format.
fn scan_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = (value * 10 + (byte - b'0') as i64).min(1 << 40);
    }
    Some(if negative { -value } else { value })
}

impl Format {
    /// Rounds `digits * 10^exp10` to nearest, ties to even. `digits` is text and may hold one point.
    pub fn round_decimal(&self, digits: &[u8], exp10: i64) -> Rounded {
        let mut digits = SignificantDigits::new(digits, exp10, self.max_digits);
        if digits.count == 0 {
            return Rounded::Zero { exact: true };
        }
        // The number is in 10^(magnitude-1) .. 10^magnitude; 2^10 > 10^3 bounds the binary exponents from it.
        let magnitude = digits.exp10 + digits.count as i64;
        if magnitude > (self.max_exp as i64 + 80) * 4 / 13 {
            return Rounded::Overflow;
        }
        if magnitude < (self.min_exp as i64 - 80) / 3 {
            return Rounded::Zero { exact: false };
        }
        let exp10 = digits.exp10 as i32;
        match digits.small() {
            Some(value) if (-27..=27).contains(&exp10) => self.round_small(value, exp10),
            _ => self.round_big(&mut digits, exp10),
        }
    }

    fn round_small(&self, value: u64, exp10: i32) -> Rounded {
        let power = 5u64.pow(exp10.unsigned_abs()) as u128;
        if exp10 >= 0 {
            return self.round(value as u128 * power, exp10, false);
        }
        let shift = value.leading_zeros() as i32 + 64;
        let shifted = (value as u128) << shift;
        let quotient = shifted / power;
        self.round(quotient, exp10 - shift, quotient * power != shifted)
    }

    fn round_big(&self, digits: &mut SignificantDigits<'_>, exp10: i32) -> Rounded {
        let mut value = digits.big();
        if exp10 >= 0 {
            value.multiply_power_of_five(exp10 as u32);
            let (top, exp, sticky) = value.top();
            return self.round(top, exp + exp10, sticky || digits.more);
        }
        let mut divisor = Big::from_u32(1);
        divisor.multiply_power_of_five(exp10.unsigned_abs());
        let (quotient, exp, sticky) = value.divide(divisor);
        self.round(quotient, exp + exp10, sticky || digits.more)
    }

    /// Rounds `value * 2^exp` (and a bit more if `sticky`) to nearest, ties to even.
    pub fn round(&self, value: u128, exp: i32, sticky: bool) -> Rounded {
        if value == 0 {
            return Rounded::Zero { exact: !sticky };
        }
        let bits = 128 - value.leading_zeros() as i32;
        let drop = (bits - self.precision as i32).max(self.min_exp.saturating_sub(exp));
        if drop <= 0 {
            // Exact: widen to the full precision, but not below the lowest exponent.
            let widen = (-drop) as u32;
            return self.finite((value << widen) as u64, exp - widen as i32);
        }
        if drop > bits {
            return Rounded::Zero { exact: false };
        }
        let kept = if drop == 128 { 0 } else { value >> drop };
        let lost = value & (u128::MAX >> (128 - drop));
        let half = 1u128 << (drop - 1);
        let up = lost > half || (lost == half && (sticky || kept & 1 == 1));
        let mut mantissa = kept + up as u128;
        let mut exp = exp + drop;
        if mantissa >> self.precision != 0 {
            mantissa >>= 1;
            exp += 1;
        }
        if mantissa == 0 {
            return Rounded::Zero { exact: false };
        }
        self.finite(mantissa as u64, exp)
    }

    fn finite(&self, mantissa: u64, exp: i32) -> Rounded {
        if exp > self.max_exp {
            return Rounded::Overflow;
        }
        Rounded::Finite { mantissa, exp }
    }
}

/// The digits of a decimal text without leading zeros, trailing zeros and the point.
struct SignificantDigits<'a> {
    text: &'a [u8],
    count: usize,
    exp10: i64,
    /// A non-zero digit was cut off.
    more: bool,
}

impl<'a> SignificantDigits<'a> {
    fn new(text: &'a [u8], exp10: i64, max_digits: usize) -> Self {
        let skip = text
            .iter()
            .take_while(|byte| matches!(byte, b'0' | b'.'))
            .count();
        let text = &text[skip..];
        let mut this = SignificantDigits {
            text,
            count: 0,
            exp10,
            more: false,
        };
        let mut total = 0;
        let mut last = 0;
        for &byte in text {
            total += (byte != b'.') as usize;
            if matches!(byte, b'1'..=b'9') {
                last = total;
            }
        }
        this.count = last.min(max_digits);
        this.more = last > max_digits;
        this.exp10 += (total - this.count) as i64;
        this
    }

    fn iter(&self) -> impl Iterator<Item = u32> + 'a {
        let text = self.text;
        text.iter()
            .filter(|byte| **byte != b'.')
            .take(self.count)
            .map(|byte| (byte - b'0') as u32)
    }

    fn small(&self) -> Option<u64> {
        (self.count <= 19 && !self.more).then(|| {
            self.iter()
                .fold(0u64, |value, digit| value * 10 + digit as u64)
        })
    }

    fn big(&self) -> Big {
        let mut value = Big::from_u32(0);
        let (mut chunk, mut scale) = (0u32, 1u32);
        for digit in self.iter() {
            chunk = chunk * 10 + digit;
            scale *= 10;
            if scale == 1_000_000_000 {
                value.multiply_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
        }
        if scale > 1 {
            value.multiply_add(scale, chunk);
        }
        value
    }
}

/// A natural number of any size, 32 bits a limb, lowest first, no zero limb at the end.
#[derive(Clone, Debug)]
pub struct Big {
    limbs: Vec<u32>,
}

impl Big {
    /// A small number.
    pub fn from_u32(value: u32) -> Big {
        Big {
            limbs: if value == 0 { Vec::new() } else { vec![value] },
        }
    }

    /// `value * 2^shift`.
    pub fn from_shifted(value: u64, shift: u32) -> Big {
        let mut big = Big {
            limbs: vec![value as u32, (value >> 32) as u32],
        };
        big.trim();
        big.shift_left(shift);
        big
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }

    fn bits(&self) -> u32 {
        self.limbs
            .last()
            .map_or(0, |top| self.limbs.len() as u32 * 32 - top.leading_zeros())
    }

    fn multiply_add(&mut self, factor: u32, add: u32) {
        let mut carry = add as u64;
        for limb in &mut self.limbs {
            carry += *limb as u64 * factor as u64;
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.limbs.push(carry as u32);
        }
    }

    pub(super) fn multiply_power_of_five(&mut self, exponent: u32) {
        for _ in 0..exponent / 13 {
            self.multiply_add(1_220_703_125, 0);
        }
        self.multiply_add(5u32.pow(exponent % 13), 0);
    }

    fn shift_left(&mut self, shift: u32) {
        let bits = shift % 32;
        if bits != 0 {
            self.multiply_add(1 << bits, 0);
        }
        if !self.limbs.is_empty() {
            let zeros = core::iter::repeat_n(0, shift as usize / 32);
            self.limbs.splice(0..0, zeros);
        }
    }

    /// The highest 128 bits, the exponent of the lowest of them, and whether lower bits are set.
    fn top(&self) -> (u128, i32, bool) {
        let skip = self.limbs.len().saturating_sub(4);
        let (low, high) = self.limbs.split_at(skip);
        let top = high
            .iter()
            .rev()
            .fold(0u128, |value, limb| value << 32 | *limb as u128);
        (top, skip as i32 * 32, low.iter().any(|limb| *limb != 0))
    }

    fn compare(&self, other: &Big) -> core::cmp::Ordering {
        let by_length = self.limbs.len().cmp(&other.limbs.len());
        by_length.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    /// Subtracts a number that is not larger.
    fn subtract(&mut self, other: &Big) {
        let mut borrow = false;
        for (i, limb) in self.limbs.iter_mut().enumerate() {
            let right = other.limbs.get(i).copied().unwrap_or(0);
            let (value, first) = limb.overflowing_sub(right);
            let (value, second) = value.overflowing_sub(borrow as u32);
            *limb = value;
            borrow = first || second;
        }
        self.trim();
    }

    /// Seventy bits of the quotient, the exponent of the lowest of them, and whether a remainder is left.
    fn divide(mut self, mut divisor: Big) -> (u128, i32, bool) {
        const STEPS: i32 = 70;
        let exp = self.bits() as i32 - divisor.bits() as i32;
        if exp > 0 {
            divisor.shift_left(exp as u32);
        } else {
            self.shift_left(exp.unsigned_abs());
        }
        let mut quotient = 0u128;
        for _ in 0..STEPS {
            quotient <<= 1;
            if self.compare(&divisor).is_ge() {
                self.subtract(&divisor);
                quotient |= 1;
            }
            self.multiply_add(2, 0);
        }
        (quotient, exp - STEPS + 1, !self.limbs.is_empty())
    }

    /// Appends the decimal text. O(n^2) in the length.
    pub fn write_decimal(mut self, out: &mut Vec<u8>) {
        let start = out.len();
        while !self.limbs.is_empty() {
            let mut rest = 0u64;
            for limb in self.limbs.iter_mut().rev() {
                let value = rest << 32 | *limb as u64;
                *limb = (value / 1_000_000_000) as u32;
                rest = value % 1_000_000_000;
            }
            self.trim();
            for _ in 0..9 {
                out.push(b'0' + (rest % 10) as u8);
                rest /= 10;
                if rest == 0 && self.limbs.is_empty() {
                    break;
                }
            }
        }
        if out.len() == start {
            out.push(b'0');
        }
        if let Some(written) = out.get_mut(start..) {
            written.reverse();
        }
    }
}
