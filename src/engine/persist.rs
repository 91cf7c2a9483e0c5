//! Snapshots out and in.
//!
//! The host stores and brings back bytes; this turns the data set into an RDB file in chunks and back. Nothing of a
//! file that is damaged gets in: it is read whole into databases of its own, which replace the old ones at the end.

use super::Engine;
use crate::formats::snapshot::{Loader, Saver};
use crate::resp::{Error, Reply};
use crate::state::Block;

/// A save or load under way.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    saver: Option<Saver>,
    loader: Option<Loader>,
    /// `dirty` when the save under way began.
    dirty_at_start: u64,
    /// Not again before this, after a save that failed.
    retry_after_ms: i64,
}

/// How long after a failed save the next one is tried (Redis: 5 s).
const RETRY_PAUSE_MS: i64 = 5000;

impl Engine {
    /// Starts a snapshot of the data set as it is now. Each [`Engine::next_chunk`] continues it; commands must not run
    /// in between until the last chunk is out.
    pub fn begin_snapshot(&mut self) {
        self.transfer.dirty_at_start = self.keys.dirty;
        self.server.is_saving = true;
        self.transfer.saver = Some(Saver::new(self.now_ms));
    }

    /// Writes the next chunk, about `limit_bytes` long, into `out`; false when the snapshot is complete.
    pub fn next_chunk(&mut self, limit_bytes: usize, out: &mut Vec<u8>) -> bool {
        match &mut self.transfer.saver {
            Some(saver) => saver.next_chunk(&self.keys, limit_bytes, out),
            None => false,
        }
    }

    /// The host reports how storing the snapshot went. Clients that wait in SAVE get their reply.
    pub fn end_snapshot(&mut self, is_ok: bool) {
        self.transfer.saver = None;
        self.server.is_saving = false;
        self.server.is_last_save_ok = is_ok;
        if is_ok {
            self.server.last_save_s = self.now_ms / 1000;
            self.keys.dirty_saved = self.transfer.dirty_at_start;
        } else {
            self.transfer.retry_after_ms = self.now_ms + RETRY_PAUSE_MS;
        }
        let write = move |reply: &mut Reply, _: &Block| match is_ok {
            true => reply.ok(),
            false => reply.error(b"ERR"),
        };
        for id in std::mem::take(&mut self.server.save_waiters) {
            self.unblock(id, write);
        }
    }

    /// Starts loading a snapshot.
    pub fn begin_load(&mut self) {
        self.transfer.loader = Some(Loader::new(self.keys.fresh()));
    }

    /// Takes the next bytes of the snapshot.
    ///
    /// # Errors
    /// What is wrong with them; the load is over then and the data set as it was.
    pub fn load_chunk(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(loader) = &mut self.transfer.loader else { return Err(Error::new("ERR no load was begun")) };
        loader.feed(bytes).inspect_err(|_| self.transfer.loader = None)
    }

    /// Puts the loaded data set in the place of the present one.
    ///
    /// # Errors
    /// When the snapshot is not complete or its checksum is wrong; the data set stays as it was.
    pub fn end_load(&mut self) -> Result<(), Error> {
        let Some(loader) = self.transfer.loader.take() else { return Err(Error::new("ERR no load was begun")) };
        let fresh = loader.finish(self.now_ms)?;
        self.keys.replace(fresh);
        Ok(())
    }

    /// Asks the host for a save when one of the `save` rules says so.
    pub(super) fn save_when_due(&mut self) {
        if self.next_save_ms().is_some_and(|at_ms| at_ms <= self.now_ms) {
            self.server.is_saving = true;
            self.server.request(&[b"save", b"bg"]);
        }
    }

    /// When the first of the `save` rules that has enough changes is due.
    pub(super) fn next_save_ms(&self) -> Option<i64> {
        let changes = self.keys.dirty - self.keys.dirty_saved;
        if self.server.is_saving || changes == 0 {
            return None;
        }
        let rules = self.server.config.save_rules.iter().filter(|rule| changes >= rule.changes);
        let due_ms = rules.map(|rule| (self.server.last_save_s + rule.seconds) * 1000).min()?;
        Some(due_ms.max(self.transfer.retry_after_ms))
    }
}
