//! When the data set is saved and the append-only file rewritten, and what becomes of the attempt. One thing is under way
//! at a time; what cannot begin waits its turn.

use super::super::{Called, Engine};
use crate::algorithms::bytes::Append;
use crate::algorithms::num;
use crate::formats::snapshot::Modules;
use crate::resp::Reply;
use crate::state::{Block, Hindrance};
use std::mem;

/// How long after a failed save the next one is tried (Redis: 5 s).
const RETRY_PAUSE_MS: i64 = 5000;
/// How often it is asked whether something is due that waits for more changes.
const CHECK_PAUSE_MS: i64 = 1000;

impl Engine {
    /// A snapshot begins that is to be stored: as what it was asked for, or for what the host says it is.
    pub(super) fn note_begin(&mut self, purpose: super::Purpose) {
        let server = &mut self.server;
        let is_save_asked = server.is_saving && !server.is_save_waiting;
        let is_rewrite =
            purpose == super::Purpose::Rewrite || server.aof.is_rewriting && !is_save_asked;
        self.transfer.is_rewrite = Some(is_rewrite);
        if !is_rewrite && !server.is_saving {
            server.is_saving = true;
            server.save_started_s = self.now_ms / 1000;
        }
        if is_rewrite && !server.aof.is_rewriting {
            server.aof.is_rewriting = true;
            server.aof.rewrite_started_s = self.now_ms / 1000;
        }
        self.transfer.dirty_at_start = self.keys.dirty;
        self.transfer.handed_bytes = 0;
        self.transfer.cut_bytes = self.server.aof.taken_bytes + self.log.len() as u64;
    }

    /// The host reports how storing the snapshot went. Clients that wait in SAVE get their reply.
    pub fn end_snapshot(&mut self, is_ok: bool) {
        self.keys.end_cut();
        // A host that could not even begin tells so, too.
        let is_save_asked = self.server.is_saving && !self.server.is_save_waiting;
        let is_asked = self.server.aof.is_rewriting && !is_save_asked;
        match self.transfer.is_rewrite.take().unwrap_or(is_asked) {
            true => self.end_rewrite(is_ok),
            false => self.end_save(is_ok),
        }
        self.start_due();
        self.resume_all();
    }

    fn end_save(&mut self, is_ok: bool) {
        let server = &mut self.server;
        server.is_saving = false;
        server.is_last_save_ok = is_ok;
        if mem::take(&mut server.is_save_aside) {
            server.last_save_took_s = Some(self.now_ms / 1000 - server.save_started_s);
        }
        if is_ok {
            server.stats.saves += 1;
            server.last_save_s = self.now_ms / 1000;
            self.keys.dirty_saved = self.transfer.dirty_at_start.max(self.keys.dirty_saved);
        } else {
            self.transfer.retry_after_ms = self.now_ms + RETRY_PAUSE_MS;
        }
        for id in mem::take(&mut self.server.save_waiters) {
            self.unblock(id, |reply: &mut Reply, _: &Block| match is_ok {
                true => reply.ok(),
                false => reply.error(b"ERR"),
            });
        }
    }

    /// The host reports that it cannot end, for what had to be stored before is not.
    pub fn fail_shutdown(&mut self) {
        for id in mem::take(&mut self.server.shutdown_waiters) {
            self.unblock(id, |reply: &mut Reply, _: &Block| {
                reply.error(b"ERR Errors trying to SHUTDOWN. Check logs.");
            });
        }
        self.resume_all();
    }

    fn end_rewrite(&mut self, is_ok: bool) {
        let is_wanted = self.server.is_aof_enabled();
        let aof = &mut self.server.aof;
        let was_asked = mem::take(&mut aof.is_rewriting);
        aof.last_rewrite_s = Some(self.now_ms / 1000 - aof.rewrite_started_s);
        if is_ok {
            aof.rebase(self.transfer.handed_bytes, self.transfer.cut_bytes);
            aof.is_starting = false;
            aof.failures = 0;
            aof.is_last_rewrite_bad = false;
            return;
        }
        // Turning it off ends its rewrite: that is no failure.
        if was_asked || is_wanted {
            aof.failures += 1;
            aof.is_last_rewrite_bad = true;
            aof.is_scheduled |= aof.is_starting;
        }
    }

    /// DEBUG RELOAD and DEBUG LOADAOF: the data set goes through a snapshot and comes back.
    pub(in crate::engine) fn reload(&mut self, is_save: bool, reply: &mut Reply) -> Called {
        if self.server.is_saving || self.keys.is_cut() {
            reply.error(b"ERR Background save already in progress");
            return Called::Replied;
        }
        let bytes = self.snapshot_bytes(is_save);
        self.begin_load(Modules::Refuse);
        match self.load_chunk(&bytes).and_then(|()| self.end_load()) {
            Ok(()) => {
                self.keys.dirty_saved = self.keys.dirty;
                reply.ok();
            }
            Err(error) => reply.error(error.text()),
        }
        Called::Replied
    }

    fn snapshot_bytes(&mut self, is_save: bool) -> Vec<u8> {
        let purpose = if is_save {
            super::Purpose::Save
        } else {
            super::Purpose::Copy
        };
        let mut bytes = Vec::new();
        self.begin_snapshot(purpose);
        while self.next_chunk(usize::MAX, &mut bytes) {}
        match is_save {
            true => self.end_snapshot(true),
            false => self.end_copy(),
        }
        bytes
    }

    /// Begins what is due: a rewrite or a save that waits its turn, a `save` rule that is met, a file that has grown.
    pub(in crate::engine) fn start_due(&mut self) {
        let server = &mut self.server;
        if server.aof.is_rewriting
            || server.is_saving && !server.is_save_waiting
            || server.is_cron_paused
            || server.hindrance != Hindrance::None
        {
            return;
        }
        if mem::take(&mut server.is_save_waiting) {
            server.request(&[b"save", b"sync"]);
            return;
        }
        if server.aof.is_scheduled && !self.is_rewrite_put_off() {
            self.server.start_rewrite(self.now_ms);
            return;
        }
        if self.next_save_ms().is_some_and(|at| at <= self.now_ms) {
            self.server.start_save(self.now_ms);
            return;
        }
        if self.is_rewrite_due() && !self.is_rewrite_put_off() {
            let mut text = b"Starting automatic rewriting of AOF on ".to_vec();
            num::write_u64(&mut text, self.server.aof.growth_percent());
            text.put(b"% growth");
            self.server.log(2, &text);
            self.server.start_rewrite(self.now_ms);
            return;
        }
        if self.server.is_save_scheduled && self.transfer.retry_after_ms <= self.now_ms {
            self.server.start_save(self.now_ms);
        }
    }

    /// Whether the append-only file has grown so much that it is to be rewritten.
    fn is_rewrite_due(&self) -> bool {
        let (aof, config) = (&self.server.aof, &self.server.config);
        if !aof.is_on || aof.is_starting {
            return false;
        }
        let percent = config.number("auto-aof-rewrite-percentage");
        let least_bytes = config.number("auto-aof-rewrite-min-size");
        percent > 0
            && i64::try_from(aof.size_bytes()).is_ok_and(|size| size > least_bytes)
            && i64::try_from(aof.growth_percent()).is_ok_and(|growth| growth >= percent)
    }

    fn is_rewrite_put_off(&mut self) -> bool {
        let (is_put_off, minutes) = self.server.aof.is_put_off(self.now_ms / 1000);
        if let Some(minutes) = minutes {
            let mut text =
                b"Background AOF rewrite has repeatedly failed and triggered the limit, will retry in "
                    .to_vec();
            num::write_i64(&mut text, minutes);
            text.put(b" minutes");
            self.server.log(3, &text);
        }
        is_put_off
    }

    /// When the first of the `save` rules that has enough changes is due.
    pub(in crate::engine) fn next_save_ms(&self) -> Option<i64> {
        let changes = self.keys.dirty.saturating_sub(self.keys.dirty_saved);
        if self.server.is_saving || changes == 0 {
            return None;
        }
        if self.server.is_save_wanted {
            return Some(self.transfer.retry_after_ms);
        }
        let rules = self
            .server
            .config
            .save_rules
            .iter()
            .filter(|rule| changes >= rule.changes);
        let due_ms = rules
            .map(|rule| (self.server.last_save_s + rule.seconds) * 1000)
            .min()?;
        Some(due_ms.max(self.transfer.retry_after_ms))
    }

    /// When to look again whether something is due: when a `save` rule is, and every second while one only waits for more
    /// changes or a rewrite for its time.
    pub(in crate::engine) fn next_check_ms(&self) -> Option<i64> {
        let server = &self.server;
        if server.is_saving || server.aof.is_rewriting || server.hindrance != Hindrance::None {
            return None;
        }
        let soon_ms = self.now_ms + CHECK_PAUSE_MS;
        let is_waiting = server.aof.is_scheduled
            || server.is_save_scheduled
            || server.aof.failures > 0 && self.is_rewrite_due();
        let rules_ms = || {
            if self.keys.dirty == self.keys.dirty_saved {
                return None;
            }
            let rules = server.config.save_rules.iter();
            let due_ms = rules
                .map(|rule| (server.last_save_s + rule.seconds) * 1000)
                .min()?;
            let check_ms = due_ms.max(soon_ms);
            Some(
                self.next_save_ms()
                    .map_or(check_ms, |save_ms| save_ms.min(check_ms)),
            )
        };
        match (is_waiting, rules_ms()) {
            (true, Some(rules_ms)) => Some(soon_ms.min(rules_ms)),
            (true, None) => Some(soon_ms),
            (false, rules_ms) => rules_ms,
        }
    }
}
