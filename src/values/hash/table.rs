//! Fields in a table: one entry for each, with the value beside the field where it is short.

use super::{Found, Life, Visit};
use crate::algorithms::hash::HashSeed;
use crate::structures::item::Item;
use crate::structures::table::{Content, EntryView, Lookup, Payload, Table};

/// Longer values get an allocation of their own.
const INLINE_BYTES: usize = 1024;

/// The fields, and when to look for due ones.
#[derive(Clone)]
pub struct FieldTable {
    fields: Table<Vec<u8>>,
    pub(super) deadline_ms: Option<i64>,
    /// Bytes of the values that stand alone.
    boxed_bytes: usize,
}

impl core::fmt::Debug for FieldTable {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("FieldTable")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

type View<'a> = EntryView<'a, Vec<u8>>;

fn value_of<'a>(view: &View<'a>) -> Item<'a> {
    match view.payload() {
        Payload::Inline(bytes) => Item::Bytes(bytes),
        Payload::Int(number) => Item::Int(number),
        Payload::Boxed(bytes) => Item::Bytes(bytes),
    }
}

fn content_of(value: &[u8]) -> Content<'_, Vec<u8>> {
    if value.len() <= INLINE_BYTES {
        Content::Inline(value)
    } else {
        Content::Boxed(Box::new(value.to_vec()))
    }
}

/// Bytes of a value that stands alone.
fn boxed_bytes(value: &Vec<u8>) -> usize {
    size_of::<Vec<u8>>() + value.capacity()
}

fn bytes_of(view: &View<'_>) -> usize {
    match view.payload() {
        Payload::Boxed(value) => boxed_bytes(value),
        Payload::Inline(_) | Payload::Int(_) => 0,
    }
}

impl FieldTable {
    pub fn new(seed: HashSeed) -> FieldTable {
        FieldTable {
            fields: Table::new(seed),
            deadline_ms: None,
            boxed_bytes: 0,
        }
    }

    /// Bytes held from the allocator, without this itself. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.fields.memory_bytes() + self.boxed_bytes
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Sets a field; true when it is new. O(1).
    pub fn set(&mut self, field: &[u8], value: &[u8], life: Life) -> bool {
        let content = content_of(value);
        if let Content::Boxed(value) = &content {
            self.boxed_bytes += boxed_bytes(value);
        }
        let until_ms = match life {
            Life::Until(at_ms) => Some(at_ms),
            Life::Clear | Life::Keep => None,
        };
        match self.fields.lookup(field) {
            Lookup::Vacant(place) => {
                place.insert(0, content, until_ms);
                true
            }
            Lookup::Occupied(mut entry) => {
                let old = match life {
                    Life::Keep => entry.set_payload(0, content),
                    Life::Clear | Life::Until(_) => entry.replace(0, content, until_ms),
                };
                self.boxed_bytes -= old.map_or(0, |old| boxed_bytes(&old));
                false
            }
        }
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let removed = self.fields.remove(field);
        let boxed = removed.as_ref().and_then(|removed| removed.boxed.as_ref());
        self.boxed_bytes -= boxed.map_or(0, |value| boxed_bytes(value));
        removed.is_some()
    }

    pub(super) fn set_expiry(&mut self, field: &[u8], expiry_ms: Option<i64>) -> bool {
        let entry = self.fields.find_mut(field);
        let is_there = entry.is_some();
        if let Some(mut entry) = entry {
            entry.set_expiry(expiry_ms);
        }
        is_there
    }

    #[inline]
    pub(super) fn find(&self, field: &[u8]) -> Option<Found<'_>> {
        let view = self.fields.find(field)?;
        Some(Found {
            value: value_of(&view),
            expiry_ms: view.expiry_ms(),
        })
    }

    pub(super) fn each<'a>(&'a self, visit: &mut Visit<'_, 'a>) {
        for view in self.fields.iter() {
            visit(Item::Bytes(view.key()), value_of(&view), view.expiry_ms());
        }
    }

    pub(super) fn scan<'a>(&'a self, cursor: u64, count: usize, visit: &mut Visit<'_, 'a>) -> u64 {
        self.fields.scan(cursor, count, |view| {
            visit(Item::Bytes(view.key()), value_of(&view), view.expiry_ms());
        })
    }

    pub(super) fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<(Item<'_>, Item<'_>)> {
        let view = self.fields.random(random)?;
        Some((Item::Bytes(view.key()), value_of(&view)))
    }

    /// A time before which no field expires; None when none ever does. O(1).
    pub(super) fn earliest_ms(&self) -> Option<i64> {
        self.fields.next_deadline()
    }

    pub(super) fn expire(
        &mut self,
        now_ms: i64,
        budget: usize,
        gone: &mut dyn FnMut(&[u8]),
    ) -> bool {
        let mut freed = 0;
        let due = self.fields.expire(now_ms, budget, |view| {
            gone(view.key());
            freed += bytes_of(&view);
            true
        });
        self.boxed_bytes -= freed;
        !due.more
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.fields.check()?;
        let counted: usize = self.fields.iter().map(|view| bytes_of(&view)).sum();
        if counted != self.boxed_bytes {
            return Err(format!(
                "{} bytes of long values, counted {counted}",
                self.boxed_bytes
            ));
        }
        Ok(())
    }
}
