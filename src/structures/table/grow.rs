//! Growth and shrinkage: one segment at a time.

use std::alloc::{Layout, handle_alloc_error};

use super::Table;
use super::segment::{MAX_BITS, SLOTS, Segment};

/// The directory does not get deeper; segments at this depth grow instead. Billions of entries are far below it.
const MAX_DEPTH: u8 = 24;
/// At most so many bucket bits in a segment that cannot be split any more; its counters stay below 65536.
const MAX_BITS_AT_MAX_DEPTH: u8 = 12;
/// Two halves that hold at most so many entries together become one segment: half of its slots.
const MERGE_LIMIT: u32 = (SLOTS as u32) << (MAX_BITS - 1);
/// A merge is considered whenever a segment's length passes a multiple of this.
const MERGE_STEP: u32 = 16;
/// A table that becomes empty keeps pages up to this many bytes, so that its next entries cost no allocation.
const KEEP_EMPTY_BYTES: usize = 64 * 1024;

impl<B> Table<B> {
    /// The segment for a new entry with this hash, after growing the table as often as that takes.
    pub(super) fn segment_with_room(&mut self, hash: u64) -> u32 {
        loop {
            let Some(id) = self.segment_of(hash) else {
                self.add_first_segment();
                continue;
            };
            let segment = &self.segments[id as usize];
            if segment.len < segment.limit() {
                return id;
            }
            if segment.bits() < MAX_BITS {
                self.resize(id, segment.bits() + 1);
            } else if segment.depth < MAX_DEPTH {
                self.split(id);
            } else if segment.bits() < MAX_BITS_AT_MAX_DEPTH {
                self.resize(id, segment.bits() + 1);
            } else {
                // More equal hashes than a keyed hash can produce: no amount of memory would help.
                handle_alloc_error(Layout::new::<Segment>());
            }
        }
    }

    fn add_first_segment(&mut self) {
        let segment = Segment::new(0, 0, 0);
        self.bucket_bytes += segment.memory_bytes();
        self.segments = Vec::with_capacity(1);
        self.segments.push(segment);
        self.directory = vec![0];
        self.depth = 0;
        self.deepest = 1;
    }

    /// Moves the entries of a segment into one with `1 << bits` buckets.
    #[inline(never)]
    fn resize(&mut self, id: u32, bits: u8) {
        let old = &self.segments[id as usize];
        let mut new = Segment::new(old.prefix, old.depth, bits);
        for entry in old.entries() {
            let view = self.view(entry);
            new.adopt(self.hash(view.key()), entry, view.expiry_ms());
        }
        self.bucket_bytes += new.memory_bytes();
        self.bucket_bytes -= old.memory_bytes();
        self.segments[id as usize] = new;
    }

    /// Splits a segment by its next hash bit. The directory doubles if it does not tell the halves apart.
    #[inline(never)]
    fn split(&mut self, id: u32) {
        if self.segments[id as usize].depth == self.depth {
            self.double_directory();
        }
        let old = &self.segments[id as usize];
        let depth = old.depth + 1;
        let mut low = Segment::new(old.prefix, depth, old.bits());
        let mut high = Segment::new(old.prefix | 1 << (32 - depth), depth, old.bits());
        for entry in old.entries() {
            let view = self.view(entry);
            let hash = self.hash(view.key());
            let half = if (hash >> (64 - depth)) & 1 == 0 {
                &mut low
            } else {
                &mut high
            };
            half.adopt(hash, entry, view.expiry_ms());
        }
        self.bucket_bytes += low.memory_bytes() + high.memory_bytes() - old.memory_bytes();
        self.deepest += if depth == self.depth { 2 } else { 0 };
        let high_id = self.segments.len() as u32;
        self.point_directory(high.prefix, depth, high_id);
        self.segments[id as usize] = low;
        self.segments.push(high);
    }

    /// Makes the directory positions of a prefix refer to a segment.
    fn point_directory(&mut self, prefix: u32, depth: u8, id: u32) {
        let first = self.index_of(u64::from(prefix) << 32);
        let count = 1 << (self.depth - depth);
        self.directory[first..first + count].fill(id);
    }

    fn double_directory(&mut self) {
        self.directory = self.directory.iter().flat_map(|&id| [id, id]).collect();
        self.depth += 1;
        self.deepest = 0;
    }

    fn halve_directory(&mut self) {
        self.directory = self.directory.iter().copied().step_by(2).collect();
        self.depth -= 1;
        let depth = self.depth;
        self.deepest = self
            .segments
            .iter()
            .filter(|segment| segment.depth == depth)
            .count() as u32;
    }

    /// Gives memory back after entries of a segment were removed. Moves at most a merged segment's entries, except
    /// that a table which became empty releases its pages.
    #[inline]
    pub(super) fn after_removal(&mut self, id: u32) {
        let segment = &self.segments[id as usize];
        if segment.depth > 0 {
            if segment.len <= MERGE_LIMIT && segment.len.is_multiple_of(MERGE_STEP) {
                self.merge(id);
            }
        } else if segment.bits() > 0 && (segment.len as usize) < segment.slot_count() / 4 {
            self.resize(id, segment.bits() - 1);
        }
        if self.len == 0 && self.slab.page_bytes() > KEEP_EMPTY_BYTES {
            self.slab.release_unused();
        }
    }

    /// Merges a segment with its other half, and the result with its other half, while they are small enough.
    #[inline(never)]
    fn merge(&mut self, mut id: u32) {
        while let Some(other) = self.other_half(id) {
            let (first, second) = (&self.segments[id as usize], &self.segments[other as usize]);
            if first.len + second.len > MERGE_LIMIT {
                return;
            }
            let depth = first.depth;
            let mut merged = Segment::new(first.prefix.min(second.prefix), depth - 1, MAX_BITS);
            for entry in first.entries().chain(second.entries()) {
                let view = self.view(entry);
                merged.adopt(self.hash(view.key()), entry, view.expiry_ms());
            }
            self.bucket_bytes += merged.memory_bytes();
            self.bucket_bytes -= first.memory_bytes() + second.memory_bytes();
            self.deepest -= if depth == self.depth { 2 } else { 0 };
            self.point_directory(merged.prefix, merged.depth, id);
            self.segments[id as usize] = merged;
            id = self.drop_segment(other, id);
            if self.deepest == 0 {
                self.halve_directory();
            }
        }
    }

    /// The segment that differs from this one in the last bit of its prefix only.
    fn other_half(&self, id: u32) -> Option<u32> {
        let segment = &self.segments[id as usize];
        if segment.depth == 0 || segment.bits() != MAX_BITS {
            return None;
        }
        let prefix = segment.prefix ^ 1 << (32 - segment.depth);
        let other = self.segment_of(u64::from(prefix) << 32)?;
        let half = &self.segments[other as usize];
        (half.depth == segment.depth && half.bits() == MAX_BITS).then_some(other)
    }

    /// Forgets an unreferenced segment. The last one takes its number; returns what number `kept` has now.
    fn drop_segment(&mut self, id: u32, kept: u32) -> u32 {
        self.segments.swap_remove(id as usize);
        let moved = self.segments.len() as u32;
        if let Some(segment) = self.segments.get(id as usize) {
            let (prefix, depth) = (segment.prefix, segment.depth);
            self.point_directory(prefix, depth, id);
        }
        if kept == moved { id } else { kept }
    }
}
