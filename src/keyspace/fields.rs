//! Fields of hashes that die by time.
//!
//! Every hash with a deadline stands in an index, one for each database, by that deadline. The write guard keeps it: it
//! compares the deadline before and after whatever happens to an entry.

use super::{Class, Keyspace};
use crate::algorithms::bytes::Bytes;
use crate::structures::ordered::OrderedSet;
use crate::values::{Entry, Hash};

/// When to look at which hash, for each database.
#[derive(Debug, Default)]
pub(super) struct FieldDeadlines {
    dbs: Vec<OrderedSet<(i64, Vec<u8>)>>,
    /// Where the next round of active expiry begins.
    next_db: usize,
}

impl FieldDeadlines {
    /// The deadline of the hash at `key` was `before`, and is `after`. O(1) without a change, else O(log n).
    #[inline]
    pub(super) fn moved(&mut self, db: usize, key: &[u8], before: Option<i64>, after: Option<i64>) {
        if before != after {
            self.replace(db, key, before, after);
        }
    }

    #[cold]
    fn replace(&mut self, db: usize, key: &[u8], before: Option<i64>, after: Option<i64>) {
        if self.dbs.len() <= db {
            self.dbs.resize_with(db + 1, OrderedSet::new);
        }
        let Some(index) = self.dbs.get_mut(db) else {
            return;
        };
        if let Some(before) = before {
            index.remove(&(before, key.owned()));
        }
        if let Some(after) = after {
            index.insert((after, key.owned()));
        }
    }

    /// Hashes of database `db` with a deadline.
    pub(super) fn len(&self, db: usize) -> usize {
        self.dbs.get(db).map_or(0, OrderedSet::len)
    }

    /// Whether the hash at `key` stands in the index with that deadline; for checks.
    pub(super) fn has(&self, db: usize, key: &[u8], deadline_ms: i64) -> bool {
        let index = self.dbs.get(db);
        index.is_some_and(|index| index.contains(&(deadline_ms, key.owned())))
    }

    pub(super) fn total(&self) -> usize {
        self.dbs.iter().map(OrderedSet::len).sum()
    }

    /// The hash of database `db` to look at first.
    fn first(&self, db: usize) -> Option<&(i64, Vec<u8>)> {
        self.dbs.get(db)?.iter().next()
    }

    fn next_deadline_ms(&self) -> Option<i64> {
        let firsts = (0..self.dbs.len()).filter_map(|db| self.first(db));
        firsts.map(|(at_ms, _)| *at_ms).min()
    }

    pub(super) fn forget_db(&mut self, db: usize) {
        if let Some(index) = self.dbs.get_mut(db) {
            index.clear();
        }
    }

    pub(super) fn swap(&mut self, one: usize, other: usize) {
        let highest = one.max(other);
        if self.dbs.len() <= highest {
            self.dbs.resize_with(highest + 1, OrderedSet::new);
        }
        self.dbs.swap(one, other);
    }
}

/// What removes due fields from a hash at a time, and tells which.
type Removal<'a> = dyn FnMut(&mut Hash, i64, &mut dyn FnMut(&[u8])) + 'a;

/// What a look at a field that may be due came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The hash is still there.
    Field,
    /// It was the last one, and the key is gone.
    Key,
}

impl Keyspace {
    /// Hashes of database `db` some field of which has a time to live.
    pub fn field_volatile_len(&self, db: usize) -> usize {
        self.fields.len(db)
    }

    /// A time before which no field needs to be looked at; None when none ever does.
    pub(super) fn next_field_deadline_ms(&self) -> Option<i64> {
        self.fields.next_deadline_ms()
    }

    /// The deadline of what is at `key`.
    pub(super) fn field_deadline_ms(&self, db: usize, key: &[u8]) -> Option<i64> {
        let view = self.dbs.get(db)?.find(key)?;
        Entry::new(view).field_deadline_ms()
    }

    /// Deletes `field` of the hash at `key`, which a command found due: that is logged and told to those who watch the
    /// key, but it is no change of the client's. None when there is no such field any more. The events are the
    /// command's business.
    #[cold]
    pub fn expire_field(&mut self, key: &[u8], field: &[u8]) -> Option<Gone> {
        self.expire_fields(key, &mut |hash, _, gone| {
            if hash.remove(field) {
                gone(field);
            }
        })
    }

    /// Deletes all fields of the hash at `key` that are due, as above.
    #[cold]
    pub fn expire_all_fields(&mut self, key: &[u8]) -> Option<Gone> {
        self.expire_fields(key, &mut |hash, now_ms, gone| {
            hash.expire(now_ms, usize::MAX, gone);
            hash.renew_deadline();
        })
    }

    fn expire_fields(&mut self, key: &[u8], remove: &mut Removal<'_>) -> Option<Gone> {
        let (now_ms, db, dirty) = (self.now_ms, self.selected, self.dirty);
        let is_logging = self.signals.is_logging();
        let (mut count, mut logged) = (0, Vec::new());
        let edited = self.edit(key, |hash: &mut Hash, _| {
            remove(hash, now_ms, &mut |field| {
                count += 1;
                if is_logging {
                    logged.push(field.owned());
                }
            });
            Ok((count, ()))
        });
        let edited = edited.ok().flatten().filter(|_| count > 0)?;
        self.dirty = dirty;
        self.stats.expired_fields += count;
        self.signals.log_expired_fields(db, key, logged);
        Some(match edited.is_removed {
            true => Gone::Key,
            false => Gone::Field,
        })
    }

    /// What follows from due fields of the hash at `key` that an edit has just deleted among other things: they are
    /// logged, and are no changes of the client's, although the edit has counted them.
    pub fn note_expired_fields(&mut self, key: &[u8], fields: Vec<Vec<u8>>) {
        self.dirty -= fields.len() as u64;
        self.stats.expired_fields += fields.len() as u64;
        self.signals.log_expired_fields(self.selected, key, fields);
    }

    /// Deletes due fields of hashes that are due, about `budget` at most. Round-robin over the databases.
    pub(super) fn expire_due_fields(&mut self, budget: usize) {
        let selected = self.selected;
        let mut left = budget;
        for _ in 0..self.dbs.len() {
            let db = self.fields.next_db % self.dbs.len();
            self.selected = db;
            while left > 0 && self.expire_first_hash(db, &mut left) {}
            if left == 0 {
                break;
            }
            self.fields.next_db = db + 1;
        }
        self.selected = selected;
    }

    /// Looks at the first hash of a database, if that is due.
    fn expire_first_hash(&mut self, db: usize, left: &mut usize) -> bool {
        let now_ms = self.now_ms;
        let first = self.fields.first(db).filter(|(at_ms, _)| *at_ms <= now_ms);
        let Some((at_ms, key)) = first.cloned() else {
            return false;
        };
        let budget = *left;
        let mut count = 0;
        let gone = self.expire_fields(&key, &mut |hash, now_ms, gone| {
            let is_complete = hash.expire(now_ms, budget, &mut |field| {
                count += 1;
                gone(field);
            });
            if is_complete {
                hash.renew_deadline();
            }
        });
        *left = left.saturating_sub(count + 1);
        if let Some(gone) = gone {
            self.notify_in(db, Class::HASH, "hexpired", &key);
            if gone == Gone::Key {
                self.notify_in(db, Class::GENERIC, "del", &key);
            }
        } else if self.field_deadline_ms(db, &key) == Some(at_ms) {
            // Nothing was due and the deadline did not move: another look would find the same.
            return false;
        }
        true
    }

    /// A key came and went within one command, in so many changes: that is counted, and told.
    pub fn came_and_went(&mut self, key: &[u8], changes: u64) {
        self.notify(Class::NEW, "new", key);
        self.changed_by(changes, self.selected, key);
    }

    /// [`Keyspace::expire_field`], and its events.
    #[cold]
    pub fn expire_field_aloud(&mut self, key: &[u8], field: &[u8]) {
        if let Some(gone) = self.expire_field(key, field) {
            self.notify_gone(key, gone);
        }
    }

    /// The events of fields that are gone.
    pub fn notify_gone(&mut self, key: &[u8], gone: Gone) {
        self.notify(Class::HASH, "hexpired", key);
        if gone == Gone::Key {
            self.notify(Class::GENERIC, "del", key);
        }
    }
}
