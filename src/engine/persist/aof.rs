//! The append-only file: what commands wrote, as bytes for the host to append.

use super::super::Engine;
use crate::algorithms::bytes::Bytes;
use crate::state::{BlockOn, Storage, TimeoutReply};
use std::mem;

impl Engine {
    /// Tells what the host can keep. Without an append-only file `appendonly yes` is refused.
    pub fn set_storage(&mut self, storage: Storage) {
        self.server.aof.storage = storage;
    }

    /// Records every write from now on, as for the start of a file.
    pub fn start_aof(&mut self) {
        self.set_logging(true);
        self.drop_untaken();
        let aof = &mut self.server.aof;
        aof.is_on = true;
        aof.failure = None;
        aof.start_bytes = aof.taken_bytes;
        aof.written_bytes = aof.taken_bytes;
        aof.durable_bytes = aof.taken_bytes;
        aof.mark();
    }

    /// Records nothing any more; what was not taken is dropped.
    pub fn stop_aof(&mut self) {
        self.set_logging(false);
        self.drop_untaken();
        self.server.aof.is_on = false;
    }

    fn drop_untaken(&mut self) {
        let aof = &mut self.server.aof;
        aof.taken_bytes += self.log.len() as u64;
        aof.recorded_bytes = aof.taken_bytes;
        self.log.clear();
    }

    /// Whether there is something to take; a measure of how much.
    #[inline]
    pub fn aof_pending(&self) -> usize {
        match self.server.aof.is_on {
            true => self.log.len(),
            false => 0,
        }
    }

    /// Hands out the bytes recorded since the last time, exchanged for `out`, which is emptied.
    pub fn take_aof(&mut self, out: &mut Vec<u8>) {
        out.clear();
        self.log.take(out);
        self.server.aof.taken_bytes += out.len() as u64;
    }

    /// The database that is chosen behind everything recorded so far; None where the next command says its own. A host that
    /// has to go on in another segment chooses it there.
    pub fn aof_db(&self) -> Option<usize> {
        self.log.db()
    }

    /// How many bytes were recorded since the file was turned on.
    #[inline]
    pub(in crate::engine) fn logged_bytes(&self) -> u64 {
        self.server.aof.taken_bytes + self.log.len() as u64
    }

    /// The host tells how many of the bytes it took since the start are written, and how many survive a power cut.
    pub fn aof_stored(&mut self, written_bytes: u64, durable_bytes: u64) {
        let aof = &mut self.server.aof;
        aof.written_bytes = aof.written_bytes.max(aof.start_bytes + written_bytes);
        aof.durable_bytes = aof.durable_bytes.max(aof.start_bytes + durable_bytes);
        aof.failure = None;
        if !aof.waiters.is_empty() {
            self.wake_stored();
        }
        self.start_due();
        self.resume_all();
    }

    /// Lets those go on whose writes are durable; those who wait for replicas too are told so much in the end.
    #[cold]
    fn wake_stored(&mut self) {
        let durable_bytes = self.server.aof.durable_bytes;
        for id in mem::take(&mut self.server.aof.waiters) {
            let Some(session) = self.sessions.get_mut(id) else {
                continue;
            };
            let is_stored = session.logged_bytes <= durable_bytes;
            let Some(waiting) = &mut session.waiting else {
                continue;
            };
            let BlockOn::Stored { with_replicas } = waiting.block.on else {
                continue;
            };
            if !is_stored {
                self.server.aof.waiters.push(id);
                continue;
            }
            waiting.block.timeout_reply = TimeoutReply::Ints(vec![1, 0]);
            if !with_replicas {
                self.time_out_now(id);
            }
        }
    }

    /// The host tells that it could not write what it took, and why.
    pub fn aof_failed(&mut self, why: &[u8]) {
        self.server.aof.failure = Some(why.owned());
    }
}
