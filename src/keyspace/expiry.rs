//! Keys that die by time.

use super::read::is_stale;
use super::{Class, Keyspace};
use crate::structures::table::Table;
use crate::values::Entry;

impl Keyspace {
    /// Sets when `key` expires (None: never), in ms since the epoch. False when there is no such key or nothing to
    /// take away. A moment in the past deletes nothing by itself; commands decide that.
    pub fn set_expiry(&mut self, key: &[u8], expiry_ms: Option<i64>) -> bool {
        self.delete_stale();
        let db = self.selected;
        self.drop_if_stale(db, key);
        let Some(mut entry) = self.dbs[db].find_mut(key) else {
            return false;
        };
        if expiry_ms.is_none() && entry.view().expiry_ms().is_none() {
            return false;
        }
        entry.set_expiry(expiry_ms);
        self.changed(db, key);
        true
    }

    /// Deletes due keys, looking at no more than about `budget` entries. Round-robin over the databases.
    pub fn expire_due(&mut self, budget: usize) {
        let mut left = budget;
        for _ in 0..self.dbs.len() {
            let db = self.expire_db % self.dbs.len();
            let (mut gone, mut freed) = (Vec::new(), 0);
            let due = self.dbs[db].expire(self.now_ms, left, |view| {
                freed += Entry::new(view).memory_bytes() - view.memory_bytes();
                gone.push(view.key().to_vec());
                true
            });
            self.object_bytes -= freed;
            for key in gone {
                self.expired(db, &key);
            }
            left = left.saturating_sub(due.found);
            if due.more || left == 0 {
                break;
            }
            self.expire_db = db + 1;
        }
    }

    /// A time before which no key expires, in ms since the epoch; None when none ever does.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.dbs.iter().filter_map(Table::next_deadline).min()
    }

    /// Deletes the keys that reads found expired.
    pub fn delete_stale(&mut self) {
        if self.stale.is_empty() {
            return;
        }
        for (db, key) in std::mem::take(&mut self.stale) {
            self.drop_if_stale(db, &key);
        }
    }

    /// Deletes `key` if it has expired: a writing command's first step.
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

    #[cold]
    fn expire(&mut self, db: usize, key: &[u8]) {
        self.forget(db, key);
        self.expired(db, key);
    }

    /// What follows from a key's end: counted, told, logged.
    fn expired(&mut self, db: usize, key: &[u8]) {
        self.stats.expired += 1;
        self.signals.touch(db, key);
        self.notify_in(db, Class::EXPIRED, "expired", key);
        if self.is_logging {
            self.expired_log.push((db, key.to_vec()));
        }
    }
}
