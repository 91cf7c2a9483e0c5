//! Lookups that change nothing, SCAN and random keys.

use super::{Class, Keyspace};
use crate::resp::Error;
use crate::structures::table::EntryView;
use crate::values::{Entry, Object, Str};

impl Keyspace {
    /// The entry of `key` as a reading command sees it: counted as hit or miss, its access clock set. O(1).
    #[inline]
    pub fn read(&mut self, key: &[u8]) -> Option<Entry<'_>> {
        let db = self.selected;
        let found = self.dbs.get(db).and_then(|table| table.find(key));
        let live = match found {
            Some(view) if is_stale(&view, self.now_ms) => {
                self.stale.push((db, key.to_vec()));
                None
            }
            found => found,
        };
        match live {
            Some(view) => {
                self.stats.hits += 1;
                if !self.no_touch {
                    view.set_clock((self.now_ms / 1000) as u32);
                }
                Some(Entry::new(view))
            }
            None => {
                self.stats.misses += 1;
                if self.notify_classes & Class::KEY_MISS != 0 {
                    self.signals
                        .notify(self.notify_classes, Class::KEY_MISS, "keymiss", key, db);
                }
                None
            }
        }
    }

    /// The entry of `key` without any trace of the look (OBJECT, TTL of a watcher, SORT's patterns). O(1).
    #[inline]
    pub fn peek(&self, key: &[u8]) -> Option<Entry<'_>> {
        self.peek_in(self.selected, key)
    }

    /// The same in database `db`.
    pub fn peek_in(&self, db: usize, key: &[u8]) -> Option<Entry<'_>> {
        let view = self.dbs.get(db)?.find(key)?;
        (!is_stale(&view, self.now_ms)).then(|| Entry::new(view))
    }

    /// Whether `key` is there, expired or not: what WATCH has to remember.
    pub fn is_stale_in(&self, db: usize, key: &[u8]) -> bool {
        self.dbs
            .get(db)
            .and_then(|table| table.find(key))
            .is_some_and(|view| is_stale(&view, self.now_ms))
    }

    /// The string at `key`, as a reading command sees it.
    ///
    /// # Errors
    /// WRONGTYPE when the value is something else.
    #[inline]
    pub fn read_string(&mut self, key: &[u8]) -> Result<Option<Str<'_>>, Error> {
        match self.read(key) {
            None => Ok(None),
            Some(entry) => entry.string().map(Some).ok_or(Error::WRONG_TYPE),
        }
    }

    /// The string at `key`, without any trace of the look: what a writing command starts from.
    ///
    /// # Errors
    /// WRONGTYPE when the value is something else.
    pub fn peek_string(&self, key: &[u8]) -> Result<Option<Str<'_>>, Error> {
        match self.peek(key) {
            None => Ok(None),
            Some(entry) => entry.string().map(Some).ok_or(Error::WRONG_TYPE),
        }
    }

    /// Every live entry of the selected database, in table order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let now_ms = self.now_ms;
        let entries = self
            .dbs
            .get(self.selected)
            .into_iter()
            .flat_map(|table| table.iter());
        entries
            .filter(move |view| !is_stale(view, now_ms))
            .map(Entry::new)
    }

    /// Continues a scan of the selected database at `cursor`, visiting about `count` entries; returns the next cursor,
    /// 0 at the end. Entries present during the whole scan are visited at least once. Expired ones are deleted instead.
    pub fn scan(&mut self, cursor: u64, count: usize, mut visit: impl FnMut(Entry<'_>)) -> u64 {
        let (now_ms, db) = (self.now_ms, self.selected);
        let Some(table) = self.dbs.get(db) else {
            return 0;
        };
        let stale = &mut self.stale;
        table.scan(cursor, count, |view| {
            if is_stale(&view, now_ms) {
                stale.push((db, view.key().to_vec()));
            } else {
                visit(Entry::new(view));
            }
        })
    }

    /// A random live key of the selected database. Expired ones that are met are deleted.
    pub fn random_key(&mut self, mut random: impl FnMut() -> u64) -> Option<Vec<u8>> {
        /// With nearly everything expired, a look at every entry is the better way to find a live one.
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let view = self.dbs.get(self.selected)?.random(&mut random)?;
            if !is_stale(&view, self.now_ms) {
                return Some(view.key().to_vec());
            }
            let key = view.key().to_vec();
            self.stale.push((self.selected, key));
            self.delete_stale();
        }
        self.entries().next().map(|entry| entry.key().to_vec())
    }
}

/// Whether an entry has expired.
#[inline]
pub(super) fn is_stale(view: &EntryView<'_, Object>, now_ms: i64) -> bool {
    view.expiry_ms()
        .is_some_and(|expiry_ms| expiry_ms <= now_ms)
}
