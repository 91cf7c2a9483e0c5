//! 64-bit floats: reading, and the shortest text as Redis chooses it.

use super::decimal::{Format, Rounded, Scan, scan};
use super::integer::{write_i64, write_u64};
use super::long_double::LongDouble;

const DOUBLE: Format = Format {
    precision: 53,
    min_exp: -1074,
    max_exp: 971,
    max_digits: 800,
};
const HIDDEN_BIT: u64 = 1 << 52;

/// Reads a double as Redis does in an argument: C's `strtod` grammar (decimal, hexadecimal, `inf`, `infinity`, any
/// case) over the whole text, without leading space. Refuses NaN, and finite text that overflows or vanishes.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    match read(text)? {
        Read::Number(value) => Some(value),
        Read::TooLarge { .. } | Read::TooSmall | Read::Nan => None,
    }
}

/// The same without refusals: what overflows is infinite, what vanishes is 0, and NaN is NaN, as C's `strtod` has it.
pub fn parse_c_f64(text: &[u8]) -> Option<f64> {
    Some(match read(text)? {
        Read::Number(value) => value,
        Read::TooLarge { negative: true } => f64::NEG_INFINITY,
        Read::TooLarge { negative: false } => f64::INFINITY,
        Read::TooSmall => 0.0,
        Read::Nan => f64::NAN,
    })
}

/// What a text is as a double.
enum Read {
    Number(f64),
    TooLarge { negative: bool },
    TooSmall,
    Nan,
}

fn read(text: &[u8]) -> Option<Read> {
    if let Some(value) = parse_short(text) {
        return Some(Read::Number(value));
    }
    let (negative, rounded) = match scan(text)? {
        Scan::Nan => return Some(Read::Nan),
        Scan::Infinite { negative } => {
            let infinite = if negative {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            };
            return Some(Read::Number(infinite));
        }
        Scan::Decimal {
            negative,
            digits,
            exp10,
        } => (negative, DOUBLE.round_decimal(digits, exp10)),
        Scan::Hex {
            negative,
            mantissa,
            sticky,
            exp2,
        } => {
            let exp2 = exp2.clamp(-100_000, 100_000) as i32;
            (negative, DOUBLE.round(mantissa, exp2, sticky))
        }
    };
    let value = match rounded {
        Rounded::Zero { exact: true } => 0.0,
        Rounded::Zero { exact: false } => return Some(Read::TooSmall),
        Rounded::Overflow => return Some(Read::TooLarge { negative }),
        Rounded::Finite { mantissa, exp } => assemble(mantissa, exp),
    };
    Some(Read::Number(if negative { -value } else { value }))
}

/// Reads a decimal number (no hexadecimal), as [`parse_f64`] does; one that overflows is infinite, one that vanishes is zero.
pub fn parse_decimal_f64(text: &[u8]) -> Option<f64> {
    if let Scan::Decimal {
        negative,
        digits,
        exp10,
    } = scan(text)?
    {
        let value = match DOUBLE.round_decimal(digits, exp10) {
            Rounded::Zero { .. } => 0.0,
            Rounded::Overflow => f64::INFINITY,
            Rounded::Finite { mantissa, exp } => assemble(mantissa, exp),
        };
        return Some(if negative { -value } else { value });
    }
    // Infinite: hexadecimal text never gets as far, as only a finite number can be too small or too large.
    parse_f64(text).filter(|value| value.is_infinite())
}

/// Reads a plain number of up to 15 digits, without an exponent: both its digits and the power of ten are exact doubles,
/// so that one division rounds correctly. `None`: not such a number, look closer.
fn parse_short(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    // At least one digit; the point is the sixteenth byte.
    if digits.len() > 16 || !digits.first()?.is_ascii_digit() {
        return None;
    }
    let (mut value, mut scale, mut has_point) = (0u64, 1u64, false);
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + (byte - b'0') as u64;
                scale *= if has_point { 10 } else { 1 };
            }
            b'.' if !has_point => has_point = true,
            _ => return None,
        }
    }
    if value >= 1 << 53 {
        return None;
    }
    let value = value as f64 / scale as f64;
    Some(if negative { -value } else { value })
}

/// The double `mantissa * 2^exp`, both already rounded to the format.
pub(super) fn assemble(mantissa: u64, exp: i32) -> f64 {
    if mantissa < HIDDEN_BIT {
        return f64::from_bits(mantissa);
    }
    f64::from_bits((mantissa & (HIDDEN_BIT - 1)) | ((exp + 1075) as u64) << 52)
}

/// Rounds `mantissa * 2^exp` to a double; infinity when it is too large.
pub(super) fn from_parts(negative: bool, mantissa: u64, exp: i32) -> f64 {
    let value = match DOUBLE.round((mantissa as u128) << 32, exp.saturating_sub(32), false) {
        Rounded::Zero { .. } => 0.0,
        Rounded::Finite { mantissa, exp } => assemble(mantissa, exp),
        Rounded::Overflow => f64::INFINITY,
    };
    if negative { -value } else { value }
}

/// Mantissa and exponent of a finite magnitude.
pub(super) fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let fraction = bits & (HIDDEN_BIT - 1);
    match (bits >> 52 & 0x7ff) as i32 {
        0 => (fraction, -1074),
        biased => (fraction | HIDDEN_BIT, biased - 1075),
    }
}

/// Appends the value with a fixed number of digits after the point (at most 17), as C's `%.*f` prints it.
pub fn write_fixed(out: &mut Vec<u8>, value: f64, decimals: u32) {
    LongDouble::from_f64(value).write_fixed(out, decimals);
}

/// Appends a double as a reply shows it: the digits of Grisu2, which read back to the same value and are the shortest
/// but for one number in a thousand; an exponent only where the plain form would get long.
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    // Whole numbers up to 2^62 have all their digits, also where fewer would read back to the same double.
    let magnitude = value.abs();
    if magnitude <= (1u64 << 62) as f64 && magnitude == (magnitude as u64) as f64 {
        if value.is_sign_negative() {
            out.push(b'-');
        }
        write_u64(out, magnitude as u64);
        return;
    }
    write_shortest(out, value);
}

/// The same without all the digits of whole numbers: how DEBUG DIGEST knows scores.
pub fn write_shortest(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() || value == 0.0 {
        out.extend_from_slice(if value == 0.0 { b"0" } else { b"inf" });
        return;
    }
    let mut digits = Digits {
        bytes: [0; 20],
        len: 0,
    };
    let exp10 = shortest(value, &mut digits);
    let text = digits.bytes.get(..digits.len).unwrap_or_default();
    layout(out, text, exp10, value.is_sign_negative());
}

/// Places the point in `digits * 10^exp10`.
fn layout(out: &mut Vec<u8>, digits: &[u8], exp10: i32, negative: bool) {
    let count = digits.len() as i32;
    let scientific = exp10 + count - 1;
    let zeros = |out: &mut Vec<u8>, n: i32| out.resize(out.len() + n.max(0) as usize, b'0');
    if exp10 >= 0 && scientific < count + 7 {
        out.extend_from_slice(digits);
        zeros(out, exp10);
        return;
    }
    if exp10 < 0 && (exp10 > -7 || scientific.abs() < 4) {
        let whole = count + exp10;
        let (left, right) = digits.split_at(whole.max(0) as usize);
        out.extend_from_slice(if left.is_empty() { b"0" } else { left });
        out.push(b'.');
        zeros(out, -whole);
        out.extend_from_slice(right);
        return;
    }
    let limit = 18 - negative as usize;
    let digits = digits.get(..limit).unwrap_or(digits);
    if let Some((first, rest)) = digits.split_first() {
        out.push(*first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
    }
    out.push(b'e');
    if scientific >= 0 {
        out.push(b'+');
    }
    write_i64(out, scientific as i64);
}

struct Digits {
    bytes: [u8; 20],
    len: usize,
}

impl Digits {
    /// Appends a digit; leading zeros are dropped.
    fn push(&mut self, digit: u64) {
        if digit == 0 && self.len == 0 {
            return;
        }
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = b'0' + digit as u8;
            self.len += 1;
        }
    }

    /// Lowers the last digit while that brings the text closer to the value and keeps it inside the interval.
    /// `rest` is the distance of the text below the upper bound, `target` that of the value.
    fn approach(&mut self, interval: u64, mut rest: u64, unit: u64, target: u64) {
        let Some(last) = self
            .len
            .checked_sub(1)
            .and_then(|at| self.bytes.get_mut(at))
        else {
            return;
        };
        while rest < target
            && interval - rest >= unit
            && (rest + unit < target || target - rest > rest + unit - target)
        {
            *last -= 1;
            rest += unit;
        }
    }
}

/// Grisu2 (Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers"): writes digits and returns
/// the decimal exponent of the last one. The value is finite and not zero.
fn shortest(value: f64, digits: &mut Digits) -> i32 {
    let (mantissa, exp) = parts(value);
    // The neighbours' midpoints, in units that give the upper one its top bit in bit 63.
    let upper = mantissa * 2 + 1;
    let shift = upper.leading_zeros();
    let (upper, upper_exp) = (upper << shift, exp - 1 - shift as i32);
    let lower = if mantissa == HIDDEN_BIT {
        (mantissa * 4 - 1) << (shift - 1)
    } else {
        (mantissa * 2 - 1) << shift
    };
    let value_shift = mantissa.leading_zeros();
    let (power, power_exp10, power_exp) = cached_power(upper_exp);
    let scaled = multiply(mantissa << value_shift, power);
    let upper = multiply(upper, power) - 1;
    let lower = multiply(lower, power) + 1;
    generate(digits, scaled, upper, lower, upper_exp + power_exp + 64) - power_exp10
}

/// The upper half of the product, rounded.
fn multiply(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128 + (1 << 63)) >> 64) as u64
}

fn generate(digits: &mut Digits, value: u64, upper: u64, lower: u64, exp: i32) -> i32 {
    let fraction_bits = exp.unsigned_abs().clamp(32, 60);
    let one = 1u64 << fraction_bits;
    let mut target = upper - value;
    let mut interval = upper - lower;
    let mut whole = upper >> fraction_bits;
    let mut fraction = upper & (one - 1);
    let mut unit = 1_000_000_000u64;
    for kappa in (0..10).rev() {
        digits.push(whole / unit);
        whole %= unit;
        let rest = (whole << fraction_bits) + fraction;
        if rest <= interval {
            digits.approach(interval, rest, unit << fraction_bits, target);
            return kappa;
        }
        unit /= 10;
    }
    let mut kappa = 0;
    loop {
        fraction = fraction.wrapping_mul(10);
        interval = interval.wrapping_mul(10);
        target = target.wrapping_mul(10);
        kappa -= 1;
        digits.push(fraction >> fraction_bits);
        fraction &= one - 1;
        if fraction < interval || kappa < -20 {
            digits.approach(interval, fraction, one, target);
            return kappa;
        }
    }
}

const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;

/// A power of ten that brings a number with the binary exponent `exp` into the range `generate` works in: its 64-bit
/// mantissa, its decimal exponent and its binary exponent.
fn cached_power(exp: i32) -> (u64, i32, i32) {
    let estimate = -(exp + POWERS.len() as i32) as f64 * core::f64::consts::LOG10_2;
    let mut index = ((estimate - FIRST_POWER as f64) / POWER_STEP as f64) as i32;
    loop {
        let exp10 = FIRST_POWER + index * POWER_STEP;
        let mantissa = POWERS.get(index as usize).copied().unwrap_or(1 << 63);
        // floor(exp10 * log2(10)) - 63, exact over the table.
        let power_exp = ((exp10 * 108_853) >> 15) - 63;
        let result = exp + power_exp + 64;
        if result < -60 {
            index += 1;
        } else if result > -32 {
            index -= 1;
        } else {
            return (mantissa, exp10, power_exp);
        }
    }
}

/// 10^(-348 + 8 i), the highest 64 bits, rounded.
const POWERS: [u64; 87] = [
    0xfa8fd5a0081c0288,
    0xbaaee17fa23ebf76,
    0x8b16fb203055ac76,
    0xcf42894a5dce35ea,
    0x9a6bb0aa55653b2d,
    0xe61acf033d1a45df,
    0xab70fe17c79ac6ca,
    0xff77b1fcbebcdc4f,
    0xbe5691ef416bd60c,
    0x8dd01fad907ffc3c,
    0xd3515c2831559a83,
    0x9d71ac8fada6c9b5,
    0xea9c227723ee8bcb,
    0xaecc49914078536d,
    0x823c12795db6ce57,
    0xc21094364dfb5637,
    0x9096ea6f3848984f,
    0xd77485cb25823ac7,
    0xa086cfcd97bf97f4,
    0xef340a98172aace5,
    0xb23867fb2a35b28e,
    0x84c8d4dfd2c63f3b,
    0xc5dd44271ad3cdba,
    0x936b9fcebb25c996,
    0xdbac6c247d62a584,
    0xa3ab66580d5fdaf6,
    0xf3e2f893dec3f126,
    0xb5b5ada8aaff80b8,
    0x87625f056c7c4a8b,
    0xc9bcff6034c13053,
    0x964e858c91ba2655,
    0xdff9772470297ebd,
    0xa6dfbd9fb8e5b88f,
    0xf8a95fcf88747d94,
    0xb94470938fa89bcf,
    0x8a08f0f8bf0f156b,
    0xcdb02555653131b6,
    0x993fe2c6d07b7fac,
    0xe45c10c42a2b3b06,
    0xaa242499697392d3,
    0xfd87b5f28300ca0e,
    0xbce5086492111aeb,
    0x8cbccc096f5088cc,
    0xd1b71758e219652c,
    0x9c40000000000000,
    0xe8d4a51000000000,
    0xad78ebc5ac620000,
    0x813f3978f8940984,
    0xc097ce7bc90715b3,
    0x8f7e32ce7bea5c70,
    0xd5d238a4abe98068,
    0x9f4f2726179a2245,
    0xed63a231d4c4fb27,
    0xb0de65388cc8ada8,
    0x83c7088e1aab65db,
    0xc45d1df942711d9a,
    0x924d692ca61be758,
    0xda01ee641a708dea,
    0xa26da3999aef774a,
    0xf209787bb47d6b85,
    0xb454e4a179dd1877,
    0x865b86925b9bc5c2,
    0xc83553c5c8965d3d,
    0x952ab45cfa97a0b3,
    0xde469fbd99a05fe3,
    0xa59bc234db398c25,
    0xf6c69a72a3989f5c,
    0xb7dcbf5354e9bece,
    0x88fcf317f22241e2,
    0xcc20ce9bd35c78a5,
    0x98165af37b2153df,
    0xe2a0b5dc971f303a,
    0xa8d9d1535ce3b396,
    0xfb9b7cd9a4a7443c,
    0xbb764c4ca7a44410,
    0x8bab8eefb6409c1a,
    0xd01fef10a657842c,
    0x9b10a4e5e9913129,
    0xe7109bfba19c0c9d,
    0xac2820d9623bf429,
    0x80444b5e7aa7cf85,
    0xbf21e44003acdd2d,
    0x8e679c2f5e44ff8f,
    0xd433179d9c8cb841,
    0x9e19db92b4e31ba9,
    0xeb96bf6ebadf77d9,
    0xaf87023b9bf0ee6b,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        write_f64(&mut out, value);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn reads_what_strtod_reads() {
        let cases: [(&str, f64); 16] = [
            ("1", 1.0),
            ("-0.5", -0.5),
            ("+5", 5.0),
            (".5", 0.5),
            ("1.", 1.0),
            ("1e3", 1000.0),
            ("1E-3", 0.001),
            ("0x10", 16.0),
            ("0x1.8p1", 3.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("4.9e-324", 5e-324),
            ("1.7976931348623157e308", f64::MAX),
            ("2.2250738585072011e-308", 2.225073858507201e-308),
            ("9007199254740993", 9007199254740992.0),
            (
                "9007199254740993.00000000000000000000000000000000001",
                9007199254740994.0,
            ),
        ];
        for (source, want) in cases {
            assert_eq!(parse_f64(source.as_bytes()), Some(want), "{source}");
        }
        for source in [
            "",
            "-",
            ".",
            " 1",
            "1 ",
            "1e",
            "1e+",
            "nan",
            "nan(1)",
            "0x",
            "0xg",
            "1x",
            "infi",
            "1e400",
            "-1e400",
            "1e-400",
            "2e-324",
            "0x1p1024",
            "0x1p-1076",
            "1.2.3",
            "--1",
            "1\0",
        ] {
            assert_eq!(parse_f64(source.as_bytes()), None, "{source}");
        }
    }

    #[test]
    fn reads_as_exactly_as_the_standard_library() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for round in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(state ^ state >> 29);
            if !value.is_finite() {
                continue;
            }
            let source = match round % 3 {
                0 => format!("{value:e}"),
                1 => format!("{value:.3e}"),
                _ => format!("{value:.25e}"),
            };
            let want: f64 = source.parse().expect("a float");
            assert_eq!(parse_f64(source.as_bytes()), Some(want), "{source}");
            assert_eq!(text(value).parse::<f64>(), Ok(value), "{source}");
        }
    }

    #[test]
    fn prints_as_scores_are_printed() {
        let cases: [(f64, &str); 24] = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (3.0e-5, "0.00003"),
            (1.5e-7, "1.5e-7"),
            (1e-7, "1e-7"),
            (1e-6, "0.000001"),
            (123456.789, "123456.789"),
            (4.6e11, "460000000000"),
            (3029840121477049856.0, "3029840121477049856"),
            (1e21, "1e+21"),
            (1e19, "1e+19"),
            (12345678901234567890.0, "12345678901234567000"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (2.2250738585072014e-308, "2.2250738585072014e-308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (17.320508075688775, "17.320508075688775"),
            (0.30000000000000004, "0.30000000000000004"),
            (100.25, "100.25"),
        ];
        for (value, want) in cases {
            assert_eq!(text(value), want);
        }
    }

    #[test]
    fn fixed_form_is_that_of_printf() {
        let fixed = |value, decimals| {
            let mut out = Vec::new();
            write_fixed(&mut out, value, decimals);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(fixed(0.125, 2), "0.12");
        assert_eq!(fixed(0.375, 2), "0.38");
        assert_eq!(fixed(2.5, 0), "2");
        assert_eq!(fixed(-1.005, 2), "-1.00");
        assert_eq!(fixed(1e22, 1), "10000000000000000000000.0");
        assert_eq!(fixed(0.1, 17), "0.10000000000000001");
        assert_eq!(fixed(99.999, 2), "100.00");
    }
}
