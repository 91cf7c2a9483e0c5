//! Values at 64-bit indices, most of them not there.
//!
//! ```text
//!   directory   [ 0 1 2 .. | 97 2048 .. | 2^52 .. ]     blocks of (slice number, slice), in order
//!                 |   |
//!                 |   `-- sparse slice   offsets [ 3 | 90 | 4000 ]     few values: sorted offsets
//!                 |                      words   [ a | b  |  c   ]     and their values beside them
//!                 `------ dense slice    base 8, words [ v v - v v v - - ]     a window of a power of two
//!                                                            |
//!                                        texts [ "a longer value" ]   what does not fit into a word
//! ```
//!
//! A slice covers a power of two of indices (4096, unless configured otherwise) and exists only while it holds values.
//! It is sparse until it holds more than a threshold, then dense, and sparse again when it falls below a lower one. A
//! word has 8 bytes: nothing, a text of up to 7 bytes, an integer of up to 17 digits, or the number of a text.
//!
//! Invariants ([`SparseArray::check`]):
//! - blocks are not empty, slice numbers ascend over all of them;
//! - a slice holds at least one value, all within the slice; `used` counts them;
//! - offsets of a sparse slice ascend, one for each word; a dense window has a power of two of words and does not reach
//!   over the end of the slice;
//! - every text belongs to exactly one word; `count` and `bytes` agree with what is there.
//!
//! Reads and writes take O(log slices); a write moves at most one window (32 KiB at 4096 indices a slice) and one block of
//! the directory.

mod slice;
#[cfg(test)]
mod tests;

use crate::structures::item::Item;
use slice::Slice;

/// The most slices in a block of the directory: what an insert may move.
const BLOCK: usize = 256;

/// Slice numbers and slices, in order.
type Block = Vec<(u64, Box<Slice>)>;

/// When a slice changes its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// A sparse slice with more values becomes dense; 0: every slice is dense.
    pub sparse_max: usize,
    /// A dense slice with fewer values becomes sparse; 0: never.
    pub sparse_min: usize,
}

/// The shape of an array.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Shape {
    pub slices: usize,
    /// Places allocated in the directory: of its only block, or of the list of blocks.
    pub directory_size: usize,
    /// Blocks of the directory; 0 if there is but one.
    pub super_entries: usize,
}

/// What the slices look like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SliceShape {
    pub dense: usize,
    pub sparse: usize,
    /// Words in the windows of all dense slices.
    pub dense_words: usize,
    /// The shares of used words, summed over all dense slices.
    pub dense_fill: f64,
    /// Words allocated in all sparse slices.
    pub sparse_words: usize,
}

/// A map from 64-bit indices to byte strings, for dense runs and sparse regions alike.
#[derive(Debug)]
pub struct SparseArray {
    blocks: Vec<Block>,
    count: u64,
    slices: usize,
    /// Bytes held from the allocator, without the list of blocks.
    bytes: usize,
    /// A slice covers `1 << slice_bits` indices.
    slice_bits: u32,
}

impl Clone for SparseArray {
    /// O(size). What is copied takes only as much memory as it needs.
    fn clone(&self) -> SparseArray {
        let mut copy = SparseArray {
            blocks: self.blocks.clone(),
            ..*self
        };
        copy.bytes = copy.counted_bytes();
        copy
    }
}

/// Where a slice is in the directory, or would be.
#[derive(Clone, Copy)]
struct Place {
    block: usize,
    at: usize,
}

impl SparseArray {
    /// An empty array of slices of `slice_size` indices, a power of two up to 65536.
    pub fn new(slice_size: usize) -> SparseArray {
        SparseArray {
            blocks: Vec::new(),
            count: 0,
            slices: 0,
            bytes: 0,
            slice_bits: slice_size.clamp(1, 1 << 16).ilog2(),
        }
    }

    /// How many values there are. O(1).
    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many indices a slice covers.
    pub fn slice_size(&self) -> usize {
        1 << self.slice_bits
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.bytes + self.blocks.capacity() * size_of::<Block>()
    }

    /// The slice number of an index, and the offset in the slice.
    #[inline]
    fn split(&self, index: u64) -> (u64, usize) {
        let mask = (1u64 << self.slice_bits) - 1;
        (index >> self.slice_bits, (index & mask) as usize)
    }

    /// Where slice `id` is, or would be.
    #[inline]
    fn find(&self, id: u64) -> Result<Place, Place> {
        let first = |block: &Block| block.first().map_or(0, |(id, _)| *id);
        let after = if self.blocks.len() <= 1 {
            self.blocks.len()
        } else {
            self.blocks.partition_point(|block| first(block) <= id)
        };
        let number = after.saturating_sub(1);
        let Some(block) = self.blocks.get(number) else {
            return Err(Place { block: 0, at: 0 });
        };
        let place = |at| Place { block: number, at };
        block
            .binary_search_by(|(other, _)| other.cmp(&id))
            .map(place)
            .map_err(place)
    }

    fn slice(&self, place: Place) -> Option<(u64, &Slice)> {
        let (id, slice) = self.blocks.get(place.block)?.get(place.at)?;
        Some((*id, slice))
    }

    /// The value at `index`.
    #[inline]
    pub fn get(&self, index: u64) -> Option<Item<'_>> {
        let (id, offset) = self.split(index);
        let (_, slice) = self.slice(self.find(id).ok()?)?;
        slice.get(offset)
    }

    /// Stores a value; whether there was none before.
    pub fn set(&mut self, index: u64, text: &[u8], thresholds: Thresholds) -> bool {
        let (id, offset) = self.split(index);
        let place = match self.find(id) {
            Ok(place) => place,
            Err(place) => self.insert_slice(place, id, thresholds.sparse_max == 0),
        };
        let slice_size = self.slice_size();
        let Some((_, slice)) = self
            .blocks
            .get_mut(place.block)
            .and_then(|block| block.get_mut(place.at))
        else {
            return false;
        };
        let before = slice.heap_bytes();
        let is_new = slice.set(offset, text, slice_size, thresholds.sparse_max);
        self.bytes = self.bytes + slice.heap_bytes() - before;
        self.count += u64::from(is_new);
        is_new
    }

    /// Puts an empty slice where it belongs; where that is in the end.
    #[inline(never)]
    fn insert_slice(&mut self, place: Place, id: u64, is_dense: bool) -> Place {
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        let place = self.make_room(place);
        let before = self.directory_bytes(place.block);
        if let Some(block) = self.blocks.get_mut(place.block) {
            if block.is_empty() {
                block.reserve_exact(1);
            }
            block.insert(place.at, (id, Box::new(Slice::new(is_dense))));
        }
        self.slices += 1;
        self.bytes += self.directory_bytes(place.block) + size_of::<Slice>() - before;
        place
    }

    /// Splits the block at `place` if it is full; where the place is then. Arrays mostly grow at their end: a full last block
    /// stays full.
    fn make_room(&mut self, place: Place) -> Place {
        let is_end = place.block + 1 == self.blocks.len() && place.at == BLOCK;
        let from = if is_end { BLOCK } else { BLOCK / 2 };
        match self.blocks.get_mut(place.block) {
            Some(block) if block.len() >= BLOCK => {
                let upper = block.split_off(from);
                self.blocks.insert(place.block + 1, upper);
            }
            _ => return place,
        }
        self.bytes += self.directory_bytes(place.block + 1);
        if place.at > from || is_end {
            return Place {
                block: place.block + 1,
                at: place.at - from,
            };
        }
        place
    }

    /// What `bytes` must be. O(slices).
    fn counted_bytes(&self) -> usize {
        let blocks = (0..self.blocks.len()).map(|block| self.directory_bytes(block));
        let slices = self.blocks.iter().flatten();
        let slices = slices.map(|(_, slice)| size_of::<Slice>() + slice.heap_bytes());
        blocks.sum::<usize>() + slices.sum::<usize>()
    }

    /// Bytes of one block of the directory.
    fn directory_bytes(&self, block: usize) -> usize {
        self.blocks
            .get(block)
            .map_or(0, |block| block.capacity() * size_of::<(u64, Box<Slice>)>())
    }

    /// Removes the value at `index`; whether there was one.
    pub fn remove(&mut self, index: u64, thresholds: Thresholds) -> bool {
        self.remove_range(index, index, thresholds) == 1
    }

    /// Removes the values from index `from` to `to`, both included; how many there were. O(values there and log slices).
    pub fn remove_range(&mut self, from: u64, to: u64, thresholds: Thresholds) -> u64 {
        let (first, start) = self.split(from);
        let (last, end) = self.split(to);
        let slice_size = self.slice_size();
        let mut removed = 0;
        let (Ok(mut place) | Err(mut place)) = self.find(first);
        let mut emptied = 0;
        while let Some(block) = self.blocks.get_mut(place.block) {
            let Some((id, slice)) = block.get_mut(place.at) else {
                place = Place {
                    block: place.block + 1,
                    at: 0,
                };
                continue;
            };
            if *id > last {
                break;
            }
            let from = if *id == first { start } else { 0 };
            let to = if *id == last { end } else { slice_size - 1 };
            let before = slice.heap_bytes();
            removed += slice.remove_range(from, to, thresholds.sparse_min) as u64;
            self.bytes = self.bytes + slice.heap_bytes() - before;
            emptied += usize::from(slice.is_empty());
            place.at += 1;
        }
        self.count -= removed;
        if emptied > 0 {
            self.drop_empty(first, last, emptied);
        }
        removed
    }

    /// Removes slices without values, `count` of them, between two slice numbers, both included.
    #[inline(never)]
    fn drop_empty(&mut self, first: u64, last: u64, count: usize) {
        let (Ok(place) | Err(place)) = self.find(first);
        let mut number = place.block;
        while let Some(block) = self.blocks.get_mut(number) {
            if block.first().is_some_and(|(id, _)| *id > last) {
                break;
            }
            let mut freed = 0;
            block.retain(|(_, slice)| {
                if slice.is_empty() {
                    freed += size_of::<Slice>() + slice.heap_bytes();
                }
                !slice.is_empty()
            });
            self.bytes -= freed;
            if block.is_empty() {
                self.bytes -= self.directory_bytes(number);
                if let Some(block) = self.blocks.get_mut(number) {
                    *block = Vec::new();
                }
            }
            number += 1;
        }
        self.slices -= count;
        self.blocks.retain(|block| !block.is_empty());
    }

    /// Shows the values from index `from` to `to`, both included, in that order (backwards if `from` is the higher one), for
    /// as long as `each` returns true. O(places looked at and log slices).
    pub fn visit(&self, from: u64, to: u64, each: &mut dyn FnMut(u64, Item<'_>) -> bool) {
        let is_reverse = from > to;
        let (first, start) = self.split(from);
        let (last, end) = self.split(to);
        let bits = self.slice_bits;
        let top = self.slice_size() - 1;
        let mut place = match (self.find(first), is_reverse) {
            (Ok(place), _) | (Err(place), false) => Some(place),
            (Err(place), true) => self.before(place),
        };
        while let Some(at) = place {
            let Some((id, slice)) = self.slice(at) else {
                // Behind the end of a block: the next one, going forwards.
                let next = Place {
                    block: at.block + 1,
                    at: 0,
                };
                place = self.slice(next).map(|_| next);
                continue;
            };
            let is_past = if is_reverse { id < last } else { id > last };
            if is_past {
                return;
            }
            let (low, high) = if is_reverse { (0, top) } else { (top, 0) };
            let from = if id == first { start } else { high };
            let to = if id == last { end } else { low };
            let base = id << bits;
            if !slice.visit(from, to, is_reverse, &mut |offset, element| {
                each(base + offset as u64, element)
            }) {
                return;
            }
            place = if is_reverse {
                self.before(at)
            } else {
                Some(Place {
                    block: at.block,
                    at: at.at + 1,
                })
            };
        }
    }

    /// The place of the slice before `place`.
    fn before(&self, place: Place) -> Option<Place> {
        if let Some(at) = place.at.checked_sub(1) {
            return Some(Place { at, ..place });
        }
        let block = place.block.checked_sub(1)?;
        let at = self.blocks.get(block)?.len().checked_sub(1)?;
        Some(Place { block, at })
    }

    /// The highest index with a value. O(1), and a look at no more than one slice.
    pub fn last_index(&self) -> Option<u64> {
        let (id, slice) = self.blocks.last()?.last()?;
        Some((id << self.slice_bits) + slice.last_offset()? as u64)
    }

    /// Size of the directory. O(1).
    pub fn shape(&self) -> Shape {
        let is_flat = self.blocks.len() <= 1;
        Shape {
            slices: self.slices,
            directory_size: if is_flat {
                self.blocks.first().map_or(0, Vec::capacity)
            } else {
                self.blocks.len()
            },
            super_entries: if is_flat { 0 } else { self.blocks.len() },
        }
    }

    /// How dense the slices are. O(slices).
    pub fn slice_shape(&self) -> SliceShape {
        let mut shape = SliceShape::default();
        for (_, slice) in self.blocks.iter().flatten() {
            slice.measure(&mut shape);
        }
        shape
    }

    /// Panics when an invariant does not hold. For tests.
    pub fn check(&self) {
        let slices = || self.blocks.iter().flatten();
        assert!(
            self.blocks
                .iter()
                .all(|block| !block.is_empty() && block.len() <= BLOCK)
        );
        assert!(slices().zip(slices().skip(1)).all(|(a, b)| a.0 < b.0));
        assert_eq!(slices().count(), self.slices);
        let count: usize = slices()
            .map(|(_, slice)| slice.check(self.slice_size()))
            .sum();
        assert_eq!(
            (count as u64, self.counted_bytes()),
            (self.count, self.bytes)
        );
    }
}
