//! Writing a value in parts.

use crate::structures::runs::Id;

/// What an element costs beside its text, in the time of so many bytes.
const ELEMENT_BYTES: usize = 16;

/// What an element of a table costs: it may be anywhere in memory.
pub(super) const PLACE_BYTES: usize = 48;

/// Where the writing of a value stands, and how far it may go. The value must not change until it is written.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// How many bytes of text may still be written.
    left: usize,
    /// Which section comes next, 0 for the first: nothing was written yet.
    pub(super) stage: u8,
    /// Where to go on in it: an offset, a number of elements, a cursor, an index; an id in a stream.
    pub(super) at: u64,
    pub(super) id: Id,
    /// The group of a stream, and the consumer in that.
    pub(super) group: usize,
    pub(super) consumer: usize,
    /// What times to live are relative to.
    pub(super) base_ms: i64,
}

impl Part {
    /// From the start to the end.
    pub fn whole() -> Part {
        Part::first(usize::MAX)
    }

    /// From the start, about `left` bytes of text.
    pub fn first(left: usize) -> Part {
        Part {
            left,
            ..Part::default()
        }
    }

    /// Lets the writing go on for about `left` bytes of text.
    pub fn allow(&mut self, left: usize) {
        self.left = left;
    }

    /// How much of what was allowed is not used up.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Whether nothing was written yet.
    pub fn is_at_start(&self) -> bool {
        self.stage == 0
    }

    /// Whether the value may be written to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.left >= usize::MAX / 2
    }

    /// An element of `bytes` was written; whether there may be another.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        self.left = self.left.saturating_sub(bytes + ELEMENT_BYTES);
        self.left > 0
    }

    /// The same for an item with an id, behind which the writing goes on.
    pub(super) fn pass(&mut self, id: Id, bytes: usize) -> bool {
        let next = id.next();
        self.id = next.unwrap_or(id);
        self.spend(bytes) || next.is_none()
    }

    /// Begins another section, at its start.
    pub(super) fn enter(&mut self, stage: u8) {
        (self.stage, self.at, self.id) = (stage, 0, Id::default());
    }
}
