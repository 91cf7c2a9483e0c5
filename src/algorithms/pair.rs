//! Numbers with twice the digits of a double: what functions compute with whose last bit counts.

/// A number as the sum of a double and a much smaller one.
#[derive(Clone, Copy)]
pub struct Pair(pub f64, pub f64);

/// One through 3!, and through 4!.
pub const THIRD: Pair = Pair(0.16666666666666666, 9.25185853854297e-18);
pub const FOURTH: Pair = Pair(0.041666666666666664, 2.3129646346357427e-18);

impl Pair {
    /// The sum of two doubles, exactly.
    #[inline]
    pub fn sum(a: f64, b: f64) -> Pair {
        let high = a + b;
        let part = high - a;
        Pair(high, (a - (high - part)) + (b - part))
    }

    /// The product of two doubles, exactly.
    #[inline]
    pub fn product(a: f64, b: f64) -> Pair {
        // Halves of 26 bits, whose products are exact.
        let halves = |value: f64| {
            let scaled = value * 134217729.0;
            let high = scaled - (scaled - value);
            (high, value - high)
        };
        let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
        let high = a * b;
        let rest = a_high * b_high - high + a_high * b_low + a_low * b_high + a_low * b_low;
        Pair(high, rest)
    }

    #[inline]
    pub fn add(self, other: Pair) -> Pair {
        let Pair(high, low) = Pair::sum(self.0, other.0);
        Pair::sum(high, low + self.1 + other.1)
    }

    #[inline]
    pub fn mul(self, other: Pair) -> Pair {
        let Pair(high, low) = Pair::product(self.0, other.0);
        Pair::sum(high, low + (self.0 * other.1 + self.1 * other.0))
    }

    pub fn negated(self) -> Pair {
        Pair(-self.0, -self.1)
    }

    pub fn nearest(self) -> f64 {
        self.0 + self.1
    }
}
