//! A group of consumers: what was delivered to whom and not yet acknowledged.
//!
//! An entry that is pending stands in the group's list, with its owner, and in the list of its owner. Invariants
//! ([`Group::check`]): the two agree; an entry without an owner stands in the group's list only; `by_name` names every
//! consumer once, in the order of their names; `consumer_bytes` is what the consumers have from the allocator.

use super::id::Id;
use crate::algorithms::bytes::Bytes;
use crate::structures::runs::{Keyed, Runs};

/// The owner of an entry that was given back.
pub const NOBODY: u32 = u32::MAX;

/// A delivered entry that nobody has acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    pub id: Id,
    /// When it was delivered last, in ms since the epoch.
    pub delivered_ms: i64,
    /// How many times it was delivered.
    pub count: u64,
    /// Its consumer's number.
    pub owner: u32,
}

impl Keyed for Pending {
    fn id(&self) -> Id {
        self.id
    }
}

/// One consumer.
#[derive(Debug, Clone)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried anything, in ms since the epoch.
    pub seen_ms: i64,
    /// When it last got anything; -1 for never.
    pub active_ms: i64,
    pending: Runs<Id>,
}

impl Consumer {
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The entries it has not acknowledged.
    pub fn pending(&self) -> &Runs<Id> {
        &self.pending
    }

    fn heap_bytes(&self) -> usize {
        self.name.len() + self.pending.heap_bytes()
    }
}

/// A group.
#[derive(Debug)]
pub struct Group {
    name: Box<[u8]>,
    /// The last entry delivered.
    pub last_id: Id,
    /// How many entries of the stream were delivered, as far as that can be told.
    pub entries_read: Option<i64>,
    pending: Runs<Pending>,
    /// By number; numbers of consumers that are gone are given again.
    consumers: Vec<Option<Consumer>>,
    by_name: Vec<u32>,
    consumer_bytes: usize,
}

impl Clone for Group {
    /// The copy has no spare room, and accounts for that.
    fn clone(&self) -> Self {
        let consumers = self.consumers.clone();
        Group {
            name: self.name.clone(),
            last_id: self.last_id,
            entries_read: self.entries_read,
            pending: self.pending.clone(),
            consumer_bytes: consumers.iter().flatten().map(Consumer::heap_bytes).sum(),
            consumers,
            by_name: self.by_name.clone(),
        }
    }
}

impl Group {
    pub fn new(name: &[u8], last_id: Id, entries_read: Option<i64>) -> Group {
        Group {
            name: name.owned().into_boxed_slice(),
            last_id,
            entries_read,
            pending: Runs::new(),
            consumers: Vec::new(),
            by_name: Vec::new(),
            consumer_bytes: 0,
        }
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.name.len()
            + self.pending.heap_bytes()
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + self.by_name.capacity() * size_of::<u32>()
            + self.consumer_bytes
    }

    /// All pending entries.
    pub fn all_pending(&self) -> &Runs<Pending> {
        &self.pending
    }

    /// How many of them a consumer has; the others were given back. O(consumers).
    pub fn owned_pending(&self) -> usize {
        let consumers = self.consumers();
        consumers.map(|consumer| consumer.pending().len()).sum()
    }

    /// A pending entry. O(log n).
    pub fn pending(&self, id: Id) -> Option<&Pending> {
        self.pending.with_id(id)
    }

    /// The consumers, by name.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.by_name
            .iter()
            .filter_map(|number| self.consumer(*number))
    }

    /// The consumer before whose name so many others stand. O(1).
    pub fn nth_consumer(&self, place: usize) -> Option<&Consumer> {
        self.consumer(*self.by_name.get(place)?)
    }

    pub fn consumer_count(&self) -> usize {
        self.by_name.len()
    }

    /// A consumer by its number.
    pub fn consumer(&self, number: u32) -> Option<&Consumer> {
        self.consumers.get(number as usize)?.as_ref()
    }

    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|number| {
            let other = self.consumer(*number);
            other.map_or(&[][..], Consumer::name).cmp(name)
        })
    }

    /// The number of the consumer of this name. O(log n).
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        let place = self.place(name).ok()?;
        self.by_name.get(place).copied()
    }

    /// Adds a consumer; its number. None when there is one of its name.
    pub fn add_consumer(&mut self, name: &[u8], now_ms: i64) -> Option<u32> {
        let place = self.place(name).err()?;
        let mut number = self.consumers.len();
        if number > self.by_name.len() {
            let free = self.consumers.iter().position(Option::is_none);
            number = free.unwrap_or(number);
        } else {
            self.consumers.push(None);
        }
        let consumer = Consumer {
            name: name.owned().into_boxed_slice(),
            seen_ms: now_ms,
            active_ms: -1,
            pending: Runs::new(),
        };
        self.consumer_bytes += consumer.heap_bytes();
        *self.consumers.get_mut(number)? = Some(consumer);
        self.by_name.insert(place, number as u32);
        Some(number as u32)
    }

    /// Removes a consumer and what is pending for it; how many entries that were. None when there is none of that name.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let place = self.place(name).ok()?;
        let number = self.by_name.remove(place);
        let consumer = self.consumers.get_mut(number as usize)?.take()?;
        self.consumer_bytes -= consumer.heap_bytes();
        for id in consumer.pending.iter() {
            self.pending.remove_id(*id);
        }
        Some(consumer.pending.len())
    }

    fn edit(&mut self, number: u32, change: &mut dyn FnMut(&mut Consumer)) {
        if let Some(Some(consumer)) = self.consumers.get_mut(number as usize) {
            let before = consumer.heap_bytes();
            change(consumer);
            self.consumer_bytes = self.consumer_bytes + consumer.heap_bytes() - before;
        }
    }

    /// A consumer tried something.
    pub fn saw(&mut self, number: u32, now_ms: i64) {
        self.edit(number, &mut |consumer| consumer.seen_ms = now_ms);
    }

    /// A consumer got something.
    pub fn activated(&mut self, number: u32, now_ms: i64) {
        self.edit(number, &mut |consumer| consumer.active_ms = now_ms);
    }

    /// Makes an entry pending, or another owner's, as `pending` says. O(log n), O(1) for new entries.
    pub fn deliver(&mut self, pending: Pending) {
        let Pending { id, owner, .. } = pending;
        let is_new = self.pending.insert(pending);
        if !is_new {
            let place = self.pending.seek(id);
            if let Some(old) = self.pending.get_mut(place) {
                let previous = core::mem::replace(old, pending).owner;
                if previous == owner {
                    return;
                }
                self.edit(previous, &mut |consumer| {
                    consumer.pending.remove_id(id);
                });
            }
        }
        self.edit(owner, &mut |consumer| {
            consumer.pending.insert(id);
        });
    }

    /// An entry is pending no more; false when it was not.
    pub fn acknowledge(&mut self, id: Id) -> bool {
        let Some(pending) = self.pending.remove_id(id) else {
            return false;
        };
        self.edit(pending.owner, &mut |consumer| {
            consumer.pending.remove_id(id);
        });
        true
    }

    /// Panics when an invariant does not hold. For tests. O(n log n).
    pub fn check(&self) {
        self.pending.check();
        let (mut owned, mut bytes) = (0, 0);
        assert_eq!(self.consumers().count(), self.by_name.len());
        for (number, consumer) in self.by_name.iter().zip(self.consumers()) {
            consumer.pending.check();
            bytes += consumer.heap_bytes();
            owned += consumer.pending.len();
            let is_owned = |id: &Id| self.pending(*id).is_some_and(|held| held.owner == *number);
            assert!(consumer.pending.iter().all(is_owned));
        }
        let is_given_back = |held: &&Pending| held.owner == NOBODY;
        let given_back = self.pending.iter().filter(is_given_back).count();
        assert_eq!(owned + given_back, self.pending.len());
        assert_eq!(bytes, self.consumer_bytes);
        let there = self.consumers.iter().flatten().count();
        assert_eq!(there, self.by_name.len());
        let names: Vec<&[u8]> = self.consumers().map(Consumer::name).collect();
        assert!(names.is_sorted_by(|one, other| one < other));
    }
}
