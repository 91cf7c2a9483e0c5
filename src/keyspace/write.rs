//! The write guard: everything that changes the data set.

use super::cut::guard;
use super::read::is_stale;
use super::signals::Presence;
use super::{Class, Db, Keyspace};
use crate::resp::Error;
use crate::structures::table::{
    Content, EntryView, Lookup, OwnedPayload, Payload, PayloadMut, Table,
};
use crate::values::string;
use crate::values::{Aggregate, Entry, Kind, Object, Type};

/// What becomes of a key's time to live when it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It lives for ever.
    Clear,
    /// As before.
    Keep,
    /// Until then, in ms since the epoch.
    At(i64),
}

/// What [`Keyspace::update_string`]'s function decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// The bytes were changed.
    Yes,
    /// Nothing that counts: the encoding becomes `raw`, and a key that was not there is created. What Redis does to a
    /// string it makes ready for a change that then changes nothing.
    Raw,
    /// Nothing was changed: no event, no count; a key that was not there is not created.
    No,
}

/// On what a key must be for it to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Always,
    IfMissing,
    IfPresent,
}

/// What [`Keyspace::rename`] and [`Keyspace::copy`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The type of the value that was at the destination before.
    pub replaced: Option<Type>,
    pub value_type: Type,
}

/// What is to be stored under a key.
struct Storing<'a> {
    kind: u8,
    content: Content<'a, Object>,
    expiry: Expiry,
    condition: Condition,
    /// The old value is gone, not changed; that is an event.
    is_overwrite: bool,
}

impl Keyspace {
    /// Sets `key` to a string, whatever it was. O(1).
    #[inline]
    pub fn set_string(&mut self, key: &[u8], bytes: &[u8], expiry: Expiry) {
        self.set_string_if(key, bytes, expiry, Condition::Always);
    }

    /// Sets `key` to a string if the condition holds; says whether it did. O(1).
    #[inline]
    pub fn set_string_if(
        &mut self,
        key: &[u8],
        bytes: &[u8],
        expiry: Expiry,
        condition: Condition,
    ) -> bool {
        let storing = Storing {
            kind: string::WHOLE,
            content: string::content(bytes),
            expiry,
            condition,
            is_overwrite: true,
        };
        let is_stored = self.store(key, storing);
        if is_stored {
            self.changed(self.selected, key);
        }
        is_stored
    }

    /// Puts another text in the place of the string at `key`, as a calculation does: the time to live stays, nothing
    /// counts as overwritten, and the text is not looked at for an integer.
    pub fn replace_string(&mut self, key: &[u8], bytes: &[u8]) {
        let storing = Storing {
            kind: string::WHOLE,
            content: string::raw_content(bytes),
            expiry: Expiry::Keep,
            condition: Condition::Always,
            is_overwrite: false,
        };
        self.store(key, storing);
        self.changed(self.selected, key);
    }

    /// Sets `key` to a string that was put together, whatever it was: OBJECT ENCODING says `raw`, the text is not looked
    /// at for an integer, and a long one is not copied. The key lives for ever.
    pub fn set_raw_string(&mut self, key: &[u8], bytes: Vec<u8>) {
        let storing = Storing {
            kind: string::CHANGED,
            content: if bytes.len() <= string::INLINE_LIMIT_BYTES {
                Content::Inline(bytes.as_slice())
            } else {
                Content::Boxed(Box::new(Object::String(bytes)))
            },
            expiry: Expiry::Clear,
            condition: Condition::Always,
            is_overwrite: true,
        };
        self.store(key, storing);
        self.changed(self.selected, key);
    }

    /// The one place where a key's value is replaced. False when the condition does not hold.
    #[inline]
    fn store(&mut self, key: &[u8], storing: Storing<'_>) -> bool {
        let db = self.selected;
        let bytes = content_bytes(&storing.content);
        let Some(table) = self.dbs.get_mut(db) else {
            return false;
        };
        let at_ms = match storing.expiry {
            Expiry::At(at_ms) => Some(at_ms),
            Expiry::Clear | Expiry::Keep => None,
        };
        match table.lookup(key) {
            Lookup::Vacant(place) => {
                if storing.condition == Condition::IfPresent {
                    return false;
                }
                let kind = kind_of(&storing, key, false, at_ms.is_some());
                let entry = place.insert(kind, storing.content, at_ms);
                self.clock.start(&entry.view());
                self.created(db, key);
            }
            Lookup::Occupied(entry) if is_stale(&entry.view(), self.now_ms) => {
                self.expire(db, key);
                return self.store(key, storing);
            }
            Lookup::Occupied(mut entry) => {
                let view = entry.view();
                self.clock.touch(&view);
                if storing.condition == Condition::IfMissing {
                    return false;
                }
                guard(&mut self.cut, &self.clock, db, &entry);
                let old_ms = view.expiry_ms();
                let new_ms = match storing.expiry {
                    Expiry::Keep => old_ms,
                    Expiry::At(_) | Expiry::Clear => at_ms,
                };
                let old_type = Kind::of(view.kind()).value_type();
                let kind = kind_of(&storing, key, old_ms.is_some(), new_ms.is_some());
                let deadline_ms = Entry::new(view).field_deadline_ms();
                self.fields.moved(db, key, deadline_ms, None);
                let old = entry.replace(kind, storing.content, new_ms);
                self.object_bytes -= old.map_or(0, |object| object.memory_bytes());
                self.signals.deleted(db, key);
                if self.notify_classes != 0 && storing.is_overwrite {
                    self.notify(Class::OVERWRITTEN, "overwritten", key);
                    if Kind::of(kind).value_type() != old_type {
                        self.notify(Class::TYPE_CHANGED, "type_changed", key);
                    }
                }
            }
        }
        self.object_bytes += bytes;
        true
    }

    /// Adds `by` to the integer at `key`, which is 0 when there is none; keeps its time to live. The sum. O(1), in
    /// place where an integer was.
    ///
    /// # Errors
    /// WRONGTYPE, not an integer, or an overflow; nothing is changed then.
    #[inline]
    pub fn increment(&mut self, key: &[u8], by: i64) -> Result<i64, Error> {
        let db = self.selected;
        let Some(table) = self.dbs.get_mut(db) else {
            return Ok(by);
        };
        let sum = match table.lookup(key) {
            Lookup::Vacant(place) => {
                let entry = place.insert(string::WHOLE, Content::Int(by), None);
                self.clock.start(&entry.view());
                self.created(db, key);
                by
            }
            Lookup::Occupied(entry) if is_stale(&entry.view(), self.now_ms) => {
                self.expire(db, key);
                return self.increment(key, by);
            }
            Lookup::Occupied(mut entry) => {
                let view = entry.view();
                self.clock.touch(&view);
                let old = Entry::new(view).string().ok_or(Error::WRONG_TYPE)?;
                let sum = old
                    .integer()
                    .ok_or(Error::NOT_INTEGER)?
                    .checked_add(by)
                    .ok_or(Error::OVERFLOW)?;
                guard(&mut self.cut, &self.clock, db, &entry);
                if !entry.set_int(sum) {
                    let old = entry.set_payload(string::WHOLE, Content::Int(sum));
                    self.object_bytes -= old.map_or(0, |object| object.memory_bytes());
                }
                sum
            }
        };
        self.changed(db, key);
        Ok(sum)
    }

    /// Changes the string at `key` in place: `change` gets its bytes (none when there is no key) and its answer says
    /// whether it changed them. The time to live stays. The encoding becomes `raw`.
    ///
    /// # Errors
    /// WRONGTYPE, or what `change` fails with; nothing is changed then that `change` did not change itself.
    pub fn update_string<R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut Vec<u8>) -> Result<(Updated, R), Error>,
    ) -> Result<R, Error> {
        // A thin shell, so that not every caller gets a copy of the whole.
        let mut change = Some(change);
        let mut result = Err(Error::WRONG_TYPE);
        self.update_bytes(key, &mut |bytes| {
            let Some(change) = change.take() else {
                return Ok(Updated::No);
            };
            let (updated, value) = change(bytes)?;
            result = Ok(value);
            Ok(updated)
        })?;
        result
    }

    fn update_bytes(
        &mut self,
        key: &[u8],
        change: &mut dyn FnMut(&mut Vec<u8>) -> Result<Updated, Error>,
    ) -> Result<(), Error> {
        let db = self.selected;
        self.drop_if_stale(db, key);
        if let Some(mut entry) = self.dbs.get_mut(db).and_then(|table| table.find_mut(key))
            && let Payload::Boxed(Object::String(_)) = entry.view().payload()
            && let () = guard(&mut self.cut, &self.clock, db, &entry)
            && let PayloadMut::Boxed(Object::String(bytes)) = entry.payload_mut()
        {
            let before = bytes.capacity();
            let outcome = change(bytes);
            self.object_bytes = self.object_bytes + bytes.capacity() - before;
            let updated = outcome?;
            if updated != Updated::No {
                entry.set_kind(string::CHANGED);
                self.clock.touch(&entry.view());
            }
            if updated == Updated::Yes {
                self.changed(db, key);
            }
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        if let Some(old) = self.peek_string(key)? {
            bytes.extend_from_slice(&old.text());
        }
        let outcome = change(&mut bytes);
        let updated = *outcome.as_ref().unwrap_or(&Updated::No);
        if updated != Updated::No {
            let content = match bytes.len() <= string::INLINE_LIMIT_BYTES {
                true => Content::Inline(bytes.as_slice()),
                false => Content::Boxed(Box::new(Object::String(std::mem::take(&mut bytes)))),
            };
            let storing = Storing {
                kind: string::CHANGED,
                content,
                expiry: Expiry::Keep,
                condition: Condition::Always,
                is_overwrite: false,
            };
            self.store(key, storing);
        }
        if updated == Updated::Yes {
            self.changed(db, key);
        }
        self.scratch = bytes;
        outcome.map(|_| ())
    }

    /// Makes the string at `key` at least `length` bytes long, with zeros, and lets `change` change its bytes; that is
    /// told whether the string grew, and answers whether it counts as changed. In place where the string can stay where
    /// it is. The time to live stays, the encoding becomes `raw`.
    ///
    /// # Errors
    /// WRONGTYPE, or no memory for that length; nothing is changed then.
    pub fn edit_string<R>(
        &mut self,
        key: &[u8],
        length: usize,
        change: impl FnOnce(&mut [u8], bool) -> (bool, R),
    ) -> Result<R, Error> {
        let mut change = Some(change);
        let mut result = Err(Error::WRONG_TYPE);
        self.edit_bytes(key, length, &mut |bytes, has_grown| {
            let Some(change) = change.take() else {
                return false;
            };
            let (is_changed, value) = change(bytes, has_grown);
            result = Ok(value);
            is_changed
        })?;
        result
    }

    fn edit_bytes(
        &mut self,
        key: &[u8],
        length: usize,
        change: &mut dyn FnMut(&mut [u8], bool) -> bool,
    ) -> Result<(), Error> {
        let db = self.selected;
        self.drop_if_stale(db, key);
        if length <= string::INLINE_LIMIT_BYTES
            && let Some(mut entry) = self.dbs.get_mut(db).and_then(|table| table.find_mut(key))
            && let Payload::Inline(bytes) = entry.view().payload()
            && Kind::of(entry.view().kind()).value_type() == Type::String
        {
            let has_grown = bytes.len() < length;
            guard(&mut self.cut, &self.clock, db, &entry);
            if has_grown {
                entry.resize_inline(length);
            }
            entry.set_kind(string::CHANGED);
            self.clock.touch(&entry.view());
            if let PayloadMut::Inline(bytes) = entry.payload_mut() {
                if change(bytes, has_grown) {
                    self.changed(db, key);
                }
                return Ok(());
            }
        }
        self.update_bytes(key, &mut |bytes| {
            let missing = length.saturating_sub(bytes.len());
            bytes.try_reserve(missing).map_err(|_| Error::OOM)?;
            bytes.resize(bytes.len() + missing, 0);
            let is_changed = change(bytes, missing > 0);
            Ok(if is_changed {
                Updated::Yes
            } else {
                Updated::Raw
            })
        })
    }

    /// Removes `key`; false when there was none. O(1), and the size of the value.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let db = self.selected;
        let Some(was_stale) = self.forget(db, key) else {
            return false;
        };
        if was_stale {
            self.note_expired(db, key);
        } else {
            self.changed(db, key);
        }
        !was_stale
    }

    /// Removes the destination of a command that has nothing to put there: without a look at it, so that what has expired
    /// counts as deleted by the command, unless a read of the same command has met it. False when there was none. O(1).
    pub fn discard(&mut self, key: &[u8]) -> bool {
        let db = self.selected;
        let is_there = match self.forget(db, key) {
            Some(was_stale) => !was_stale || !self.signals.stale.remove(db, key),
            None => false,
        };
        if is_there {
            self.changed(db, key);
        }
        is_there
    }

    /// Removes an entry, and nothing else: no count, no signal. Whether it had expired; None when there was none.
    pub(super) fn forget(&mut self, db: usize, key: &[u8]) -> Option<bool> {
        let entry = self.dbs.get_mut(db)?.find_mut(key)?;
        guard(&mut self.cut, &self.clock, db, &entry);
        let view = entry.view();
        let was_stale = is_stale(&view, self.now_ms);
        let bytes = Entry::new(view).memory_bytes() - view.memory_bytes();
        let deadline_ms = Entry::new(view).field_deadline_ms();
        self.fields.moved(db, key, deadline_ms, None);
        entry.remove();
        self.object_bytes -= bytes;
        self.signals.deleted(db, key);
        Some(was_stale)
    }

    /// Moves the entry at `from` to `to` (in database `to_db`), replacing what is there. Payload and time to live go
    /// along, the access clock starts anew. None when there is no `from` or no such database. O(1), and the size of what is replaced.
    pub fn rename(&mut self, from: &[u8], to: &[u8], to_db: usize) -> Option<Moved> {
        let db = self.selected;
        self.drop_if_stale(db, from);
        self.dbs.get(to_db)?;
        let deadline_ms = self.field_deadline_ms(db, from);
        let entry = self.dbs.get_mut(db)?.find_mut(from)?;
        guard(&mut self.cut, &self.clock, db, &entry);
        let mut taken = entry.take();
        self.fields.moved(db, from, deadline_ms, None);
        let replaced = self.make_room(to, to_db);
        if let OwnedPayload::Inline(bytes) = &taken.payload
            && from != to
        {
            taken.kind = string::moved_kind(taken.kind, to.len(), bytes.len(), taken.expiry_ms);
        }
        let value_type = Kind::of(taken.kind).value_type();
        let table = self.dbs.get_mut(to_db)?;
        table.put(to, taken);
        if let Some(view) = table.find(to) {
            self.clock.start(&view);
        }
        self.fields.moved(to_db, to, None, deadline_ms);
        self.created(to_db, to);
        self.signals.deleted(db, from);
        self.signals.touch(db, from);
        self.changed(to_db, to);
        Some(Moved {
            replaced,
            value_type,
        })
    }

    /// Copies the entry at `from` to `to` in database `to_db`, replacing what is there. None when there is no `from`
    /// or no such database. O(size).
    pub fn copy(&mut self, from: &[u8], to: &[u8], to_db: usize) -> Option<Moved> {
        let db = self.selected;
        self.drop_if_stale(db, from);
        self.dbs.get(to_db)?;
        let entry = self.peek(from)?;
        let (mut kind, expiry_ms) = (entry.view().kind(), entry.expiry_ms());
        let value_type = entry.value_type();
        let mut inline = Vec::new();
        let content = match entry.view().payload() {
            Payload::Int(number) => Content::Int(number),
            Payload::Boxed(object) => Content::Boxed(Box::new(object.clone())),
            Payload::Inline(bytes) => {
                kind = string::moved_kind(kind, to.len(), bytes.len(), expiry_ms);
                inline.extend_from_slice(bytes);
                Content::Inline(inline.as_slice())
            }
        };
        self.object_bytes += content_bytes(&content);
        let replaced = self.make_room(to, to_db);
        let table = self.dbs.get_mut(to_db)?;
        table.insert(to, kind, content, expiry_ms);
        if let Some(view) = table.find(to) {
            self.clock.start(&view);
        }
        let deadline_ms = self.field_deadline_ms(to_db, to);
        self.fields.moved(to_db, to, None, deadline_ms);
        self.created(to_db, to);
        self.changed(to_db, to);
        Some(Moved {
            replaced,
            value_type,
        })
    }

    /// Makes `key` a string that comes from elsewhere: what was there is deleted first.
    pub fn restore_string(&mut self, key: &[u8], bytes: &[u8], expiry_ms: Option<i64>) -> Moved {
        let (kind, content) = string::brought(key.len(), bytes, expiry_ms);
        self.restore(key, kind, content, expiry_ms)
    }

    /// The same with a value of any other type.
    pub fn restore_object(&mut self, key: &[u8], object: Object, expiry_ms: Option<i64>) -> Moved {
        let mut bytes = Vec::new();
        let (kind, content) = object.into_content(&mut bytes);
        self.restore(key, kind, content, expiry_ms)
    }

    fn restore(
        &mut self,
        key: &[u8],
        kind: u8,
        content: Content<'_, Object>,
        expiry_ms: Option<i64>,
    ) -> Moved {
        let replaced = self.make_room(key, self.selected);
        let storing = Storing {
            kind,
            content,
            expiry: expiry_ms.map_or(Expiry::Clear, Expiry::At),
            condition: Condition::Always,
            is_overwrite: true,
        };
        self.store(key, storing);
        self.index_stored(key);
        self.changed(self.selected, key);
        Moved {
            replaced,
            value_type: Kind::of(kind).value_type(),
        }
    }

    /// Sets `key` to an aggregate, whatever it was. The key lives for ever. O(1), and the size of what is replaced.
    pub fn store_value<V: Aggregate>(&mut self, key: &[u8], value: V) {
        self.store_object(key, value.into_object());
    }

    fn store_object(&mut self, key: &[u8], object: Object) {
        let mut bytes = Vec::new();
        let (kind, content) = object.into_content(&mut bytes);
        let storing = Storing {
            kind,
            content,
            expiry: Expiry::Clear,
            condition: Condition::Always,
            is_overwrite: true,
        };
        self.store(key, storing);
        self.index_stored(key);
        self.changed(self.selected, key);
    }

    /// What was stored may have fields with times to live.
    fn index_stored(&mut self, key: &[u8]) {
        let deadline_ms = self.field_deadline_ms(self.selected, key);
        self.fields.moved(self.selected, key, None, deadline_ms);
    }

    /// Removes what is at `key`; its type, if it was alive.
    fn make_room(&mut self, key: &[u8], db: usize) -> Option<Type> {
        let old = self.peek_in(db, key).map(|entry| entry.value_type());
        if self.forget(db, key) == Some(true) {
            self.note_expired(db, key);
        }
        old
    }

    /// Makes `key` look as last used `idle_s` seconds ago, or used so `frequency` often; what is not kept is ignored
    /// (see [`Keyspace::is_lfu`]).
    pub fn set_usage(&mut self, key: &[u8], idle_s: Option<i64>, frequency: Option<u8>) {
        if let Some(entry) = self.peek(key) {
            self.clock.set_usage(&entry.view(), idle_s, frequency);
        }
    }

    /// The same for a key of a database that is being loaded; one of which nothing is told looks new.
    pub fn start_usage(
        &self,
        view: &EntryView<'_, Object>,
        idle_s: Option<i64>,
        frequency: Option<u8>,
    ) {
        self.clock.start(view);
        self.clock.set_usage(view, idle_s, frequency);
    }

    /// Empties the database `db`; how many keys it had.
    pub fn flush(&mut self, db: usize) -> usize {
        let Some(table) = self.dbs.get_mut(db) else {
            return 0;
        };
        let removed = std::mem::replace(table, Table::new(self.seed.clone()));
        let now_ms = self.now_ms;
        let before = |key: &[u8]| presence(&removed, key, now_ms);
        self.signals.touch_db(db, before, |_| Presence::Missing);
        self.signals.stale.forget_db(db);
        self.fields.forget_db(db);
        self.signals.flushed();
        let (count, object_bytes) = (removed.len(), object_bytes_of(&removed));
        if let Some(cut) = &mut self.cut {
            cut.set_aside(db, removed, object_bytes);
        }
        self.object_bytes -= object_bytes;
        self.dirty += count as u64;
        count
    }

    /// Lets two databases change places, for all clients.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.delete_stale();
        if one == other || one.max(other) >= self.dbs.len() {
            return;
        }
        self.dbs.swap(one, other);
        self.fields.swap(one, other);
        if let Some(cut) = &mut self.cut {
            cut.swap(one, other);
        }
        let in_db = |db: usize| {
            let (table, now_ms) = (self.dbs.get(db), self.now_ms);
            move |key: &[u8]| table.map_or(Presence::Missing, |table| presence(table, key, now_ms))
        };
        self.signals.touch_db(one, in_db(other), in_db(one));
        self.signals.touch_db(other, in_db(one), in_db(other));
        self.dirty += 1;
    }

    /// A key is there that was not: an event, and maybe what somebody waits for.
    #[inline]
    pub(super) fn created(&mut self, db: usize, key: &[u8]) {
        self.notify_in(db, Class::NEW, "new", key);
        self.signals.wake(db, key);
    }

    /// The change of a key: counted, and told to whom it concerns.
    #[inline]
    pub(super) fn changed(&mut self, db: usize, key: &[u8]) {
        self.changed_by(1, db, key);
    }

    /// The same for a change that counts as `changes`.
    #[inline]
    pub(super) fn changed_by(&mut self, changes: u64, db: usize, key: &[u8]) {
        self.dirty += changes;
        self.signals.touch(db, key);
    }
}

/// The kind byte of what is stored: short strings set as a whole are embedded where there is room beside the key.
#[inline]
fn kind_of(storing: &Storing<'_>, key: &[u8], had_expiry: bool, has_expiry: bool) -> u8 {
    match &storing.content {
        Content::Inline(bytes) if storing.kind == string::WHOLE => {
            string::whole_kind(key.len(), bytes.len(), had_expiry, has_expiry)
        }
        _ => storing.kind,
    }
}

fn presence(table: &Db, key: &[u8], now_ms: i64) -> Presence {
    match table.find(key) {
        None => Presence::Missing,
        Some(view) if is_stale(&view, now_ms) => Presence::Stale,
        Some(_) => Presence::Live,
    }
}

/// Bytes an entry's content takes outside the entry.
pub(super) fn content_bytes(content: &Content<'_, Object>) -> usize {
    match content {
        Content::Boxed(object) => object.memory_bytes(),
        Content::Inline(_) | Content::Int(_) => 0,
    }
}

/// Bytes of all objects of a database. O(n).
pub(super) fn object_bytes_of(db: &Db) -> usize {
    db.iter()
        .map(|view| Entry::new(view).memory_bytes() - view.memory_bytes())
        .sum()
}
