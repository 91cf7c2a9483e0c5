//! Members in order of their scores: found by name and by rank.
//!
//! ```text
//!   members: a table         member -> score        the only copy of each member
//!               ^ ^ ^
//!   order: a    | | |  refers to the table's entries
//!   B+tree   [ 1.0 1.5 2.0 ... ]                    score and entry, with counts on the way down
//! ```
//!
//! - Every member has one entry in the table (the payload is the score's bits) and one item in the tree, with equal
//!   scores.
//! - Entries of the table never move while they live: the table is a pinned one, and a score takes eight bytes whatever
//!   it is. So the tree may refer to them. An entry is freed only after the tree forgot it.
//! - No call allocates or moves more than a few KiB at a time, however many members there are; see the table's segments
//!   and the tree's nodes.
//!
//! At a million members of 10 bytes this takes about 43 bytes a member on wasm32.

#[cfg(test)]
mod tests;
mod tree;

use self::tree::{Item, Place, Tree};
use super::entry::EntryView;
use super::table::{Content, Lookup, Payload, Table};
use crate::algorithms::hash::HashSeed;
use core::ops::Range;

pub use self::tree::Edge;

/// Members with scores, in order. No score is NaN.
pub struct Ranked {
    members: Table<()>,
    tree: Tree,
}

// SAFETY: the tree's references lead into the table beside it, and both go to another thread together.
unsafe impl Send for Ranked {}

fn content<'a>(score: f64) -> Content<'a, ()> {
    Content::Int(score.to_bits() as i64)
}

#[inline(always)]
fn score_of(view: &EntryView<'_, ()>) -> f64 {
    match view.payload() {
        Payload::Int(bits) => f64::from_bits(bits as u64),
        Payload::Inline(_) | Payload::Boxed(()) => 0.0,
    }
}

fn item_of(view: &EntryView<'_, ()>) -> Item {
    Item {
        score: score_of(view),
        entry: view.entry(),
    }
}

impl Ranked {
    /// No members; the seed is that of the table.
    pub fn new(seed: HashSeed) -> Ranked {
        Ranked {
            members: Table::pinned(seed),
            tree: Tree::new(),
        }
    }

    /// Members. O(1).
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of members, index and tree. O(1).
    pub fn memory_bytes(&self) -> usize {
        self.members.memory_bytes() + self.tree.memory_bytes()
    }

    /// The score of a member. O(1).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.members.find(member).map(|view| score_of(&view))
    }

    /// Sets the score of a member: `decide` gets the one it has (None: no such member) and answers the new one, or None
    /// to leave everything as it is. One lookup and O(log n).
    pub fn change(&mut self, member: &[u8], decide: &mut dyn FnMut(Option<f64>) -> Option<f64>) {
        match self.members.lookup(member) {
            Lookup::Occupied(mut entry) => {
                let item = item_of(&entry.view());
                if let Some(score) = decide(Some(item.score)) {
                    entry.set_int(score.to_bits() as i64);
                    self.tree.update(item, score);
                }
            }
            Lookup::Vacant(place) => {
                if let Some(score) = decide(None) {
                    let entry = place.insert(0, content(score), None);
                    self.tree.insert(item_of(&entry.view()));
                }
            }
        }
    }

    /// Gives a member a score, new or not. O(log n).
    pub fn insert(&mut self, member: &[u8], score: f64) {
        self.change(member, &mut |_| Some(score));
    }

    /// Removes a member; its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let entry = self.members.find_mut(member)?;
        let item = item_of(&entry.view());
        self.tree.remove(item);
        entry.remove();
        Some(item.score)
    }

    /// Removes the members of these ranks; how many those were. O(m log n).
    pub fn remove_ranks(&mut self, ranks: Range<usize>) -> usize {
        let count = ranks.end.min(self.len()).saturating_sub(ranks.start);
        for _ in 0..count {
            let Some(item) = self.item(ranks.start) else {
                break;
            };
            self.tree.remove(item);
            // SAFETY: the entry is alive until the table removes it, which is told its key before.
            let member = unsafe { EntryView::<()>::new(item.entry) }.key();
            if let Some(entry) = self.members.find_mut(member) {
                entry.remove();
            }
        }
        count
    }

    fn item(&self, rank: usize) -> Option<Item> {
        let (place, at) = self.tree.locate(rank)?;
        place.get(at)
    }

    /// How many members come before this one, and its score. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let item = item_of(&self.members.find(member)?);
        Some((self.tree.rank(item), item.score))
    }

    /// How many members come before an edge. O(log n).
    pub fn before(&self, edge: Edge<'_>) -> usize {
        self.tree.before(&edge)
    }

    /// The member of a rank, and its score. O(log n).
    pub fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        self.item(rank).map(|item| self.shown(item))
    }

    #[inline]
    fn shown(&self, item: Item) -> (&[u8], f64) {
        // SAFETY: the tree's items refer to live entries, and the borrow of both keeps them as they are.
        (
            unsafe { EntryView::<()>::new(item.entry) }.key(),
            item.score,
        )
    }

    /// The members of these ranks with their scores, from either end. O(log n), and O(1) for each.
    pub fn range(&self, ranks: Range<usize>) -> Members<'_> {
        let end = ranks.end.min(self.len());
        Members {
            of: self,
            ranks: ranks.start.min(end)..end,
            front: None,
            back: None,
        }
    }

    /// All members with their scores, in order.
    pub fn iter(&self) -> Members<'_> {
        self.range(0..self.len())
    }

    /// Visits about `count` members, starting at a cursor; see [`Table::scan`].
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], f64)) -> u64 {
        self.members
            .scan(cursor, count, |view| visit(view.key(), score_of(&view)))
    }

    /// Verifies every invariant of the structure. O(n log n); for tests and debugging.
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        self.members.check()?;
        self.tree.check()?;
        if self.members.len() != self.tree.len() {
            return Err("not every member has a place".to_owned());
        }
        for (rank, (member, score)) in self.iter().enumerate() {
            let known = self.members.find(member).map(|view| item_of(&view));
            let is_known = known.is_some_and(|item| {
                item.score.to_bits() == score.to_bits() && self.tree.rank(item) == rank
            });
            if !is_known {
                return Err(format!("the member of rank {rank} is not where it seems"));
            }
        }
        Ok(())
    }
}

impl Clone for Ranked {
    /// O(n log n), in order, so that the copy's nodes are well filled.
    fn clone(&self) -> Ranked {
        let mut copy = Ranked {
            members: self.members.clone(),
            tree: Tree::new(),
        };
        for (member, _) in self.iter() {
            if let Some(view) = copy.members.find(member) {
                copy.tree.insert(item_of(&view));
            }
        }
        copy
    }
}

impl core::fmt::Debug for Ranked {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Ranked")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Members with their scores, in order; see [`Ranked::range`].
pub struct Members<'a> {
    of: &'a Ranked,
    ranks: Range<usize>,
    /// The leaf in which the walk goes on, and the place of the next item in it.
    front: Option<(Place<'a>, usize)>,
    /// The same from the other end, the place behind the next item.
    back: Option<(Place<'a>, usize)>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], f64);

    fn next(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next()?;
        let mut found = self
            .front
            .and_then(|(place, at)| Some((place, at, place.get(at)?)));
        if found.is_none() {
            let (place, at) = self.of.tree.locate(rank)?;
            found = Some((place, at, place.get(at)?));
        }
        let (place, at, item) = found?;
        self.front = Some((place, at + 1));
        Some(self.of.shown(item))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }
}

impl DoubleEndedIterator for Members<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next_back()?;
        let (place, at) = match self.back {
            Some((place, at)) if at > 0 => (place, at - 1),
            _ => self.of.tree.locate(rank)?,
        };
        self.back = Some((place, at));
        Some(self.of.shown(place.get(at)?))
    }
}

impl ExactSizeIterator for Members<'_> {}
