//! Keys that die by time.

use super::Keyspace;
use super::cut::guard;
use super::read::is_stale;
use crate::structures::table::{Payload, Table};
use crate::values::{Entry, Kind, string};

impl Keyspace {
    /// Sets when `key` expires (None: never), in ms since the epoch. False when there is no such key or nothing to
    /// take away. A moment in the past deletes nothing by itself; commands decide that. O(1).
    pub fn set_expiry(&mut self, key: &[u8], expiry_ms: Option<i64>) -> bool {
        let db = self.selected;
        let Some(mut entry) = self.dbs.get_mut(db).and_then(|table| table.find_mut(key)) else {
            return false;
        };
        let view = entry.view();
        if is_stale(&view, self.now_ms) {
            self.expire(db, key);
            return false;
        }
        self.clock.touch(&view);
        let old_ms = view.expiry_ms();
        if expiry_ms.is_none() && old_ms.is_none() {
            return false;
        }
        guard(&mut self.cut, &self.clock, db, &entry);
        if old_ms.is_none()
            && let Payload::Inline(bytes) = view.payload()
            && !string::stays_embedded(key.len(), bytes.len())
            && Kind::of(view.kind()) == Kind::String
        {
            entry.set_kind(string::CHANGED);
        }
        entry.set_expiry(expiry_ms);
        self.changed(db, key);
        true
    }

    /// When `key` expires (the inner None: never), as a writing command's look at it; None when there is no such key.
    pub fn expiry_for_write(&mut self, key: &[u8]) -> Option<Option<i64>> {
        self.drop_if_stale(self.selected, key);
        let view = self.dbs.get(self.selected)?.find(key)?;
        self.clock.touch(&view);
        Some(view.expiry_ms())
    }

    /// Whether `key` is there, as a writing command's look at it.
    pub fn exists_for_write(&mut self, key: &[u8]) -> bool {
        self.expiry_for_write(key).is_some()
    }

    /// Deletes due keys, looking at no more than about `budget` entries. Round-robin over the databases.
    pub fn expire_due(&mut self, budget: usize) {
        let mut left = budget;
        for _ in 0..self.dbs.len() {
            let db = self.expire_db % self.dbs.len();
            let (mut gone, mut freed) = (Vec::new(), 0);
            let epoch = self.dbs[db].epoch();
            let due = self.dbs[db].expire(self.now_ms, left, |view| {
                if let Some(cut) = &mut self.cut
                    && view.epoch() != epoch
                {
                    cut.keep(&self.clock, db, view);
                }
                freed += Entry::new(view).memory_bytes() - view.memory_bytes();
                let deadline_ms = Entry::new(view).field_deadline_ms();
                self.fields.moved(db, view.key(), deadline_ms, None);
                gone.push(view.key().to_vec());
                true
            });
            self.object_bytes -= freed;
            for key in gone {
                self.note_expired(db, &key);
            }
            left = left.saturating_sub(due.found);
            if due.more || left == 0 {
                break;
            }
            self.expire_db = db + 1;
        }
        self.expire_due_fields(left);
    }

    /// A time before which no key and no field expires, in ms since the epoch; None when none ever does.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let keys = self.dbs.iter().filter_map(Table::next_deadline);
        keys.chain(self.next_field_deadline_ms()).min()
    }

    /// Deletes the keys that reads found expired.
    #[inline]
    pub fn delete_stale(&mut self) {
        if !self.signals.stale.is_empty() {
            self.forget_stale();
        }
    }

    #[cold]
    fn forget_stale(&mut self) {
        for (db, key) in self.signals.stale.take() {
            self.forget(db, &key);
        }
    }

    /// Deletes `key` if it has expired: the look of a writing command that may refuse its arguments afterwards.
    pub fn meet(&mut self, key: &[u8]) {
        self.drop_if_stale(self.selected, key);
    }

    /// Deletes `key` if it has expired: a writing command's first step where the entry is not at hand.
    #[inline]
    pub(super) fn drop_if_stale(&mut self, db: usize, key: &[u8]) {
        let Some(table) = self.dbs.get(db).filter(|table| table.volatile_len() > 0) else {
            return;
        };
        if table
            .find(key)
            .is_some_and(|view| is_stale(&view, self.now_ms))
        {
            self.expire(db, key);
        }
    }

    /// Deletes an expired key, found by a write.
    #[cold]
    pub(super) fn expire(&mut self, db: usize, key: &[u8]) {
        self.forget(db, key);
        self.note_expired(db, key);
    }

    /// What follows from an expired key's deletion: counted, told, logged, unless a read has seen to it.
    pub(super) fn note_expired(&mut self, db: usize, key: &[u8]) {
        if self.signals.stale.remove(db, key) {
            return;
        }
        self.stats.expired += 1;
        self.signals.expire(self.notify_classes, key, db);
    }
}
