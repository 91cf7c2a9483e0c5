//! The 80-bit extended floats of the x86 C ABI, in which Redis adds for INCRBYFLOAT and HINCRBYFLOAT: 64 bits of
//! mantissa, 15 of exponent. Only what those commands need: read, add, print.

use super::decimal::{Big, Format, Rounded, Scan, scan};
use super::double;
use super::integer::write_u64;

const MIN_EXP: i32 = -16445;
const EXTENDED: Format = Format {
    precision: 64,
    min_exp: MIN_EXP,
    max_exp: 16320,
    max_digits: 12_000,
};
/// Redis copies the text into a buffer of 5 KiB first; longer text is not a number.
const MAX_TEXT_LEN: usize = 5 * 1024 - 1;
/// Digits after the point in the human form.
const HUMAN_DECIMALS: u32 = 17;

/// An 80-bit extended float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Zero,
    /// `mantissa * 2^exp`; the mantissa has 64 bits, or fewer at the lowest exponent.
    Finite {
        mantissa: u64,
        exp: i32,
    },
    Infinite,
    Nan,
}

impl LongDouble {
    /// Reads a number as `strtold` does, over the whole text and without leading space. Refuses NaN, text longer than
    /// 5 KiB, and finite text that overflows or vanishes; infinity is a number.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > MAX_TEXT_LEN {
            return None;
        }
        let (negative, rounded) = match scan(text)? {
            Scan::Nan => return None,
            Scan::Infinite { negative } => {
                return Some(LongDouble {
                    negative,
                    kind: Kind::Infinite,
                });
            }
            Scan::Decimal {
                negative,
                digits,
                exp10,
            } => (negative, EXTENDED.round_decimal(digits, exp10)),
            Scan::Hex {
                negative,
                mantissa,
                sticky,
                exp2,
            } => {
                let exp2 = exp2.clamp(-100_000, 100_000) as i32;
                (negative, EXTENDED.round(mantissa, exp2, sticky))
            }
        };
        match rounded {
            Rounded::Zero { exact: false } | Rounded::Overflow => None,
            _ => Some(Self::from_rounded(negative, rounded)),
        }
    }

    /// The largest finite value.
    pub const MAX: LongDouble = LongDouble {
        negative: false,
        kind: Kind::Finite {
            mantissa: u64::MAX,
            exp: 16320,
        },
    };

    /// The exact value of an integer.
    pub fn from_i64(value: i64) -> LongDouble {
        let rounded = EXTENDED.round(value.unsigned_abs() as u128, 0, false);
        Self::from_rounded(value < 0, rounded)
    }

    /// The exact value of a double.
    pub fn from_f64(value: f64) -> LongDouble {
        let negative = value.is_sign_negative();
        if !value.is_finite() {
            let kind = if value.is_nan() {
                Kind::Nan
            } else {
                Kind::Infinite
            };
            return LongDouble { negative, kind };
        }
        let (mantissa, exp) = double::parts(value);
        Self::from_rounded(negative, EXTENDED.round(mantissa as u128, exp, false))
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        match self.kind {
            Kind::Finite { mantissa, exp } => double::from_parts(self.negative, mantissa, exp),
            Kind::Nan => f64::NAN,
            Kind::Infinite if self.negative => f64::NEG_INFINITY,
            Kind::Infinite => f64::INFINITY,
            Kind::Zero if self.negative => -0.0,
            Kind::Zero => 0.0,
        }
    }

    fn from_rounded(negative: bool, rounded: Rounded) -> LongDouble {
        let kind = match rounded {
            Rounded::Zero { .. } => Kind::Zero,
            Rounded::Finite { mantissa, exp } => Kind::Finite { mantissa, exp },
            Rounded::Overflow => Kind::Infinite,
        };
        LongDouble { negative, kind }
    }

    /// Neither infinite nor NaN.
    pub fn is_finite(self) -> bool {
        matches!(self.kind, Kind::Zero | Kind::Finite { .. })
    }

    /// The same on the other side of zero.
    pub fn negated(self) -> LongDouble {
        LongDouble {
            negative: !self.negative,
            kind: self.kind,
        }
    }

    /// Whether this number is smaller than another. The difference of two numbers is never rounded to zero.
    pub fn is_below(self, other: LongDouble) -> bool {
        let difference = self.add(other.negated());
        difference.negative && !matches!(difference.kind, Kind::Zero | Kind::Nan)
    }

    /// The sum, rounded to nearest, ties to even.
    #[expect(
        clippy::should_implement_trait,
        reason = "one operation, not an arithmetic type"
    )]
    pub fn add(self, other: LongDouble) -> LongDouble {
        let nan = LongDouble {
            negative: false,
            kind: Kind::Nan,
        };
        match (self.kind, other.kind) {
            (Kind::Nan, _) | (_, Kind::Nan) => nan,
            (Kind::Infinite, Kind::Infinite) if self.negative != other.negative => nan,
            (Kind::Infinite, _) => self,
            (_, Kind::Infinite) => other,
            (Kind::Zero, Kind::Zero) => LongDouble {
                negative: self.negative && other.negative,
                kind: Kind::Zero,
            },
            (Kind::Zero, _) => other,
            (_, Kind::Zero) => self,
            (
                Kind::Finite {
                    mantissa: a,
                    exp: ea,
                },
                Kind::Finite {
                    mantissa: b,
                    exp: eb,
                },
            ) => {
                if (ea, a) >= (eb, b) {
                    add_ordered((self.negative, a, ea), (other.negative, b, eb))
                } else {
                    add_ordered((other.negative, b, eb), (self.negative, a, ea))
                }
            }
        }
    }

    /// Appends the human form: 17 digits after the point, then trailing zeros and a bare point cut off, and no `-0`.
    pub fn write_human(self, out: &mut Vec<u8>) {
        let start = out.len();
        self.write_fixed(out, HUMAN_DECIMALS);
        if !self.is_finite() {
            return;
        }
        if out.iter().skip(start).any(|byte| *byte == b'.') {
            while out.last() == Some(&b'0') {
                out.pop();
            }
            if out.last() == Some(&b'.') {
                out.pop();
            }
        }
        if out.get(start..) == Some(b"-0") {
            out.truncate(start);
            out.push(b'0');
        }
    }

    /// Appends the value with `decimals` digits after the point (17 at most), rounded to nearest, ties to even.
    pub fn write_fixed(self, out: &mut Vec<u8>, decimals: u32) {
        let decimals = decimals.min(HUMAN_DECIMALS);
        if self.negative && self.kind != Kind::Nan {
            out.push(b'-');
        }
        let scale = 10u64.pow(decimals);
        let scaled = match self.kind {
            Kind::Nan => return out.extend_from_slice(b"nan"),
            Kind::Infinite => return out.extend_from_slice(b"inf"),
            Kind::Zero => 0,
            Kind::Finite { mantissa, exp } if exp >= 0 => {
                Big::from_shifted(mantissa, exp as u32).write_decimal(out);
                return write_fraction(out, 0, decimals);
            }
            Kind::Finite { mantissa, exp } => {
                shift_right_even(mantissa as u128 * scale as u128, exp.unsigned_abs())
            }
        };
        write_u64(out, (scaled / scale as u128) as u64);
        write_fraction(out, (scaled % scale as u128) as u64, decimals);
    }
}

fn write_fraction(out: &mut Vec<u8>, fraction: u64, decimals: u32) {
    if decimals == 0 {
        return;
    }
    out.push(b'.');
    let mut unit = 10u64.pow(decimals - 1);
    let mut rest = fraction;
    while unit > 0 {
        out.push(b'0' + (rest / unit % 10) as u8);
        rest %= unit;
        unit /= 10;
    }
}

/// `value / 2^shift` to nearest, ties to even.
fn shift_right_even(value: u128, shift: u32) -> u128 {
    if shift == 0 || shift > 127 {
        // The callers' values stay below 2^121.
        return if shift == 0 { value } else { 0 };
    }
    let kept = value >> shift;
    let lost = value & ((1 << shift) - 1);
    let half = 1u128 << (shift - 1);
    kept + (lost > half || (lost == half && kept & 1 == 1)) as u128
}

type Parts = (bool, u64, i32);

/// Adds two finite numbers, the first of the larger magnitude.
fn add_ordered(
    (negative, large, exp): Parts,
    (other_negative, small, small_exp): Parts,
) -> LongDouble {
    // 62 guard bits below the larger mantissa leave a bit for the carry; what falls below them only has to be noticed.
    const GUARD: u32 = 62;
    let gap = (exp - small_exp) as u32;
    let wide = (large as u128) << GUARD;
    let (aligned, lost) = if gap <= GUARD {
        ((small as u128) << (GUARD - gap), false)
    } else if gap < GUARD + 64 {
        let shift = gap - GUARD;
        ((small >> shift) as u128, small & ((1 << shift) - 1) != 0)
    } else {
        (0, true)
    };
    let sum = if negative == other_negative {
        wide + aligned
    } else {
        // A lost part makes the true difference a little smaller: one unit less, and something above that.
        wide - aligned - lost as u128
    };
    if sum == 0 {
        return LongDouble {
            negative: false,
            kind: Kind::Zero,
        };
    }
    LongDouble::from_rounded(negative, EXTENDED.round(sum, exp - GUARD as i32, lost))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> LongDouble {
        LongDouble::parse(text.as_bytes()).expect("a number")
    }

    fn sum(a: &str, b: &str) -> String {
        let mut out = Vec::new();
        number(a).add(number(b)).write_human(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn sums_are_those_of_the_extended_format() {
        // Each line was answered by a real server.
        let cases = [
            ("10.5", "0.1", "10.6"),
            ("0.1", "0.2", "0.3"),
            ("5.0e3", "200", "5200"),
            ("3", "-3", "0"),
            ("-0", "-0", "0"),
            ("1", "1e-18", "1"),
            (
                "0x1234567890abcdef12345",
                "864",
                "1375488932362216742715392",
            ),
            ("1e19", "0.5", "10000000000000000000"),
            ("1e20", "0.1", "100000000000000000000"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("18446744073709551616", "3", "18446744073709551620"),
            ("1", "5e-18", "1"),
            ("3.0000000000000000001", "0", "3"),
            ("1e-17", "0", "0.00000000000000001"),
            ("1e-4940", "-1", "-1"),
        ];
        for (a, b, want) in cases {
            assert_eq!(sum(a, b), want, "{a} + {b}");
            assert_eq!(sum(b, a), want, "{b} + {a}");
        }
    }

    #[test]
    fn the_range_ends_where_the_format_ends() {
        let largest = number("1.18973149535723176502e4932");
        assert!(!largest.add(largest).is_finite());
        let infinite = number("inf");
        let mut out = Vec::new();
        infinite.add(number("-inf")).write_human(&mut out);
        assert_eq!(out, b"nan");
        out.clear();
        largest.write_human(&mut out);
        assert_eq!(out.len(), 4933);
        for text in ["", " 1", "1e5000", "1e-5000", "nan", "1e", "1,5"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        assert!(LongDouble::parse(&vec![b'1'; MAX_TEXT_LEN + 1]).is_none());
        assert!(LongDouble::parse(&vec![b'1'; 4000]).is_some());
    }

    #[test]
    fn doubles_pass_through_unchanged() {
        for value in [0.0, -0.0, 1.5, -1e300, 5e-324, f64::MAX, f64::INFINITY] {
            assert_eq!(
                LongDouble::from_f64(value).to_f64().to_bits(),
                value.to_bits()
            );
        }
        assert_eq!(LongDouble::from_i64(i64::MIN).to_f64(), i64::MIN as f64);
    }
}
