//! Powers, exponentials and logarithms with the same digits everywhere.
//!
//! WebAssembly has none of its own, and those that Rust brings differ from a good platform's in the last bit, which a script
//! may print. These compute with pairs of doubles and round once, so that the result is the nearest double but for a few
//! arguments in a thousand million, or nearly so for results below the smallest normal number.

use super::pair::{FOURTH, Pair, THIRD};

const LN_2: Pair = Pair(core::f64::consts::LN_2, 2.3190468138462996e-17);
/// One through 1, 3, 5 and so on.
const RECIPROCALS: [Pair; 6] = [
    Pair(1.0, 0.0),
    Pair(0.3333333333333333, 1.850371707708594e-17),
    Pair(0.2, -1.1102230246251566e-17),
    Pair(0.14285714285714285, 7.93016446160826e-18),
    Pair(0.1111111111111111, 6.1679056923619804e-18),
    Pair(0.09090909090909091, -2.523234146875356e-18),
];
/// The odd numbers of the terms behind them.
const FIRST_ODD: u32 = 13;
const LAST_ODD: u32 = 33;
/// Exponents of e beyond these give infinity and zero.
const MOST: f64 = 710.0;
const LEAST: f64 = -746.0;
/// Powers this high decide between nothing, one and infinity alone.
const HUGE: f64 = 1e21;

/// `number` times two to the power of `exponent`, from -1100 to 1100, rounded once if it is normal.
fn scaled(number: f64, exponent: i32) -> f64 {
    let two = |power: i32| f64::from_bits(((1023 + power) as u64) << 52);
    let half = exponent / 2;
    number * two(half) * two(exponent - half)
}

/// The natural logarithm of a positive finite number.
fn log_pair(x: f64) -> Pair {
    const SUBNORMAL_SHIFT: i32 = 54;
    let (x, shift) = match x < f64::MIN_POSITIVE {
        true => (scaled(x, SUBNORMAL_SHIFT), SUBNORMAL_SHIFT),
        false => (x, 0),
    };
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023 - shift;
    let mut part = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if part > core::f64::consts::SQRT_2 {
        part /= 2.0;
        exponent += 1;
    }
    // log(part) = 2 (s + s^3 / 3 + s^5 / 5 + ...) with s = (part - 1) / (part + 1).
    let (above, below) = (part - 1.0, Pair::sum(part, 1.0));
    let quotient = above / below.0;
    let product = below.mul(Pair(quotient, 0.0));
    let s = Pair::sum(quotient, (above - product.0 - product.1) / below.0);
    let square = s.mul(s);
    let mut tail = 0.0;
    let mut odd = LAST_ODD;
    while odd >= FIRST_ODD {
        tail = tail * square.0 + 1.0 / f64::from(odd);
        odd -= 2;
    }
    let mut sum = Pair(tail, 0.0);
    for reciprocal in RECIPROCALS.iter().rev() {
        sum = reciprocal.add(square.mul(sum));
    }
    let Pair(high, low) = s.mul(sum);
    let exponent = f64::from(exponent);
    let twos = Pair::product(LN_2.0, exponent);
    Pair(twos.0, twos.1 + LN_2.1 * exponent).add(Pair(2.0 * high, 2.0 * low))
}

/// e to the power of a pair.
fn exp_pair(power: Pair) -> f64 {
    // One through 5!, 6!, ... 13!.
    const TAIL: [f64; 9] = [
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5040.0,
        1.0 / 40320.0,
        1.0 / 362880.0,
        1.0 / 3628800.0,
        1.0 / 39916800.0,
        1.0 / 479001600.0,
        1.0 / 6227020800.0,
    ];
    const HALVINGS: usize = 3;
    if power.0 > MOST {
        return f64::INFINITY;
    }
    if power.0 < LEAST {
        return 0.0;
    }
    let twos = (power.0 / LN_2.0).round();
    let Pair(high, low) = Pair::product(LN_2.0, -twos);
    let rest = power.add(Pair(high, low - LN_2.1 * twos));
    let rest = Pair(rest.0 / 8.0, rest.1 / 8.0);
    let tail = TAIL.iter().rev().fold(0.0, |sum, one| sum * rest.0 + one);
    let mut sum = Pair(tail, 0.0);
    for one in [
        FOURTH,
        THIRD,
        Pair(0.5, 0.0),
        Pair(1.0, 0.0),
        Pair(1.0, 0.0),
    ] {
        sum = one.add(rest.mul(sum));
    }
    for _ in 0..HALVINGS {
        sum = sum.mul(sum);
    }
    scaled(sum.nearest(), twos as i32)
}

/// e to the power of `x`.
pub fn exp(x: f64) -> f64 {
    match x.is_nan() {
        true => x,
        false => exp_pair(Pair(x, 0.0)),
    }
}

/// The natural logarithm; NaN of a negative number.
pub fn log(x: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    match x > 0.0 && x < f64::INFINITY {
        true => log_pair(x).nearest(),
        // Infinity is its own logarithm.
        false if x > 0.0 => x,
        false => f64::NAN,
    }
}

/// `x` to the power of `y`, with the special cases of C's `pow`. What has no value is a NaN with a sign, as on x86.
pub fn pow(x: f64, y: f64) -> f64 {
    if y == 2.0 {
        return x * x;
    }
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return x + y;
    }
    let is_whole = y.trunc() == y;
    // From 2^53 on every double is even.
    let is_odd = is_whole && y.abs() < 9_007_199_254_740_992.0 && y as i64 & 1 != 0;
    let size = x.abs();
    let value = if size == 0.0 || size == f64::INFINITY {
        match (size == 0.0) == (y < 0.0) {
            true => f64::INFINITY,
            false => 0.0,
        }
    } else if y.abs() > HUGE {
        match size {
            1.0 => 1.0,
            _ if (size > 1.0) == (y > 0.0) => f64::INFINITY,
            _ => 0.0,
        }
    } else if x < 0.0 && !is_whole {
        return -f64::NAN;
    } else {
        let Pair(high, low) = log_pair(size);
        let Pair(product, rest) = Pair::product(high, y);
        exp_pair(Pair::sum(product, rest + low * y))
    };
    match x.is_sign_negative() && is_odd {
        true => -value,
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use super::{exp, log, pow};
    use crate::algorithms::rng::Rng;

    fn apart(one: f64, other: f64) -> u64 {
        one.to_bits().abs_diff(other.to_bits())
    }

    fn number(rng: &mut Rng, most: f64) -> f64 {
        (rng.below(1 << 53) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0) * most
    }

    #[test]
    fn differ_from_the_platform_by_one_bit_at_most() {
        let mut rng = Rng::new([11, 3]);
        let mut differing = [0; 3];
        for _ in 0..100_000 {
            let x = exp(number(&mut rng, 300.0));
            let y = number(&mut rng, 2.3);
            let cases = [
                (pow(x, y), x.powf(y)),
                (exp(y * 300.0), (y * 300.0).exp()),
                (log(x), x.ln()),
            ];
            for ((own, other), count) in cases.into_iter().zip(&mut differing) {
                assert!(apart(own, other) <= 1, "{x} {y}: {own} {other}");
                *count += u32::from(own != other);
            }
        }
        // The platform is wrong by a bit now and then.
        assert!(
            differing.iter().all(|&count| count < 5_000),
            "{differing:?}"
        );
    }

    #[test]
    fn whole_powers_are_exact() {
        let mut exact = 1.0f64;
        for power in 0..23 {
            assert_eq!(pow(10.0, f64::from(power)), exact);
            assert_eq!(pow(2.0, f64::from(power)), f64::from(1 << power));
            exact *= 10.0;
        }
        assert_eq!(pow(3.0, 33.0), 5_559_060_566_555_523.0);
        assert_eq!(pow(-3.0, 3.0), -27.0);
        assert_eq!(pow(2.0, -1074.0), f64::from_bits(1));
        assert_eq!(pow(2.0, 1023.0), 8.98846567431158e307);
    }

    #[test]
    fn special_cases_are_those_of_c() {
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            -0.5,
            2.0,
            3.0,
            -3.0,
            1e300,
            -1e300,
            1e-300,
            5e-324,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        for x in special {
            for y in special {
                let (own, other) = (pow(x, y), x.powf(y));
                assert_eq!(own.is_nan(), other.is_nan(), "{x} {y}: {own} {other}");
                if !own.is_nan() {
                    assert_eq!(own.to_bits(), other.to_bits(), "{x} {y}: {own} {other}");
                }
            }
            let (own, other) = (exp(x), x.exp());
            assert!(own == other || own.is_nan() && other.is_nan(), "{x}");
            let (own, other) = (log(x), x.ln());
            assert!(own == other || own.is_nan() && other.is_nan(), "{x}");
        }
        assert!(pow(-8.0, 1.0 / 3.0).is_sign_negative());
    }
}
