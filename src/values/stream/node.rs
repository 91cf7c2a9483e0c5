//! One node of a stream: a listpack with the entries of neighbouring ids, laid out exactly as Redis does.
//!
//! ```text
//!   master    live | deleted | fields | name 1 .. name n | 0
//!   entry     flags | ms | seq | value 1 .. value n | elements before this one            flags & SAME_FIELDS
//!   entry     flags | ms | seq | fields | name 1 | value 1 .. value n | elements before   with fields of its own
//! ```
//!
//! `ms` and `seq` are differences to the node's id. The master entry holds the names of the first entry's fields, so
//! that most entries hold values only. A deleted entry stays, with a flag.

use super::id::Id;
use crate::structures::item::Item;
use crate::structures::listpack::{Listpack, ListpackRef};
use crate::structures::runs::Keyed;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// No node grows beyond this, whatever the configuration says.
pub const MAX_BYTES: usize = 1 << 30;

/// Entries in a listpack.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: Id,
    pub pack: Listpack,
}

impl Keyed for Node {
    fn id(&self) -> Id {
        self.id
    }
}

/// What the master entry says.
#[derive(Debug, Clone, Copy)]
pub struct Master {
    pub live: i64,
    pub deleted: i64,
    /// How many names there are.
    fields: usize,
    names: usize,
    /// Where the first entry begins; the end when there is none.
    first: usize,
}

/// The integer at a position, and the position behind it. Once for all who walk.
#[inline(never)]
fn int_then(view: ListpackRef<'_>, position: usize) -> Option<(i64, usize)> {
    match view.at(position)? {
        Item::Int(value) => Some((value, position + view.size_at(position))),
        Item::Bytes(_) => None,
    }
}

fn int(view: ListpackRef<'_>, position: usize) -> Option<i64> {
    int_then(view, position).map(|(value, _)| value)
}

/// The position `count` elements on; the end if there are as many but no more.
#[inline(never)]
fn skip(view: ListpackRef<'_>, mut position: usize, count: usize) -> Option<usize> {
    for _ in 0..count {
        if position >= view.end() {
            return None;
        }
        position += view.size_at(position);
    }
    Some(position)
}

/// An entry as it stands in its node.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    pub id: Id,
    /// How many fields it has.
    pub fields: usize,
    pub is_deleted: bool,
    view: ListpackRef<'a>,
    /// Where the flags stand.
    pub(super) start: usize,
    /// Where the names stand, if not before each value.
    names: Option<usize>,
    values: usize,
    /// Where the next entry begins, or the end.
    pub(super) next: usize,
}

impl<'a> Found<'a> {
    /// Calls `visit` with every name and value.
    pub fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        let (mut names, mut values) = (self.names, self.values);
        for _ in 0..self.fields {
            let at = names.unwrap_or(values);
            let Some(name) = self.view.at(at) else { return };
            let after = at + self.view.size_at(at);
            match &mut names {
                Some(names) => *names = after,
                None => values = after,
            }
            let Some(value) = self.view.at(values) else {
                return;
            };
            values += self.view.size_at(values);
            visit(&name.text(), &value.text());
        }
    }
}

impl Node {
    /// A node without entries, for an entry with these fields (names and values in turn) to come.
    pub fn new(id: Id, pairs: &[&[u8]]) -> Node {
        let mut pack = Listpack::new();
        pack.push_int(0);
        pack.push_int(0);
        pack.push_int((pairs.len() / 2) as i64);
        for name in pairs.iter().step_by(2) {
            pack.push(name);
        }
        pack.push_int(0);
        Node { id, pack }
    }

    /// What the master entry says.
    pub fn master(&self) -> Option<Master> {
        let view = self.pack.view();
        let (live, at) = int_then(view, view.first()?)?;
        let (deleted, at) = int_then(view, at)?;
        let (fields, names) = int_then(view, at)?;
        let fields = usize::try_from(fields).ok()?;
        let first = skip(view, names, fields.checked_add(1)?)?;
        Some(Master {
            live,
            deleted,
            fields,
            names,
            first,
        })
    }

    /// Adds an entry behind all others. O(its bytes).
    pub fn append(&mut self, id: Id, pairs: &[&[u8]]) {
        let Some(master) = self.master() else { return };
        let is_same = self.has_names(&master, pairs);
        let fields = pairs.len() / 2;
        let pack = &mut self.pack;
        pack.push_int(if is_same { SAME_FIELDS } else { 0 });
        pack.push_int(id.ms.wrapping_sub(self.id.ms) as i64);
        pack.push_int(id.seq.wrapping_sub(self.id.seq) as i64);
        let elements = if is_same {
            for value in pairs.iter().skip(1).step_by(2) {
                pack.push(value);
            }
            fields + 3
        } else {
            pack.push_int(fields as i64);
            for text in pairs {
                pack.push(text);
            }
            2 * fields + 4
        };
        pack.push_int(elements as i64);
        self.set_counts(master.live + 1, master.deleted);
    }

    fn has_names(&self, master: &Master, pairs: &[&[u8]]) -> bool {
        if master.fields != pairs.len() / 2 {
            return false;
        }
        let view = self.pack.view();
        let mut at = master.names;
        pairs.iter().step_by(2).all(|name| {
            let is_same = match view.at(at) {
                Some(Item::Bytes(bytes)) => bytes == *name,
                Some(item) => *item.text() == **name,
                None => false,
            };
            at += view.size_at(at);
            is_same
        })
    }

    fn set_counts(&mut self, live: i64, deleted: i64) {
        let mut at = self.pack.view().first();
        for count in [live, deleted] {
            let Some(place) = at else { return };
            if int(self.pack.view(), place) != Some(count) {
                self.pack.replace_int(place, count);
            }
            at = self.pack.view().next(place);
        }
    }

    /// The entry that begins at `start`; None at the end.
    pub fn entry_at(&self, master: &Master, start: usize) -> Option<Found<'_>> {
        let view = self.pack.view();
        if start >= view.end() {
            return None;
        }
        let (flags, at) = int_then(view, start)?;
        let (ms, at) = int_then(view, at)?;
        let (seq, rest) = int_then(view, at)?;
        let (fields, names, values, elements) = if flags & SAME_FIELDS != 0 {
            (master.fields, Some(master.names), rest, master.fields)
        } else {
            let (fields, values) = int_then(view, rest)?;
            let fields = usize::try_from(fields).ok()?;
            (fields, None, values, fields.checked_mul(2)?)
        };
        Some(Found {
            id: Id {
                ms: self.id.ms.wrapping_add(ms as u64),
                seq: self.id.seq.wrapping_add(seq as u64),
            },
            fields,
            is_deleted: flags & DELETED != 0,
            view,
            start,
            names,
            values,
            next: skip(view, values, elements.checked_add(1)?)?,
        })
    }

    /// The first entry, deleted or not.
    pub fn first(&self, master: &Master) -> Option<Found<'_>> {
        self.entry_at(master, master.first)
    }

    /// The entry behind another.
    pub fn next(&self, master: &Master, entry: &Found<'_>) -> Option<Found<'_>> {
        self.entry_at(master, entry.next)
    }

    /// The entry before the one that begins at `before`, or before the end.
    pub fn before(&self, master: &Master, before: usize) -> Option<Found<'_>> {
        if before <= master.first {
            return None;
        }
        let view = self.pack.view();
        let mut at = view.prev(before)?;
        let elements = int(view, at)?;
        for _ in 0..elements {
            at = view.prev(at)?;
        }
        self.entry_at(master, at)
    }

    /// The last entry, deleted or not.
    pub fn last(&self, master: &Master) -> Option<Found<'_>> {
        self.before(master, self.pack.view().end())
    }

    /// The entry with this id, deleted or not.
    pub fn find(&self, master: &Master, id: Id) -> Option<Found<'_>> {
        let mut entry = self.first(master)?;
        while entry.id < id {
            entry = self.next(master, &entry)?;
        }
        (entry.id == id).then_some(entry)
    }

    /// Marks the entry that begins at `start`, one that is not deleted yet, as deleted. The positions behind the master
    /// entry's counts may shift.
    pub fn delete(&mut self, master: &Master, start: usize) {
        if let Some(flags) = int(self.pack.view(), start) {
            self.pack.replace_int(start, flags | DELETED);
            self.set_counts(master.live - 1, master.deleted + 1);
        }
    }

    /// Whether the bytes are a node with entries in order, whose counts are right: for what comes from outside. The
    /// first and last id, if so, and how many entries are live. O(bytes).
    pub fn verify(&self) -> Option<(Id, Id, u64)> {
        let view = self.pack.view();
        let master = self.master()?;
        let terminator = view.prev(master.first)?;
        let counted = master.live.checked_add(master.deleted)?;
        let is_sane = master.live >= 0 && master.deleted >= 0 && int(view, terminator)? == 0;
        let (mut live, mut deleted) = (0, 0);
        let mut at = master.first;
        let mut ends: Option<(Id, Id)> = None;
        while at < view.end() {
            let entry = self.entry_at(&master, at)?;
            let elements = int(view, view.prev(entry.next)?)?;
            let flags = int(view, at)?;
            let wanted = match flags & SAME_FIELDS {
                0 => entry.fields.checked_mul(2)?.checked_add(4)?,
                _ => entry.fields.checked_add(3)?,
            };
            let is_in_order = ends.is_none_or(|(_, last)| last < entry.id);
            if flags & !(SAME_FIELDS | DELETED) != 0
                || usize::try_from(elements) != Ok(wanted)
                || !is_in_order
            {
                return None;
            }
            live += i64::from(!entry.is_deleted);
            deleted += i64::from(entry.is_deleted);
            ends = Some((ends.map_or(entry.id, |(first, _)| first), entry.id));
            at = entry.next;
        }
        let (first, last) = ends?;
        let is_right = is_sane && live == master.live && live + deleted == counted;
        (is_right && first >= self.id).then_some((first, last, live as u64))
    }
}
