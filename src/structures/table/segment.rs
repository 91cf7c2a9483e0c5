//! A segment: a small open-addressed hash table of buckets, the unit in which a table grows.
//!
//! ```text
//!   hash   | segment prefix: depth bits | home: 12 bits | ....... | tag: 8 bits |
//!          63                                                     7            0
//! ```
//!
//! An entry lives in its home bucket, or, if that is full, in the next bucket (cyclically) with a free slot. `overflow`
//! counts the entries that passed over a bucket on their way, so a search goes on only while it is not zero, and a
//! removal that decrements the same counters leaves no tombstone. `displaced` marks the slots whose entry is not at
//! home: they are the only ones whose home has to be computed from the key.
//!
//! The 12 bits after the prefix, scaled to the number of buckets, are the home bucket. So buckets in order are hash
//! prefixes in order, whatever the number of buckets.

use super::super::entry::EntryRef;
use super::super::slab::Slab;
use super::bucket::{Bucket, Buckets, SLOTS, tag_of};

/// A segment has at most so many buckets before it is split.
pub(super) const MAX_BUCKETS: u32 = Buckets::MAX;
/// And so many slots.
pub(super) const MAX_SLOTS: u32 = MAX_BUCKETS * SLOTS as u32;
/// Hash bits that choose the home bucket; more than there are buckets, so that any number of buckets is filled evenly.
const HOME_BITS: u32 = 12;

/// Where an entry is inside a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub bucket: u32,
    pub slot: u32,
}

impl Place {
    fn new(bucket: usize, slot: usize) -> Place {
        Place {
            bucket: bucket as u32,
            slot: slot as u32,
        }
    }
}

/// How many entries so many buckets take before they become more: all slots of one bucket, else 27 of 32.
const fn limit(bucket_count: u32) -> u32 {
    match bucket_count {
        1 => SLOTS as u32,
        count => count * SLOTS as u32 * 27 / 32,
    }
}

/// The next larger number of buckets: 1, 2, 3, 4, 6, 8, 12, 16, 32, 48, 64.
pub(super) const fn larger(bucket_count: u32) -> u32 {
    match bucket_count {
        1 => 2,
        2 | 4 | 8 => bucket_count + bucket_count / 2,
        3 | 6 | 12 => bucket_count + bucket_count / 3,
        _ => bucket_count + 16,
    }
}

/// The number of buckets for so many entries and a quarter more, at most [`MAX_BUCKETS`].
pub(super) const fn buckets_for(len: u32) -> u32 {
    let mut count = 1;
    while count < MAX_BUCKETS && limit(count) < len + len / 4 {
        count = larger(count);
    }
    count
}

pub(super) struct Segment {
    buckets: Buckets,
    /// No entry here expires earlier (in milliseconds); `i64::MAX` if none expires.
    pub earliest_ms: i64,
    /// The high 32 bits of the lowest hash that belongs here.
    pub prefix: u32,
    /// Entries.
    pub len: u32,
    /// Entries that expire.
    pub volatile: u32,
    /// How many high bits of the hash all entries share.
    pub depth: u8,
}

impl Segment {
    /// A segment without buckets; see [`Segment::reset`].
    pub fn new(prefix: u32, depth: u8) -> Segment {
        Segment {
            buckets: Buckets::new(),
            earliest_ms: i64::MAX,
            prefix,
            len: 0,
            volatile: 0,
            depth,
        }
    }

    /// Forgets all entries and gives the segment this many buckets; none means that it holds no memory.
    ///
    /// # Safety
    /// `slab` is the same in all calls for this segment and was not released in between.
    pub unsafe fn reset(&mut self, slab: &mut Slab, bucket_count: u32) {
        // SAFETY: the caller's promise is the one asked for.
        unsafe { self.buckets.resize(slab, bucket_count) };
        self.len = 0;
        self.volatile = 0;
        self.earliest_ms = i64::MAX;
    }

    #[inline]
    pub fn bucket_count(&self) -> u32 {
        self.buckets.len() as u32
    }

    /// The lowest hash that belongs to the segment behind this one; 0 after the last one.
    pub fn end(&self) -> u64 {
        let size = 1u64.checked_shl(64 - u32::from(self.depth));
        let start = u64::from(self.prefix) << 32;
        size.map_or(0, |size| start.wrapping_add(size))
    }

    /// Whether the buckets have memory outside of the slab's pages.
    pub fn is_aside(&self) -> bool {
        self.buckets.is_aside()
    }

    pub fn slot_count(&self) -> u32 {
        self.bucket_count() * SLOTS as u32
    }

    /// Bytes of the buckets.
    pub fn memory_bytes(&self) -> usize {
        self.buckets.len() * size_of::<Bucket>()
    }

    /// How many entries this segment takes before it grows or splits.
    pub fn limit(&self) -> u32 {
        limit(self.bucket_count())
    }

    /// The home bucket of a hash that belongs to this segment.
    #[inline]
    pub fn home(&self, hash: u64) -> usize {
        let bits = (hash << self.depth) >> (64 - HOME_BITS);
        (bits as usize * self.buckets.len()) >> HOME_BITS
    }

    /// The lowest hash whose home is the bucket after this one, here or in the next segment; 0 after the last one.
    pub fn start_after(&self, bucket: usize) -> u64 {
        let bits = ((bucket as u64 + 1) << HOME_BITS).div_ceil(self.buckets.len() as u64);
        if self.depth == 0 && bits == 1 << HOME_BITS {
            return 0;
        }
        let start = u64::from(self.prefix) << 32;
        start.wrapping_add(bits << (64 - HOME_BITS - u32::from(self.depth)))
    }

    /// The bucket after this one, cyclically.
    #[inline]
    fn next(&self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets.len() {
            0
        } else {
            bucket + 1
        }
    }

    /// Finds the entry with this hash that passes `matches`. O(1): one bucket, rarely a second one.
    #[inline(always)]
    pub fn find(
        &self,
        hash: u64,
        mut matches: impl FnMut(EntryRef) -> bool,
    ) -> Option<(Place, EntryRef)> {
        let tag = tag_of(hash);
        let home = self.home(hash);
        let mut at = home;
        loop {
            let bucket = &self.buckets[at];
            if let Some((slot, entry)) = bucket.find(tag, &mut matches) {
                return Some((Place::new(at, slot), entry));
            }
            if bucket.overflow == 0 {
                return None;
            }
            at = self.next(at);
            if at == home {
                return None;
            }
        }
    }

    /// Puts an entry into the first free slot at or after its home. The segment must not be full.
    pub fn place(&mut self, hash: u64, entry: EntryRef) -> Place {
        debug_assert!(self.len < self.slot_count());
        let home = self.home(hash);
        let mut at = home;
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(slot) = bucket.free_slot() {
                bucket.tags[slot] = tag_of(hash);
                bucket.slots[slot] = Some(entry);
                if at != home {
                    bucket.displaced |= 1 << slot;
                }
                self.len += 1;
                return Place::new(at, slot);
            }
            bucket.overflow += 1;
            at = self.next(at);
        }
    }

    /// [`Segment::place`], and counts the entry's expiry.
    pub fn adopt(&mut self, hash: u64, entry: EntryRef, expiry_ms: Option<i64>) -> Place {
        if let Some(expiry_ms) = expiry_ms {
            self.volatile += 1;
            self.earliest_ms = self.earliest_ms.min(expiry_ms);
        }
        self.place(hash, entry)
    }

    /// Empties a slot. `hash` is called only if the entry there is displaced.
    pub fn take(&mut self, place: Place, hash: impl FnOnce(EntryRef) -> u64) -> Option<EntryRef> {
        let (at, slot) = (place.bucket as usize, place.slot as usize);
        let bucket = &mut self.buckets[at];
        let entry = bucket.slots[slot].take()?;
        bucket.tags[slot] = 0;
        self.len -= 1;
        if bucket.is_displaced(slot) {
            bucket.displaced &= !(1 << slot);
            let mut passed = self.home(hash(entry));
            while passed != at {
                self.buckets[passed].overflow -= 1;
                passed = self.next(passed);
            }
        }
        Some(entry)
    }

    #[inline]
    pub fn get(&self, place: Place) -> Option<EntryRef> {
        self.buckets[place.bucket as usize].slots[place.slot as usize]
    }

    /// Records that an entry moved.
    #[inline]
    pub fn set(&mut self, place: Place, entry: EntryRef) {
        self.buckets[place.bucket as usize].slots[place.slot as usize] = Some(entry);
    }

    /// Becomes what `other` is, with what `duplicate` makes of each entry. Both have equally many buckets.
    pub fn fill_like(&mut self, other: &Segment, mut duplicate: impl FnMut(EntryRef) -> EntryRef) {
        for index in 0..self.buckets.len().min(other.buckets.len()) {
            let (from, to) = (&other.buckets[index], &mut self.buckets[index]);
            to.tags = from.tags;
            to.overflow = from.overflow;
            to.displaced = from.displaced;
            to.slots = from.slots.map(|slot| slot.map(&mut duplicate));
        }
        self.len = other.len;
        self.volatile = other.volatile;
        self.earliest_ms = other.earliest_ms;
    }

    /// All entries in bucket order.
    pub fn entries(&self) -> impl Iterator<Item = EntryRef> + Clone + '_ {
        self.buckets
            .iter()
            .flat_map(|bucket: &Bucket| bucket.slots.iter().copied().flatten())
    }

    /// All places, used or not.
    pub fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let buckets = self.buckets.len() as u32;
        (0..buckets).flat_map(|bucket| (0..SLOTS as u32).map(move |slot| Place { bucket, slot }))
    }

    /// Visits the entries whose home is this bucket, wherever they are. `hash` is called for displaced entries only.
    pub fn visit_home(
        &self,
        home: usize,
        hash: impl Fn(EntryRef) -> u64,
        mut visit: impl FnMut(EntryRef),
    ) {
        let mut at = home;
        loop {
            let bucket = &self.buckets[at];
            for (slot, entry) in bucket.slots.iter().enumerate() {
                let Some(entry) = *entry else { continue };
                if bucket.is_displaced(slot) {
                    if at != home && self.home(hash(entry)) == home {
                        visit(entry);
                    }
                } else if at == home {
                    visit(entry);
                }
            }
            at = self.next(at);
            if bucket.overflow == 0 || at == home {
                return;
            }
        }
    }

    /// The entry in the slot with this number, if there is such a slot and it is used.
    pub fn nth(&self, slot: usize) -> Option<EntryRef> {
        let bucket = slot / SLOTS;
        (bucket < self.buckets.len())
            .then(|| self.buckets[bucket].slots[slot % SLOTS])
            .flatten()
    }

    /// Verifies tags, homes and counters.
    pub fn check(&self, hash: impl Fn(EntryRef) -> u64) -> Result<(), String> {
        let mut overflow = vec![0u16; self.buckets.len()];
        let mut len = 0;
        for place in self.places() {
            let (at, slot) = (place.bucket as usize, place.slot as usize);
            let bucket = &self.buckets[at];
            let Some(entry) = self.get(place) else {
                if bucket.tags[slot] != 0 || bucket.is_displaced(slot) {
                    return Err(format!("free slot {place:?} is marked as used"));
                }
                continue;
            };
            len += 1;
            let hash = hash(entry);
            if bucket.tags[slot] != tag_of(hash) {
                return Err(format!("wrong tag at {place:?}"));
            }
            if self.depth > 0
                && (hash >> 32) as u32 >> (32 - self.depth) != self.prefix >> (32 - self.depth)
            {
                return Err(format!("entry at {place:?} belongs to another segment"));
            }
            let mut passed = self.home(hash);
            if bucket.is_displaced(slot) != (passed != at) {
                return Err(format!("wrong displaced bit at {place:?}"));
            }
            while passed != at {
                overflow[passed] += 1;
                passed = self.next(passed);
            }
        }
        if len != self.len {
            return Err(format!("segment says {} entries and has {len}", self.len));
        }
        if self
            .buckets
            .iter()
            .map(|bucket| bucket.overflow)
            .ne(overflow)
        {
            return Err("overflow counters are wrong".to_owned());
        }
        Ok(())
    }
}
