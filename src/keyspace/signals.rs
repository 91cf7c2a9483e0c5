//! Who is to be told of changes: sessions that WATCH a key, sessions blocked on one, listeners of events.

use super::stale::StaleKeys;
use super::{Class, Event, Keyspace};
use crate::algorithms::bytes::Bytes;
use crate::structures::ordered::OrderedMap;
use std::collections::VecDeque;

/// A key with its database.
type Place = (usize, Vec<u8>);

/// A command that deletes what has expired, with its database.
pub type Expired = (usize, Vec<Vec<u8>>);

/// How things stand with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Missing,
    /// There, but its time is up.
    Stale,
    Live,
}

/// A key that clients are blocked on.
#[derive(Debug, Default)]
struct BlockedKey {
    clients: usize,
    /// Those of them that want to know of its end, too.
    on_deletion: usize,
    /// Among the ready ones already.
    is_ready: bool,
}

/// Watches, blocked keys and events not yet delivered.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The sessions that watch a key, each with whether the key had expired by then already.
    watches: OrderedMap<Place, OrderedMap<u32, bool>>,
    touched: Vec<u32>,
    /// By database: the keys that clients are blocked on.
    blocking: OrderedMap<usize, OrderedMap<Vec<u8>, BlockedKey>>,
    /// In the order in which they became ready.
    ready: VecDeque<Place>,
    events: Vec<Event>,
    /// Keys a read found expired, still to be deleted.
    pub(super) stale: StaleKeys,
    /// Whether somebody reads `expired`.
    is_logging: bool,
    /// `lazyfree-lazy-expire`: what expires is logged as UNLINK.
    pub(super) is_lazy: bool,
    /// Keys and fields that expired, for the log: the database, and the command that deletes them.
    expired: Vec<Expired>,
    /// Changes are noted for client-side caches.
    is_tracking: bool,
    modified: Vec<Vec<u8>>,
    is_flushed: bool,
}

impl Signals {
    /// A key was changed, created or removed.
    #[inline]
    pub(super) fn touch(&mut self, db: usize, key: &[u8]) {
        if !self.watches.is_empty() {
            self.touch_watchers(db, key);
        }
        self.touch_others(key);
    }

    #[inline]
    fn touch_others(&mut self, key: &[u8]) {
        if self.is_tracking {
            self.modified.push(key.to_vec());
        }
    }

    #[cold]
    fn touch_watchers(&mut self, db: usize, key: &[u8]) {
        if let Some(sessions) = self.watches.get(&(db, key.to_vec())) {
            self.touched.extend(sessions.keys());
        }
    }

    /// A key's end by time: no change for those who began to watch it when its time was up already.
    fn touch_expired(&mut self, db: usize, key: &[u8]) {
        if let Some(sessions) = self.watches.get_mut(&(db, key.to_vec())) {
            for (session, was_stale) in sessions.iter_mut() {
                if !std::mem::take(was_stale) {
                    self.touched.push(*session);
                }
            }
        }
        self.touch_others(key);
        self.deleted(db, key);
    }

    /// A key was created, or there is more in it that clients may be blocked on.
    #[inline]
    pub(super) fn wake(&mut self, db: usize, key: &[u8]) {
        if !self.blocking.is_empty() {
            self.make_ready(db, key, false);
        }
    }

    /// A value is gone: by itself, or replaced by another.
    #[inline]
    pub(super) fn deleted(&mut self, db: usize, key: &[u8]) {
        if !self.blocking.is_empty() {
            self.make_ready(db, key, true);
        }
    }

    #[cold]
    fn make_ready(&mut self, db: usize, key: &[u8], is_deleted: bool) {
        let keys = self.blocking.get_mut(&db);
        if let Some(blocked) = keys.and_then(|keys| keys.get_mut(key))
            && !blocked.is_ready
            && (!is_deleted || blocked.on_deletion > 0)
        {
            blocked.is_ready = true;
            self.ready.push_back((db, key.owned()));
        }
    }

    /// All keys with blocked clients for which this holds are ready.
    fn make_all_ready(&mut self, is_meant: impl Fn(usize, &[u8]) -> bool) {
        for (db, keys) in self.blocking.iter_mut() {
            for (key, blocked) in keys.iter_mut() {
                if !blocked.is_ready && is_meant(*db, key) {
                    blocked.is_ready = true;
                    self.ready.push_back((*db, key.owned()));
                }
            }
        }
    }

    /// A database was emptied.
    pub(super) fn flushed(&mut self) {
        self.is_flushed = self.is_tracking;
    }

    /// Everything changed.
    pub(super) fn touch_all(&mut self) {
        self.touched
            .extend(self.watches.values().flat_map(OrderedMap::keys));
        self.make_all_ready(|_, _| true);
    }

    /// Another table took the place of database `db`: `before` and `after` tell how things stand with a key in the old
    /// one and the new one. Those who watch a key are told of what they could notice.
    pub(super) fn touch_db(
        &mut self,
        db: usize,
        before: impl Fn(&[u8]) -> Presence,
        after: impl Fn(&[u8]) -> Presence,
    ) {
        let in_db = |place: &Place| place.0 == db;
        for (place, sessions) in self.watches.iter_mut() {
            if !in_db(place) {
                continue;
            }
            let (old, new) = (before(&place.1), after(&place.1));
            if old == Presence::Missing && new == Presence::Missing {
                continue;
            }
            for (session, was_stale) in sessions.iter_mut() {
                match (*was_stale, old, new) {
                    (true, _, Presence::Missing) => *was_stale = false,
                    (true, _, Presence::Stale) => {}
                    (false, Presence::Missing, Presence::Stale) => *was_stale = true,
                    _ => self.touched.push(*session),
                }
            }
        }
        let is_there = |key: &[u8]| [before(key), after(key)] != [Presence::Missing; 2];
        self.make_all_ready(|of_key, key| of_key == db && is_there(key));
    }

    /// A key has expired: tells everybody it concerns.
    #[cold]
    pub(super) fn expire(&mut self, classes: u32, key: &[u8], db: usize) {
        self.touch_expired(db, key);
        self.notify(classes, Class::EXPIRED, "expired", key, db);
        self.log_deletion(db, key, self.is_lazy);
    }

    /// A key was evicted: tells everybody it concerns.
    #[cold]
    pub(super) fn evict(&mut self, classes: u32, key: &[u8], db: usize, is_lazy: bool) {
        self.touch(db, key);
        self.notify(classes, Class::EVICTED, "evicted", key, db);
        self.log_deletion(db, key, is_lazy);
    }

    fn log_deletion(&mut self, db: usize, key: &[u8], is_lazy: bool) {
        if self.is_logging {
            let word: &[u8] = if is_lazy { b"UNLINK" } else { b"DEL" };
            self.expired.push((db, vec![word.owned(), key.owned()]));
        }
    }

    /// Whether somebody wants to know what expires, for the log.
    pub(super) fn is_logging(&self) -> bool {
        self.is_logging
    }

    /// Fields of a hash have expired.
    pub(super) fn log_expired_fields(&mut self, db: usize, key: &[u8], fields: Vec<Vec<u8>>) {
        if self.is_logging {
            for field in fields {
                let command = vec![b"HDEL".owned(), key.owned(), field];
                self.expired.push((db, command));
            }
        }
    }

    /// A read has found a key expired: tells everybody, but leaves the deletion for later. False when this is known
    /// already.
    #[cold]
    pub(super) fn find_stale(&mut self, classes: u32, key: &[u8], db: usize) -> bool {
        let is_news = self.stale.add(db, key);
        if is_news {
            self.expire(classes, key, db);
        }
        is_news
    }

    pub(super) fn notify(
        &mut self,
        classes: u32,
        class: u32,
        name: &'static str,
        key: &[u8],
        db: usize,
    ) {
        if classes & class != 0 {
            self.events.push(Event {
                name,
                key: key.to_vec(),
                db,
                to_key_channel: classes & Class::KEYSPACE != 0,
                to_event_channel: classes & Class::KEYEVENT != 0,
            });
        }
    }
}

impl Keyspace {
    /// Says that `name` happened to `key` of the selected database.
    #[inline]
    pub fn notify(&mut self, class: u32, name: &'static str, key: &[u8]) {
        if self.notify_classes != 0 {
            self.signals
                .notify(self.notify_classes, class, name, key, self.selected);
        }
    }

    /// The same for database `db`.
    #[inline(always)]
    pub fn notify_in(&mut self, db: usize, class: u32, name: &'static str, key: &[u8]) {
        if self.notify_classes != 0 {
            self.signals
                .notify(self.notify_classes, class, name, key, db);
        }
    }

    /// Session `session` watches `key` of the selected database.
    pub fn watch(&mut self, key: &[u8], session: u32) {
        let was_stale = self.is_stale_in(self.selected, key);
        self.signals
            .watches
            .or_default((self.selected, key.to_vec()))
            .insert(session, was_stale);
    }

    /// Whether a watched key has expired since, and was not yet deleted for it.
    pub fn is_watch_expired(&self, db: usize, key: &[u8], session: u32) -> bool {
        let watch = self
            .signals
            .watches
            .get(&(db, key.to_vec()))
            .and_then(|sessions| sessions.get(&session));
        watch == Some(&false) && self.is_stale_in(db, key)
    }

    /// Session `session` watches nothing any more; empties its list.
    pub fn unwatch_all(&mut self, watched: &mut Vec<Place>, session: u32) {
        for place in watched.drain(..) {
            if let Some(sessions) = self.signals.watches.get_mut(&place) {
                sessions.remove(&session);
                if sessions.is_empty() {
                    self.signals.watches.remove(&place);
                }
            }
        }
    }

    /// One more client is blocked on `key`, and wants to know of its end as well or not.
    pub fn add_blocking(&mut self, db: usize, key: &[u8], on_deletion: bool) {
        let keys = self.signals.blocking.or_default(db);
        let blocked = keys.or_default(key.owned());
        blocked.clients += 1;
        blocked.on_deletion += usize::from(on_deletion);
    }

    /// One client fewer is blocked on `key`.
    pub fn remove_blocking(&mut self, db: usize, key: &[u8], on_deletion: bool) {
        let Some(keys) = self.signals.blocking.get_mut(&db) else {
            return;
        };
        if let Some(blocked) = keys.get_mut(key) {
            blocked.clients -= 1;
            blocked.on_deletion -= usize::from(on_deletion);
            if blocked.clients == 0 {
                keys.remove(key);
            }
        }
        if keys.is_empty() {
            self.signals.blocking.remove(&db);
        }
    }

    /// There is more in the value at `key` of the selected database that clients may be blocked on. A new key says so by
    /// itself.
    #[inline]
    pub fn wake(&mut self, key: &[u8]) {
        self.signals.wake(self.selected, key);
    }

    /// The list at `key` of the selected database has grown: this may be enough now for those who want to know of its
    /// end, too.
    #[inline]
    pub fn grown(&mut self, key: &[u8]) {
        self.signals.deleted(self.selected, key);
    }

    /// Those who watch `key` are to take it for changed, though nothing is.
    pub fn touched(&mut self, key: &[u8]) {
        self.signals.touch(self.selected, key);
    }

    /// Notes changes from now on for client-side caches, or does not.
    pub fn set_tracking(&mut self, is_tracking: bool) {
        self.signals.is_tracking = is_tracking;
    }

    /// Whether there are notes for client-side caches.
    #[inline]
    pub fn has_modified(&self) -> bool {
        !self.signals.modified.is_empty() || self.signals.is_flushed
    }

    /// The keys changed since the last call, of whatever database, and whether a database was emptied.
    pub fn take_modified(&mut self) -> (Vec<Vec<u8>>, bool) {
        let is_flushed = std::mem::take(&mut self.signals.is_flushed);
        (std::mem::take(&mut self.signals.modified), is_flushed)
    }

    /// Keys clients are blocked on, over all databases; and those of them whose end somebody wants to know of.
    pub fn blocking_counts(&self) -> (usize, usize) {
        let keys = self.signals.blocking.values();
        let blocked = keys.flat_map(OrderedMap::values);
        blocked.fold((0, 0), |(all, on_deletion), key| {
            (all + 1, on_deletion + usize::from(key.on_deletion > 0))
        })
    }

    /// Whether somebody wants to know of the end of a key.
    pub fn is_end_awaited(&self, db: usize, key: &[u8]) -> bool {
        let keys = self.signals.blocking.get(&db);
        let blocked = keys.and_then(|keys| keys.get(key));
        blocked.is_some_and(|blocked| blocked.on_deletion > 0)
    }

    /// Keys somebody watches, over all databases.
    pub fn watched_len(&self) -> usize {
        self.signals.watches.len()
    }

    /// Whether there is anything to deliver or delete after the command.
    #[inline]
    pub fn has_aftermath(&self) -> bool {
        !self.signals.events.is_empty()
            || !self.signals.touched.is_empty()
            || !self.signals.ready.is_empty()
            || !self.signals.stale.is_empty()
            || self.has_modified()
    }

    /// The sessions whose watched keys changed since the last call.
    pub fn take_touched(&mut self) -> Vec<u32> {
        self.delete_stale();
        std::mem::take(&mut self.signals.touched)
    }

    /// The next key with blocked clients that became ready.
    pub fn next_ready(&mut self) -> Option<Place> {
        let (db, key) = self.signals.ready.pop_front()?;
        let keys = self.signals.blocking.get_mut(&db);
        if let Some(blocked) = keys.and_then(|keys| keys.get_mut(&key)) {
            blocked.is_ready = false;
        }
        Some((db, key))
    }

    /// Starts or stops keeping the keys that expire for [`Keyspace::take_expired`].
    pub fn set_logging(&mut self, is_logging: bool) {
        self.signals.is_logging = is_logging;
    }

    /// Whether keys that expire are logged as UNLINK, not DEL.
    pub fn set_lazy_expire(&mut self, is_lazy: bool) {
        self.signals.is_lazy = is_lazy;
    }

    /// Whether changes are recorded for AOF and replicas.
    pub fn is_logging(&self) -> bool {
        self.signals.is_logging
    }

    /// Whether [`Keyspace::take_expired`] has any to give.
    #[inline]
    pub fn has_expired(&self) -> bool {
        !self.signals.expired.is_empty()
    }

    /// What expired since the last call: database, and the command that deletes it.
    pub fn take_expired(&mut self) -> Vec<Expired> {
        std::mem::take(&mut self.signals.expired)
    }

    /// How many events there are since they were taken.
    pub fn event_count(&self) -> usize {
        self.signals.events.len()
    }

    /// The events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.signals.events)
    }
}
