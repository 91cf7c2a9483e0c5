//! The listpack: a sequence of short byte strings and integers in one run of bytes, exactly as Redis stores it
//! (<https://github.com/antirez/listpack>), so that DUMP and snapshots copy it.
//!
//! ```text
//!   total bytes u32 | count u16 | element | element | ... | ff
//!
//!   element    head          | text          | trailer
//!              what and how    0..=2^32-1      bytes of head and text, 7 bits a byte, read from the right
//!              long            bytes           to the left: so one can walk backwards
//!
//!   heads      0xxxxxxx                        0..=127
//!              110xxxxx x8                     -4096..=4095
//!              f1 x16 | f2 x24 | f3 x32 | f4 x64   integers, little-endian
//!              10llllll                        text to 63 bytes
//!              1110llll l8                     text to 4095 bytes
//!              f0 l32                          longer text
//! ```
//!
//! A text that is the canonical form of an `i64` is written as an integer, the shortest way. A count of 65535 means
//! "walk and see".
//!
//! A *position* is an element's offset in the bytes; every change makes the positions behind it void.
//!
//! Invariants ([`Listpack::check`]): the total is the length of the bytes, each trailer tells its element's size, the
//! count is right or 65535, `ff` stands at the end.

mod coding;
mod read;
#[cfg(test)]
mod tests;

use crate::structures::bytes::{append, make_room};
pub use crate::structures::item::{Item, Needle, Text};
pub use coding::HEADER_BYTES;
use coding::{END, Written};
pub use read::{Iter, ListpackRef, is_valid};

/// A count that the header has no room for.
const UNKNOWN_COUNT: u16 = u16::MAX;

/// The bytes of an empty listpack.
pub const EMPTY: [u8; HEADER_BYTES + 1] = [7, 0, 0, 0, 0, 0, END];

/// A listpack of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listpack {
    bytes: Vec<u8>,
}

impl Default for Listpack {
    fn default() -> Self {
        Listpack::new()
    }
}

impl Listpack {
    /// An empty one; seven bytes.
    pub fn new() -> Listpack {
        Listpack::with_capacity(HEADER_BYTES + 1)
    }

    /// An empty one with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Listpack {
        let mut bytes = Vec::with_capacity(capacity);
        append(&mut bytes, &EMPTY);
        Listpack { bytes }
    }

    /// Takes bytes that are a listpack: of our own making, or accepted by [`is_valid`].
    #[inline]
    pub fn from_bytes(bytes: Vec<u8>) -> Listpack {
        Listpack { bytes }
    }

    /// Takes bytes from outside, if they are a listpack. A count that was left open is filled in.
    pub fn checked(bytes: Vec<u8>) -> Option<Listpack> {
        if !is_valid(&bytes) {
            return None;
        }
        let mut pack = Listpack { bytes };
        let len = pack.len();
        pack.write_count(u16::try_from(len).unwrap_or(UNKNOWN_COUNT));
        Some(pack)
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
    pub fn view(&self) -> ListpackRef<'_> {
        ListpackRef::new(&self.bytes)
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

    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Adds an element behind the last. Amortised O(its length).
    #[inline]
    pub fn push(&mut self, text: &[u8]) {
        self.push_written(&Written::text(text));
    }

    #[inline]
    pub fn push_int(&mut self, number: i64) {
        self.push_written(&Written::int(number));
    }

    /// Adds an element before the first. O(bytes), one move.
    #[inline]
    pub fn push_front(&mut self, text: &[u8]) {
        self.insert(HEADER_BYTES, text);
    }

    #[inline]
    pub fn push_front_int(&mut self, number: i64) {
        self.insert_int(HEADER_BYTES, number);
    }

    /// Adds an element before the one at `position`; at the end's position, behind the last. O(bytes), one move.
    pub fn insert(&mut self, position: usize, text: &[u8]) {
        self.splice(position, 0, &Written::text(text));
        self.count(1);
    }

    pub fn insert_int(&mut self, position: usize, number: i64) {
        self.splice(position, 0, &Written::int(number));
        self.count(1);
    }

    /// Puts another element in the place of the one at `position`. O(bytes), at most one move.
    pub fn replace(&mut self, position: usize, text: &[u8]) {
        let size = self.view().size_at(position);
        self.splice(position, size, &Written::text(text));
    }

    pub fn replace_int(&mut self, position: usize, number: i64) {
        let size = self.view().size_at(position);
        self.splice(position, size, &Written::int(number));
    }

    /// Takes up to `count` elements out, the first at `position`; the next one stands there then. Returns how many
    /// there were. O(bytes), one move.
    pub fn remove(&mut self, position: usize, count: usize) -> usize {
        let (end, mut stop, mut removed) = (self.view().end(), position, 0);
        while removed < count && stop < end {
            stop = self.view().after(stop);
            removed += 1;
        }
        if removed > 0 {
            self.bytes.drain(position..stop.min(end));
            self.write_total();
            self.count(-(removed as isize));
        }
        removed
    }

    /// Takes the elements from `position` on, `count` of them, out into a listpack of their own.
    pub fn split_off(&mut self, position: usize, count: usize) -> Listpack {
        let tail = self.bytes.get(position..).unwrap_or(&[END]);
        let mut other = Listpack::with_capacity(HEADER_BYTES + tail.len());
        other.bytes.truncate(HEADER_BYTES);
        append(&mut other.bytes, tail);
        other.write_total();
        other.count(count as isize);
        self.bytes.truncate(position);
        self.bytes.push(END);
        self.write_total();
        self.count(-(count as isize));
        other
    }

    /// Adds the elements of another listpack behind the last.
    pub fn append(&mut self, other: ListpackRef<'_>) {
        let elements = other.as_bytes().get(HEADER_BYTES..).unwrap_or(&[END]);
        self.bytes.pop();
        append(&mut self.bytes, elements);
        self.write_total();
        match other.counted() {
            UNKNOWN_COUNT => self.write_count(UNKNOWN_COUNT),
            count => self.count(isize::try_from(count).unwrap_or(0)),
        }
    }

    #[inline]
    fn push_written(&mut self, written: &Written<'_>) {
        make_room(&mut self.bytes, written.len());
        self.bytes.pop();
        for part in written.parts() {
            append(&mut self.bytes, part);
        }
        self.bytes.push(END);
        self.write_total();
        self.count(1);
    }

    /// Puts an element where `removed` bytes stood.
    fn splice(&mut self, at: usize, removed: usize, written: &Written<'_>) {
        let (before, added) = (self.bytes.len(), written.len());
        if added != removed {
            let tail = (at + removed).min(before)..before;
            if added > removed {
                make_room(&mut self.bytes, added - removed);
                self.bytes.resize(before + added - removed, 0);
            }
            self.bytes.copy_within(tail, at + added);
            self.bytes.truncate(before + added - removed);
        }
        let mut at = at;
        for part in written.parts() {
            if let Some(gap) = self.bytes.get_mut(at..at + part.len()) {
                gap.copy_from_slice(part);
            }
            at += part.len();
        }
        self.write_total();
    }

    #[inline]
    fn write_total(&mut self) {
        let total = self.bytes.len() as u32;
        if let Some(place) = self.bytes.first_chunk_mut() {
            *place = total.to_le_bytes();
        }
    }

    #[inline]
    fn write_count(&mut self, count: u16) {
        if let [_, _, _, _, low, high, ..] = self.bytes.as_mut_slice() {
            [*low, *high] = count.to_le_bytes();
        }
    }

    /// Changes the count in the header, where it is known.
    #[inline]
    fn count(&mut self, change: isize) {
        let count = self.view().counted();
        if count != UNKNOWN_COUNT {
            let count = isize::try_from(count).unwrap_or(0) + change;
            self.write_count(count.clamp(0, isize::from(i16::MAX) * 2 + 1) as u16);
        }
    }

    /// Verifies the invariants.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn check(&self) -> Result<(), String> {
        match is_valid(&self.bytes) {
            true => Ok(()),
            false => Err("the bytes are not a listpack".to_owned()),
        }
    }
}
