//! Doubles as C's `%.17g` prints them: 17 digits of the exact value, trailing zeros left out.

use super::decimal::Big;
use super::double::parts;
use super::write_u64;

const DIGITS: usize = 17;

/// Appends a double in that form. It reads back to the same double. O(n^2) in the digits of the exact value, which are at
/// most 1075.
pub fn write_17_digits(out: &mut Vec<u8>, value: f64) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if !value.is_finite() {
        out.extend_from_slice(if value.is_nan() { b"nan" } else { b"inf" });
        return;
    }
    let (mut digits, mut exp10) = exact_digits(value);
    if round_digits(&mut digits, DIGITS) {
        exp10 += 1;
    }
    while digits.len() > 1 && digits.last() == Some(&b'0') {
        digits.pop();
    }
    layout(out, &digits, exp10);
}

/// All decimal digits of a finite double's magnitude, and the power of ten of the first. O(n^2) in the digits.
pub fn exact_digits(value: f64) -> (Vec<u8>, i32) {
    let (mantissa, exp) = parts(value);
    // A power of two below one is a power of five over a power of ten.
    let mut big = Big::from_shifted(mantissa, exp.max(0) as u32);
    big.multiply_power_of_five(exp.min(0).unsigned_abs());
    let mut digits = Vec::new();
    big.write_decimal(&mut digits);
    let exp10 = match mantissa {
        0 => 0,
        _ => exp.min(0) + digits.len() as i32 - 1,
    };
    (digits, exp10)
}

/// Rounds to `count` digits, to nearest, ties to even; whether that carried into a new digit.
pub fn round_digits(digits: &mut Vec<u8>, count: usize) -> bool {
    let Some((kept, rest)) = digits.split_at_checked(count) else {
        return false;
    };
    let is_odd = kept.last().is_some_and(|digit| digit & 1 == 1);
    let is_up = match rest.split_first() {
        Some((b'5', below)) => is_odd || below.iter().any(|digit| *digit != b'0'),
        Some((first, _)) => *first > b'5',
        None => false,
    };
    digits.truncate(count);
    if !is_up {
        return false;
    }
    for digit in digits.iter_mut().rev() {
        if *digit != b'9' {
            *digit += 1;
            return false;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
    true
}

/// Places the point behind the first digit times `10^exp10`, or writes an exponent.
fn layout(out: &mut Vec<u8>, digits: &[u8], exp10: i32) {
    if (0..DIGITS as i32).contains(&exp10) {
        let whole = exp10 as usize + 1;
        let (left, right) = digits.split_at(whole.min(digits.len()));
        out.extend_from_slice(left);
        out.resize(out.len() + whole - left.len(), b'0');
        if !right.is_empty() {
            out.push(b'.');
            out.extend_from_slice(right);
        }
        return;
    }
    if (-4..0).contains(&exp10) {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + exp10.unsigned_abs() as usize - 1, b'0');
        out.extend_from_slice(digits);
        return;
    }
    let (first, rest) = digits.split_at(1.min(digits.len()));
    out.extend_from_slice(first);
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest);
    }
    out.extend_from_slice(if exp10 < 0 { b"e-" } else { b"e+" });
    if exp10.unsigned_abs() < 10 {
        out.push(b'0');
    }
    write_u64(out, u64::from(exp10.unsigned_abs()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        write_17_digits(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn prints_as_printf_does() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-12.5, "-12.5"),
            (0.1, "0.10000000000000001"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (9007199254740993.0, "9007199254740992"),
            (1e22, "1e+22"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "4.9406564584124654e-324"),
            (2.2250738585072014e-308, "2.2250738585072014e-308"),
            (9.999_999_999_999_998e99, "9.9999999999999982e+99"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    /// The standard library rounds `{:.16e}` exactly too; only its layout is another.
    #[test]
    fn has_the_digits_of_the_standard_library() {
        let mut rng = crate::algorithms::rng::Rng::new([17, 0]);
        for _ in 0..20_000 {
            let value = f64::from_bits(rng.next_u64());
            if !value.is_finite() {
                continue;
            }
            let exact = format!("{value:.16e}");
            let (mantissa, exponent) = exact.split_once('e').unwrap();
            let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
            let exponent: i32 = exponent.parse().unwrap();
            let ours = text(value);
            if !(-4..17).contains(&exponent) {
                let sign = if exponent < 0 { '-' } else { '+' };
                assert_eq!(ours, format!("{mantissa}e{sign}{:02}", exponent.abs()));
            }
            assert_eq!(ours.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
