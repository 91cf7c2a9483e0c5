//! The write guard: everything that changes the data set.

use super::{Class, Db, Keyspace};
use crate::resp::Error;
use crate::structures::table::{Content, Lookup, Payload, PayloadMut, Table};
use crate::values::string::{self, Str};
use crate::values::{Entry, Object};

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

impl Keyspace {
    /// Sets `key` to a string, whatever it was. O(1).
    #[inline]
    pub fn set_string(&mut self, key: &[u8], bytes: &[u8], expiry: Expiry) {
        self.set(key, string::WHOLE, string::content(bytes), expiry);
    }

    /// Sets `key` to a string that OBJECT ENCODING calls `raw` however short it is, and that is not looked at for an
    /// integer.
    pub fn set_raw_string(&mut self, key: &[u8], bytes: &[u8], expiry: Expiry) {
        self.set(key, string::CHANGED, string::raw_content(bytes), expiry);
    }

    /// Sets `key` to an integer. O(1), in place where one was.
    pub fn set_integer(&mut self, key: &[u8], number: i64, expiry: Expiry) {
        self.set(key, string::WHOLE, Content::Int(number), expiry);
    }

    /// Sets `key` to any content, whatever it was.
    #[inline]
    fn set(&mut self, key: &[u8], kind: u8, content: Content<'_, Object>, expiry: Expiry) {
        self.store(key, kind, content, expiry, true);
        self.changed(self.selected, key);
    }

    /// The one place where a key's value is replaced. `is_overwrite`: the old value is gone, not changed; that is an
    /// event.
    #[inline]
    fn store(
        &mut self,
        key: &[u8],
        kind: u8,
        content: Content<'_, Object>,
        expiry: Expiry,
        is_overwrite: bool,
    ) {
        let db = self.selected;
        self.drop_if_stale(db, key);
        self.object_bytes += content_bytes(&content);
        let Some(table) = self.dbs.get_mut(db) else {
            return;
        };
        let new_ms = if let Expiry::At(at_ms) = expiry {
            Some(at_ms)
        } else {
            None
        };
        let clock = (self.now_ms / 1000) as u32;
        match table.lookup(key) {
            Lookup::Vacant(place) => {
                place.insert(kind, content, new_ms).view().set_clock(clock);
                self.notify(Class::NEW, "new", key);
            }
            Lookup::Occupied(mut entry) => {
                let kept_ms = if expiry == Expiry::Keep {
                    entry.view().expiry_ms()
                } else {
                    new_ms
                };
                if !self.no_touch {
                    entry.view().set_clock(clock);
                }
                let old_type = Entry::new(entry.view()).value_type();
                let old = entry.replace(kind, content, kept_ms);
                self.object_bytes -= old.map_or(0, |object| object_bytes(&object));
                if self.notify_classes != 0 && is_overwrite {
                    let is_changed = self
                        .peek(key)
                        .is_some_and(|entry| entry.value_type() != old_type);
                    self.notify(Class::OVERWRITTEN, "overwritten", key);
                    if is_changed {
                        self.notify(Class::TYPE_CHANGED, "type_changed", key);
                    }
                }
            }
        }
    }

    /// Adds `by` to the integer at `key`, which is 0 when there is none; keeps its time to live. The sum. O(1), in
    /// place where an integer was.
    ///
    /// # Errors
    /// WRONGTYPE, not an integer, or an overflow; nothing is changed then.
    #[inline]
    pub fn increment(&mut self, key: &[u8], by: i64) -> Result<i64, Error> {
        let db = self.selected;
        self.drop_if_stale(db, key);
        let Some(mut entry) = self.dbs.get_mut(db).and_then(|table| table.find_mut(key)) else {
            self.set_integer(key, by, Expiry::Clear);
            return Ok(by);
        };
        if let Payload::Int(old) = entry.view().payload() {
            let sum = old.checked_add(by).ok_or(Error::OVERFLOW)?;
            entry.set_int(sum);
            if !self.no_touch {
                entry.view().set_clock((self.now_ms / 1000) as u32);
            }
            self.changed(db, key);
            return Ok(sum);
        }
        let old = Entry::new(entry.view()).string().ok_or(Error::WRONG_TYPE)?;
        let sum = old
            .integer()
            .ok_or(Error::NOT_INTEGER)?
            .checked_add(by)
            .ok_or(Error::OVERFLOW)?;
        self.set_integer(key, sum, Expiry::Keep);
        Ok(sum)
    }

    /// Changes the string at `key` in place: `change` gets its bytes (none when there is no key) and its answer says
    /// whether it changed them. The time to live stays. The encoding becomes `raw`.
    ///
    /// # Errors
    /// WRONGTYPE, or what `change` fails with; nothing is changed then.
    pub fn update_string<R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut Vec<u8>) -> Result<(Updated, R), Error>,
    ) -> Result<R, Error> {
        let db = self.selected;
        self.drop_if_stale(db, key);
        if let Some(mut entry) = self.dbs.get_mut(db).and_then(|table| table.find_mut(key))
            && let PayloadMut::Boxed(Object::String(bytes)) = entry.payload_mut()
        {
            let before = bytes.capacity();
            let (updated, result) = change(bytes)?;
            let after = bytes.capacity();
            self.object_bytes = self.object_bytes + after - before;
            if updated != Updated::No {
                entry.set_kind(string::CHANGED);
            }
            if updated == Updated::Yes {
                self.changed(db, key);
            }
            return Ok(result);
        }
        let mut bytes = self.peek_string(key)?.map_or_else(Vec::new, Str::to_vec);
        let (updated, result) = change(&mut bytes)?;
        if updated != Updated::No {
            let content = match bytes.len() <= string::INLINE_LIMIT_BYTES {
                true => Content::Inline(bytes.as_slice()),
                false => Content::Boxed(Box::new(Object::String(std::mem::take(&mut bytes)))),
            };
            self.store(key, string::CHANGED, content, Expiry::Keep, false);
        }
        if updated == Updated::Yes {
            self.changed(db, key);
        }
        Ok(result)
    }

    /// Removes `key`; false when there was none. O(1), and the size of the value.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let db = self.selected;
        self.drop_if_stale(db, key);
        let was_there = self.forget(db, key);
        if was_there {
            self.changed(db, key);
        }
        was_there
    }

    /// Removes an entry, and nothing else: no count, no signal.
    pub(super) fn forget(&mut self, db: usize, key: &[u8]) -> bool {
        let Some(entry) = self.dbs.get_mut(db).and_then(|table| table.find_mut(key)) else {
            return false;
        };
        let bytes = Entry::new(entry.view()).memory_bytes() - entry.view().memory_bytes();
        entry.remove();
        self.object_bytes -= bytes;
        true
    }

    /// Moves the entry at `from` to `to` (in database `to_db`), replacing what is there. Payload and time to live go
    /// along. False when there is no `from`.
    pub fn rename(&mut self, from: &[u8], to: &[u8], to_db: usize) -> bool {
        let db = self.selected;
        self.drop_if_stale(db, from);
        if to_db >= self.dbs.len() {
            return false;
        }
        let Some(taken) = self.dbs.get_mut(db).and_then(|table| table.take(from)) else {
            return false;
        };
        self.forget(to_db, to);
        self.dbs[to_db].put(to, taken);
        self.signals.touch(db, from);
        self.changed(to_db, to);
        true
    }

    /// Copies the entry at `from` to `to` in database `to_db`, replacing what is there. False when there is no `from`.
    pub fn copy(&mut self, from: &[u8], to: &[u8], to_db: usize) -> bool {
        let db = self.selected;
        self.drop_if_stale(db, from);
        let Some(entry) = self.peek(from) else {
            return false;
        };
        let (kind, expiry_ms) = (entry.view().kind(), entry.expiry_ms());
        let mut inline = Vec::new();
        let content = match entry.view().payload() {
            Payload::Int(number) => Content::Int(number),
            Payload::Boxed(object) => Content::Boxed(Box::new(object.clone())),
            Payload::Inline(bytes) => {
                inline.extend_from_slice(bytes);
                Content::Inline(inline.as_slice())
            }
        };
        self.object_bytes += content_bytes(&content);
        self.forget(to_db, to);
        let clock = (self.now_ms / 1000) as u32;
        let Some(table) = self.dbs.get_mut(to_db) else {
            return false;
        };
        table.insert(to, kind, content, expiry_ms);
        if let Some(view) = table.find(to) {
            view.set_clock(clock);
        }
        self.changed(to_db, to);
        true
    }

    /// Sets the access clock of `key` as if it was last used `idle_s` seconds ago (RESTORE IDLETIME).
    pub fn set_idle(&mut self, key: &[u8], idle_s: i64) {
        if let Some(entry) = self.peek(key) {
            entry
                .view()
                .set_clock((self.now_ms / 1000).wrapping_sub(idle_s) as u32);
        }
    }

    /// Empties the database `db`; how many keys it had.
    pub fn flush(&mut self, db: usize) -> usize {
        let Some(table) = self.dbs.get_mut(db) else {
            return 0;
        };
        let removed = std::mem::replace(table, Table::new(self.seed.clone()));
        self.signals.touch_db(db, |key| removed.contains(key));
        self.stale.retain(|(other, _)| *other != db);
        self.object_bytes -= object_bytes_of(&removed);
        self.dirty += removed.len() as u64;
        removed.len()
    }

    /// Lets two databases change places, for all clients.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.delete_stale();
        if one == other || one.max(other) >= self.dbs.len() {
            return;
        }
        self.dbs.swap(one, other);
        let (low, high) = self.dbs.split_at(one.max(other));
        let (first, second) = (&low[one.min(other)], &high[0]);
        for db in [one, other] {
            self.signals
                .touch_db(db, |key| first.contains(key) || second.contains(key));
        }
        self.dirty += 1;
    }

    /// The change of a key: counted, and told to whom it concerns.
    #[inline]
    pub(super) fn changed(&mut self, db: usize, key: &[u8]) {
        self.dirty += 1;
        self.signals.touch(db, key);
    }
}

/// Bytes of an object that stands outside its entry.
fn object_bytes(object: &Object) -> usize {
    match object {
        Object::String(bytes) => size_of::<Object>() + bytes.capacity(),
    }
}

fn content_bytes(content: &Content<'_, Object>) -> usize {
    match content {
        Content::Boxed(object) => object_bytes(object),
        Content::Inline(_) | Content::Int(_) => 0,
    }
}

/// Bytes of all objects of a database. O(n).
pub(super) fn object_bytes_of(db: &Db) -> usize {
    db.iter()
        .map(|view| Entry::new(view).memory_bytes() - view.memory_bytes())
        .sum()
}
