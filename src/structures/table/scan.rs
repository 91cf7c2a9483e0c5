//! Walking a table: in slices with a stateless cursor, at random, and all at once.

use super::super::entry::{EntryRef, EntryView, Shape};
use super::Table;
use super::segment::{MAX_SLOTS, Segment};

/// Empty buckets a scan passes per requested entry before it returns to its caller.
const BUCKETS_PER_ENTRY: usize = 10;
/// Entries of one bucket that a sample chooses from.
const SAMPLED_BUCKET: usize = 32;
/// Random slots tried before a random entry is looked for in order.
const RANDOM_TRIES: usize = 128;

impl<B: Shape> Table<B> {
    /// Visits about `count` entries, starting at a cursor (0 = the beginning), and returns the cursor to go on with
    /// (0 = the end). Any cursor is valid at any time.
    ///
    /// Entries that are present from the start of a full scan to its end are visited at least once, whatever is
    /// added and removed between the calls. An entry may be visited again if the table shrinks meanwhile.
    ///
    /// A cursor is the bit-reversed hash prefix of the next home bucket, so that small tables have small cursors.
    /// Buckets in order are hash prefixes in order: those of a split bucket follow each other, and a cursor into the
    /// middle of a merged one starts with its whole bucket again.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(EntryView<'a, B>),
    ) -> u64 {
        let mut position = cursor.reverse_bits();
        let mut buckets_left = count.saturating_mul(BUCKETS_PER_ENTRY).max(1);
        let mut found = 0;
        loop {
            let Some(id) = self.segment_of(position) else {
                return 0;
            };
            let segment = &self.segments[id as usize];
            let home = segment.home(position);
            segment.visit_home(
                home,
                |entry| self.hash_of(entry),
                |entry| {
                    found += 1;
                    visit(self.view(entry));
                },
            );
            position = segment.start_after(home);
            buckets_left -= 1;
            if position == 0 || found >= count || buckets_left == 0 {
                return position.reverse_bits();
            }
        }
    }

    /// A random entry, each with the same probability; nothing if the table is empty. `random` supplies uniformly
    /// distributed words. O(1): two or three slots are tried on average.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<EntryView<'_, B>> {
        if self.len == 0 {
            return None;
        }
        for _ in 0..RANDOM_TRIES {
            let (place, choice) = (random(), random());
            let segment = &self.segments[self.segment_of(place)? as usize];
            // A shallow segment is chosen more often than its slots deserve: accept it as much less often.
            let levels = self.depth - segment.depth;
            if (choice >> 32) & ((1 << levels) - 1) != 0 {
                continue;
            }
            // A smaller segment has fewer slots and must be accepted less often too, unless it is the only one.
            let slots = if self.depth == 0 {
                segment.slot_count()
            } else {
                MAX_SLOTS.max(segment.slot_count())
            };
            let slot = ((choice & 0xffff_ffff) * u64::from(slots)) >> 32;
            if let Some(entry) = segment.nth(slot as usize) {
                return Some(self.view(entry));
            }
        }
        self.first_after(random())
    }

    /// The first entry at or after a place in hash order, cyclically.
    fn first_after(&self, hash: u64) -> Option<EntryView<'_, B>> {
        let mut first = None;
        let mut cursor = hash.reverse_bits();
        for _ in 0..=self.directory.len() * 2 {
            cursor = self.scan(cursor, 1, |view| {
                first.get_or_insert(view);
            });
            if first.is_some() {
                break;
            }
        }
        first.or_else(|| self.iter().next())
    }

    /// Visits about `count` entries that stand together, from a place in hash order on: a cheap sample, if the place is
    /// random. `volatile_only`: those that expire, wherever the next ones are. Fewer when there are not so many.
    pub fn sample<'a>(
        &'a self,
        place: u64,
        count: usize,
        volatile_only: bool,
        mut visit: impl FnMut(EntryView<'a, B>),
    ) {
        let wanted = if volatile_only {
            self.volatile
        } else {
            self.len
        };
        let mut left = count.min(wanted);
        let (mut position, mut has_wrapped) = (place, false);
        while left > 0 {
            let Some(id) = self.segment_of(position) else {
                return;
            };
            let segment = &self.segments[id as usize];
            if segment.len == 0 || (volatile_only && segment.volatile == 0) {
                position = segment.end();
            } else {
                let home = segment.home(position);
                let mut found: [Option<EntryView<'a, B>>; SAMPLED_BUCKET] = [None; SAMPLED_BUCKET];
                let mut free = found.iter_mut();
                segment.visit_home(
                    home,
                    |entry| self.hash_of(entry),
                    |entry| {
                        let view = self.view(entry);
                        if (!volatile_only || view.expiry_ms().is_some())
                            && let Some(slot) = free.next()
                        {
                            *slot = Some(view);
                        }
                    },
                );
                // The first slots of a bucket are as likely as the others.
                let len = SAMPLED_BUCKET - free.len();
                let start = place as usize % len.max(1);
                for at in 0..len.min(left) {
                    if let Some(view) = found[(start + at) % len] {
                        left -= 1;
                        visit(view);
                    }
                }
                position = segment.start_after(home);
            }
            // Once around, and to where it began.
            if position == 0 && std::mem::replace(&mut has_wrapped, true)
                || has_wrapped && position >= place && place > 0
            {
                return;
            }
        }
    }

    /// All entries, segment by segment in hash order. O(n).
    pub fn iter(&self) -> impl Iterator<Item = EntryView<'_, B>> + '_ {
        let mut index = 0;
        core::iter::from_fn(move || {
            let segment = &self.segments[*self.directory.get(index)? as usize];
            index += 1 << (self.depth - segment.depth);
            Some(segment)
        })
        .flat_map(Segment::entries)
        .map(|entry: EntryRef| self.view(entry))
    }
}
