//! The intset: integers in ascending order, each once, in one run of bytes exactly as Redis stores it, so that DUMP and
//! snapshots copy it.
//!
//! ```text
//!   width u32 | count u32 | integer | integer | ...        all little-endian
//!
//!   width   bytes of each integer: 2, 4 or 8
//! ```
//!
//! The width is that of the widest integer the set ever had: it grows with the first integer that needs more, and every
//! integer is rewritten then; it never shrinks.
//!
//! Invariants ([`Intset::check`]): the width is one of the three, the count agrees with the length of the bytes, the
//! integers ascend strictly.

use super::bytes::make_room;
use core::cmp::Ordering;

const HEADER_BYTES: usize = 8;

/// The width an integer needs.
fn width_of(number: i64) -> usize {
    if i16::try_from(number).is_ok() {
        2
    } else if i32::try_from(number).is_ok() {
        4
    } else {
        8
    }
}

/// An intset, borrowed for reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntsetRef<'a> {
    bytes: &'a [u8],
}

impl<'a> IntsetRef<'a> {
    /// Bytes that are an intset: of our own making, or accepted by [`is_valid`].
    #[inline]
    pub fn new(bytes: &'a [u8]) -> IntsetRef<'a> {
        IntsetRef { bytes }
    }

    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    fn width(self) -> usize {
        match self.bytes {
            [2, ..] => 2,
            [4, ..] => 4,
            _ => 8,
        }
    }

    #[inline]
    pub fn len(self) -> usize {
        self.bytes.len().saturating_sub(HEADER_BYTES) / self.width()
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.bytes.len() <= HEADER_BYTES
    }

    /// The integer with a rank from 0 on. O(1).
    #[inline]
    pub fn get(self, rank: usize) -> Option<i64> {
        self.get_as(rank, self.width())
    }

    /// The same, whatever the header says about the width.
    #[inline]
    fn get_as(self, rank: usize, width: usize) -> Option<i64> {
        let rest = self.bytes.get(HEADER_BYTES + rank * width..)?;
        match width {
            2 => Some(i64::from(i16::from_le_bytes(*rest.first_chunk()?))),
            4 => Some(i64::from(i32::from_le_bytes(*rest.first_chunk()?))),
            _ => Some(i64::from_le_bytes(*rest.first_chunk()?)),
        }
    }

    /// The rank of an integer, or the rank it would have. O(log n).
    pub fn find(self, number: i64) -> Result<usize, usize> {
        let (mut from, mut to) = (0, self.len());
        // What comes in order goes to the end.
        match self.last() {
            Some(last) if last < number => return Err(to),
            _ => {}
        }
        while from < to {
            let middle = from + (to - from) / 2;
            let Some(found) = self.get(middle) else {
                return Err(from);
            };
            match found.cmp(&number) {
                Ordering::Equal => return Ok(middle),
                Ordering::Less => from = middle + 1,
                Ordering::Greater => to = middle,
            }
        }
        Err(from)
    }

    #[inline]
    pub fn contains(self, number: i64) -> bool {
        width_of(number) <= self.width() && self.find(number).is_ok()
    }

    /// The smallest integer.
    pub fn first(self) -> Option<i64> {
        self.get(0)
    }

    /// The largest integer.
    pub fn last(self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The integers in ascending order.
    pub fn iter(self) -> impl Iterator<Item = i64> + Clone + use<'a> {
        (0..self.len()).map_while(move |rank| self.get(rank))
    }
}

/// An intset of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intset {
    bytes: Vec<u8>,
}

impl Default for Intset {
    fn default() -> Intset {
        Intset::new()
    }
}

impl Intset {
    /// An empty one; eight bytes.
    pub fn new() -> Intset {
        Intset {
            bytes: vec![2, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// Takes bytes that are an intset: of our own making, or accepted by [`is_valid`].
    #[inline]
    pub fn from_bytes(bytes: Vec<u8>) -> Intset {
        Intset { bytes }
    }

    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[inline]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// For reading.
    #[inline]
    pub fn view(&self) -> IntsetRef<'_> {
        IntsetRef::new(&self.bytes)
    }

    /// What it holds from the allocator.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives spare room back.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Adds an integer; false if it was there. O(n), one move of bytes.
    pub fn insert(&mut self, number: i64) -> bool {
        let needed = width_of(number);
        if needed > self.view().width() {
            self.widen(needed);
        }
        let Err(rank) = self.view().find(number) else {
            return false;
        };
        let (count, width) = (self.view().len(), self.view().width());
        let at = HEADER_BYTES + rank * width;
        let end = self.bytes.len();
        make_room(&mut self.bytes, width);
        self.bytes.resize(end + width, 0);
        self.bytes.copy_within(at..end, at + width);
        self.write(at, width, number);
        self.write_header(width, count + 1);
        true
    }

    /// Removes an integer; false if there was none. O(n), one move of bytes.
    pub fn remove(&mut self, number: i64) -> bool {
        let found = self.view().find(number);
        if let Ok(rank) = found {
            self.remove_at(rank);
        }
        found.is_ok()
    }

    /// Removes the integer with a rank; nothing if there is none. O(n), one move of bytes.
    pub fn remove_at(&mut self, rank: usize) {
        let (count, width) = (self.view().len(), self.view().width());
        if rank < count {
            let at = HEADER_BYTES + rank * width;
            self.bytes.drain(at..at + width);
            self.write_header(width, count - 1);
        }
    }

    /// Rewrites all integers to a greater width, from the last on, which is the order in which none is overwritten.
    #[cold]
    fn widen(&mut self, width: usize) {
        let count = self.view().len();
        let old = self.view().width();
        self.bytes.resize(HEADER_BYTES + count * width, 0);
        for rank in (0..count).rev() {
            let number = self.view().get_as(rank, old).unwrap_or(0);
            self.write(HEADER_BYTES + rank * width, width, number);
        }
        self.write_header(width, count);
    }

    fn write(&mut self, at: usize, width: usize, number: i64) {
        let bytes = number.to_le_bytes();
        if let (Some(slot), Some(bytes)) = (self.bytes.get_mut(at..at + width), bytes.get(..width))
        {
            slot.copy_from_slice(bytes);
        }
    }

    fn write_header(&mut self, width: usize, count: usize) {
        let [a, b, c, d] = (count as u32).to_le_bytes();
        if let Some(header) = self.bytes.first_chunk_mut::<HEADER_BYTES>() {
            *header = [width as u8, 0, 0, 0, a, b, c, d];
        }
    }

    /// Verifies every invariant. O(n).
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        if !is_valid(&self.bytes) {
            return Err("the bytes are no intset".to_owned());
        }
        let view = self.view();
        if view.iter().any(|number| width_of(number) > view.width()) {
            return Err("an integer is too wide".to_owned());
        }
        Ok(())
    }
}

/// Whether bytes from outside are an intset: width, count and order are looked at. What this accepts, every operation
/// reads as meant. O(n).
pub fn is_valid(bytes: &[u8]) -> bool {
    let Some(([width @ (2 | 4 | 8), 0, 0, 0, a, b, c, d], rest)) =
        bytes.split_first_chunk::<HEADER_BYTES>()
    else {
        return false;
    };
    let count = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    let view = IntsetRef::new(bytes);
    let next = view.iter().skip(1);
    count * u64::from(*width) == rest.len() as u64
        && view.iter().zip(next).all(|(one, next)| one < next)
}

#[cfg(test)]
mod tests {
    use super::{Intset, is_valid};
    use crate::algorithms::rng::Rng;
    use std::collections::BTreeSet;

    fn of(numbers: &[i64]) -> Intset {
        let mut set = Intset::new();
        for number in numbers {
            assert!(set.insert(*number));
        }
        set.check().unwrap();
        set
    }

    #[test]
    fn the_bytes_are_those_of_redis() {
        // From DUMP of redis-server 8.2.3.
        assert_eq!(
            of(&[5, -1, 300]).as_bytes(),
            b"\x02\0\0\0\x03\0\0\0\xff\xff\x05\0\x2c\x01"
        );
        assert_eq!(
            of(&[1, 70_000]).as_bytes(),
            b"\x04\0\0\0\x02\0\0\0\x01\0\0\0\x70\x11\x01\0"
        );
        assert_eq!(
            of(&[1, i64::MIN]).as_bytes(),
            b"\x08\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\x80\x01\0\0\0\0\0\0\0"
        );
    }

    #[test]
    fn every_operation_agrees_with_a_model() {
        for seed in 0..20 {
            let mut rng = Rng::new([seed, 1]);
            let (mut set, mut model) = (Intset::new(), BTreeSet::new());
            for step in 0..600 {
                // Wider integers come later, so that every widening happens with integers there.
                let shift = [56, 40, 20, 0][(step / 150).min(rng.below(4) as usize)];
                let number = (rng.next_u64() as i64) >> shift;
                let number = if rng.below(2) == 0 {
                    number % 40
                } else {
                    number
                };
                match rng.below(3) {
                    0 => assert_eq!(set.remove(number), model.remove(&number)),
                    _ => assert_eq!(set.insert(number), model.insert(number)),
                }
                assert_eq!(set.view().contains(number), model.contains(&number));
                set.check().unwrap();
                assert!(set.view().iter().eq(model.iter().copied()), "seed {seed}");
                assert_eq!(set.view().len(), model.len());
                assert_eq!(set.view().first(), model.first().copied());
                assert_eq!(set.view().last(), model.last().copied());
            }
            while let Some(last) = model.pop_last() {
                set.remove_at(model.len());
                assert!(!set.view().contains(last));
            }
            assert!(set.view().is_empty());
        }
    }

    #[test]
    fn damage_is_found() {
        let good = of(&[1, 2, 70_000]).into_bytes();
        assert!(is_valid(&good));
        for length in 0..good.len() {
            assert!(!is_valid(&good[..length]));
        }
        for (at, byte) in [(0, 3), (0, 2), (1, 1), (4, 2), (4, 4), (8, 2), (8, 3)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(!is_valid(&bad), "{at}");
        }
    }
}
