//! Eviction: which keys go when memory is short (`maxmemory-policy`).
//!
//! As in Redis, nothing is kept in order. A few keys are looked at, the best candidates of all looks so far stand in a
//! pool, and the best of the pool goes: close to exact LRU or LFU at the price of a few entries for each key.

use super::Keyspace;
use crate::algorithms::bytes::Bytes;
use crate::algorithms::rng::Rng;

/// Candidates kept from one look to the next.
const POOL_SIZE: usize = 16;

/// What makes a key a good candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It was not used (or, under an LRM policy, not changed) for long.
    Idle,
    /// It is used seldom.
    Rare,
    /// It expires soon.
    Short,
    /// Chance.
    Any,
}

/// `maxmemory-policy` and `maxmemory-samples`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eviction {
    pub worth: Worth,
    /// Only keys that expire may go.
    pub volatile_only: bool,
    /// Keys looked at in each database for each that goes.
    pub samples: usize,
    /// `lazyfree-lazy-eviction`: logged as UNLINK.
    pub is_lazy: bool,
}

/// A key that may go.
#[derive(Debug)]
struct Candidate {
    /// The higher, the better it is to lose the key.
    score: u64,
    db: usize,
    key: Vec<u8>,
}

/// What is remembered from one key that goes to the next.
#[derive(Debug, Default)]
pub(super) struct Evictor {
    /// The best last.
    pool: Vec<Candidate>,
    /// The database whose turn it is when chance decides.
    next_db: usize,
}

impl Evictor {
    fn offer(&mut self, score: u64, db: usize, key: &[u8]) {
        let at = self.pool.partition_point(|one| one.score < score);
        let is_full = self.pool.len() >= POOL_SIZE;
        let is_known = |one: &Candidate| one.db == db && one.key == key;
        if (is_full && at == 0) || self.pool.iter().any(is_known) {
            return;
        }
        let key = key.owned();
        self.pool.insert(at, Candidate { score, db, key });
        if is_full {
            self.pool.remove(0);
        }
    }
}

impl Keyspace {
    /// Removes the key that is best lost; false when there is none to lose. O(samples x databases with keys).
    pub fn evict(&mut self, how: &Eviction, rng: &mut Rng) -> bool {
        let chosen = match how.worth {
            Worth::Any => self.random_candidate(how, rng),
            _ => self.best_candidate(how, rng),
        };
        let Some((db, key)) = chosen else {
            return false;
        };
        self.forget(db, &key);
        self.stats.evicted += 1;
        self.signals
            .evict(self.notify_classes, &key, db, how.is_lazy);
        true
    }

    fn random_candidate(&mut self, how: &Eviction, rng: &mut Rng) -> Option<(usize, Vec<u8>)> {
        for _ in 0..self.dbs.len() {
            let db = self.evictor.next_db % self.dbs.len();
            self.evictor.next_db = db + 1;
            let mut found = None;
            if let Some(table) = self.dbs.get(db) {
                table.sample(rng.next_u64(), 1, how.volatile_only, |view| {
                    found = Some(view.key().owned());
                });
            }
            if let Some(key) = found {
                return Some((db, key));
            }
        }
        None
    }

    fn best_candidate(&mut self, how: &Eviction, rng: &mut Rng) -> Option<(usize, Vec<u8>)> {
        loop {
            if !self.look_for_candidates(how, rng) {
                return None;
            }
            while let Some(best) = self.evictor.pool.pop() {
                // It may be gone, or live for ever by now.
                let table = self.dbs.get(best.db);
                let view = table.and_then(|table| table.find(&best.key));
                if view.is_some_and(|view| !how.volatile_only || view.expiry_ms().is_some()) {
                    return Some((best.db, best.key));
                }
            }
        }
    }

    /// Fills the pool; false when there is no key that may go.
    fn look_for_candidates(&mut self, how: &Eviction, rng: &mut Rng) -> bool {
        let mut has_any = false;
        let (clock, evictor) = (&self.clock, &mut self.evictor);
        for (db, table) in self.dbs.iter().enumerate() {
            table.sample(rng.next_u64(), how.samples, how.volatile_only, |view| {
                has_any = true;
                let score = match how.worth {
                    Worth::Short => (i64::MAX - view.expiry_ms().unwrap_or(i64::MAX)) as u64,
                    Worth::Rare => 255 - u64::from(clock.frequency(&view).unwrap_or(255)),
                    Worth::Idle | Worth::Any => u64::from(clock.idle_s(&view).unwrap_or(0)),
                };
                evictor.offer(score, db, view.key());
            });
        }
        has_any
    }
}
