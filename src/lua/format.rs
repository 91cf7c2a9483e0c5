//! Numbers and text laid out as C's `printf` does it.

use crate::algorithms::bytes::Append;
use crate::algorithms::num::{exact_digits, round_digits, write_u64};

/// What stands between `%` and the letter of a conversion.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spec {
    pub left: bool,
    pub plus: bool,
    pub space: bool,
    pub alternate: bool,
    pub zero: bool,
    pub width: usize,
    pub precision: Option<usize>,
}

/// Digits behind the point, or significant digits, where none are asked for.
const DEFAULT_PRECISION: usize = 6;

impl Spec {
    /// `%.14g`: how Lua prints numbers.
    pub fn number() -> Spec {
        Spec {
            precision: Some(14),
            ..Spec::default()
        }
    }

    fn sign(&self, is_negative: bool) -> &'static [u8] {
        match (is_negative, self.plus, self.space) {
            (true, ..) => b"-",
            (false, true, _) => b"+",
            (false, false, true) => b" ",
            _ => b"",
        }
    }

    /// Appends sign, prefix and digits, filled up to the width.
    fn pad(&self, out: &mut Vec<u8>, sign: &[u8], body: &[u8], may_zero: bool) {
        let length = sign.len() + body.len();
        let missing = self.width.saturating_sub(length);
        if self.zero && !self.left && may_zero {
            out.put(sign);
            out.resize(out.len() + missing, b'0');
            out.put(body);
            return;
        }
        if !self.left {
            out.resize(out.len() + missing, b' ');
        }
        out.put(sign);
        out.put(body);
        if self.left {
            out.resize(out.len() + missing, b' ');
        }
    }

    /// `%s` and `%c`.
    pub fn text(&self, out: &mut Vec<u8>, text: &[u8]) {
        let shown = self
            .precision
            .and_then(|precision| text.get(..precision))
            .unwrap_or(text);
        let spec = Spec {
            zero: false,
            ..*self
        };
        spec.pad(out, b"", shown, false);
    }

    /// `%d`
    pub fn signed(&self, out: &mut Vec<u8>, value: i64) {
        let digits = self.digits(value.unsigned_abs(), 10, false);
        self.pad(out, self.sign(value < 0), &digits, self.precision.is_none());
    }

    /// `%u`, `%o`, `%x` and `%X`.
    pub fn unsigned(&self, out: &mut Vec<u8>, value: u64, letter: u8) {
        let base = match letter {
            b'o' => 8,
            b'u' => 10,
            _ => 16,
        };
        let mut digits = self.digits(value, base, letter == b'X');
        let mut prefix: &[u8] = b"";
        if self.alternate {
            match letter {
                b'o' if digits.first() != Some(&b'0') => digits.insert(0, b'0'),
                b'x' if value != 0 => prefix = b"0x",
                b'X' if value != 0 => prefix = b"0X",
                _ => {}
            }
        }
        self.pad(out, prefix, &digits, self.precision.is_none());
    }

    fn digits(&self, mut value: u64, base: u64, is_upper: bool) -> Vec<u8> {
        let letters: &[u8; 16] = match is_upper {
            true => b"0123456789ABCDEF",
            false => b"0123456789abcdef",
        };
        let mut digits = Vec::new();
        while value > 0 {
            digits.push(letters[(value % base) as usize]);
            value /= base;
        }
        let least = self.precision.unwrap_or(1);
        while digits.len() < least {
            digits.push(b'0');
        }
        digits.reverse();
        digits
    }

    /// `%e`, `%f`, `%g` and their upper case.
    pub fn float(&self, out: &mut Vec<u8>, value: f64, letter: u8) {
        let sign = self.sign(value.is_sign_negative());
        let is_upper = letter.is_ascii_uppercase();
        if !value.is_finite() {
            let word: &[u8] = match (value.is_nan(), is_upper) {
                (true, false) => b"nan",
                (true, true) => b"NAN",
                (false, false) => b"inf",
                (false, true) => b"INF",
            };
            return self.pad(out, sign, word, false);
        }
        let mut body = match letter {
            b'f' | b'F' => self.fixed(value),
            b'g' | b'G' => self.general(value),
            _ => self.exponent(value),
        };
        if is_upper {
            body.make_ascii_uppercase();
        }
        self.pad(out, sign, &body, true);
    }

    fn fixed(&self, value: f64) -> Vec<u8> {
        let precision = self.precision.unwrap_or(DEFAULT_PRECISION);
        let (mut digits, mut exp10) = exact_digits(value);
        let kept = exp10 + 1 + precision as i32;
        if kept < 0 {
            (digits, exp10) = (vec![b'0'], 0);
        } else if round_digits(&mut digits, kept as usize) {
            exp10 += 1;
        }
        if digits.is_empty() {
            (digits, exp10) = (vec![b'0'], 0);
        }
        place_point(&digits, exp10, precision, self.alternate)
    }

    fn exponent(&self, value: f64) -> Vec<u8> {
        let precision = self.precision.unwrap_or(DEFAULT_PRECISION);
        let (mut digits, mut exp10) = exact_digits(value);
        if round_digits(&mut digits, precision + 1) {
            exp10 += 1;
        }
        let mut out = place_point(&digits, 0, precision, self.alternate);
        put_exponent(&mut out, exp10);
        out
    }

    fn general(&self, value: f64) -> Vec<u8> {
        let precision = self.precision.unwrap_or(DEFAULT_PRECISION).max(1);
        let (mut digits, mut exp10) = exact_digits(value);
        if round_digits(&mut digits, precision) {
            exp10 += 1;
        }
        digits.truncate(precision);
        if !self.alternate {
            while digits.len() > 1 && digits.last() == Some(&b'0') {
                digits.pop();
            }
        }
        let shown = match self.alternate {
            true => precision,
            false => digits.len(),
        };
        if exp10 < -4 || exp10 >= precision as i32 {
            let mut out = place_point(&digits, 0, shown - 1, self.alternate);
            put_exponent(&mut out, exp10);
            return out;
        }
        let decimals = (shown as i32 - 1 - exp10).max(0) as usize;
        place_point(&digits, exp10, decimals, self.alternate)
    }
}

/// The digits with a point `exp10` places behind the first, and `decimals` places behind the point.
fn place_point(digits: &[u8], exp10: i32, decimals: usize, keeps_point: bool) -> Vec<u8> {
    let digit = |place: i32| {
        let index = usize::try_from(exp10 - place).ok();
        index
            .and_then(|index| digits.get(index))
            .copied()
            .unwrap_or(b'0')
    };
    let mut out = Vec::new();
    for place in (0..=exp10.max(0)).rev() {
        out.push(digit(place));
    }
    if decimals > 0 || keeps_point {
        out.push(b'.');
    }
    for place in 1..=decimals as i32 {
        out.push(digit(-place));
    }
    out
}

fn put_exponent(out: &mut Vec<u8>, exp10: i32) {
    out.put(if exp10 < 0 { b"e-" } else { b"e+" });
    if exp10.unsigned_abs() < 10 {
        out.push(b'0');
    }
    write_u64(out, u64::from(exp10.unsigned_abs()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64, letter: u8, spec: Spec) -> String {
        let mut out = Vec::new();
        spec.float(&mut out, value, letter);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_printed_as_c_does() {
        let none = Spec::default();
        let digits = |precision| Spec {
            precision: Some(precision),
            ..none
        };
        for (value, letter, spec, text) in [
            (0.0, b'f', none, "0.000000"),
            (0.5, b'f', digits(0), "0"),
            (1.5, b'f', digits(0), "2"),
            (0.05, b'f', digits(1), "0.1"),
            (999.9996, b'f', digits(3), "1000.000"),
            (1e22, b'f', digits(1), "10000000000000000000000.0"),
            (123456.0, b'e', none, "1.234560e+05"),
            (0.0, b'e', none, "0.000000e+00"),
            (9.9999999, b'e', digits(2), "1.00e+01"),
            (100.0, b'g', none, "100"),
            (1e20, b'g', digits(14), "1e+20"),
            (0.0001, b'g', none, "0.0001"),
            (0.00001234, b'g', none, "1.234e-05"),
            (0.1, b'g', digits(14), "0.1"),
            (2.0 / 3.0, b'g', digits(14), "0.66666666666667"),
            (-1e300, b'g', digits(14), "-1e+300"),
            (f64::INFINITY, b'G', none, "INF"),
        ] {
            assert_eq!(
                float(value, letter, spec),
                text,
                "{value} {}",
                letter as char
            );
        }
    }
}
