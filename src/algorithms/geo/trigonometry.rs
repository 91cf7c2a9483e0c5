//! Sine, cosine and arc sine with the same digits everywhere.
//!
//! Distances are stored as scores and printed to the last digit, so the last bit counts; the functions of a platform
//! differ in it (WebAssembly has none of its own). These compute with a second double for what the first one rounds away
//! and round once at the end: the result is the nearest double but for about one argument in ten thousand, and so it
//! agrees with any good library wherever that one is right.

use crate::algorithms::pair::{FOURTH, Pair, THIRD};

const HALF_PI: Pair = Pair(core::f64::consts::FRAC_PI_2, 6.123233995736766e-17);

/// One through 3!, 4! and so on: two pairs, then doubles, every second one for the sine and the cosine.
const FIFTH: Pair = Pair(0.008333333333333333, 1.1564823173178714e-19);
const SIXTH: Pair = Pair(0.001388888888888889, -5.300543954373577e-20);
const ODD: [f64; 6] = [
    1.0 / 5040.0,
    1.0 / 362880.0,
    1.0 / 39916800.0,
    1.0 / 6227020800.0,
    1.0 / 1307674368000.0,
    1.0 / 355687428096000.0,
];
const EVEN: [f64; 6] = [
    1.0 / 40320.0,
    1.0 / 3628800.0,
    1.0 / 479001600.0,
    1.0 / 87178291200.0,
    1.0 / 20922789888000.0,
    1.0 / 6402373705728000.0,
];
/// `(asin(x) / x - 1) / x^2` as a polynomial in `x^2` up to 1/4, good to 2e-11.
const ARC: [f64; 8] = [
    0.1666666666549084,
    0.07500000600759216,
    0.04464235707939134,
    0.030397671953511674,
    0.022131964555376638,
    0.0193093461897726,
    0.005433409887231671,
    0.02931732560480542,
];

/// A polynomial with falling powers last to first and alternating signs.
#[inline]
fn alternating(coefficients: &[f64], x: f64) -> f64 {
    coefficients
        .iter()
        .rev()
        .fold(0.0, |sum, one| one - sum * x)
}

/// The sine of an angle up to a quarter of pi and a bit.
#[inline]
fn near_sine(angle: Pair) -> Pair {
    let square = angle.mul(angle);
    let rest = Pair(-alternating(&ODD, square.0), 0.0);
    let rest = FIFTH.add(square.mul(rest));
    let rest = THIRD.negated().add(square.mul(rest));
    angle.add(angle.mul(square.mul(rest)))
}

/// The cosine of such an angle.
#[inline]
fn near_cosine(angle: Pair) -> Pair {
    let square = angle.mul(angle);
    let rest = SIXTH
        .negated()
        .add(square.mul(Pair(alternating(&EVEN, square.0), 0.0)));
    let rest = FOURTH.add(square.mul(rest));
    let rest = Pair(-0.5, 0.0).add(square.mul(rest));
    Pair(1.0, 0.0).add(square.mul(rest))
}

/// The sine of `angle` and `quarters` quarter turns.
#[inline(never)]
fn turned_sine(angle: f64, quarters: i32) -> f64 {
    let turns = (angle / HALF_PI.0).round();
    let Pair(high, low) = Pair::sum(angle, -turns * HALF_PI.0);
    let angle = Pair::sum(high, low - turns * HALF_PI.1);
    let quarter = turns as i32 + quarters;
    let value = match quarter & 1 {
        0 => near_sine(angle),
        _ => near_cosine(angle),
    };
    match quarter & 2 {
        0 => value.nearest(),
        _ => -value.nearest(),
    }
}

/// The sine of an angle of at most a full turn, in radians.
pub(super) fn sin(angle: f64) -> f64 {
    // Zero keeps its sign, and so does what is its own sine.
    if angle.abs() < 1e-8 {
        return angle;
    }
    turned_sine(angle, 0)
}

/// The cosine of an angle of at most a full turn, in radians.
pub(super) fn cos(angle: f64) -> f64 {
    turned_sine(angle, 1)
}

/// The arc sine of a number from 0 to 1, in radians; NaN above.
pub(super) fn asin(x: f64) -> f64 {
    if x.is_nan() || x > 1.0 {
        return f64::NAN;
    }
    if x <= 0.5 {
        return near_arc(Pair(x, 0.0)).nearest();
    }
    // asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)), where no digits are lost.
    let half = (1.0 - x) / 2.0;
    let root = half.sqrt();
    if root == 0.0 {
        return HALF_PI.0;
    }
    let Pair(square, low) = Pair::product(root, root);
    let arc = near_arc(Pair(root, (half - square - low) / (2.0 * root)));
    HALF_PI.add(Pair(-2.0 * arc.0, -2.0 * arc.1)).nearest()
}

/// The arc sine of a number up to a half: a polynomial, and one step of Newton's method.
fn near_arc(x: Pair) -> Pair {
    let square = x.0 * x.0;
    let polynomial = ARC.iter().rev().fold(0.0, |sum, one| sum * square + one);
    let arc = x.0 + x.0 * square * polynomial;
    let sine = near_sine(Pair(arc, 0.0));
    let error = (x.0 - sine.0) - sine.1 + x.1;
    Pair::sum(arc, error / (1.0 - sine.0 * sine.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::{asin, cos, sin};
    use crate::algorithms::rng::Rng;
    use core::f64::consts::{FRAC_PI_2, PI};

    fn apart(one: f64, other: f64) -> u64 {
        one.to_bits().abs_diff(other.to_bits())
    }

    #[test]
    fn differs_from_the_platform_by_one_bit_at_most() {
        let mut rng = Rng::new([7, 8]);
        let mut differing = 0;
        for _ in 0..300_000 {
            let part = rng.below(1 << 53) as f64 / (1u64 << 53) as f64;
            let angle = (part * 2.0 - 1.0) * PI;
            for (own, other) in [
                (sin(angle), angle.sin()),
                (cos(angle), angle.cos()),
                (asin(part), part.asin()),
                (
                    asin(1.0 - part * part * 1e-9),
                    (1.0 - part * part * 1e-9).asin(),
                ),
                (sin(angle * 1e-5), (angle * 1e-5).sin()),
            ] {
                assert!(apart(own, other) <= 1, "{angle} {part}: {own} {other}");
                differing += u32::from(own != other);
            }
        }
        println!("{differing} differ");
        assert!(differing < 1_500_000 / 20, "{differing} differ");
    }

    #[test]
    fn edges() {
        assert_eq!(sin(0.0), 0.0);
        assert_eq!(sin(PI), 1.2246467991473532e-16);
        assert_eq!(sin(-PI), -1.2246467991473532e-16);
        assert_eq!(sin(FRAC_PI_2), 1.0);
        assert_eq!(sin(1e-9), 1e-9);
        assert_eq!(sin(5e-324), 5e-324);
        assert_eq!(cos(0.0), 1.0);
        assert_eq!(cos(FRAC_PI_2), 6.123233995736766e-17);
        assert_eq!(asin(0.0), 0.0);
        assert_eq!(asin(1.0), FRAC_PI_2);
        assert!(asin(1.1).is_nan());
    }
}
