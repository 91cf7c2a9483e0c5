//! Growth and shrinkage: one segment at a time.

use std::alloc::{Layout, handle_alloc_error};

use super::super::entry::{EntryRef, Shape};
use super::super::slab::Slab;
use super::Table;
use super::bucket::SLOTS;
use super::segment::{MAX_BUCKETS, MAX_SLOTS, Segment, buckets_for, larger};

/// The directory does not get deeper: ten billion entries are far below it.
const MAX_DEPTH: u8 = 24;
/// Two halves that hold at most so many entries together become one segment, which is half full then.
const MERGE_LIMIT: u32 = 384;
/// How many entries a segment is expected to get at most when a table is made for a known number: those that get more by
/// chance have room as well.
const RESERVED_MOST: usize = 540;
/// A merge is considered whenever a segment's length passes a multiple of this.
const MERGE_STEP: u32 = 16;
impl<B: Shape> Table<B> {
    /// The segment for a new entry with this hash, after growing the table as often as that takes.
    pub(super) fn segment_with_room(&mut self, hash: u64) -> u32 {
        loop {
            let Some(id) = self.segment_of(hash) else {
                self.add_first_segment();
                continue;
            };
            let segment = &self.segments[id as usize];
            let bucket_count = segment.bucket_count();
            if segment.len < segment.limit() {
                return id;
            }
            if bucket_count < MAX_BUCKETS {
                self.resize(id, larger(bucket_count));
            } else if segment.depth < MAX_DEPTH {
                self.split(id);
            } else if segment.len < segment.slot_count() {
                return id;
            } else {
                // Hundreds of keys with equal hash prefixes, which a keyed hash does not produce: like no memory left.
                handle_alloc_error(Layout::new::<Segment>());
            }
        }
    }

    fn add_first_segment(&mut self) {
        if B::HAS_CLOCK {
            self.slab = Slab::paged();
        }
        self.segments = Vec::with_capacity(1);
        self.segments.push(Segment::new(0, 0));
        self.directory = vec![0];
        self.depth = 0;
        self.deepest = 1;
        self.reset_segment(0, 1);
    }

    /// Prepares an empty table for so many entries, so that it does not grow step by step, looking at every entry each
    /// time. O(length).
    pub fn reserve(&mut self, len: usize) {
        if !self.segments.is_empty() || len <= SLOTS {
            return;
        }
        let mut depth = 0;
        while depth < MAX_DEPTH && len >> depth > RESERVED_MOST {
            depth += 1;
        }
        let count = 1u32 << depth;
        let prefix = |id: u32| id.checked_shl(32 - u32::from(depth)).unwrap_or(0);
        self.slab = Slab::paged();
        self.segments = (0..count)
            .map(|id| Segment::new(prefix(id), depth))
            .collect();
        self.directory = (0..count).collect();
        (self.depth, self.deepest) = (depth, count);
        for id in 0..count {
            self.reset_segment(id, buckets_for((len >> depth) as u32));
        }
    }

    /// Empties a segment, whose entries the caller holds, and gives it another number of buckets.
    fn reset_segment(&mut self, id: u32, bucket_count: u32) {
        let segment = &mut self.segments[id as usize];
        self.bucket_bytes -= segment.memory_bytes();
        // SAFETY: all segments of a table use its slab, which is released only together with them.
        unsafe { segment.reset(&mut self.slab, bucket_count) };
        self.bucket_bytes += segment.memory_bytes();
    }

    fn adopt(&mut self, id: u32, hash: u64, entry: EntryRef) {
        let expiry_ms = self.view(entry).expiry_ms();
        self.segments[id as usize].adopt(hash, entry, expiry_ms);
    }

    /// The entries of segments with their hashes, from the keys.
    fn hashed(&self, ids: &[u32]) -> Vec<(u64, EntryRef)> {
        // First touch all entries: in this loop the cache misses overlap, in the next one they would not, and a split
        // would take almost twice as long.
        let segments = ids.iter().map(|&id| &self.segments[id as usize]);
        let entries = segments.flat_map(Segment::entries);
        let touched = entries
            .clone()
            .fold(0, |sum: u8, entry| sum ^ self.view(entry).kind());
        core::hint::black_box(touched);
        let mut hashed = Vec::with_capacity(MAX_SLOTS as usize);
        hashed.extend(entries.map(|entry| (self.hash_of(entry), entry)));
        hashed
    }

    /// Gives a segment another number of buckets.
    #[inline(never)]
    fn resize(&mut self, id: u32, bucket_count: u32) {
        let mut entries = self.hashed(&[id]);
        let needs_pages = self.is_pinned || bucket_count > 1 || self.segments.len() > 1;
        if needs_pages != self.slab.is_paged() {
            self.reset_segment(id, 0);
            self.change_slab(needs_pages, &mut entries);
        }
        self.reset_segment(id, bucket_count);
        for (hash, entry) in entries {
            self.adopt(id, hash, entry);
        }
    }

    /// Moves the entries of a table, which are all these, to a slab with or without pages.
    fn change_slab(&mut self, is_paged: bool, entries: &mut [(u64, EntryRef)]) {
        let mut slab = if is_paged { Slab::paged() } else { Slab::new() };
        for (_, entry) in entries {
            // SAFETY: the entry is live, and no slot refers to it now.
            *entry = unsafe { entry.relocate::<B>(&mut self.slab, &mut slab) };
        }
        self.slab = slab;
    }

    /// Splits a segment by its next hash bit. The directory doubles if it does not tell the halves apart.
    #[inline(never)]
    fn split(&mut self, id: u32) {
        if self.segments[id as usize].depth == self.depth {
            self.double_directory();
        }
        let entries = self.hashed(&[id]);
        let low = &mut self.segments[id as usize];
        low.depth += 1;
        let depth = low.depth;
        let is_high = |hash: u64| (hash >> (64 - depth)) & 1 == 1;
        let high_len = entries.iter().filter(|(hash, _)| is_high(*hash)).count() as u32;
        let low_len = entries.len() as u32 - high_len;

        let high = Segment::new(low.prefix | 1 << (32 - depth), depth);
        let high_id = self.segments.len() as u32;
        self.point_directory(high.prefix, depth, high_id);
        self.segments.push(high);
        self.deepest += if depth == self.depth { 2 } else { 0 };

        self.reset_segment(id, buckets_for(low_len));
        self.reset_segment(high_id, buckets_for(high_len));
        for (hash, entry) in entries {
            self.adopt(if is_high(hash) { high_id } else { id }, hash, entry);
        }
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
        self.segments.shrink_to(2 * self.segments.len());
        let depth = self.depth;
        self.deepest = self
            .segments
            .iter()
            .filter(|segment| segment.depth == depth)
            .count() as u32;
    }

    /// Makes the index smaller after entries of a segment were removed. Moves at most a merged segment's entries.
    #[inline]
    pub(super) fn after_removal(&mut self, id: u32) {
        let segment = &self.segments[id as usize];
        let bucket_count = segment.bucket_count();
        if segment.depth > 0 && segment.len <= MERGE_LIMIT && segment.len.is_multiple_of(MERGE_STEP)
        {
            self.merge(id);
        } else if bucket_count > 1 && segment.len * 3 < segment.limit() {
            self.resize(id, buckets_for(segment.len));
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
            let prefix = first.prefix.min(second.prefix);
            let entries = self.hashed(&[id, other]);
            self.reset_segment(other, 0);
            self.reset_segment(id, buckets_for(entries.len() as u32));
            let merged = &mut self.segments[id as usize];
            merged.prefix = prefix;
            merged.depth = depth - 1;
            for (hash, entry) in entries {
                self.adopt(id, hash, entry);
            }
            self.deepest -= if depth == self.depth { 2 } else { 0 };
            self.point_directory(prefix, depth - 1, id);
            id = self.drop_segment(other, id);
            if self.deepest == 0 {
                self.halve_directory();
            }
        }
    }

    /// The segment that differs from this one in the last bit of its prefix only.
    fn other_half(&self, id: u32) -> Option<u32> {
        let segment = &self.segments[id as usize];
        if segment.depth == 0 {
            return None;
        }
        let prefix = segment.prefix ^ 1 << (32 - segment.depth);
        let other = self.segment_of(u64::from(prefix) << 32)?;
        let half = &self.segments[other as usize];
        (half.depth == segment.depth).then_some(other)
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
