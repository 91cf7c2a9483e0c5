//! Changing one entry: what a lookup found, or the place where it found nothing.

use super::super::entry::{
    Content, EntryRef, EntryView, Header, OwnedPayload, Payload, PayloadMut, Shape,
};
use super::{Position, Table};

/// The result of [`Table::lookup`].
pub enum Lookup<'a, 'k, B: Shape> {
    Occupied(EntryMut<'a, B>),
    Vacant(Vacant<'a, 'k, B>),
}

/// A key without an entry.
pub struct Vacant<'a, 'k, B: Shape> {
    table: &'a mut Table<B>,
    key: &'k [u8],
    hash: u64,
}

impl<'a, 'k, B: Shape> Vacant<'a, 'k, B> {
    pub(super) fn new(table: &'a mut Table<B>, key: &'k [u8], hash: u64) -> Self {
        Vacant { table, key, hash }
    }

    /// Adds an entry. O(1) amortised; a single call moves at most one segment's entries.
    #[inline]
    pub fn insert(
        self,
        kind: u8,
        content: Content<'_, B>,
        expiry_ms: Option<i64>,
    ) -> EntryMut<'a, B> {
        let Vacant { table, key, hash } = self;
        let header = Header {
            kind,
            epoch: table.epoch,
            expiry_ms,
        };
        table.boxed += usize::from(matches!(content, Content::Boxed(_)));
        // Room comes first: growing may move all entries to another slab.
        let segment = table.segment_with_room(hash);
        let entry = EntryRef::create(&mut table.slab, key, header, content);
        let position = table.attach(segment, hash, entry, expiry_ms);
        EntryMut::new(table, position, hash, entry)
    }
}

/// What is left of a removed entry.
#[derive(Debug)]
pub struct Removed<B> {
    pub kind: u8,
    pub expiry_ms: Option<i64>,
    /// The boxed payload, to be dropped now or later.
    pub boxed: Option<Box<B>>,
}

/// An entry outside of a table, without its key; see [`Table::put`].
#[derive(Debug)]
pub struct Taken<B> {
    pub kind: u8,
    pub clock: u32,
    pub expiry_ms: Option<i64>,
    pub payload: OwnedPayload<B>,
}

/// An entry of a table, borrowed exclusively. A change may move the entry; this handle follows it.
pub struct EntryMut<'a, B: Shape> {
    table: &'a mut Table<B>,
    position: Position,
    hash: u64,
    entry: EntryRef,
}

impl<'a, B: Shape> EntryMut<'a, B> {
    #[inline]
    pub(super) fn new(
        table: &'a mut Table<B>,
        position: Position,
        hash: u64,
        entry: EntryRef,
    ) -> Self {
        EntryMut {
            table,
            position,
            hash,
            entry,
        }
    }

    /// The entry as it is now.
    #[inline]
    pub fn view(&self) -> EntryView<'_, B> {
        self.table.view(self.entry)
    }

    /// The entry as it is now, for as long as the table was borrowed.
    #[inline]
    pub fn into_view(self) -> EntryView<'a, B> {
        let EntryMut { table, entry, .. } = self;
        table.view(entry)
    }

    /// Whether the entry is of the table's epoch.
    #[inline]
    pub fn is_current(&self) -> bool {
        self.view().epoch() == self.table.epoch
    }

    /// Makes the entry one of the table's epoch.
    #[inline]
    pub fn make_current(&self) {
        self.view().set_epoch(self.table.epoch);
    }

    /// The payload, to be changed in place.
    #[inline]
    pub fn payload_mut(&mut self) -> PayloadMut<'_, B> {
        // SAFETY: the entry is live and the exclusive borrow of the table lasts as long as the result.
        unsafe { self.entry.payload_mut() }
    }

    /// As [`EntryMut::payload_mut`], for as long as the table was borrowed.
    #[inline]
    pub fn into_payload_mut(self) -> PayloadMut<'a, B> {
        // SAFETY: the entry is live and the exclusive borrow of the table, given up here, lasts as long as the result.
        unsafe { self.entry.payload_mut() }
    }

    pub fn set_kind(&mut self, kind: u8) {
        // SAFETY: the entry is live and exclusively borrowed.
        unsafe { self.entry.set_kind::<B>(kind) }
    }

    /// Overwrites an integer payload in place; false (and no change) if the payload is not an integer.
    #[inline]
    pub fn set_int(&mut self, number: i64) -> bool {
        // SAFETY: the entry is live and exclusively borrowed.
        unsafe { self.entry.set_int::<B>(number) }
    }

    /// Replaces kind and payload and keeps everything else. Returns the boxed object that was there. In place if the
    /// entry's footprint stays the same.
    #[inline]
    pub fn set_payload(&mut self, kind: u8, content: Content<'_, B>) -> Option<Box<B>> {
        let expiry_ms = self.view().expiry_ms();
        self.replace(kind, content, expiry_ms)
    }

    /// Replaces kind, payload and expiry; key, clock and epoch stay. Returns the boxed object that was there.
    /// In place if the entry's footprint stays the same.
    #[inline]
    pub fn replace(
        &mut self,
        kind: u8,
        content: Content<'_, B>,
        expiry_ms: Option<i64>,
    ) -> Option<Box<B>> {
        self.count_expiry(expiry_ms);
        let table = &mut *self.table;
        table.boxed += usize::from(matches!(content, Content::Boxed(_)));
        // SAFETY: the entry is live and ours; the slot gets the new one before anything else looks at it.
        let (entry, object) = unsafe {
            self.entry
                .rewrite(&mut table.slab, kind, expiry_ms, content)
        };
        table.boxed -= usize::from(object.is_some());
        self.moved_to(entry);
        object
    }

    /// Changes the length of an inline payload: keeps its beginning, fills with zeros. Other payloads stay as they
    /// are. Returns the payload.
    #[inline]
    pub fn resize_inline(&mut self, length: usize) -> PayloadMut<'_, B> {
        // SAFETY: the entry is live and ours; the slot gets the new one before anything else looks at it.
        let entry = unsafe { self.entry.resize_inline::<B>(&mut self.table.slab, length) };
        self.moved_to(entry);
        self.payload_mut()
    }

    /// Sets or clears the expiry (in milliseconds).
    pub fn set_expiry(&mut self, expiry_ms: Option<i64>) {
        if expiry_ms.is_none() && !self.view().has_expiry() {
            return;
        }
        self.count_expiry(expiry_ms);
        // SAFETY: the entry is live and ours; the slot gets the new one before anything else looks at it.
        let entry = unsafe { self.entry.with_expiry::<B>(&mut self.table.slab, expiry_ms) };
        self.moved_to(entry);
    }

    /// Removes the entry. O(1).
    pub fn remove(self) -> Removed<B> {
        let view = self.view();
        let (kind, expiry_ms) = (view.kind(), view.expiry_ms());
        let boxed = self.destroy();
        Removed {
            kind,
            expiry_ms,
            boxed,
        }
    }

    /// Removes the entry and keeps everything about it. O(1), and a copy of an inline payload.
    pub fn take(self) -> Taken<B> {
        let view = self.view();
        let (kind, clock, expiry_ms) = (view.kind(), view.clock(), view.expiry_ms());
        let flat = match view.payload() {
            Payload::Inline(bytes) => OwnedPayload::Inline(bytes.to_vec()),
            Payload::Int(number) => OwnedPayload::Int(number),
            Payload::Boxed(_) => OwnedPayload::Int(0),
        };
        let payload = match self.destroy() {
            Some(object) => OwnedPayload::Boxed(object),
            None => flat,
        };
        Taken {
            kind,
            clock,
            expiry_ms,
            payload,
        }
    }

    fn destroy(self) -> Option<Box<B>> {
        let object = self.table.detach(self.position, self.hash);
        self.table.after_removal(self.position.segment);
        object
    }

    fn count_expiry(&mut self, expiry_ms: Option<i64>) {
        let segment = self.position.segment;
        let had_expiry = self.view().has_expiry();
        if let Some(expiry_ms) = expiry_ms {
            self.table.expiry_added(segment, expiry_ms);
        }
        if had_expiry {
            self.table.expiry_removed(segment);
        }
    }

    fn moved_to(&mut self, entry: EntryRef) {
        if entry != self.entry {
            self.table.segments[self.position.segment as usize].set(self.position.place, entry);
            self.entry = entry;
        }
    }
}
