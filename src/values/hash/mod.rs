//! Hashes: fields with values, and with times to live.
//!
//! ```text
//!   Packed     listpack   field value | field value | ...                      in the order of arrival
//!   PackedEx   listpack   field value ttl | field value ttl | ... , deadline   by time to live, those without last
//!   Few        as Packed                                                       what Redis calls a table, of few fields
//!   Table      table of entries: key = field, payload = value, expiry = time to live
//! ```
//!
//! A hash begins packed, becomes `PackedEx` with the first time to live of a field, and a table when it has more fields,
//! or a longer field or value, than the configuration allows; there is no way back. A table of few fields without times
//! to live stays in a listpack all the same: comparing them is quicker than a table is set up, and takes less memory.
//!
//! The *deadline* is when the keyspace wants to look at the hash for fields that are due. It is not always the earliest
//! time to live: Redis keeps it when a change moves that by less than four seconds, and when a field loses its time to
//! live other than by its deletion; DUMP of a packed hash shows it.
//!
//! Invariants ([`Hash::check`]): no field twice; times to live in ascending order, 0 (none) behind all others; a hash
//! with times to live has a deadline.
//!
//! <https://redis.io/docs/latest/develop/data-types/hashes/>

mod packed;
mod table;

use super::{Aggregate, Entry, Kind, Limits, Object, Type};
use crate::structures::item::Item;
use crate::structures::listpack::{Listpack, ListpackRef};
use crate::structures::table::Payload;
pub use packed::{MAX_EXPIRY_MS, PackedEx, PackedExRef, is_triplets};
pub use table::FieldTable;
#[cfg(test)]
mod tests;

/// Fields with values, and with times to live.
#[derive(Debug, Clone)]
pub enum Hash {
    /// A listpack of fields and values.
    Packed(Listpack),
    /// A listpack of fields, values and times to live.
    PackedEx(PackedEx),
    /// A listpack of fields and values, where some are too long for one in Redis.
    Few(Listpack),
    Table(Box<FieldTable>),
}

/// The same, to be read.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    Packed(ListpackRef<'a>),
    PackedEx(PackedExRef<'a>),
    Few(ListpackRef<'a>),
    Table(&'a FieldTable),
}

/// A field that was found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    pub value: Item<'a>,
    /// When the field expires, in ms since the epoch.
    pub expiry_ms: Option<i64>,
}

impl Found<'_> {
    /// Whether its time is up.
    #[inline]
    pub fn is_due(&self, now_ms: i64) -> bool {
        self.expiry_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }
}

/// What becomes of a field's time to live when its value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It lives for ever.
    Clear,
    /// As before.
    Keep,
    /// Until then, in ms since the epoch.
    Until(i64),
}

/// Who visits fields: field, value, when the field expires.
pub type Visit<'v, 'a> = dyn FnMut(Item<'a>, Item<'a>, Option<i64>) + 'v;

/// A table of so few fields is kept as a listpack.
const FEW: usize = 24;
/// And if it is no longer than this, since a change moves what is behind it.
const FEW_BYTES: usize = 4096;
/// A deadline is kept when it would move by less.
const DEADLINE_SLACK_MS: u64 = 4000;

impl Hash {
    /// An empty one.
    pub fn new() -> Hash {
        Hash::Packed(Listpack::new())
    }

    /// The packed form of that kind.
    pub fn unpack(kind: Kind, bytes: Vec<u8>) -> Hash {
        match kind {
            Kind::HashPackedEx => Hash::PackedEx(PackedEx::from_bytes(bytes)),
            Kind::HashTable => Hash::Few(Listpack::from_bytes(bytes)),
            _ => Hash::Packed(Listpack::from_bytes(bytes)),
        }
    }

    /// The bytes of the packed form, if this is one.
    pub fn packed(&self) -> Option<&[u8]> {
        match self {
            Hash::Packed(pack) | Hash::Few(pack) => Some(pack.as_bytes()),
            Hash::PackedEx(pack) => Some(pack.as_bytes()),
            Hash::Table(_) => None,
        }
    }

    /// The memory of the packed form; empty if this is none.
    pub fn into_packed(self) -> Vec<u8> {
        match self {
            Hash::Packed(pack) | Hash::Few(pack) => pack.into_bytes(),
            Hash::PackedEx(pack) => pack.into_bytes(),
            Hash::Table(_) => Vec::new(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Hash::Packed(_) => Kind::HashPacked,
            Hash::PackedEx(_) => Kind::HashPackedEx,
            Hash::Few(_) | Hash::Table(_) => Kind::HashTable,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            Hash::Packed(pack) | Hash::Few(pack) => pack.heap_bytes(),
            Hash::PackedEx(pack) => pack.heap_bytes(),
            Hash::Table(table) => size_of::<FieldTable>() + table.heap_bytes(),
        }
    }

    #[inline]
    pub fn view(&self) -> HashRef<'_> {
        match self {
            Hash::Packed(pack) => HashRef::Packed(pack.view()),
            Hash::Few(pack) => HashRef::Few(pack.view()),
            Hash::PackedEx(pack) => HashRef::PackedEx(pack.view()),
            Hash::Table(table) => HashRef::Table(table),
        }
    }

    /// Sets a field; true when it is new. O(1) in a table, else O(bytes).
    pub fn set(&mut self, field: &[u8], value: &[u8], life: Life, limits: &Limits) -> bool {
        let longest = field.len().max(value.len());
        if longest > limits.hash_max_listpack_value_bytes {
            self.make_table(limits);
        }
        if matches!(life, Life::Until(_)) {
            self.allow_expiry(limits);
        }
        let (is_new, count) = match self {
            Hash::Few(pack) => {
                if has_room(pack, field, value) {
                    return set_packed(pack, field, value);
                }
                self.unfold(limits);
                return self.set(field, value, life, limits);
            }
            Hash::Table(table) => return table.set(field, value, life),
            Hash::Packed(pack) => (set_packed(pack, field, value), pack.len() / 2),
            Hash::PackedEx(pack) => (pack.set(field, value, life), pack.view().len()),
        };
        if count > limits.hash_max_listpack_entries {
            self.make_table(limits);
        }
        is_new
    }

    /// Removes a field; false when there was none. O(1) in a table, else O(bytes).
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            Hash::Table(table) => table.remove(field),
            Hash::PackedEx(pack) => pack.remove(field),
            Hash::Packed(pack) | Hash::Few(pack) => match pack.view().find(field, 2) {
                Some(at) => pack.remove(at, 2) > 0,
                None => false,
            },
        }
    }

    /// Sets when a field expires (None: never); false when there is no such field. O(1) in a table, else O(bytes).
    pub fn set_expiry(&mut self, field: &[u8], expiry_ms: Option<i64>, limits: &Limits) -> bool {
        if expiry_ms.is_some() {
            self.allow_expiry(limits);
        }
        match self {
            Hash::Table(table) => table.set_expiry(field, expiry_ms),
            Hash::PackedEx(pack) => pack.set_expiry(field, expiry_ms),
            Hash::Packed(pack) | Hash::Few(pack) => pack.view().find(field, 2).is_some(),
        }
    }

    /// Removes fields that are due, and shows them; stops after about `budget` of them. True when all were found.
    pub fn expire(&mut self, now_ms: i64, budget: usize, gone: &mut dyn FnMut(&[u8])) -> bool {
        match self {
            Hash::Packed(_) | Hash::Few(_) => true,
            Hash::PackedEx(pack) => pack.expire(now_ms, budget, gone),
            Hash::Table(table) => table.expire(now_ms, budget, gone),
        }
    }

    /// Makes ready for times to live.
    pub fn allow_expiry(&mut self, limits: &Limits) {
        match self {
            Hash::Packed(pack) => {
                let pack = core::mem::take(pack);
                *self = Hash::PackedEx(PackedEx::from_pairs(pack.view()));
            }
            Hash::Few(_) => self.unfold(limits),
            Hash::PackedEx(_) | Hash::Table(_) => {}
        }
    }

    /// Becomes what Redis calls a table. O(n).
    pub fn make_table(&mut self, limits: &Limits) {
        match self {
            Hash::Few(_) | Hash::Table(_) => {}
            Hash::Packed(pack) if has_room(pack, &[], &[]) => {
                *self = Hash::Few(core::mem::take(pack));
            }
            Hash::Packed(_) | Hash::PackedEx(_) => self.unfold(limits),
        }
    }

    /// Becomes a table in fact. O(n).
    #[cold]
    fn unfold(&mut self, limits: &Limits) {
        let view = self.view();
        let mut table = FieldTable::new(limits.seed.clone());
        view.each(&mut |field, value, expiry_ms| {
            let life = expiry_ms.map_or(Life::Clear, Life::Until);
            table.set(&field.text(), &value.text(), life);
        });
        table.deadline_ms = view.deadline_ms();
        *self = Hash::Table(Box::new(table));
    }

    pub fn set_deadline(&mut self, deadline_ms: Option<i64>) {
        match self {
            Hash::Packed(_) | Hash::Few(_) => {}
            Hash::PackedEx(pack) => pack.set_deadline(deadline_ms),
            Hash::Table(table) => table.deadline_ms = deadline_ms,
        }
    }

    /// Sets the deadline to the earliest time to live.
    pub fn renew_deadline(&mut self) {
        let earliest_ms = self.view().earliest_ms();
        self.set_deadline(earliest_ms);
    }

    /// Moves the deadline after times to live were set, none of them earlier than `set_ms`, as Redis does: not when an
    /// earlier one was there before (`before_ms`), and not by a few seconds only.
    pub fn move_deadline(&mut self, before_ms: Option<i64>, set_ms: Option<i64>) {
        let never = i64::MAX;
        if before_ms.unwrap_or(never) < set_ms.unwrap_or(never) {
            return;
        }
        let earliest_ms = self.view().earliest_ms();
        let moved = match (before_ms, earliest_ms) {
            (Some(before), Some(earliest)) => before.abs_diff(earliest) >= DEADLINE_SLACK_MS,
            (before, earliest) => before != earliest,
        };
        if moved {
            self.set_deadline(earliest_ms);
        }
    }

    /// After fields were deleted: without any time to live left, there is no deadline.
    pub fn drop_deadline(&mut self) {
        if self.view().deadline_ms().is_some() && !self.view().is_volatile() {
            self.set_deadline(None);
        }
    }

    /// Verifies the invariants. O(n); for tests and debugging.
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Hash::Packed(pack) | Hash::Few(pack) => {
                pack.check()?;
                if !is_pairs(pack.view()) {
                    return Err("not fields with values, or a field twice".to_owned());
                }
            }
            Hash::PackedEx(pack) => pack.check()?,
            Hash::Table(table) => table.check()?,
        }
        if self.view().is_volatile() && self.view().deadline_ms().is_none() {
            return Err("times to live without a deadline".to_owned());
        }
        Ok(())
    }
}

fn set_packed(pack: &mut Listpack, field: &[u8], value: &[u8]) -> bool {
    let view = pack.view();
    match view.find(field, 2).and_then(|at| view.next(at)) {
        Some(at) => {
            pack.replace(at, value);
            false
        }
        None => {
            pack.push(field);
            pack.push(value);
            true
        }
    }
}

/// Whether a field can be set in a listpack that stands for a table.
fn has_room(pack: &Listpack, field: &[u8], value: &[u8]) -> bool {
    pack.as_bytes().len() + field.len() + value.len() <= FEW_BYTES
        && (pack.len() / 2 < FEW || pack.view().find(field, 2).is_some())
}

/// Whether a listpack is fields with values, none of them twice. O(n).
pub fn is_pairs(pack: ListpackRef<'_>) -> bool {
    pack.len().is_multiple_of(2) && packed::are_unique(pack, 2)
}

impl Default for Hash {
    fn default() -> Self {
        Hash::new()
    }
}

impl<'a> HashRef<'a> {
    /// How many fields there are, those that are due included. O(1).
    #[inline]
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(pack) | HashRef::Few(pack) => pack.len() / 2,
            HashRef::PackedEx(pack) => pack.len(),
            HashRef::Table(table) => table.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// A field, due or not. O(1) in a table, else O(bytes).
    #[inline]
    pub fn find(self, field: &[u8]) -> Option<Found<'a>> {
        match self {
            HashRef::Packed(pack) | HashRef::Few(pack) => {
                let at = pack.next(pack.find(field, 2)?)?;
                Some(Found {
                    value: pack.at(at)?,
                    expiry_ms: None,
                })
            }
            HashRef::PackedEx(pack) => pack.find(field),
            HashRef::Table(table) => table.find(field),
        }
    }

    /// Visits all fields, due ones too. O(n).
    pub fn each(self, visit: &mut Visit<'_, 'a>) {
        match self {
            HashRef::Table(table) => table.each(visit),
            HashRef::PackedEx(pack) => pack.each(visit),
            HashRef::Packed(pack) | HashRef::Few(pack) => {
                let mut items = pack.iter();
                while let (Some((_, field)), Some((_, value))) = (items.next(), items.next()) {
                    visit(field, value, None);
                }
            }
        }
    }

    /// Visits about `count` fields from a cursor on and returns the next one, 0 at the end; all of a packed hash.
    pub fn scan(self, cursor: u64, count: usize, visit: &mut Visit<'_, 'a>) -> u64 {
        match self {
            HashRef::Table(table) => table.scan(cursor, count, visit),
            packed => {
                packed.each(visit);
                0
            }
        }
    }

    /// A random field with its value, each as likely. O(1) in a table, else O(n).
    pub fn random(self, random: &mut dyn FnMut() -> u64) -> Option<(Item<'a>, Item<'a>)> {
        let (pack, step) = match self {
            HashRef::Table(table) => return table.random(random),
            HashRef::Packed(pack) | HashRef::Few(pack) => (pack, 2),
            HashRef::PackedEx(pack) => (pack.pack(), 3),
        };
        let count = (pack.len() / step) as u64;
        let rank = u64::try_from((u128::from(random()) * u128::from(count)) >> 64).ok()?;
        let at = pack.seek(rank as i64 * step as i64)?;
        Some((pack.at(at)?, pack.at(pack.next(at)?)?))
    }

    /// When the keyspace looks at it for fields that are due. O(1).
    #[inline]
    pub fn deadline_ms(self) -> Option<i64> {
        match self {
            HashRef::Packed(_) | HashRef::Few(_) => None,
            HashRef::PackedEx(pack) => pack.deadline_ms(),
            HashRef::Table(table) => table.deadline_ms,
        }
    }

    /// The earliest time to live; of a table possibly a little too early. O(1).
    pub fn earliest_ms(self) -> Option<i64> {
        match self {
            HashRef::Packed(_) | HashRef::Few(_) => None,
            HashRef::PackedEx(pack) => pack.earliest_ms(),
            HashRef::Table(table) => table.earliest_ms(),
        }
    }

    /// Whether any field has a time to live. O(1).
    pub fn is_volatile(self) -> bool {
        self.earliest_ms().is_some()
    }

    /// Whether there may be fields that are due. O(1).
    pub fn may_be_due(self, now_ms: i64) -> bool {
        self.earliest_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }
}

impl Aggregate for Hash {
    const TYPE: Type = Type::Hash;

    fn of(object: &mut Object) -> Option<&mut Hash> {
        match object {
            Object::Hash(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Hash(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a hash.
    #[inline]
    pub fn hash(&self) -> Option<HashRef<'a>> {
        Some(match (self.kind(), self.view().payload()) {
            (Kind::HashPacked, Payload::Inline(bytes)) => HashRef::Packed(ListpackRef::new(bytes)),
            (Kind::HashTable, Payload::Inline(bytes)) => HashRef::Few(ListpackRef::new(bytes)),
            (Kind::HashPackedEx, Payload::Inline(bytes)) => {
                HashRef::PackedEx(PackedExRef::new(bytes))
            }
            (_, Payload::Boxed(Object::Hash(value))) => value.view(),
            _ => return None,
        })
    }

    /// When the keyspace looks for fields of this hash that are due; None for whatever has no such fields. O(1).
    #[inline]
    pub fn field_deadline_ms(&self) -> Option<i64> {
        match self.kind() {
            Kind::HashPackedEx | Kind::HashTable => self.hash()?.deadline_ms(),
            _ => None,
        }
    }
}
