//! The index of a keyspace, and of any other map from byte strings that may grow large.
//!
//! Extendible hashing over the high bits of a keyed 64-bit hash:
//!
//! ```text
//!   hash = | directory index: `depth` bits | ... |
//!
//!   directory   [ 0 | 0 | 1 | 2 ]                depth 2: four positions
//!                 |___|   |   |___________
//!   segments    [ prefix 0*, prefix 10, prefix 11 ]     each up to 64 buckets of 12 slots
//! ```
//!
//! - A segment is split when 27 of 32 slots are used, so nothing ever moves more than one segment's entries at a time;
//!   two halves are merged again when together they would fill half a segment. A first segment starts with one bucket.
//! - Position in the table is position in hash order: a hash prefix names a place that stays meaningful while segments
//!   split and merge. [`Table::scan`] builds its cursor on that.
//! - A table of one bucket has no pages: its entries are allocations of their own until it grows. Keys, which come and go
//!   in numbers, have pages from the first on; [`Shape`] tells.
//! - Each segment knows a lower bound of its earliest expiry; see `expiry.rs`.
//!
//! Invariants ([`Table::check`] verifies them): a segment of depth d is referred to by `1 << (depth - d)` adjacent
//! directory positions; `deepest` segments have the directory's depth; every entry pointer is in exactly one slot.

mod bucket;
mod duplicate;
mod entry_mut;
mod expiry;
mod grow;
mod scan;
mod segment;
#[cfg(test)]
mod tests;

use core::marker::PhantomData;

use self::bucket::{Bucket, SLOTS};
pub use self::entry_mut::{EntryMut, Lookup, Removed, Taken, Vacant};
use self::expiry::Deadlines;
pub use self::expiry::Due;
use self::segment::{Place, Segment};
use super::entry::EntryRef;
pub use super::entry::{
    CLOCK_MAX, Content, EPOCHS, EntryView, OwnedPayload, Payload, PayloadMut, Shape,
};
use super::slab::Slab;
use crate::algorithms::hash::HashSeed;

/// A map from keys to payloads; `B` is the type of boxed payloads (see [`Content`]) and says what else an entry has.
pub struct Table<B: Shape> {
    seed: HashSeed,
    slab: Slab,
    segments: Vec<Segment>,
    directory: Vec<u32>,
    /// Hash bits that index the directory.
    depth: u8,
    /// Segments whose depth is the directory's.
    deepest: u32,
    epoch: u8,
    len: usize,
    volatile: usize,
    boxed: usize,
    bucket_bytes: usize,
    /// Entries stay where they are as long as they live and keep their size.
    is_pinned: bool,
    deadlines: Deadlines,
    owner: PhantomData<Box<B>>,
}

/// Where an entry is.
#[derive(Clone, Copy)]
struct Position {
    segment: u32,
    place: Place,
}

// SAFETY: the table owns its entries and everything in them; only the contents of boxes could be tied to a thread.
unsafe impl<B: Shape + Send> Send for Table<B> {}

impl<B: Shape> Table<B> {
    /// An empty table. O(1), no allocation.
    pub fn new(seed: HashSeed) -> Table<B> {
        Table {
            seed,
            slab: Slab::new(),
            segments: Vec::new(),
            directory: Vec::new(),
            depth: 0,
            deepest: 0,
            epoch: 0,
            len: 0,
            volatile: 0,
            boxed: 0,
            bucket_bytes: 0,
            is_pinned: false,
            deadlines: Deadlines::new(),
            owner: PhantomData,
        }
    }

    /// An empty table whose entries never move while they keep their size, so that another structure may refer to
    /// them. A small one takes more memory. O(1).
    pub(super) fn pinned(seed: HashSeed) -> Table<B> {
        let mut table = Table::new(seed);
        table.slab = Slab::paged();
        table.is_pinned = true;
        table
    }

    /// Entries. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries that expire. O(1).
    pub fn volatile_len(&self) -> usize {
        self.volatile
    }

    /// Bytes held from the allocator, exactly: pages (of entries and buckets) and directory. Memory inside boxed
    /// payloads (and the boxes) is not included, nor is the table itself. O(1).
    #[inline]
    pub fn memory_bytes(&self) -> usize {
        self.slab.memory_bytes() + self.lists_bytes()
    }

    /// Bytes of buckets and directory. O(1).
    pub fn index_bytes(&self) -> usize {
        self.bucket_bytes + self.lists_bytes()
    }

    /// Bytes of all entries, without free space in pages. O(1).
    pub fn entry_bytes(&self) -> usize {
        self.slab.allocated_bytes() - self.bucket_bytes
    }

    /// Bytes in use: entries and index. This is [`Table::memory_bytes`] without the free space in pages, and it
    /// shrinks with every removal. O(1).
    pub fn used_bytes(&self) -> usize {
        self.entry_bytes() + self.index_bytes()
    }

    fn lists_bytes(&self) -> usize {
        self.segments.capacity() * size_of::<Segment>()
            + self.directory.capacity() * size_of::<u32>()
    }

    /// How many slots the buckets have, used or not. O(1).
    pub fn slot_count(&self) -> usize {
        self.bucket_bytes / size_of::<Bucket>() * SLOTS
    }

    /// What the table was made with.
    pub fn seed(&self) -> &HashSeed {
        &self.seed
    }

    /// The hash under which a key is found in this table; its high bits are the key's place in scan order.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    /// The epoch that new entries get, and those that are put here.
    pub fn epoch(&self) -> u8 {
        self.epoch
    }

    /// Begins the next epoch: every entry is of an earlier one now. O(1).
    pub fn begin_epoch(&mut self) {
        self.epoch = (self.epoch + 1) % EPOCHS;
    }

    /// The entry of a key. O(1).
    pub fn find(&self, key: &[u8]) -> Option<EntryView<'_, B>> {
        let hash = self.seed.hash(key);
        let (_, entry) = self.locate(hash, key)?;
        Some(self.view(entry))
    }

    /// Whether there is an entry for a key. O(1).
    pub fn contains(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// The entry of a key, to be changed. O(1).
    pub fn find_mut(&mut self, key: &[u8]) -> Option<EntryMut<'_, B>> {
        let hash = self.seed.hash(key);
        let (position, entry) = self.locate(hash, key)?;
        Some(EntryMut::new(self, position, hash, entry))
    }

    /// The entry of a key or the place for a new one: one hash and one probe for whatever follows. O(1).
    pub fn lookup<'a, 'k>(&'a mut self, key: &'k [u8]) -> Lookup<'a, 'k, B> {
        let hash = self.seed.hash(key);
        if let Some((position, entry)) = self.locate(hash, key) {
            return Lookup::Occupied(EntryMut::new(self, position, hash, entry));
        }
        Lookup::Vacant(Vacant::new(self, key, hash))
    }

    /// Stores a payload under a key, new or not, with this expiry or without any. Returns the boxed object that the
    /// key held before. O(1) amortised; a single call moves at most one segment's entries.
    pub fn insert(
        &mut self,
        key: &[u8],
        kind: u8,
        content: Content<'_, B>,
        expiry_ms: Option<i64>,
    ) -> Option<Box<B>> {
        match self.lookup(key) {
            Lookup::Occupied(mut entry) => entry.replace(kind, content, expiry_ms),
            Lookup::Vacant(vacant) => {
                vacant.insert(kind, content, expiry_ms);
                None
            }
        }
    }

    /// Removes a key. O(1).
    pub fn remove(&mut self, key: &[u8]) -> Option<Removed<B>> {
        Some(self.find_mut(key)?.remove())
    }

    /// Removes a key and keeps everything about it. O(1), and a copy of an inline payload.
    pub fn take(&mut self, key: &[u8]) -> Option<Taken<B>> {
        Some(self.find_mut(key)?.take())
    }

    /// Stores what [`Table::take`] returned (from this or another table) under a key. An entry that was there is
    /// replaced. O(1) amortised.
    pub fn put(&mut self, key: &[u8], taken: Taken<B>) {
        let (mut bytes, epoch) = (Vec::new(), self.epoch);
        let content = taken.payload.into_content(&mut bytes);
        let entry = match self.lookup(key) {
            Lookup::Occupied(mut entry) => {
                entry.replace(taken.kind, content, taken.expiry_ms);
                entry
            }
            Lookup::Vacant(vacant) => vacant.insert(taken.kind, content, taken.expiry_ms),
        };
        let view = entry.view();
        view.set_clock(taken.clock);
        view.set_epoch(epoch);
    }

    /// Moves an entry to another key, replacing the entry there; false if there is no `from`. Payload, expiry and
    /// clock go along. O(1) amortised.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> bool {
        if from == to {
            return self.contains(from);
        }
        let Some(taken) = self.take(from) else {
            return false;
        };
        self.put(to, taken);
        true
    }

    /// Removes everything and returns all memory. O(pages + segments) if no payload is boxed and no entry is above
    /// the slab's page sizes, else O(n).
    pub fn clear(&mut self) {
        self.release_entries();
        let (epoch, seed) = (self.epoch, self.seed.clone());
        *self = match self.is_pinned {
            true => Table::pinned(seed),
            false => Table::new(seed),
        };
        self.epoch = epoch;
    }

    /// Frees what the slab's pages do not free by themselves. Neither entries nor buckets must be used afterwards.
    fn release_entries(&mut self) {
        let mut segments = core::mem::take(&mut self.segments);
        if self.boxed > 0 || self.slab.has_singles() {
            for entry in segments.iter().flat_map(Segment::entries) {
                // SAFETY: the entry is live, ours, and no segment refers to it after this loop.
                drop(unsafe { entry.destroy::<B>(&mut self.slab) });
            }
        }
        for segment in segments.iter_mut().filter(|segment| segment.is_aside()) {
            // SAFETY: all segments of a table use its slab, which is released only together with them.
            unsafe { segment.reset(&mut self.slab, 0) };
        }
    }

    /// Verifies every invariant of the structure. O(n); for tests and debugging.
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        let (mut len, mut volatile, mut boxed, mut deepest) = (0, 0, 0, 0);
        let (mut entry_bytes, mut bucket_bytes) = (0, 0);
        let mut references = vec![0u32; self.segments.len()];
        for (index, &id) in self.directory.iter().enumerate() {
            let segment = &self.segments[id as usize];
            references[id as usize] += 1;
            if self.depth > 0 && segment.depth > 0 {
                let prefix = (index as u32) << (32 - self.depth);
                if (prefix ^ segment.prefix) >> (32 - segment.depth) != 0 {
                    return Err(format!(
                        "directory position {index} refers to a wrong segment"
                    ));
                }
            }
        }
        for (id, segment) in self.segments.iter().enumerate() {
            if references[id] != 1 << (self.depth - segment.depth) {
                return Err(format!(
                    "segment {id} is referred to {} times",
                    references[id]
                ));
            }
            segment.check(|entry| self.hash_of(entry))?;
            deepest += u32::from(segment.depth == self.depth);
            bucket_bytes += segment.memory_bytes();
            len += segment.len as usize;
            let mut segment_volatile = 0;
            for entry in segment.entries() {
                let view = self.view(entry);
                entry_bytes += view.memory_bytes();
                boxed += usize::from(matches!(view.payload(), Payload::Boxed(_)));
                if let Some(expiry_ms) = view.expiry_ms() {
                    segment_volatile += 1;
                    if expiry_ms < segment.earliest_ms
                        || expiry_ms < self.next_deadline().unwrap_or(i64::MAX)
                    {
                        return Err(format!("segment {id} expires earlier than it says"));
                    }
                }
            }
            if segment_volatile != segment.volatile {
                return Err(format!("segment {id} counts its volatile entries wrong"));
            }
            volatile += segment_volatile as usize;
        }
        let counted = (len, volatile, boxed, deepest, entry_bytes, bucket_bytes);
        let kept = (
            self.len,
            self.volatile,
            self.boxed,
            self.deepest,
            self.entry_bytes(),
            self.bucket_bytes,
        );
        if !self.slab.is_paged() && self.slot_count() > SLOTS {
            return Err("a table of more than one bucket has no pages".to_owned());
        }
        if counted != kept {
            return Err(format!("counters {kept:?}, counted {counted:?}"));
        }
        Ok(())
    }

    #[inline]
    fn view(&self, entry: EntryRef) -> EntryView<'_, B> {
        // SAFETY: slots hold live entries of type `B`, and the borrow of the table keeps them unchanged.
        unsafe { EntryView::new(entry) }
    }

    fn hash_of(&self, entry: EntryRef) -> u64 {
        self.seed.hash(self.view(entry).key())
    }

    /// The directory position of a hash.
    #[inline]
    fn index_of(&self, hash: u64) -> usize {
        // Two shifts, because `depth` may be 0 and a shift by 64 is not defined.
        ((hash >> 1) >> (63 - self.depth)) as usize
    }

    /// The segment a hash belongs to; nothing if the table was never used.
    #[inline]
    fn segment_of(&self, hash: u64) -> Option<u32> {
        self.directory.get(self.index_of(hash)).copied()
    }

    #[inline(always)]
    fn locate(&self, hash: u64, key: &[u8]) -> Option<(Position, EntryRef)> {
        let segment = self.segment_of(hash)?;
        let is_wanted = |entry| self.view(entry).has_key(key);
        let (place, entry) = self.segments[segment as usize].find(hash, is_wanted)?;
        Some((Position { segment, place }, entry))
    }

    /// Puts a new entry into a segment that has room for it.
    #[inline]
    fn attach(
        &mut self,
        segment: u32,
        hash: u64,
        entry: EntryRef,
        expiry_ms: Option<i64>,
    ) -> Position {
        let place = self.segments[segment as usize].place(hash, entry);
        self.len += 1;
        if let Some(expiry_ms) = expiry_ms {
            self.expiry_added(segment, expiry_ms);
        }
        Position { segment, place }
    }

    /// Removes the entry at a place and hands over its boxed object.
    fn detach(&mut self, position: Position, hash: u64) -> Option<Box<B>> {
        let segment = &mut self.segments[position.segment as usize];
        let entry = segment.take(position.place, |_| hash)?;
        self.len -= 1;
        if self.view(entry).has_expiry() {
            self.expiry_removed(position.segment);
        }
        // SAFETY: the entry is live and no slot refers to it any more.
        let object = unsafe { entry.destroy::<B>(&mut self.slab) };
        self.boxed -= usize::from(object.is_some());
        object
    }
}

impl<B: Shape> core::fmt::Debug for Table<B> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Table")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl<B: Shape> Drop for Table<B> {
    fn drop(&mut self) {
        self.release_entries();
    }
}
