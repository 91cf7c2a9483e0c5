//! Client-side caching: which client may hold which key in a cache of its own, and must hear when it changes.
//!
//! In the default mode the server remembers every key a tracking client read and tells the client once when the key
//! changes. In broadcast mode it remembers nothing but prefixes and tells of every change below them, joined into one
//! message for each prefix at the end of the input that was being processed.

use crate::algorithms::bytes::Bytes;
use crate::structures::ordered::{OrderedMap, OrderedSet};

/// How one session wants to hear of changes.
#[derive(Debug, Default)]
pub struct Tracking {
    /// The CLIENT ID of the session that hears in its place; 0 for none.
    pub redirect: u64,
    /// That session is gone.
    pub is_redirect_broken: bool,
    pub is_broadcast: bool,
    /// Remember only what is read behind CLIENT CACHING YES.
    pub is_opt_in: bool,
    /// Do not remember what is read behind CLIENT CACHING NO.
    pub is_opt_out: bool,
    /// CLIENT CACHING was said, for the next command.
    pub is_caching_said: bool,
    /// Changes of its own are no news.
    pub no_loop: bool,
    /// Of broadcast mode.
    pub prefixes: OrderedSet<Vec<u8>>,
}

impl Tracking {
    /// Whether the keys that a command read now are to be remembered.
    pub fn remembers(&self) -> bool {
        let by_word = match (self.is_opt_in, self.is_opt_out) {
            (true, _) => self.is_caching_said,
            (_, true) => !self.is_caching_said,
            _ => true,
        };
        by_word && !self.is_broadcast
    }
}

/// What is to be told to a session.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// The CLIENT ID of the session that tracks.
    pub client: u64,
    /// The keys; None when everything is gone.
    pub keys: Option<Vec<Vec<u8>>>,
}

/// A prefix of broadcast mode.
#[derive(Debug, Default)]
struct Prefix {
    clients: OrderedSet<u64>,
    /// Keys changed since the last message, each with the client that changed it last (0: nobody, it expired).
    changed: OrderedMap<Vec<u8>, u64>,
}

/// Who holds what.
#[derive(Debug, Default)]
pub struct TrackingTable {
    /// Tracking clients; those with NOLOOP say so.
    clients: OrderedMap<u64, Mode>,
    /// The readers of each remembered key. Keys of the same name in different databases are one.
    keys: OrderedMap<Vec<u8>, OrderedSet<u64>>,
    prefixes: OrderedMap<Vec<u8>, Prefix>,
    /// Something changed below a prefix.
    has_broadcast: bool,
    /// To be told when the command is over.
    pub told: Vec<Invalidation>,
}

#[derive(Debug, Clone, Copy)]
struct Mode {
    no_loop: bool,
    is_broadcast: bool,
}

impl TrackingTable {
    /// Whether any client tracks anything.
    #[inline]
    pub fn is_active(&self) -> bool {
        !self.clients.is_empty()
    }

    pub fn has_broadcast(&self) -> bool {
        self.has_broadcast
    }

    /// Tracking clients, remembered keys, pairs of key and reader, prefixes: what INFO shows.
    pub fn counts(&self) -> [usize; 4] {
        let items = self.keys.values().map(OrderedSet::len).sum();
        [
            self.clients.len(),
            self.keys.len(),
            items,
            self.prefixes.len(),
        ]
    }

    /// Client `id` tracks as `tracking` says.
    pub fn start(&mut self, id: u64, tracking: &Tracking) {
        let mode = Mode {
            no_loop: tracking.no_loop,
            is_broadcast: tracking.is_broadcast,
        };
        self.clients.insert(id, mode);
        for prefix in &tracking.prefixes {
            let place = self.prefixes.or_default(prefix.clone());
            place.clients.insert(id);
        }
    }

    /// Client `id` tracks nothing any more. Keys remembered for it are forgotten when they change.
    pub fn stop(&mut self, id: u64, tracking: &Tracking) {
        self.clients.remove(&id);
        for prefix in &tracking.prefixes {
            if let Some(place) = self.prefixes.get_mut(prefix) {
                place.clients.remove(&id);
                if place.clients.is_empty() {
                    self.prefixes.remove(prefix);
                }
            }
        }
    }

    /// Client `id` read `key`. With more than `limit` keys remembered (0: no limit), one is forgotten early and its
    /// readers told.
    pub fn remember(&mut self, id: u64, key: &[u8], limit: usize) {
        match self.keys.get_mut(key) {
            Some(readers) => {
                readers.insert(id);
            }
            None => {
                self.keys.insert(key.owned(), OrderedSet::of(id));
                if limit > 0
                    && self.keys.len() > limit
                    && let Some(first) = self.keys.first().map(|(first, _)| first.clone())
                {
                    self.tell_readers(&first, 0);
                }
            }
        }
    }

    /// Client `writer` (0: nobody, it expired) changed `key`.
    pub fn changed(&mut self, writer: u64, key: &[u8]) {
        if !self.prefixes.is_empty() {
            self.note_prefixes(writer, key);
        }
        self.tell_readers(key, writer);
    }

    fn note_prefixes(&mut self, writer: u64, key: &[u8]) {
        // Only a prefix of the key itself can match, and those sort no later than the key.
        for (prefix, place) in self.prefixes.iter_mut() {
            if prefix.as_slice() > key {
                break;
            }
            if key.starts_with(prefix) {
                place.changed.insert(key.owned(), writer);
                self.has_broadcast = true;
            }
        }
    }

    fn tell_readers(&mut self, key: &[u8], writer: u64) {
        for client in self.keys.remove(key).unwrap_or_default() {
            let hears = |mode: &Mode| !(mode.is_broadcast || mode.no_loop && client == writer);
            if self.clients.get(&client).is_some_and(hears) {
                let keys = Some(vec![key.owned()]);
                self.told.push(Invalidation { client, keys });
            }
        }
    }

    /// Everything is gone.
    pub fn flushed(&mut self) {
        self.keys.clear();
        let all = self.clients.keys();
        self.told
            .extend(all.map(|&client| Invalidation { client, keys: None }));
    }

    /// Joins what changed below each prefix into messages.
    pub fn broadcast(&mut self) {
        self.has_broadcast = false;
        for place in self.prefixes.values_mut() {
            let changed = std::mem::take(&mut place.changed);
            for &client in &place.clients {
                let no_loop = self.clients.get(&client).is_some_and(|mode| mode.no_loop);
                let is_news = |writer: u64| !(no_loop && writer == client);
                let keys: Vec<Vec<u8>> = changed
                    .iter()
                    .filter(|(_, writer)| is_news(**writer))
                    .map(|(key, _)| key.clone())
                    .collect();
                if !keys.is_empty() {
                    let keys = Some(keys);
                    self.told.push(Invalidation { client, keys });
                }
            }
        }
    }
}
