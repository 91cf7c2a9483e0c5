//! Streams: a log of entries, with groups of consumers.
//!
//! ```text
//!   nodes    1-1 [ 1-1 1-2 2-0 .. ]   5-0 [ 5-0 5-1 .. ]   9-7 [ 9-7 .. ]      listpacks of neighbouring entries
//!   groups   "a"  last delivered 5-0, pending { 1-2: of "ann", twice }, consumers { "ann": { 1-2 }, "bob": {} }
//!            "b"  ...
//! ```
//!
//! Entries are added behind the last one only. A deleted entry is marked in its node; a node goes with its last live
//! entry. Invariants ([`Stream::check`]): ids rise strictly through all nodes, a node's id is not above its first
//! entry's; `len` counts the live entries; `first_id` is the first of them or 0-0, none is above `last_id`; groups are
//! in the order of their names, and each keeps its own (see [`Group::check`]); `heap_bytes` is what all of it has from
//! the allocator.
//!
//! <https://redis.io/docs/latest/develop/data-types/streams/>

mod group;
mod id;
mod idempotence;
mod node;
#[cfg(test)]
mod tests;

pub use group::{Consumer, Group, NOBODY, Pending};
pub use id::{Id, IdText, Seq, parse as parse_id};
pub use idempotence::Idempotence;
pub use node::{Found, Node};

use super::{Aggregate, Entry, Limits, Object, Type};
use crate::structures::runs::{Place, Runs};
use crate::structures::table::Payload;

/// A stream. The parts stand in an allocation of their own, so that objects stay small.
#[derive(Debug, Clone, Default)]
pub struct Stream(Box<Log>);

/// The parts of a [`Stream`].
#[derive(Debug, Default)]
pub struct Log {
    nodes: Runs<Node>,
    /// What the nodes' listpacks have from the allocator.
    pack_bytes: usize,
    len: u64,
    /// The first live entry; 0-0 when there is none.
    pub first_id: Id,
    /// The last id ever given.
    pub last_id: Id,
    /// The highest id that was deleted one by one.
    pub max_deleted_id: Id,
    /// Entries ever added.
    pub entries_added: u64,
    groups: Vec<Group>,
    /// What the groups have from the allocator, without themselves.
    group_bytes: usize,
    idempotence: Option<Box<Idempotence>>,
}

impl Clone for Log {
    /// The copy has no spare room, and accounts for that.
    fn clone(&self) -> Self {
        let (nodes, groups) = (self.nodes.clone(), self.groups.clone());
        Log {
            pack_bytes: nodes.iter().map(|node| node.pack.heap_bytes()).sum(),
            nodes,
            len: self.len,
            first_id: self.first_id,
            last_id: self.last_id,
            max_deleted_id: self.max_deleted_id,
            entries_added: self.entries_added,
            group_bytes: groups.iter().map(Group::heap_bytes).sum(),
            groups,
            idempotence: self.idempotence.clone(),
        }
    }
}

impl core::ops::Deref for Stream {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.0
    }
}

impl core::ops::DerefMut for Stream {
    fn deref_mut(&mut self) -> &mut Log {
        &mut self.0
    }
}

/// How far a trim goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Until so many entries are left.
    Length(u64),
    /// Until the first entry has this id or a higher one.
    Id(Id),
}

/// What becomes of the references that groups hold to a deleted entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum References {
    /// They stay.
    #[default]
    Keep,
    /// They go too.
    Delete,
    /// An entry with any, or one that some group has not read yet, is not deleted.
    Respect,
}

/// How a stream is trimmed.
#[derive(Debug, Clone, Copy)]
pub struct Trim {
    pub bound: Bound,
    /// Only whole nodes.
    pub is_approximate: bool,
    /// Look at no more entries than so many; 0 for all.
    pub limit: u64,
    pub references: References,
}

impl Stream {
    /// An empty one.
    pub fn new() -> Stream {
        Stream::default()
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        size_of::<Log>() + self.0.heap_bytes()
    }

    /// Whether there is no entry; the key stays all the same.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }
}

impl Log {
    fn heap_bytes(&self) -> usize {
        let idempotence = self.idempotence.as_ref();
        self.nodes.heap_bytes()
            + self.pack_bytes
            + self.groups.capacity() * size_of::<Group>()
            + self.group_bytes
            + idempotence.map_or(0, |held| held.heap_bytes())
    }

    /// How many live entries there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Shows the nodes from the first whose id is not below `from`, as [`Runs::visit_from`] does.
    pub fn visit_nodes(&self, from: Id, visit: &mut dyn FnMut(&Node) -> bool) -> bool {
        self.nodes.visit_from(from, visit)
    }

    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Adds an entry with these fields, names and values in turn, behind all others: the caller has checked that its id
    /// is above [`Log::last_id`]. Amortised O(its bytes).
    pub fn append(&mut self, id: Id, pairs: &[&[u8]], limits: &Limits) {
        let text_bytes: usize = pairs.iter().map(|text| text.len()).sum();
        let is_full = self.nodes.last().is_none_or(|node| {
            let max_bytes = match limits.stream_node_max_bytes {
                0 => node::MAX_BYTES,
                bytes => bytes.min(node::MAX_BYTES),
            };
            let max_entries = limits.stream_node_max_entries;
            let entries = || {
                let master = node.master();
                master.map_or(0, |master| (master.live + master.deleted) as usize)
            };
            node.pack.as_bytes().len() + text_bytes >= max_bytes
                || max_entries > 0 && entries() >= max_entries
        });
        if is_full {
            if let Some(last) = self.nodes.last_mut() {
                let before = last.pack.heap_bytes();
                last.pack.shrink();
                self.pack_bytes = self.pack_bytes + last.pack.heap_bytes() - before;
            }
            let node = Node::new(id, pairs);
            self.pack_bytes += node.pack.heap_bytes();
            self.nodes.insert(node);
        }
        if let Some(node) = self.nodes.last_mut() {
            let before = node.pack.heap_bytes();
            node.append(id, pairs);
            self.pack_bytes = self.pack_bytes + node.pack.heap_bytes() - before;
        }
        self.entries_added = self.entries_added.wrapping_add(1);
        self.last_id = id;
        self.len += 1;
        if self.len == 1 {
            self.first_id = id;
        }
    }

    /// The live entries from `from` to `to`, both included, forwards or backwards. O(log n) to the first.
    pub fn range(&self, from: Id, to: Id, is_reverse: bool) -> Entries<'_> {
        let (near, far) = if is_reverse { (to, from) } else { (from, to) };
        // The node that may hold the near end: the last that does not begin above it.
        let place = match self.nodes.find(near) {
            Ok(place) => Some(place),
            Err(place) if is_reverse => self.nodes.prev(place),
            Err(place) => Some(self.nodes.prev(place).unwrap_or(place)),
        };
        Entries {
            log: self,
            place: place.filter(|_| from <= to),
            open: None,
            near,
            far,
            is_reverse,
        }
    }

    /// The live entry with this id. O(log n), and the entries of its node.
    pub fn get(&self, id: Id) -> Option<Found<'_>> {
        let place = self.node_of(id)?;
        let node = self.nodes.get(place)?;
        let found = node.find(&node.master()?, id)?;
        (!found.is_deleted).then_some(found)
    }

    fn node_of(&self, id: Id) -> Option<Place> {
        let found = self.nodes.find(id);
        found.or_else(|after| self.nodes.prev(after).ok_or(())).ok()
    }

    /// Deletes an entry, and nothing else: not its references, not `max_deleted_id`. False when there is none with this
    /// id. O(log n), and the entries of its node.
    pub fn delete(&mut self, id: Id) -> bool {
        let Some(place) = self.node_of(id) else {
            return false;
        };
        let is_deleted = self.delete_in(place, id, true).is_some();
        if is_deleted && id == self.first_id {
            self.find_first();
        }
        is_deleted
    }

    /// None when there is no such live entry in the node at `place`. The node goes with its last one if it is to.
    fn delete_in(&mut self, place: Place, id: Id, drops_node: bool) -> Option<()> {
        let node = self.nodes.get_mut(place)?;
        let master = node.master()?;
        let start = node
            .find(&master, id)
            .filter(|found| !found.is_deleted)?
            .start;
        self.len -= 1;
        if drops_node && master.live <= 1 {
            self.remove_node(place);
            return Some(());
        }
        let before = node.pack.heap_bytes();
        node.delete(&master, start);
        self.pack_bytes = self.pack_bytes + node.pack.heap_bytes() - before;
        Some(())
    }

    fn remove_node(&mut self, place: Place) {
        if let Some(node) = self.nodes.remove(place) {
            self.pack_bytes -= node.pack.heap_bytes();
        }
    }

    /// Looks up what the first live entry is.
    pub fn find_first(&mut self) {
        let first = self.range(Id::MIN, Id::MAX, false).next();
        self.first_id = first.map_or(Id::MIN, |entry| entry.id);
    }

    /// The first entry that is still in a node, deleted or not.
    pub fn first_kept_id(&self) -> Option<Id> {
        let node = self.nodes.first()?;
        node.first(&node.master()?).map(|entry| entry.id)
    }

    /// The last live entry; 0-0 when there is none.
    pub fn last_live_id(&self) -> Id {
        let last = self.range(Id::MIN, Id::MAX, true).next();
        last.map_or(Id::MIN, |entry| entry.id)
    }

    /// Deletes entries from the front, as many as `trim` says. How many. O(entries looked at).
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        let before = self.len;
        let mut seen = 0;
        let mut place = self.nodes.start();
        while let Some(node) = self.nodes.get(place) {
            let is_short = matches!(trim.bound, Bound::Length(length) if self.len <= length);
            let Some(master) = node.master().filter(|_| !is_short) else {
                break;
            };
            let live = master.live.max(0) as u64;
            if trim.limit > 0 && seen + live > trim.limit {
                break;
            }
            let is_whole = match trim.bound {
                Bound::Length(length) => self.len - live.min(self.len) >= length,
                Bound::Id(id) => node.last(&master).is_none_or(|last| last.id < id),
            };
            if is_whole && trim.references == References::Keep {
                self.len -= live;
                self.remove_node(place);
                seen += live;
                continue;
            }
            // With a look at references this does nothing at all, as in Redis.
            if trim.is_approximate {
                break;
            }
            let id = node.id;
            self.trim_node(place, trim);
            if !is_whole {
                break;
            }
            // The node may be gone; if it is not, the next one comes.
            place = match self.nodes.find(id) {
                Ok(place) => self.nodes.next(place),
                Err(place) => place,
            };
        }
        let deleted = before - self.len;
        if deleted > 0 {
            self.find_first();
        }
        deleted
    }

    /// The live ids in a node that a trim may delete.
    fn ids_in(&self, place: Place, trim: &Trim) -> Vec<Id> {
        let mut ids = Vec::new();
        let (most, end) = match trim.bound {
            // Those that must stay do not count.
            Bound::Length(_) if trim.references == References::Respect => (u64::MAX, None),
            Bound::Length(length) => (self.len.saturating_sub(length), None),
            Bound::Id(id) => (u64::MAX, Some(id)),
        };
        let Some(node) = self.nodes.get(place) else {
            return ids;
        };
        let Some(master) = node.master() else {
            return ids;
        };
        let mut next = node.first(&master);
        while let Some(entry) = next.filter(|entry| end.is_none_or(|end| entry.id < end)) {
            if ids.len() as u64 >= most {
                break;
            }
            if !entry.is_deleted {
                ids.push(entry.id);
            }
            next = node.next(&master, &entry);
        }
        ids
    }

    /// Deletes entries of one node up to the bound.
    fn trim_node(&mut self, place: Place, trim: &Trim) {
        for id in self.ids_in(place, trim) {
            if matches!(trim.bound, Bound::Length(length) if self.len <= length) {
                return;
            }
            match trim.references {
                References::Respect if self.is_referenced(id) => continue,
                References::Delete => self.unreference(id),
                _ => {}
            }
            // A node that ends with deleted entries behind the bound stays in Redis, even with nothing left in it.
            let drops_node = trim.references != References::Keep;
            self.delete_in(place, id, drops_node);
        }
    }

    /// The groups, by name.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Where the group of this name is, or would be. O(log n).
    pub fn find_group(&self, name: &[u8]) -> Result<usize, usize> {
        self.groups.binary_search_by(|group| group.name().cmp(name))
    }

    /// The group of this name. O(log n).
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        let at = self.find_group(name).ok()?;
        self.groups.get(at)
    }

    /// Adds a group; false (and it is dropped) when there is one of its name.
    pub fn add_group(&mut self, group: Group) -> bool {
        let Err(at) = self.find_group(group.name()) else {
            return false;
        };
        self.group_bytes += group.heap_bytes();
        self.groups.insert(at, group);
        true
    }

    /// Removes the group of this name; false when there is none.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        let Ok(at) = self.find_group(name) else {
            return false;
        };
        let group = self.groups.remove(at);
        self.group_bytes -= group.heap_bytes();
        true
    }

    /// Lets `change` change the group at a place that [`Log::find_group`] found.
    #[inline]
    pub fn edit_group<R>(&mut self, at: usize, change: impl FnOnce(&mut Group) -> R) -> Option<R> {
        // A thin shell, so that not every caller gets a copy of the accounting.
        let (mut change, mut result) = (Some(change), None);
        self.change_group(at, &mut |group| {
            result = change.take().map(|change| change(group));
        });
        result
    }

    #[inline(never)]
    fn change_group(&mut self, at: usize, change: &mut dyn FnMut(&mut Group)) {
        if let Some(group) = self.groups.get_mut(at) {
            let before = group.heap_bytes();
            change(group);
            self.group_bytes = self.group_bytes + group.heap_bytes() - before;
        }
    }

    /// Whether a group still needs an entry: it has not read it, or not acknowledged it. O(groups).
    pub fn is_referenced(&self, id: Id) -> bool {
        let mut groups = self.groups.iter();
        groups.any(|group| group.last_id < id || group.pending(id).is_some())
    }

    /// Drops every group's reference to an entry. O(groups).
    pub fn unreference(&mut self, id: Id) {
        for at in 0..self.groups.len() {
            self.edit_group(at, |group| group.acknowledge(id));
        }
    }

    /// How many entries were added up to `id`, if that can be told.
    pub fn read_count(&self, id: Id) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id != Id::MIN && id < self.max_deleted_id {
            return None;
        }
        if id == self.last_id {
            return Some(self.entries_added);
        }
        if id > self.last_id {
            return None;
        }
        // Nothing was deleted behind the first entry.
        if self.max_deleted_id == Id::MIN || self.max_deleted_id < self.first_id {
            let before = self.entries_added.wrapping_sub(self.len);
            if id < self.first_id {
                return Some(before);
            }
            if id == self.first_id {
                return Some(before.wrapping_add(1));
            }
        }
        None
    }

    /// Whether entries above or at `from` were deleted one by one.
    pub fn has_gap_from(&self, from: Id) -> bool {
        self.len > 0
            && self.max_deleted_id != Id::MIN
            && self.first_id <= self.max_deleted_id
            && from <= self.max_deleted_id
    }

    /// How many entries a group has yet to read; None when that cannot be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.entries_added == 0 || self.len == 0 {
            return Some(0);
        }
        let all = self.entries_added as i64;
        if group.last_id < self.first_id && self.max_deleted_id < self.first_id {
            return Some(self.len as i64);
        }
        if let Some(read) = group.entries_read
            && !self.has_gap_from(group.last_id)
        {
            return Some(all.wrapping_sub(read));
        }
        let read = self.read_count(group.last_id)?;
        Some(all.wrapping_sub(read as i64))
    }

    /// Moves a group on to an entry it has just read.
    pub fn advance(&mut self, at: usize, id: Id) {
        let Some(group) = self.groups.get(at) else {
            return;
        };
        let counted = match group.entries_read {
            Some(read) if group.last_id >= self.first_id && !self.has_gap_from(group.last_id) => {
                Some(read.wrapping_add(1))
            }
            read if self.entries_added == 0 => read,
            _ => self.read_count(id).map(|read| read as i64),
        };
        if let Some(group) = self.groups.get_mut(at) {
            group.entries_read = counted;
            group.last_id = id;
        }
    }

    /// What is known of producers who want nothing twice.
    pub fn idempotence(&self) -> Option<&Idempotence> {
        self.idempotence.as_deref()
    }

    /// The same, to be changed; made if there is none.
    pub fn idempotence_mut(&mut self) -> &mut Idempotence {
        self.idempotence.get_or_insert_default()
    }

    /// The entry that a producer has sent with this mark before; it counts as a duplicate then.
    pub fn known(&mut self, producer: &[u8], mark: &[u8], now_ms: i64) -> Option<Id> {
        let marks = self.idempotence.as_mut()?;
        marks.expire(now_ms);
        let known = marks.get(producer, mark)?;
        marks.duplicates += 1;
        Some(known)
    }

    /// How many nodes Redis' radix tree of sixteen-byte ids would have. O(nodes).
    pub fn radix_nodes(&self) -> usize {
        // Where the ids on the way to the present one part, as depths in bytes.
        let mut forks: Vec<usize> = Vec::new();
        let mut count = 0;
        let mut last: Option<[u8; 16]> = None;
        // An edge of one byte is part of the fork it leaves; a longer one is a node.
        let edge = |from: Option<&usize>, to: usize| {
            usize::from(from.map_or(to > 0, |from| to > from + 1))
        };
        for node in self.nodes.iter() {
            let bytes = node.id.to_bytes();
            if let Some(last) = last {
                let shared = bytes
                    .iter()
                    .zip(&last)
                    .take_while(|(one, other)| one == other);
                let depth = shared.count();
                count +=
                    1 + usize::from(16 > forks.last().map_or(depth, |top| depth.max(*top)) + 1);
                while let Some(top) = forks.pop_if(|top| *top > depth) {
                    let above = forks.last().copied().filter(|above| *above >= depth);
                    count += 1 + edge(Some(&above.unwrap_or(depth)), top);
                }
                if forks.last() != Some(&depth) {
                    forks.push(depth);
                }
            }
            last = Some(bytes);
        }
        if last.is_some() {
            count += 1 + forks.last().map_or(1, |top| usize::from(16 > top + 1));
        }
        while let Some(top) = forks.pop() {
            count += 1 + edge(forks.last(), top);
        }
        count.max(1)
    }

    /// Puts a node of a stored stream behind all others; `live` entries are in it. The caller has verified it.
    pub fn load_node(&mut self, node: Node, live: u64) -> bool {
        self.pack_bytes += node.pack.heap_bytes();
        self.len += live;
        self.nodes.last().is_none_or(|last| last.id < node.id) && self.nodes.insert(node)
    }

    /// Panics when an invariant does not hold. For tests. O(n).
    pub fn check(&self) {
        self.nodes.check();
        let (mut len, mut bytes) = (0, 0);
        let mut last = None;
        for node in self.nodes.iter() {
            let verified = node.verify();
            assert!(verified.is_some(), "a node is not sound");
            let (first, end, live) = verified.unwrap_or_default();
            assert!(node.id <= first && last.is_none_or(|last| last < first));
            last = Some(end);
            len += live;
            bytes += node.pack.heap_bytes();
        }
        assert!(last.is_none_or(|last| last <= self.last_id));
        assert_eq!((len, bytes), (self.len, self.pack_bytes));
        let first = self.range(Id::MIN, Id::MAX, false).next();
        match first {
            Some(entry) => assert_eq!(entry.id, self.first_id),
            // A file of Redis 5 or 6 leaves an empty stream with the greatest id.
            None => assert!(self.first_id == Id::MIN || self.first_id == Id::MAX),
        }
        let mut bytes = 0;
        for group in &self.groups {
            group.check();
            bytes += group.heap_bytes();
        }
        assert_eq!(bytes, self.group_bytes);
        assert!(
            self.groups
                .is_sorted_by(|one, other| one.name() < other.name())
        );
    }
}

/// Live entries of a range, one after another.
#[derive(Debug)]
pub struct Entries<'a> {
    log: &'a Log,
    /// The node to read next; with `open`, the one being read.
    place: Option<Place>,
    /// Where the next entry begins; backwards, where the one read last began.
    open: Option<(node::Master, usize)>,
    near: Id,
    far: Id,
    is_reverse: bool,
}

impl<'a> Entries<'a> {
    fn step(&mut self, node: &'a Node) -> Option<Found<'a>> {
        let (master, at) = match self.open {
            Some(open) => open,
            None => {
                let master = node.master()?;
                let start = match self.is_reverse {
                    true => node.pack.view().end(),
                    false => node.first(&master)?.start,
                };
                (master, start)
            }
        };
        let found = match self.is_reverse {
            true => node.before(&master, at)?,
            false => node.entry_at(&master, at)?,
        };
        let at = if self.is_reverse {
            found.start
        } else {
            found.next
        };
        self.open = Some((master, at));
        Some(found)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        loop {
            let place = self.place?;
            let node = self.log.nodes.get(place)?;
            let Some(found) = self.step(node) else {
                self.open = None;
                self.place = match self.is_reverse {
                    true => self.log.nodes.prev(place),
                    false => Some(self.log.nodes.next(place)),
                };
                continue;
            };
            let (is_before, is_behind) = match self.is_reverse {
                true => (found.id > self.near, found.id < self.far),
                false => (found.id < self.near, found.id > self.far),
            };
            if is_behind {
                self.place = None;
            } else if !is_before && !found.is_deleted {
                return Some(found);
            }
        }
    }
}

impl Aggregate for Stream {
    const TYPE: Type = Type::Stream;

    fn of(object: &mut Object) -> Option<&mut Stream> {
        match object {
            Object::Stream(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Stream(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a stream.
    #[inline]
    pub fn stream(&self) -> Option<&'a Stream> {
        match self.view().payload() {
            Payload::Boxed(Object::Stream(value)) => Some(value),
            _ => None,
        }
    }
}
