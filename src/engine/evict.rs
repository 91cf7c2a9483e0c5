//! Making room when memory is short, before each command.

use super::Engine;
use crate::keyspace::{Eviction, Worth};

/// Evicting a key of ordinary size takes about as many microseconds.
const KEY_USEC: u64 = 1;

impl Engine {
    /// Evicts keys while the data is beyond `maxmemory`, as many as `maxmemory-eviction-tenacity` allows at once; the
    /// next command and the next tick go on. Notes whether nothing can be done.
    #[cold]
    pub(super) fn make_room(&mut self) {
        self.server.is_out_of_room = false;
        if !self.server.config.is_full(self.keys.used_bytes()) || !self.is_idle_for_eviction() {
            return;
        }
        let Some(how) = self.eviction() else {
            self.server.is_out_of_room = true;
            return;
        };
        for _ in 0..self.eviction_limit() {
            if !self.keys.evict(&how, &mut self.rng) {
                self.server.is_out_of_room = true;
                return;
            }
            if !self.server.config.is_full(self.keys.used_bytes()) {
                return;
            }
        }
    }

    /// Whether keys wait for a tick to be evicted.
    pub(super) fn is_evicting(&self) -> bool {
        self.server.config.maxmemory_bytes > 0
            && !self.server.is_out_of_room
            && self.server.config.is_full(self.keys.used_bytes())
            && self.is_idle_for_eviction()
            && self.eviction().is_some()
    }

    /// Clients that are paused, and a data set that is loaded, keep what there is.
    fn is_idle_for_eviction(&self) -> bool {
        self.server.hindrance == crate::state::Hindrance::None && !self.is_paused_now()
    }

    /// What the configuration says about it; None for `noeviction`.
    fn eviction(&self) -> Option<Eviction> {
        let config = &self.server.config;
        let policy = config.value("maxmemory-policy");
        let dash = policy.iter().position(|byte| *byte == b'-')?;
        let (scope, worth) = policy.split_at_checked(dash)?;
        Some(Eviction {
            worth: match worth {
                b"-lfu" => Worth::Rare,
                b"-ttl" => Worth::Short,
                b"-random" => Worth::Any,
                _ => Worth::Idle,
            },
            volatile_only: scope == b"volatile",
            samples: usize::try_from(config.number("maxmemory-samples")).unwrap_or(1),
            is_lazy: config.value("lazyfree-lazy-eviction") == b"yes",
        })
    }

    /// How many keys may go at once: Redis' limits in time, 500 us by default.
    fn eviction_limit(&self) -> u64 {
        let tenacity = self.server.config.number("maxmemory-eviction-tenacity");
        let usec = match tenacity {
            100.. => u64::MAX,
            11..100 => (500.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64,
            _ => 50 * tenacity.max(0) as u64,
        };
        (usec / KEY_USEC).max(1)
    }
}
