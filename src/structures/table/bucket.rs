//! Buckets: twelve slots that share cache lines, and the array of them that makes a segment.
//!
//! ```text
//!   bucket, 64 bytes on wasm32
//!   +------------------+----------+-----------+--------------------------+
//!   | 12 tags, u8      | overflow | displaced | 12 slots: entry pointers |
//!   | 0 = slot is free | u16      | u16 bits  |                          |
//!   +------------------+----------+-----------+--------------------------+
//!
//!   buckets   chunk 0: 16 buckets | chunk 1: 16 | chunk 2: 16 | chunk 3: 16
//! ```
//!
//! The array is made of chunks of equal size, so that growing it never frees a block that nothing else fits in.
//! Only an array below one chunk's size is one smaller block, beside the slab's pages: there it would leave a page of
//! its own behind each time it grows.

use core::ops::{Index, IndexMut};
use core::ptr::NonNull;

use super::super::entry::EntryRef;
use super::super::slab::{LINE, Slab};

pub(super) const SLOTS: usize = 12;

#[cfg_attr(target_pointer_width = "32", repr(C, align(64)))]
#[cfg_attr(not(target_pointer_width = "32"), repr(C))]
pub(super) struct Bucket {
    pub tags: [u8; SLOTS],
    pub overflow: u16,
    pub displaced: u16,
    pub slots: [Option<EntryRef>; SLOTS],
}

const _: () = assert!(cfg!(not(target_pointer_width = "32")) || size_of::<Bucket>() == 64);
const _: () = assert!(align_of::<Bucket>() <= LINE);

impl Bucket {
    const EMPTY: Bucket = Bucket {
        tags: [0; SLOTS],
        overflow: 0,
        displaced: 0,
        slots: [None; SLOTS],
    };

    /// A slot with this tag whose entry passes `matches`.
    #[inline(always)]
    pub fn find(
        &self,
        tag: u8,
        mut matches: impl FnMut(EntryRef) -> bool,
    ) -> Option<(usize, EntryRef)> {
        let mut candidates = self.tags_like(tag);
        while candidates != 0 {
            let slot = slot_of(candidates);
            if let Some(entry) = self.slots[slot]
                && matches(entry)
            {
                return Some((slot, entry));
            }
            candidates &= candidates - 1;
        }
        None
    }

    /// One bit for each slot with this tag, and perhaps for others above the lowest of them; see [`slot_of`].
    ///
    /// Both halves are in one word, so that no branch depends on the half: the bits of slots 0 to 7 are 7, 15, and so
    /// on, those of slots 8 to 11 are 3, 11, 19 and 27.
    #[inline]
    fn tags_like(&self, tag: u8) -> u64 {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.tags;
        let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let high = u64::from(u32::from_le_bytes([i, j, k, l]));
        let wanted = u64::from(tag) * ONES;
        zero_bytes(low ^ wanted) | (zero_bytes(high ^ wanted) & 0x8080_8080) >> 4
    }

    pub fn free_slot(&self) -> Option<usize> {
        let free = self.tags_like(0);
        (free != 0).then(|| slot_of(free))
    }

    pub fn is_displaced(&self, slot: usize) -> bool {
        self.displaced & (1 << slot) != 0
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// The slot of the lowest bit.
#[inline]
fn slot_of(bits: u64) -> usize {
    let bit = bits.trailing_zeros() as usize;
    // Within a byte, bit 7 stands for slots 0 to 7 and bit 3 for slots 8 to 11.
    (bit >> 3) + ((!bit & 4) << 1)
}

/// The high bit of each zero byte. A byte of 1 right above a zero byte may be reported too.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

#[inline]
pub(super) fn tag_of(hash: u64) -> u8 {
    (hash as u8).max(1)
}

/// Buckets in a full chunk.
const CHUNK: usize = 16;
const MAX_CHUNKS: usize = 4;

/// An array of 0 to 64 empty or used buckets, in memory of the table's slab.
///
/// It has no `Drop`: its owner gives the memory back with [`Buckets::resize`], or releases the whole slab.
pub(super) struct Buckets {
    /// The first ones are valid, as many as `count` needs.
    chunks: [NonNull<Bucket>; MAX_CHUNKS],
    count: u32,
}

impl Buckets {
    /// Most buckets there can be.
    pub const MAX: u32 = (CHUNK * MAX_CHUNKS) as u32;

    /// No buckets, no memory.
    pub const fn new() -> Buckets {
        Buckets {
            chunks: [NonNull::dangling(); MAX_CHUNKS],
            count: 0,
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Changes the number of buckets, to at most [`Buckets::MAX`], and empties all of them.
    ///
    /// # Safety
    /// `slab` is the same in all calls for this array and was not released in between.
    pub unsafe fn resize(&mut self, slab: &mut Slab, count: u32) {
        let (old, new) = (self.len(), count.min(Buckets::MAX) as usize);
        for (index, chunk) in self.chunks.iter_mut().enumerate() {
            let (before, after) = (chunk_len(old, index), chunk_len(new, index));
            if before == after {
                continue;
            }
            // SAFETY: the chunk was allocated below from this slab for so many buckets.
            unsafe { free_chunk(slab, chunk.cast(), before) };
            *chunk = match after {
                0 => NonNull::dangling(),
                CHUNK => {
                    assert!(slab.is_paged());
                    slab.alloc(CHUNK * size_of::<Bucket>()).cast()
                }
                _ => slab.alloc_aside(after * size_of::<Bucket>()).cast(),
            };
        }
        self.count = new as u32;
        for (index, chunk) in self.chunks.iter().enumerate() {
            for bucket in 0..chunk_len(new, index) {
                // SAFETY: the chunk has room for so many buckets. It is aligned for them: in its pages the slab aligns
                // to the powers of two in a size, and those of a bucket's size include its alignment; beside them to
                // a line, which no bucket's alignment exceeds.
                unsafe { chunk.add(bucket).write(Bucket::EMPTY) };
            }
        }
    }

    /// Whether the array has memory outside of the slab's pages.
    pub fn is_aside(&self) -> bool {
        !self.len().is_multiple_of(CHUNK)
    }

    /// All buckets in order.
    pub fn iter(&self) -> impl Iterator<Item = &Bucket> + Clone {
        (0..self.len()).map(|index| &self[index])
    }
}

impl Index<usize> for Buckets {
    type Output = Bucket;

    #[inline(always)]
    fn index(&self, index: usize) -> &Bucket {
        assert!(index < self.len());
        // SAFETY: the index is in range, so its chunk is valid and holds an initialised bucket there.
        unsafe { self.chunks[index / CHUNK].add(index % CHUNK).as_ref() }
    }
}

impl IndexMut<usize> for Buckets {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut Bucket {
        assert!(index < self.len());
        // SAFETY: as above, and the exclusive borrow of the array covers its buckets.
        unsafe { self.chunks[index / CHUNK].add(index % CHUNK).as_mut() }
    }
}

/// Gives back the memory of a chunk of so many buckets.
///
/// # Safety
/// The chunk was allocated by [`Buckets::resize`] from this slab for so many buckets and is not used afterwards.
unsafe fn free_chunk(slab: &mut Slab, chunk: NonNull<u8>, buckets: usize) {
    let bytes = buckets * size_of::<Bucket>();
    // SAFETY: the caller's promise, and full chunks come from pages, others do not.
    unsafe {
        match buckets {
            0 => {}
            CHUNK => slab.free(chunk, bytes),
            _ => slab.free_aside(chunk, bytes),
        }
    }
}

/// How many of `count` buckets are in the chunk with this index.
fn chunk_len(count: usize, index: usize) -> usize {
    count.saturating_sub(index * CHUNK).min(CHUNK)
}
