//! What producers have sent before, so that what they send again is not added twice.
//!
//! Each producer has a queue of marks, oldest first, as long as the stream allows and no older than it allows.

use super::id::Id;
use crate::algorithms::bytes::Bytes;
use std::collections::VecDeque;

/// Redis' defaults.
const DURATION_S: u32 = 100;
const MAX_SIZE: u32 = 100;

/// One entry that a producer sent.
#[derive(Debug, Clone)]
pub struct Mark {
    pub name: Box<[u8]>,
    pub id: Id,
    pub added_ms: i64,
}

#[derive(Debug, Clone)]
struct Producer {
    name: Box<[u8]>,
    marks: VecDeque<Mark>,
}

impl Producer {
    /// Bytes freed.
    fn forget_oldest(&mut self) -> usize {
        self.marks.pop_front().map_or(0, |mark| mark.name.len())
    }

    /// Without marks.
    fn heap_bytes(&self) -> usize {
        self.name.len() + self.marks.capacity() * size_of::<Mark>()
    }
}

/// The marks of a stream's producers.
#[derive(Debug)]
pub struct Idempotence {
    /// How long a mark is kept.
    pub duration_s: u32,
    /// How many marks are kept for a producer.
    pub max_size: u32,
    /// Entries ever added with a mark.
    pub added: u64,
    /// Entries that were not added because they had been before.
    pub duplicates: u64,
    /// By name.
    producers: Vec<Producer>,
    /// What the producers' queues and all names have from the allocator.
    held_bytes: usize,
}

impl Clone for Idempotence {
    /// The copy has no spare room, and accounts for that.
    fn clone(&self) -> Self {
        let producers = self.producers.clone();
        let names = self.iter().map(|(_, mark)| mark.name.len());
        let held_bytes = producers.iter().map(Producer::heap_bytes).sum::<usize>();
        Idempotence {
            held_bytes: held_bytes + names.sum::<usize>(),
            producers,
            ..*self
        }
    }
}

impl Default for Idempotence {
    fn default() -> Self {
        Idempotence {
            duration_s: DURATION_S,
            max_size: MAX_SIZE,
            added: 0,
            duplicates: 0,
            producers: Vec::new(),
            held_bytes: 0,
        }
    }
}

impl Idempotence {
    /// Bytes held from the allocator, this included. O(1).
    pub fn heap_bytes(&self) -> usize {
        size_of::<Idempotence>()
            + self.producers.capacity() * size_of::<Producer>()
            + self.held_bytes
    }

    /// Producers with marks.
    pub fn producers(&self) -> usize {
        self.producers.len()
    }

    /// Marks of all producers.
    pub fn marks(&self) -> usize {
        let count = |producer: &Producer| producer.marks.len();
        self.producers.iter().map(count).sum()
    }

    /// Forgets what is too old. O(producers).
    pub fn expire(&mut self, now_ms: i64) {
        let oldest_ms = now_ms - i64::from(self.duration_s) * 1000;
        let mut freed = 0;
        self.producers.retain_mut(|producer| {
            while producer
                .marks
                .front()
                .is_some_and(|mark| mark.added_ms < oldest_ms)
            {
                freed += producer.forget_oldest();
            }
            let is_spent = producer.marks.is_empty();
            freed += if is_spent { producer.heap_bytes() } else { 0 };
            !is_spent
        });
        self.held_bytes -= freed;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.producers.clear();
        self.held_bytes = 0;
    }

    fn find(&self, producer: &[u8]) -> Result<usize, usize> {
        self.producers
            .binary_search_by(|other| (*other.name).cmp(producer))
    }

    /// The entry that `producer` sent with this mark. O(marks of the producer).
    pub fn get(&self, producer: &[u8], mark: &[u8]) -> Option<Id> {
        let producer = self.producers.get(self.find(producer).ok()?)?;
        let mut marks = producer.marks.iter();
        marks
            .find(|other| *other.name == *mark)
            .map(|found| found.id)
    }

    /// Every producer's name with a mark: by producer, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Mark)> {
        let producers = self.producers.iter();
        producers.flat_map(|producer| producer.marks.iter().map(|mark| (&*producer.name, mark)))
    }

    /// Every producer that has marks, by name, with them, oldest first.
    pub fn queues(&self) -> impl Iterator<Item = (&[u8], &VecDeque<Mark>)> {
        let producers = self.producers.iter();
        producers.map(|producer| (&*producer.name, &producer.marks))
    }

    /// Remembers an entry.
    pub fn add(&mut self, producer: &[u8], mark: &[u8], id: Id, now_ms: i64) {
        let at = self.find(producer).unwrap_or_else(|at| {
            let name = producer.owned().into_boxed_slice();
            let marks = VecDeque::new();
            self.producers.insert(at, Producer { name, marks });
            at
        });
        if let Some(producer) = self.producers.get_mut(at) {
            if producer.marks.is_empty() {
                self.held_bytes += producer.name.len();
            }
            while producer.marks.len() >= self.max_size.max(1) as usize {
                self.held_bytes -= producer.forget_oldest();
            }
            let before = producer.marks.capacity();
            producer.marks.push_back(Mark {
                name: mark.owned().into_boxed_slice(),
                id,
                added_ms: now_ms,
            });
            let grown = producer.marks.capacity() - before;
            self.held_bytes += mark.len() + grown * size_of::<Mark>();
        }
        self.added += 1;
    }
}
