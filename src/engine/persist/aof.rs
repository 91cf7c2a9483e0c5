//! The append-only file: what commands wrote, as bytes for the host to append.

use super::super::Engine;
use crate::algorithms::bytes::Bytes;
use crate::state::Storage;

impl Engine {
    /// Tells what the host can keep. Without an append-only file `appendonly yes` is refused.
    pub fn set_storage(&mut self, storage: Storage) {
        self.server.aof.storage = storage;
    }

    /// Records every write from now on, as for the start of a file.
    pub fn start_aof(&mut self) {
        self.set_logging(true);
        self.log.clear();
        let aof = &mut self.server.aof;
        aof.is_on = true;
        (aof.taken_bytes, aof.written_bytes, aof.durable_bytes) = (0, 0, 0);
    }

    /// Records nothing any more; what was not taken is dropped.
    pub fn stop_aof(&mut self) {
        self.set_logging(false);
        self.log.clear();
        self.server.aof.is_on = false;
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

    /// How many bytes were recorded since the file was turned on.
    #[inline]
    pub(in crate::engine) fn logged_bytes(&self) -> u64 {
        self.server.aof.taken_bytes + self.log.len() as u64
    }

    /// The host tells how many of the bytes it took since the start are written, and how many survive a power cut.
    pub fn aof_stored(&mut self, written_bytes: u64, durable_bytes: u64) {
        let aof = &mut self.server.aof;
        aof.written_bytes = aof.written_bytes.max(written_bytes);
        aof.durable_bytes = aof.durable_bytes.max(durable_bytes);
        aof.failure = None;
    }

    /// The host tells that it could not write what it took, and why.
    pub fn aof_failed(&mut self, why: &[u8]) {
        self.server.aof.failure = Some(why.owned());
    }
}
