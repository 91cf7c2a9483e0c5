//! The write guard of aggregates: lists, hashes, sets, sorted sets, streams and arrays are changed in place here.

use super::Keyspace;
use super::cut::guard;
use super::read::is_stale;
use super::write::content_bytes;
use crate::algorithms::bytes::Append;
use crate::resp::Error;
use crate::structures::table::{EntryMut, Lookup, Payload, PayloadMut};
use crate::values::{Aggregate, Entry, Kind, Limits, Object, Type};

/// What an edit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edited<R> {
    pub value: R,
    /// Nothing was left, and the key is gone; the command says `del` after its own event.
    pub is_removed: bool,
}

/// How many changes an edit made: what the data set's count of changes grows by. 0 says that nothing was changed.
pub type Changes = u64;

/// What edits an object. Not `dyn FnMut`: with that comes a second copy of each closure, for calls that consume it.
trait Change {
    fn change(&mut self, object: &mut Object, limits: &Limits) -> Result<Changes, Error>;
}

impl<F: FnMut(&mut Object, &Limits) -> Result<Changes, Error>> Change for F {
    fn change(&mut self, object: &mut Object, limits: &Limits) -> Result<Changes, Error> {
        self(object, limits)
    }
}

impl Keyspace {
    /// Lets `change` look at the aggregate at `key` and change it. None when there is no such key. The time to live
    /// stays; an aggregate that is empty then is removed. O(1), and what `change` takes.
    ///
    /// # Errors
    /// WRONGTYPE, or what `change` fails with; it has not changed anything then.
    #[inline]
    pub fn edit<V: Aggregate, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut V, &Limits) -> Result<(Changes, R), Error>,
    ) -> Result<Option<Edited<R>>, Error> {
        self.edit_value(key, false, change)
    }

    /// The same; when there is no such key, an empty aggregate is created, and kept if it was changed.
    ///
    /// # Errors
    /// As those of [`Keyspace::edit`].
    #[inline]
    pub fn edit_or_new<V: Aggregate, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut V, &Limits) -> Result<(Changes, R), Error>,
    ) -> Result<Edited<R>, Error> {
        let edited = self.edit_value(key, true, change)?;
        edited.ok_or(Error::WRONG_TYPE)
    }

    /// A thin shell, so that not every caller gets a copy of the whole.
    #[inline]
    fn edit_value<V: Aggregate, R>(
        &mut self,
        key: &[u8],
        creates: bool,
        change: impl FnOnce(&mut V, &Limits) -> Result<(Changes, R), Error>,
    ) -> Result<Option<Edited<R>>, Error> {
        let mut change = Some(change);
        let mut result = None;
        let is_removed = self.edit_object(
            key,
            V::TYPE,
            creates,
            &mut |object: &mut Object, limits: &Limits| {
                let (Some(change), Some(value)) = (change.take(), V::of(object)) else {
                    return Err(Error::WRONG_TYPE);
                };
                let (changes, value) = change(value, limits)?;
                result = Some(value);
                Ok(changes)
            },
        )?;
        Ok(result.map(|value| Edited { value, is_removed }))
    }

    /// Whether the key was removed.
    #[inline(never)]
    fn edit_object(
        &mut self,
        key: &[u8],
        wanted: Type,
        creates: bool,
        change: &mut dyn Change,
    ) -> Result<bool, Error> {
        let db = self.selected;
        let Some(table) = self.dbs.get_mut(db) else {
            return Ok(false);
        };
        let mut entry = match table.lookup(key) {
            Lookup::Vacant(_) if !creates => return Ok(false),
            Lookup::Vacant(place) => {
                let mut object = Object::new_in(wanted, &mut self.scratch);
                let changes = change.change(&mut object, &self.limits);
                if !matches!(changes, Ok(1..)) || object.is_spent() {
                    self.scratch = object.into_packed();
                    return changes.map(|_| false);
                }
                let changes = changes?;
                let (kind, content) = object.into_content(&mut self.scratch);
                let bytes = content_bytes(&content);
                let entry = place.insert(kind, content, None);
                let deadline_ms = Entry::new(entry.view()).field_deadline_ms();
                self.fields.moved(db, key, None, deadline_ms);
                self.object_bytes += bytes;
                self.clock.start(&entry.view());
                self.created(db, key);
                self.changed_by(changes, db, key);
                return Ok(false);
            }
            Lookup::Occupied(entry) if is_stale(&entry.view(), self.now_ms) => {
                self.expire(db, key);
                return self.edit_object(key, wanted, creates, change);
            }
            Lookup::Occupied(entry) => entry,
        };
        self.clock.touch(&entry.view());
        let kind = Kind::of(entry.view().kind());
        if kind.value_type() != wanted {
            return Err(Error::WRONG_TYPE);
        }
        guard(&mut self.cut, &self.clock, db, &entry);
        let before_ms = Entry::new(entry.view()).field_deadline_ms();
        let (changes, is_spent) = match entry.payload_mut() {
            PayloadMut::Boxed(object) => {
                let before = object.memory_bytes();
                let changes = change.change(object, &self.limits);
                self.object_bytes = self.object_bytes + object.memory_bytes() - before;
                let (kind, is_spent) = (object.kind(), object.is_spent());
                entry.set_kind(kind as u8);
                (changes?, is_spent)
            }
            PayloadMut::Inline(_) => {
                let outside = &mut self.object_bytes;
                edit_inline(&mut entry, change, &self.limits, &mut self.scratch, outside)?
            }
            PayloadMut::Int(_) => return Err(Error::WRONG_TYPE),
        };
        let after_ms = match is_spent {
            true => None,
            false => Entry::new(entry.view()).field_deadline_ms(),
        };
        self.fields.moved(db, key, before_ms, after_ms);
        if changes == 0 {
            return Ok(false);
        }
        if is_spent {
            let bytes = Entry::new(entry.view()).memory_bytes() - entry.view().memory_bytes();
            entry.remove();
            self.object_bytes -= bytes;
        }
        self.changed_by(changes, db, key);
        Ok(is_spent)
    }
}

/// Edits the packed form that stands in an entry, in the memory `bytes` lends; how many changes that made, and whether
/// nothing is left. What the object takes `outside` the entry afterwards is added there.
#[inline]
fn edit_inline(
    entry: &mut EntryMut<'_, Object>,
    change: &mut dyn Change,
    limits: &Limits,
    bytes: &mut Vec<u8>,
    outside: &mut usize,
) -> Result<(Changes, bool), Error> {
    let view = entry.view();
    if let Payload::Inline(inline) = view.payload() {
        bytes.clear();
        bytes.put(inline);
    }
    let mut object = Object::unpack(Kind::of(view.kind()), std::mem::take(bytes));
    let changes = change.change(&mut object, limits);
    let is_spent = object.is_spent();
    if changes.is_ok() && !is_spent {
        let (kind, content) = object.into_content(bytes);
        *outside += content_bytes(&content);
        entry.set_payload(kind, content);
    } else {
        *bytes = object.into_packed();
    }
    Ok((changes?, is_spent))
}
