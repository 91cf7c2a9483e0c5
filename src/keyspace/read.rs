//! Lookups that change nothing, SCAN and random keys.

use super::{Class, Keyspace};
use crate::resp::Error;
use crate::structures::table::EntryView;
use crate::values::{Entry, Object, Str};

/// What a look at a key leaves behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// An access; a miss is an event.
    Use,
    /// No access; a miss is an event.
    Inspect,
    /// No access, no event.
    Examine,
    /// An access, even for a client that leaves no trace.
    Touch,
}

impl Keyspace {
    /// The entry of `key` as a reading command sees it: counted as hit or miss, its access noted. O(1).
    #[inline]
    pub fn read(&mut self, key: &[u8]) -> Option<Entry<'_>> {
        self.look(key, Look::Use)
    }

    /// The same, as commands about a key see it (TTL, TYPE, EXISTS): its access is not noted. O(1).
    #[inline]
    pub fn inspect(&mut self, key: &[u8]) -> Option<Entry<'_>> {
        self.look(key, Look::Inspect)
    }

    /// The same, as OBJECT sees it: a missing key is no event either. O(1).
    pub fn examine(&mut self, key: &[u8]) -> Option<Entry<'_>> {
        self.look(key, Look::Examine)
    }

    /// Notes an access to `key`, even for a client that otherwise leaves no trace. False when there is no such key.
    pub fn touch(&mut self, key: &[u8]) -> bool {
        self.look(key, Look::Touch).is_some()
    }

    #[inline(always)]
    fn look(&mut self, key: &[u8], look: Look) -> Option<Entry<'_>> {
        let db = self.selected;
        let found = self.dbs.get(db).and_then(|table| table.find(key));
        let live = match found {
            Some(view) if is_stale(&view, self.now_ms) => {
                let is_news = self.signals.find_stale(self.notify_classes, key, db);
                self.stats.expired += u64::from(is_news);
                None
            }
            found => found,
        };
        match live {
            Some(view) => {
                self.stats.hits += 1;
                match look {
                    Look::Use => self.clock.touch_read(&view),
                    Look::Touch => self.clock.touch_always(&view),
                    Look::Inspect | Look::Examine => {}
                }
                Some(Entry::new(view))
            }
            None => {
                self.stats.misses += 1;
                if self.notify_classes & Class::KEY_MISS != 0 && look != Look::Examine {
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

    /// What `pick` finds in the entry of `key` (such as `Entry::list`), as a reading command sees it. O(1).
    ///
    /// # Errors
    /// WRONGTYPE when `pick` finds nothing in the entry.
    #[inline]
    pub fn read_value<'a, T>(
        &'a mut self,
        key: &[u8],
        pick: impl FnOnce(&Entry<'a>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.read(key) {
            None => Ok(None),
            Some(entry) => pick(&entry).map(Some).ok_or(Error::WRONG_TYPE),
        }
    }

    /// The same without any trace of the look, so that several values can be held at once.
    ///
    /// # Errors
    /// WRONGTYPE when `pick` finds nothing in the entry.
    pub fn peek_value<'a, T>(
        &'a self,
        key: &[u8],
        pick: impl FnOnce(&Entry<'a>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.peek(key) {
            None => Ok(None),
            Some(entry) => pick(&entry).map(Some).ok_or(Error::WRONG_TYPE),
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

    /// Continues a scan of the selected database at `cursor`, looking at about `count` entries and visiting those with a
    /// key that `filter` lets through; returns the next cursor, 0 at the end. Entries present during the whole scan are
    /// looked at at least once. Expired ones are deleted instead.
    pub fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        filter: impl Fn(&[u8]) -> bool,
        mut visit: impl FnMut(Entry<'_>),
    ) -> u64 {
        let (now_ms, db, classes) = (self.now_ms, self.selected, self.notify_classes);
        let Some(table) = self.dbs.get(db) else {
            return 0;
        };
        let (signals, stats) = (&mut self.signals, &mut self.stats);
        table.scan(cursor, count, |view| {
            if is_stale(&view, now_ms) {
                stats.expired += u64::from(signals.find_stale(classes, view.key(), db));
            } else if filter(view.key()) {
                visit(Entry::new(view));
            }
        })
    }

    /// A random live key of the selected database. Expired ones that are met are deleted.
    pub fn random_key(&mut self, mut random: impl FnMut() -> u64) -> Option<Vec<u8>> {
        /// With nearly everything expired, a look at every entry is the better way to find a live one.
        const TRIES: usize = 100;
        let db = self.selected;
        for _ in 0..TRIES {
            let view = self.dbs.get(db)?.random(&mut random)?;
            let key = view.key().to_vec();
            if !is_stale(&view, self.now_ms) {
                return Some(key);
            }
            self.expire(db, &key);
        }
        self.entries().next().map(|entry| entry.key().to_vec())
    }

    /// How often `key` was used lately; see [`Keyspace::is_lfu`].
    pub fn frequency(&self, key: &[u8]) -> Option<u8> {
        self.peek(key)
            .and_then(|entry| self.clock.frequency(&entry.view()))
    }

    /// Seconds since the last access to `key`; None when accesses are counted, not timed.
    pub fn idle_s(&self, key: &[u8]) -> Option<u32> {
        self.peek(key)
            .and_then(|entry| self.clock.idle_s(&entry.view()))
    }
}

/// Whether an entry has expired.
#[inline]
pub(super) fn is_stale(view: &EntryView<'_, Object>, now_ms: i64) -> bool {
    view.expiry_ms()
        .is_some_and(|expiry_ms| expiry_ms <= now_ms)
}
