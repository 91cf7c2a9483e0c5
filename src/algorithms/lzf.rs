//! LZF, the compression inside RDB strings: fast, small windows, no headers.
//!
//! A stream is a row of items. A first byte below 32 is a run of that many plus one literal bytes. Otherwise its top
//! three bits are a length less two (7 adds a byte), its low five bits and the next byte a distance less one.

const MAX_LITERALS: usize = 32;
const MAX_DISTANCE: usize = 1 << 13;
const MAX_MATCH: usize = 264;
const HASH_BITS: u32 = 16;

/// A compressor with its table of positions, which is kept from call to call (256 KiB).
pub struct Compressor {
    /// Position of the last occurrence of three bytes, counted from `base`; smaller numbers are of earlier calls.
    table: Box<[u32]>,
    base: u32,
    /// Strings longer than this are better left as they are: a matter of time, for who asks.
    pub longest_bytes: usize,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// A compressor with an empty table.
    pub fn new() -> Compressor {
        Compressor {
            table: vec![0; 1 << HASH_BITS].into_boxed_slice(),
            base: 1,
            longest_bytes: usize::MAX,
        }
    }

    /// Appends the compressed form of `input` to `out` if it takes at most `limit_bytes`; says whether it does (`out`
    /// is unchanged if not). The result is, byte for byte, what Redis writes. O(length).
    pub fn compress(&mut self, input: &[u8], out: &mut Vec<u8>, limit_bytes: usize) -> bool {
        let Ok(length) = u32::try_from(input.len()) else {
            return false;
        };
        if self.base.checked_add(length).is_none() {
            self.table.fill(0);
            self.base = 1;
        }
        let start = out.len();
        let fits = self.run(input, out, start + limit_bytes);
        self.base += length;
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// Enters the three bytes at `at` into the table and gives the position they had before.
    fn remember(&mut self, input: &[u8], at: usize) -> Option<usize> {
        let window = input.get(at..at + 3)?;
        let key = (window[0] as u32) << 16 | (window[1] as u32) << 8 | window[2] as u32;
        let slot = (key >> (24 - HASH_BITS)).wrapping_sub(key.wrapping_mul(5));
        let slot = self.table.get_mut(slot as usize & ((1 << HASH_BITS) - 1))?;
        let before = slot.checked_sub(self.base);
        *slot = self.base + at as u32;
        before.map(|at| at as usize)
    }

    fn run(&mut self, input: &[u8], out: &mut Vec<u8>, end: usize) -> bool {
        if input.is_empty() {
            return false;
        }
        let mut literals = Literals::open(out);
        let mut at = 0;
        while at + 2 < input.len() {
            let before = self.remember(input, at);
            let Some((from, length)) = before.and_then(|from| match_at(input, from, at)) else {
                if out.len() >= end {
                    return false;
                }
                literals.push(out, input[at]);
                at += 1;
                continue;
            };
            if out.len() - (literals.count == 0) as usize + 4 >= end {
                return false;
            }
            literals.close(out);
            write_match(out, at - from - 1, length - 2);
            literals = Literals::open(out);
            at += length;
            if at + 2 >= input.len() {
                break;
            }
            // Of the positions inside a match only the last two are entered.
            self.remember(input, at - 2);
            self.remember(input, at - 1);
        }
        if out.len() + 3 > end {
            return false;
        }
        for byte in input.get(at..).unwrap_or_default() {
            literals.push(out, *byte);
        }
        literals.close(out);
        true
    }
}

/// The match of the text at `at` with the earlier text at `from`, if there is one of three bytes or more.
fn match_at(input: &[u8], from: usize, at: usize) -> Option<(usize, usize)> {
    // The first byte of the input is never referred to: Redis' condition, kept for equal output.
    if from == 0 || from >= at || at - from > MAX_DISTANCE {
        return None;
    }
    let left = input.len() - at;
    let limit = longest(left).min(left);
    let length = input
        .get(from..)?
        .iter()
        .zip(input.get(at..at + limit)?)
        .take_while(|(left, right)| left == right)
        .count();
    (length >= 3).then_some((from, length))
}

/// How long a match Redis looks for when `left` bytes remain: it leaves the last two alone, except where the first
/// sixteen comparisons, which it makes unconditionally once more than sixteen are due, carry it over them.
fn longest(left: usize) -> usize {
    let limit = left.saturating_sub(2).min(MAX_MATCH);
    limit.max(if limit > 16 { 19 } else { 3 })
}

fn write_match(out: &mut Vec<u8>, distance: usize, length: usize) {
    let high = (distance >> 8) as u8;
    if length < 7 {
        out.push(high | (length as u8) << 5);
    } else {
        out.extend_from_slice(&[high | 7 << 5, (length - 7) as u8]);
    }
    out.push(distance as u8);
}

/// A run of literal bytes being written; its length byte is reserved in front.
struct Literals {
    head: usize,
    count: usize,
}

impl Literals {
    fn open(out: &mut Vec<u8>) -> Literals {
        out.push(0);
        Literals {
            head: out.len() - 1,
            count: 0,
        }
    }

    fn push(&mut self, out: &mut Vec<u8>, byte: u8) {
        out.push(byte);
        self.count += 1;
        if self.count == MAX_LITERALS {
            self.write_head(out);
            *self = Literals::open(out);
        }
    }

    fn write_head(&self, out: &mut [u8]) {
        if let Some(head) = out.get_mut(self.head) {
            *head = (self.count - 1) as u8;
        }
    }

    /// Ends the run; an empty one gives its reserved byte back.
    fn close(&self, out: &mut Vec<u8>) {
        if self.count == 0 {
            out.truncate(self.head);
        } else {
            self.write_head(out);
        }
    }
}

/// Appends the decompressed form of `input` to `out`, which must come to exactly `length_bytes`. `None` (and `out`
/// unchanged) if the stream is damaged. Never allocates more than the stream can fill. O(length).
pub fn decompress(input: &[u8], out: &mut Vec<u8>, length_bytes: usize) -> Option<()> {
    let start = out.len();
    let done = decompress_into(input, out, start, length_bytes);
    if done.is_none() {
        out.truncate(start);
    }
    done
}

fn decompress_into(
    mut input: &[u8],
    out: &mut Vec<u8>,
    start: usize,
    length_bytes: usize,
) -> Option<()> {
    // Three bytes give at most 264, so a length out of proportion is damage, not a reason to allocate.
    if length_bytes / MAX_MATCH > input.len() {
        return None;
    }
    out.try_reserve(length_bytes).ok()?;
    while let Some((&control, rest)) = input.split_first() {
        if (control as usize) < MAX_LITERALS {
            let (run, rest) = rest.split_at_checked(control as usize + 1)?;
            out.extend_from_slice(run);
            input = rest;
        } else {
            let (extra, rest) = if control >> 5 == 7 {
                rest.split_first()?
            } else {
                (&0, rest)
            };
            let (low, rest) = rest.split_first()?;
            let length = (control >> 5) as usize + *extra as usize + 2;
            let distance = ((control & 0x1f) as usize) << 8 | *low as usize;
            let from = (out.len() - start).checked_sub(distance + 1)? + start;
            copy_within(out, from, length);
            input = rest;
        }
        if out.len() - start > length_bytes {
            return None;
        }
    }
    (out.len() - start == length_bytes).then_some(())
}

/// Appends `length` bytes from `from` on, which may be bytes this very copy writes.
fn copy_within(out: &mut Vec<u8>, from: usize, length: usize) {
    let mut left = length;
    while left > 0 {
        let step = left.min(out.len() - from);
        out.extend_from_within(from..from + step);
        left -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::rng::Rng;

    fn compressed(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        Compressor::new()
            .compress(input, &mut out, input.len().saturating_sub(4))
            .then_some(out)
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let mut rng = Rng::new([1, 2]);
        let mut shared = Compressor::new();
        for round in 0..400 {
            let letters = 1 + rng.below(20);
            let length = rng.below(if round % 40 == 0 { 70_000 } else { 500 }) as usize;
            let mut input = Vec::new();
            while input.len() < length {
                let run = 1 + rng.below(if round % 3 == 0 { 40 } else { 2 });
                let byte = rng.below(letters) as u8;
                input.extend((0..run).map(|_| byte));
            }
            let fresh = compressed(&input);
            let mut out = b"before".to_vec();
            let fits = shared.compress(&input, &mut out, input.len().saturating_sub(4));
            assert_eq!(
                fresh.as_deref(),
                fits.then_some(&out[6..]),
                "a used table changes nothing"
            );
            assert_eq!(&out[..6], b"before");
            if let Some(packed) = fresh {
                assert!(packed.len() + 4 <= input.len());
                let mut back = b"x".to_vec();
                assert!(decompress(&packed, &mut back, input.len()).is_some());
                assert_eq!(&back[1..], &input[..]);
                let mut wrong = Vec::new();
                assert!(decompress(&packed, &mut wrong, input.len() + 1).is_none());
                assert!(decompress(&packed, &mut wrong, input.len() - 1).is_none());
                assert!(decompress(&packed[..packed.len() - 1], &mut wrong, input.len()).is_none());
                assert!(wrong.is_empty());
            }
        }
    }

    #[test]
    fn a_real_server_writes_these_bytes() {
        let cases: [(&[u8], &[u8]); 1] = [(&[b'a'; 30], b"\x01aa\xe0\x11\x00\x01aa")];
        for (input, want) in cases {
            assert_eq!(compressed(input).as_deref(), Some(want));
        }
        assert_eq!(compressed(b"abcdefghijklmnopqrstuvwxyz"), None);
        assert_eq!(compressed(b""), None);
    }

    #[test]
    fn damaged_streams_are_refused() {
        let mut rng = Rng::new([3, 4]);
        for _ in 0..20_000 {
            let mut input = vec![0; rng.below(40) as usize];
            rng.fill(&mut input);
            let mut out = Vec::new();
            let length = rng.below(300) as usize;
            assert_eq!(
                decompress(&input, &mut out, length).is_some(),
                out.len() == length && length > 0 || input.is_empty() && length == 0
            );
        }
        assert!(decompress(b"\x00a", &mut Vec::new(), usize::MAX).is_none());
    }
}
