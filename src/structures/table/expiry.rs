//! Expiry without a second table: every segment keeps a lower bound of its earliest expiry.
//!
//! A bound is lowered at once when an entry gets an earlier expiry and is made exact again when the segment is
//! visited, split or merged. The table's own bound is what [`Table::next_deadline`] returns. It is renewed by rounds:
//! [`Table::expire`] walks the segments in hash order, visits those whose bound has passed, collects the minimum of
//! all bounds on its way, and installs it at the end of the round. A round may be spread over many calls.
//!
//! The walk's place is a hash prefix, so segments may split and merge between two calls.

use super::super::entry::{EntryView, Shape};
use super::{Position, Table};

/// The bounds and the place of the current round. `i64::MAX` stands for "never".
#[derive(Clone)]
pub(super) struct Deadlines {
    /// No entry expires earlier.
    earliest_ms: i64,
    /// The minimum over the part of the table that this round has passed.
    round_ms: i64,
    /// Where the round goes on: a hash prefix, left aligned.
    next: u32,
}

impl Deadlines {
    pub fn new() -> Deadlines {
        Deadlines {
            earliest_ms: i64::MAX,
            round_ms: i64::MAX,
            next: 0,
        }
    }

    fn lower(&mut self, expiry_ms: i64) {
        self.earliest_ms = self.earliest_ms.min(expiry_ms);
        self.round_ms = self.round_ms.min(expiry_ms);
    }
}

/// What [`Table::expire`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Entries that were due.
    pub found: usize,
    /// Those of them that were removed.
    pub removed: usize,
    /// Whether the budget ended before the round: more entries may be due already.
    pub more: bool,
}

impl<B: Shape> Table<B> {
    /// A lower bound (in milliseconds) of the earliest expiry; nothing if no entry expires. O(1).
    ///
    /// It may be earlier than the truth, after removals and changes; [`Table::expire`] at that time corrects it.
    pub fn next_deadline(&self) -> Option<i64> {
        (self.volatile > 0).then_some(self.deadlines.earliest_ms)
    }

    /// Visits entries that expire at or before `now_ms` and removes those for which `remove` says so. Goes on where
    /// the last call stopped. Stops after a whole round, or once `budget` is used up: a visited entry costs 1, a
    /// segment that is passed over costs nothing; one segment's entries may be visited beyond the budget.
    pub fn expire(
        &mut self,
        now_ms: i64,
        budget: usize,
        mut remove: impl FnMut(EntryView<'_, B>) -> bool,
    ) -> Due {
        let mut due = Due::default();
        let mut left = budget;
        while self.volatile > 0 && self.deadlines.earliest_ms <= now_ms {
            if left == 0 {
                due.more = true;
                return due;
            }
            let Some(id) = self.segment_of(u64::from(self.deadlines.next) << 32) else {
                break;
            };
            let segment = &self.segments[id as usize];
            let (prefix, depth) = (segment.prefix, segment.depth);
            if segment.earliest_ms <= now_ms {
                left = left.saturating_sub(segment.len as usize);
                self.visit_due(id, now_ms, &mut due, &mut remove);
            }
            self.deadlines.round_ms = self
                .deadlines
                .round_ms
                .min(self.segments[id as usize].earliest_ms);
            // The place is moved by the size the segment had: a merge after it only widens what was visited.
            let next = (u64::from(prefix) + (1 << (32 - depth))) as u32;
            self.deadlines.next = next;
            self.after_removal(id);
            if next == 0 {
                self.deadlines.earliest_ms = self.deadlines.round_ms;
                self.deadlines.round_ms = i64::MAX;
                break;
            }
        }
        due
    }

    /// Visits the due entries of one segment and makes its bound exact. Removes without merging segments, which
    /// would move the other entries under the walk.
    fn visit_due(
        &mut self,
        id: u32,
        now_ms: i64,
        due: &mut Due,
        remove: &mut impl FnMut(EntryView<'_, B>) -> bool,
    ) {
        let mut earliest_ms = i64::MAX;
        for place in self.segments[id as usize].places() {
            let Some(entry) = self.segments[id as usize].get(place) else {
                continue;
            };
            let view = self.view(entry);
            let Some(expiry_ms) = view.expiry_ms() else {
                continue;
            };
            if expiry_ms <= now_ms {
                due.found += 1;
                if remove(view) {
                    due.removed += 1;
                    let hash = self.hash_of(entry);
                    drop(self.detach(Position { segment: id, place }, hash));
                    continue;
                }
            }
            earliest_ms = earliest_ms.min(expiry_ms);
        }
        self.segments[id as usize].earliest_ms = earliest_ms;
    }

    /// Counts an expiry that an entry of this segment got.
    pub(super) fn expiry_added(&mut self, id: u32, expiry_ms: i64) {
        let segment = &mut self.segments[id as usize];
        segment.volatile += 1;
        segment.earliest_ms = segment.earliest_ms.min(expiry_ms);
        self.volatile += 1;
        self.deadlines.lower(expiry_ms);
    }

    /// Counts that an entry of this segment lost its expiry or went away. The bounds stay as they are.
    pub(super) fn expiry_removed(&mut self, id: u32) {
        let segment = &mut self.segments[id as usize];
        segment.volatile -= 1;
        if segment.volatile == 0 {
            segment.earliest_ms = i64::MAX;
        }
        self.volatile -= 1;
        if self.volatile == 0 {
            self.deadlines = Deadlines::new();
        }
    }
}
