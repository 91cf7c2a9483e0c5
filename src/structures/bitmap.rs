//! Bits in a string of bytes: bit 0 is the highest bit of the first byte. Bits behind the end read as zero.

/// The bit at an offset. O(1).
pub fn get(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset / 8)
        .ok()
        .and_then(|at| bytes.get(at));
    byte.is_some_and(|byte| byte & mask(offset) != 0)
}

/// Sets the bit at an offset, which must be inside, and gives what it was. O(1).
pub fn set(bytes: &mut [u8], offset: u64, on: bool) -> bool {
    let Some(byte) = usize::try_from(offset / 8)
        .ok()
        .and_then(|at| bytes.get_mut(at))
    else {
        return false;
    };
    let old = *byte & mask(offset) != 0;
    if old != on {
        *byte ^= mask(offset);
    }
    old
}

fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

/// How many bits are set. O(length), eight bytes a step.
pub fn count(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: u64 = words
        .iter()
        .map(|word| u64::from_ne_bytes(*word).count_ones() as u64)
        .sum();
    words
        + rest
            .iter()
            .map(|byte| byte.count_ones() as u64)
            .sum::<u64>()
}

/// How many of the bits `first..=last` are set. O(length).
pub fn count_range(bytes: &[u8], first: u64, last: u64) -> u64 {
    let Some(inside) = byte_range(bytes, first, last) else {
        return 0;
    };
    let left = inside
        .first()
        .map_or(0, |byte| byte & !(0xff >> (first % 8)));
    let right = match inside.len() as u64 {
        whole if whole > last / 8 - first / 8 => {
            inside.last().map_or(0, |byte| byte & (0x7f >> (last % 8)))
        }
        _ => 0,
    };
    count(inside) - left.count_ones() as u64 - right.count_ones() as u64
}

/// The bytes that hold the bits `first..=last`, as far as there are any.
fn byte_range(bytes: &[u8], first: u64, last: u64) -> Option<&[u8]> {
    if first > last {
        return None;
    }
    let start = usize::try_from(first / 8).ok()?;
    let end = usize::try_from(last / 8 + 1).ok()?.min(bytes.len());
    bytes.get(start..end)
}

/// The offset of the first bit of that value among the bits `first..=last`. O(length), eight bytes a step.
pub fn position(bytes: &[u8], on: bool, first: u64, last: u64) -> Option<u64> {
    let inside = byte_range(bytes, first, last)?;
    let flip = if on { 0 } else { 0xff };
    let (&head, rest) = inside.split_first()?;
    let head = (head ^ flip) & (0xff >> (first % 8));
    let within = if head != 0 {
        head.leading_zeros() as u64
    } else {
        let (words, _) = rest.as_chunks::<8>();
        let skipped = u64::from_ne_bytes([flip; 8]);
        let words = words
            .iter()
            .take_while(|word| u64::from_ne_bytes(**word) == skipped)
            .count();
        let behind = rest.get(words * 8..)?;
        let at = behind.iter().position(|byte| *byte != flip)?;
        let byte = behind.get(at)? ^ flip;
        (1 + words * 8 + at) as u64 * 8 + byte.leading_zeros() as u64
    };
    let found = first / 8 * 8 + within;
    (found <= last).then_some(found)
}

/// How bitmaps are combined, bit by bit. The first source is X, the others Y1, Y2, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    And,
    Or,
    Xor,
    /// The complement of X.
    Not,
    /// In X and in no Y.
    Diff,
    /// In some Y and not in X.
    Diff1,
    /// In X and in some Y.
    AndOr,
    /// In exactly one of all.
    One,
}

/// Combines bitmaps; shorter ones count as filled up with zeros. The result is as long as the longest.
/// O(number of sources * length), eight bytes a step.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let length = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let Some((first, others)) = sources.split_first() else {
        return Vec::new();
    };
    let mut result = vec![0; length];
    if let Some(start) = result.get_mut(..first.len()) {
        start.copy_from_slice(first);
    }
    let mut each = |truth: Truth| {
        others
            .iter()
            .for_each(|other| zip(&mut result, other, truth))
    };
    match operation {
        Operation::Not => result.iter_mut().for_each(|byte| *byte = !*byte),
        Operation::Or => each(OR),
        Operation::Xor => each(XOR),
        Operation::Diff => each(ONLY_X),
        Operation::And => {
            each(AND);
            let shortest = others.iter().map(|other| other.len()).min();
            if let Some(behind) = shortest.and_then(|length| result.get_mut(length..)) {
                behind.fill(0);
            }
        }
        Operation::Diff1 | Operation::AndOr => {
            let mut any = vec![0; length];
            others.iter().for_each(|other| zip(&mut any, other, OR));
            zip(
                &mut result,
                &any,
                if operation == Operation::AndOr {
                    AND
                } else {
                    ONLY_Y
                },
            );
        }
        Operation::One => {
            let mut twice = vec![0; length];
            for other in others {
                let mut both = other.to_vec();
                zip(&mut both, &result, AND);
                zip(&mut twice, &both, OR);
                zip(&mut result, other, OR);
            }
            zip(&mut result, &twice, ONLY_X);
        }
    }
    result
}

/// What comes of two bits X and Y: where both are set, where only X is, where only Y is. All ones or zeros each.
type Truth = [u64; 3];

const AND: Truth = [u64::MAX, 0, 0];
const OR: Truth = [u64::MAX; 3];
const XOR: Truth = [0, u64::MAX, u64::MAX];
const ONLY_X: Truth = [0, u64::MAX, 0];
const ONLY_Y: Truth = [0, 0, u64::MAX];

/// Combines the common start of both, into the first. One loop for all operations: they differ by masks, which cost
/// less than a loop of its own for each.
#[inline(never)]
fn zip(target: &mut [u8], other: &[u8], [both, only_x, only_y]: Truth) {
    let combine = |x: u64, y: u64| (x & y & both) | (x & !y & only_x) | (!x & y & only_y);
    let length = target.len().min(other.len());
    let (target, other) = (target.split_at_mut(length).0, other.split_at(length).0);
    let (words, rest) = target.as_chunks_mut::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    for (left, right) in words.iter_mut().zip(other_words) {
        *left = combine(u64::from_ne_bytes(*left), u64::from_ne_bytes(*right)).to_ne_bytes();
    }
    for (left, right) in rest.iter_mut().zip(other_rest) {
        *left = combine(*left as u64, *right as u64) as u8;
    }
}

/// An integer field: signed of 1 to 64 bits or unsigned of 1 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    pub signed: bool,
    pub bits: u32,
}

/// What happens to a value that does not fit its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The low bits are kept.
    Wrap,
    /// The nearest value that fits is taken.
    Saturate,
    /// Nothing is stored.
    Fail,
}

impl FieldType {
    /// The field's value at a bit offset. O(1).
    pub fn get(self, bytes: &[u8], offset: u64) -> i64 {
        let start = usize::try_from(offset / 8).unwrap_or(usize::MAX);
        let window = bytes.get(start..).unwrap_or_default();
        let mut raw = 0u128;
        for i in 0..9 {
            raw = raw << 8 | window.get(i).copied().unwrap_or(0) as u128;
        }
        let value = (raw >> (72 - offset % 8 - self.bits as u64)) as u64;
        self.narrow(value as i64)
    }

    /// Stores the low bits of a value at a bit offset, which must be inside. O(1).
    pub fn set(self, bytes: &mut [u8], offset: u64, value: i64) {
        let start = usize::try_from(offset / 8).unwrap_or(usize::MAX);
        let shift = 72 - offset % 8 - self.bits as u64;
        let ones = (1u128 << self.bits) - 1;
        let keep = !(ones << shift);
        let put = (value as u64 as u128 & ones) << shift;
        for (i, byte) in bytes.iter_mut().skip(start).take(9).enumerate() {
            let at = 64 - 8 * i;
            *byte = *byte & (keep >> at) as u8 | (put >> at) as u8;
        }
    }

    /// Cuts a value to the field's bits.
    fn narrow(self, value: i64) -> i64 {
        let unused = 64 - self.bits;
        if self.signed {
            value << unused >> unused
        } else {
            ((value as u64) << unused >> unused) as i64
        }
    }

    /// The value to store for `value`, or `None` when it does not fit and nothing shall be stored.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        if !self.signed {
            return self.fit_wide(value as u64 as i128, overflow);
        }
        // Redis reckons the distance to the field's maximum in 64 bits. Where that wraps around, a value far below the
        // field counts as above it.
        let is_wrapped = self.bits < 64 && (self.bounds().1 as i64).checked_sub(value).is_none();
        self.fit_wide(
            if is_wrapped && overflow == Overflow::Saturate {
                i128::MAX
            } else {
                value as i128
            },
            overflow,
        )
    }

    /// The value to store for the field's value plus an increment.
    pub fn add(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fit_wide(value as i128 + increment as i128, overflow)
    }

    /// The lowest and the highest value.
    fn bounds(self) -> (i128, i128) {
        if self.signed {
            (-1 << (self.bits - 1), (1 << (self.bits - 1)) - 1)
        } else {
            (0, (1 << self.bits) - 1)
        }
    }

    fn fit_wide(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.bounds();
        match overflow {
            _ if (min..=max).contains(&value) => Some(value as i64),
            Overflow::Wrap => Some(self.narrow(value as i64)),
            Overflow::Saturate => Some(value.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::rng::Rng;

    fn random(rng: &mut Rng, max_len: u64) -> Vec<u8> {
        let mut bytes = vec![0; rng.below(max_len) as usize];
        match rng.below(4) {
            0 => rng.fill(&mut bytes),
            1 => bytes.fill(0xff),
            2 => {}
            _ => {
                if let Some(byte) = bytes.last_mut() {
                    *byte = rng.next_u32() as u8;
                }
            }
        }
        bytes
    }

    #[test]
    fn counting_and_searching_agree_with_bit_by_bit() {
        let mut rng = Rng::new([5, 6]);
        for _ in 0..3000 {
            let bytes = random(&mut rng, 60);
            let bits = bytes.len() as u64 * 8;
            let (first, last) = (rng.below(bits + 20), rng.below(bits + 20));
            let all = || (first..=last.min(bits.wrapping_sub(1))).filter(|at| *at < bits);
            let want = all().filter(|at| get(&bytes, *at)).count() as u64;
            assert_eq!(
                count_range(&bytes, first, last),
                want,
                "{bytes:?} {first} {last}"
            );
            for on in [true, false] {
                let want = all().find(|at| get(&bytes, *at) == on);
                assert_eq!(
                    position(&bytes, on, first, last),
                    want,
                    "{bytes:?} {on} {first} {last}"
                );
            }
            assert_eq!(
                count(&bytes),
                (0..bits).filter(|at| get(&bytes, *at)).count() as u64
            );
        }
    }

    #[test]
    fn combining_agrees_with_bit_by_bit() {
        use Operation::*;
        let mut rng = Rng::new([7, 8]);
        for round in 0..2000 {
            let operation = [And, Or, Xor, Not, Diff, Diff1, AndOr, One][round % 8];
            let number = if operation == Not {
                1
            } else {
                1 + rng.below(4)
            };
            let sources: Vec<Vec<u8>> = (0..number).map(|_| random(&mut rng, 30)).collect();
            let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let result = combine(operation, &sources);
            assert_eq!(
                result.len(),
                sources.iter().map(|source| source.len()).max().unwrap_or(0)
            );
            for at in 0..result.len() as u64 * 8 {
                let x = get(sources[0], at);
                let set = sources.iter().filter(|source| get(source, at)).count();
                let y = set - x as usize;
                let want = match operation {
                    And => set == sources.len(),
                    Or => set > 0,
                    Xor => set % 2 == 1,
                    Not => !x,
                    Diff => x && y == 0,
                    Diff1 => !x && y > 0,
                    AndOr => x && y > 0,
                    One => set == 1,
                };
                assert_eq!(get(&result, at), want, "{operation:?} {sources:?} bit {at}");
            }
        }
    }

    #[test]
    fn fields_hold_what_was_put_into_them() {
        let mut rng = Rng::new([9, 10]);
        for _ in 0..5000 {
            let signed = rng.below(2) == 0;
            let bits = 1 + rng.below(if signed { 64 } else { 63 }) as u32;
            let field = FieldType { signed, bits };
            let mut bytes = vec![0; 24];
            rng.fill(&mut bytes);
            let offset = rng.below(24 * 8 - 63);
            let before = bytes.clone();
            let value = rng.next_u64() as i64 >> rng.below(64);
            field.set(&mut bytes, offset, value);
            assert_eq!(
                Some(field.get(&bytes, offset)),
                field.fit(value, Overflow::Wrap)
            );
            for at in (0..offset).chain(offset + bits as u64..24 * 8) {
                assert_eq!(get(&bytes, at), get(&before, at));
            }
        }
        let byte = FieldType {
            signed: false,
            bits: 8,
        };
        assert_eq!(byte.add(250, 10, Overflow::Wrap), Some(4));
        assert_eq!(byte.add(250, 10, Overflow::Saturate), Some(255));
        assert_eq!(byte.add(5, -10, Overflow::Saturate), Some(0));
        assert_eq!(byte.add(250, 10, Overflow::Fail), None);
        assert_eq!(byte.fit(-1, Overflow::Saturate), Some(255));
        let small = FieldType {
            signed: true,
            bits: 8,
        };
        assert_eq!(small.fit(-1000, Overflow::Saturate), Some(-128));
        assert_eq!(small.fit(i64::MIN, Overflow::Saturate), Some(127));
        assert_eq!(small.fit(i64::MIN + 127, Overflow::Saturate), Some(127));
        assert_eq!(small.fit(i64::MIN + 128, Overflow::Saturate), Some(-128));
        let whole = FieldType {
            signed: true,
            bits: 64,
        };
        assert_eq!(whole.add(i64::MAX, 1, Overflow::Wrap), Some(i64::MIN));
        assert_eq!(whole.add(i64::MIN, -1, Overflow::Saturate), Some(i64::MIN));
        assert_eq!(whole.get(b"\x01", 0), 1 << 56);
        assert_eq!(whole.get(b"", 1 << 40), 0);
    }

    #[test]
    fn single_bits() {
        let mut bytes = [0; 2];
        assert!(!set(&mut bytes, 7, true));
        assert!(set(&mut bytes, 7, true));
        assert!(!set(&mut bytes, 8, true));
        assert_eq!(bytes, [1, 0x80]);
        assert!(set(&mut bytes, 7, false));
        assert!(get(&bytes, 8) && !get(&bytes, 7) && !get(&bytes, 1 << 35));
    }
}
