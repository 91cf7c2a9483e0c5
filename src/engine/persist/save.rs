//! Snapshots: the data set as an RDB file, in pieces.

use super::super::{Called, Engine};
use super::saver::Saver;
use crate::formats::snapshot::Modules;
use crate::resp::Reply;
use crate::state::Block;
use std::mem;

/// What a snapshot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A file of its own: SAVE and BGSAVE.
    Save,
    /// The base of an append-only file, whose next segment begins at this moment: BGREWRITEAOF.
    Rewrite,
    /// For somebody who wants a copy: nothing is stored by it, and commands do not see it. A snapshot for another purpose
    /// puts an end to it.
    Copy,
}

/// How long after a failed save the next one is tried (Redis: 5 s).
const RETRY_PAUSE_MS: i64 = 5000;
/// How often `save` rules that wait for more changes are looked at.
const SAVE_CHECK_PAUSE_MS: i64 = 1000;

impl Engine {
    /// Starts a snapshot: the data set as it is at this moment, the *cut*. Each [`Engine::next_chunk`] continues it, and
    /// commands may run in between; what they change is written as it was before. A snapshot that is under way ends.
    /// Before a rewrite the host takes what was recorded so far: it belongs to the segment that ends here.
    pub fn begin_snapshot(&mut self, purpose: Purpose) {
        if purpose == Purpose::Rewrite {
            self.log.cut();
        }
        if purpose != Purpose::Copy {
            self.transfer.dirty_at_start = self.keys.dirty;
            self.server.is_saving = true;
        }
        let saver = Saver::new(
            &self.keys,
            &self.server,
            self.now_ms,
            purpose == Purpose::Rewrite,
        );
        self.keys.begin_cut(Box::new(saver));
    }

    /// Appends the next chunk, at most about `limit_bytes` long, to `out`; false when the snapshot is complete. The work is
    /// limited as well, so a chunk may be empty and more to come. Only a write to a large value that is not written yet
    /// takes long, see [`Saver`].
    pub fn next_chunk(&mut self, limit_bytes: usize, out: &mut Vec<u8>) -> bool {
        let mut left = limit_bytes.max(1);
        let goal = out.len().saturating_add(left);
        loop {
            let Some(saver) = self.keys.keeper::<Saver>() else {
                return false;
            };
            let is_drained = saver.drain(goal, out);
            if left == 0 || !is_drained {
                return true;
            }
            if !self.keys.walk(&mut left)
                && let Some(saver) = self.keys.keeper::<Saver>()
                && saver.is_empty()
            {
                saver.end(out);
                self.keys.end_cut();
                return false;
            }
        }
    }

    /// The host reports how storing the snapshot went. Clients that wait in SAVE get their reply.
    pub fn end_snapshot(&mut self, is_ok: bool) {
        self.keys.end_cut();
        self.server.is_saving = false;
        self.server.is_last_save_ok = is_ok;
        if is_ok {
            self.server.stats.saves += 1;
            self.server.last_save_s = self.now_ms / 1000;
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
        self.resume_all();
    }

    /// The host reports that it cannot end, for what had to be stored before is not.
    pub fn fail_shutdown(&mut self) {
        for id in mem::take(&mut self.server.shutdown_waiters) {
            self.unblock(id, |reply: &mut Reply, _: &Block| {
                reply.error(b"ERR Errors trying to SHUTDOWN. Check logs.");
            });
        }
    }

    /// Ends a snapshot for [`Purpose::Copy`], complete or not.
    pub fn end_copy(&mut self) {
        self.keys.end_cut();
    }

    /// DEBUG RELOAD: the data set goes through a snapshot and comes back.
    pub(in crate::engine) fn reload(&mut self, reply: &mut Reply) -> Called {
        if self.server.is_saving || self.keys.is_cut() {
            reply.error(b"ERR Background save already in progress");
            return Called::Replied;
        }
        let mut bytes = Vec::new();
        self.begin_snapshot(Purpose::Save);
        while self.next_chunk(usize::MAX, &mut bytes) {}
        self.end_snapshot(true);
        self.begin_load(Modules::Refuse);
        match self.load_chunk(&bytes).and_then(|()| self.end_load()) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.text()),
        }
        Called::Replied
    }

    /// Asks the host for a save when one of the `save` rules says so.
    pub(in crate::engine) fn save_when_due(&mut self) {
        if self
            .next_save_ms()
            .is_some_and(|at_ms| at_ms <= self.now_ms)
        {
            self.server.is_save_wanted = false;
            self.server.is_saving = true;
            self.server.request(&[b"save", b"bg"]);
        }
    }

    /// When the first of the `save` rules that has enough changes is due.
    pub(in crate::engine) fn next_save_ms(&self) -> Option<i64> {
        let changes = self.keys.dirty - self.keys.dirty_saved;
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

    /// When to look at the `save` rules again: when one is due, and every second while one only waits for more changes.
    pub(in crate::engine) fn next_save_check_ms(&self) -> Option<i64> {
        if self.server.is_saving || self.keys.dirty == self.keys.dirty_saved {
            return None;
        }
        let rules = self.server.config.save_rules.iter();
        let due_ms = rules
            .map(|rule| (self.server.last_save_s + rule.seconds) * 1000)
            .min()?;
        let check_ms = due_ms.max(self.now_ms + SAVE_CHECK_PAUSE_MS);
        Some(
            self.next_save_ms()
                .map_or(check_ms, |save_ms| save_ms.min(check_ms)),
        )
    }
}
