//! A segment: a small open-addressed hash table of buckets, the unit in which a table grows.
//!
//! ```text
//!   bucket, 64 bytes on wasm32
//!   +------------------+----------+-----------+--------------------------+
//!   | 12 tags, u8      | overflow | displaced | 12 slots: entry pointers |
//!   | 0 = slot is free | u16      | u16 bits  |                          |
//!   +------------------+----------+-----------+--------------------------+
//!
//!   hash   | segment prefix: depth bits | home bucket: bits | ...... | tag: 8 bits |
//!          63                                                      7            0
//! ```
//!
//! An entry lives in its home bucket, or, if that is full, in the next bucket (cyclically) with a free slot. `overflow`
//! counts the entries that passed over a bucket on their way, so a search goes on only while it is not zero, and a
//! removal that decrements the same counters leaves no tombstone. `displaced` marks the slots whose entry is not at
//! home: they are the only ones whose home has to be computed from the key.
//!
//! Because the home bucket continues the prefix, buckets in order are hash prefixes in order, whatever the sizes.

use super::super::entry::EntryRef;

pub(super) const SLOTS: usize = 12;
/// A segment has at most `1 << MAX_BITS` buckets before it is split.
pub(super) const MAX_BITS: u8 = 6;

#[derive(Clone)]
#[cfg_attr(target_pointer_width = "32", repr(C, align(64)))]
#[cfg_attr(not(target_pointer_width = "32"), repr(C))]
struct Bucket {
    tags: [u8; SLOTS],
    overflow: u16,
    displaced: u16,
    slots: [Option<EntryRef>; SLOTS],
}

const _: () = assert!(cfg!(not(target_pointer_width = "32")) || size_of::<Bucket>() == 64);

impl Bucket {
    const EMPTY: Bucket = Bucket {
        tags: [0; SLOTS],
        overflow: 0,
        displaced: 0,
        slots: [None; SLOTS],
    };

    /// The first slot (in order) with this tag whose entry passes `matches`.
    #[inline]
    fn find(&self, tag: u8, mut matches: impl FnMut(EntryRef) -> bool) -> Option<usize> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.tags;
        let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let high = u32::from_le_bytes([i, j, k, l]);
        let mut candidates = zero_bytes(low ^ (u64::from(tag) * ONES));
        while candidates != 0 {
            let slot = candidates.trailing_zeros() as usize / 8;
            if self.slots[slot].is_some_and(&mut matches) {
                return Some(slot);
            }
            candidates &= candidates - 1;
        }
        // The four bytes above `high` are made non-zero, so that they never match.
        let mut candidates =
            zero_bytes((u64::from(high) ^ (u64::from(tag) * (ONES & 0xffff_ffff))) | (ONES << 32));
        candidates &= 0xffff_ffff;
        while candidates != 0 {
            let slot = 8 + candidates.trailing_zeros() as usize / 8;
            if self.slots[slot].is_some_and(&mut matches) {
                return Some(slot);
            }
            candidates &= candidates - 1;
        }
        None
    }

    fn free_slot(&self) -> Option<usize> {
        self.tags.iter().position(|&tag| tag == 0)
    }

    fn is_displaced(&self, slot: usize) -> bool {
        self.displaced & (1 << slot) != 0
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// The high bit of each zero byte. A byte of 1 right above a zero byte may be reported too.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

#[inline]
fn tag_of(hash: u64) -> u8 {
    (hash as u8).max(1)
}

/// Where an entry is inside a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub bucket: u32,
    pub slot: u32,
}

pub(super) struct Segment {
    buckets: Box<[Bucket]>,
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
    /// Binary logarithm of the number of buckets.
    bits: u8,
}

impl Segment {
    pub const BUCKET_BYTES: usize = size_of::<Bucket>();

    pub fn new(prefix: u32, depth: u8, bits: u8) -> Segment {
        Segment {
            buckets: vec![Bucket::EMPTY; 1 << bits].into_boxed_slice(),
            earliest_ms: i64::MAX,
            prefix,
            len: 0,
            volatile: 0,
            depth,
            bits,
        }
    }

    #[inline]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    pub fn slot_count(&self) -> usize {
        self.buckets.len() * SLOTS
    }

    /// Bytes of the buckets.
    pub fn memory_bytes(&self) -> usize {
        self.buckets.len() * Segment::BUCKET_BYTES
    }

    /// How many entries this segment takes before it grows or splits: all 12 of one bucket, else 27 of 32 slots.
    pub fn limit(&self) -> u32 {
        if self.bits == 0 {
            SLOTS as u32
        } else {
            (self.slot_count() * 27 / 32) as u32
        }
    }

    #[inline]
    fn mask(&self) -> usize {
        self.buckets.len() - 1
    }

    /// The home bucket of a hash that belongs to this segment.
    #[inline]
    pub fn home(&self, hash: u64) -> usize {
        // Two shifts, because `bits` may be 0 and a shift by 64 is not defined.
        (((hash << self.depth) >> 1) >> (63 - self.bits)) as usize
    }

    /// Finds the entry with this hash that passes `matches`. O(1): one bucket, rarely a second one.
    #[inline]
    pub fn find(&self, hash: u64, mut matches: impl FnMut(EntryRef) -> bool) -> Option<Place> {
        let tag = tag_of(hash);
        let mask = self.mask();
        let home = self.home(hash);
        let mut at = home;
        loop {
            let bucket = &self.buckets[at & mask];
            if let Some(slot) = bucket.find(tag, &mut matches) {
                return Some(Place {
                    bucket: (at & mask) as u32,
                    slot: slot as u32,
                });
            }
            at += 1;
            if bucket.overflow == 0 || at > home + mask {
                return None;
            }
        }
    }

    /// Puts an entry into the first free slot at or after its home. The segment must not be full.
    pub fn place(&mut self, hash: u64, entry: EntryRef) -> Place {
        let mask = self.mask();
        let home = self.home(hash);
        let mut at = home;
        loop {
            let bucket = &mut self.buckets[at & mask];
            if let Some(slot) = bucket.free_slot() {
                bucket.tags[slot] = tag_of(hash);
                bucket.slots[slot] = Some(entry);
                if at != home {
                    bucket.displaced |= 1 << slot;
                }
                self.len += 1;
                return Place {
                    bucket: (at & mask) as u32,
                    slot: slot as u32,
                };
            }
            bucket.overflow += 1;
            at += 1;
            assert!(
                at <= home + mask,
                "an entry is placed only where there is room"
            );
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
            let mask = self.mask();
            let mut passed = self.home(hash(entry));
            while passed != at {
                self.buckets[passed].overflow -= 1;
                passed = (passed + 1) & mask;
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

    /// All entries in bucket order.
    pub fn entries(&self) -> impl Iterator<Item = EntryRef> + '_ {
        self.buckets
            .iter()
            .flat_map(|bucket| bucket.slots.iter().copied().flatten())
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
        let mask = self.mask();
        let mut at = home;
        loop {
            let bucket = &self.buckets[at & mask];
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
            at += 1;
            if bucket.overflow == 0 || at > home + mask {
                return;
            }
        }
    }

    /// The entry in a slot that random bits choose; nothing if that slot is free.
    pub fn pick(&self, random: u64) -> Option<EntryRef> {
        let slot = ((random & 0xffff) * SLOTS as u64) >> 16;
        self.buckets[self.home(random)].slots[slot as usize]
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
                passed = (passed + 1) & self.mask();
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
