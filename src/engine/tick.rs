//! Time: expiry, waits that end, pauses that end, saves that are due.

use super::Engine;
use crate::state::Hindrance;
use std::mem;

/// How many keys one tick looks at for expiry: bounds its length to well below a millisecond.
const EXPIRE_BUDGET_KEYS: usize = 2000;
/// With due keys left over, the next tick wants to be so soon.
const EXPIRE_PAUSE_MS: i64 = 10;

impl Engine {
    /// Does what time brings, at the time last set. Returns when to call again, in ms since the epoch; None when
    /// nothing waits for time.
    pub fn tick(&mut self) -> Option<i64> {
        #[cfg(feature = "scripting")]
        if self.tick_script() {
            return self.next_deadline_ms();
        }
        self.keys.begin(0, self.now_ms, true);
        let is_expiring = self.server.config.is_active_expire && !self.server.is_cron_paused;
        if is_expiring && self.server.hindrance == Hindrance::None && !self.is_paused_now() {
            self.keys.expire_due(EXPIRE_BUDGET_KEYS);
            self.log_expired();
        }
        if self.is_evicting() {
            self.make_room();
            self.log_expired();
        }
        let used_bytes = self.keys.used_bytes();
        self.server.note_memory(used_bytes, self.now_ms);
        self.time_out();
        self.end_pause();
        self.start_due();
        if self.has_aftermath() {
            self.settle();
        }
        self.broadcast_changes();
        self.resume_all();
        self.next_deadline_ms()
    }

    /// When [`Engine::tick`] has something to do, in ms since the epoch.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        if self.is_busy() {
            return Some(self.now_ms);
        }
        let is_loading = self.server.hindrance == Hindrance::Loading;
        let expiry = self
            .keys
            .next_deadline_ms()
            .filter(|_| self.server.config.is_active_expire && !self.server.is_cron_paused)
            .filter(|_| !is_loading);
        let expiry = expiry.map(|at| {
            at.max(
                self.now_ms
                    + if at <= self.now_ms {
                        EXPIRE_PAUSE_MS
                    } else {
                        0
                    },
            )
        });
        let is_paused = !self.paused.is_empty() && !self.is_holding;
        let pause = is_paused.then_some(self.server.paused_until_ms);
        let eviction = self.is_evicting().then_some(self.now_ms);
        [
            expiry,
            eviction,
            self.blocked.next_deadline_ms(),
            pause,
            self.next_check_ms().filter(|_| !self.server.is_cron_paused),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn is_paused_now(&self) -> bool {
        self.is_holding || self.server.paused_until_ms > self.now_ms
    }

    /// Keys and fields that expired by themselves are deleted on replicas and in the log too.
    fn log_expired(&mut self) {
        let expired = self.keys.take_expired();
        if self.is_logging {
            self.record_expired(expired);
        }
    }

    /// Takes up the input that a pause held back.
    pub(super) fn end_pause(&mut self) {
        if !self.paused.is_empty() && !self.is_paused_now() {
            for id in mem::take(&mut self.paused) {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.is_paused = false;
                }
                self.blocked.resumed.push_back(id);
            }
        }
    }
}
