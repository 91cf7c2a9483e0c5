//! The append-only file: what commands wrote, as bytes for the host to append.

use super::super::Engine;
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num::format_u64;
use crate::formats::aof::write_command;
use crate::state::Storage;
use std::mem;

impl Engine {
    /// Tells what the host can keep. Without an append-only file `appendonly yes` is refused.
    pub fn set_storage(&mut self, storage: Storage) {
        self.server.aof.storage = storage;
    }

    /// Records every write from now on, as for the start of a file.
    pub fn start_aof(&mut self) {
        self.set_logging(true);
        let aof = &mut self.server.aof;
        aof.is_on = true;
        aof.db = None;
        (aof.taken_bytes, aof.written_bytes, aof.durable_bytes) = (0, 0, 0);
    }

    /// Records nothing any more; what was not taken is dropped.
    pub fn stop_aof(&mut self) {
        self.set_logging(false);
        self.log.clear();
        self.server.aof.is_on = false;
        self.server.aof.buffer.clear();
    }

    /// Whether there is something to take; a measure of how much.
    #[inline]
    pub fn aof_pending(&self) -> usize {
        match self.server.aof.is_on {
            true => self.log.len() + self.server.aof.buffer.len(),
            false => 0,
        }
    }

    /// Hands out the bytes recorded since the last time, exchanged for `out`, which is emptied.
    pub fn take_aof(&mut self, out: &mut Vec<u8>) {
        out.clear();
        let aof = &mut self.server.aof;
        for record in mem::take(&mut self.log) {
            if aof.db != Some(record.db) {
                aof.db = Some(record.db);
                let db = format_u64(record.db as u64);
                write_command(&mut aof.buffer, &[b"SELECT", db.as_bytes()]);
            }
            let args: Vec<&[u8]> = record.command.iter().map(Vec::as_slice).collect();
            write_command(&mut aof.buffer, &args);
        }
        mem::swap(&mut aof.buffer, out);
        aof.taken_bytes += out.len() as u64;
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
