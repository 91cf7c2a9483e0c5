//! Snapshots: the data set as an RDB file, in pieces.

use super::super::{Called, Engine};
use crate::formats::snapshot::{Attributes, Modules, Options, Usage, Writer};
use crate::resp::Reply;
use crate::state::Block;
use crate::values::Entry;
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
/// How many entries are written before the chunk's length is looked at.
const ENTRIES_A_STEP: usize = 64;

/// Where a save stands.
pub(super) struct Saver {
    writer: Writer,
    is_begun: bool,
    db: usize,
    /// The place in the database, as of [`crate::structures::table::Table::scan`]; None before its header.
    cursor: Option<u64>,
}

/// How often `save` rules that wait for more changes are looked at.
const SAVE_CHECK_PAUSE_MS: i64 = 1000;

impl Engine {
    /// Starts a snapshot of the data set as it is now. Each [`Engine::next_chunk`] continues it; commands must not run
    /// in between until the last chunk is out. Before a rewrite the host takes what was recorded so far: it belongs to the
    /// segment that ends here.
    pub fn begin_snapshot(&mut self, purpose: Purpose) {
        if purpose == Purpose::Rewrite {
            self.server.aof.db = None;
        }
        if purpose != Purpose::Copy {
            self.transfer.dirty_at_start = self.keys.dirty;
            self.server.is_saving = true;
        }
        let is_on = |name| self.server.config.value(name) == b"yes";
        let writer = Writer::new(Options {
            compression: is_on("rdbcompression"),
            checksum: is_on("rdbchecksum"),
        });
        self.transfer.saver = Some(Saver {
            writer,
            is_begun: false,
            db: 0,
            cursor: None,
        });
    }

    /// Appends the next chunk, about `limit_bytes` long, to `out`; false when the snapshot is complete.
    pub fn next_chunk(&mut self, limit_bytes: usize, out: &mut Vec<u8>) -> bool {
        let Some(mut saver) = self.transfer.saver.take() else {
            return false;
        };
        if !saver.is_begun {
            saver.is_begun = true;
            saver.begin(self, out);
        }
        while saver.db < self.keys.db_count() {
            if out.len() >= limit_bytes {
                self.transfer.saver = Some(saver);
                return true;
            }
            saver.step(self, out);
        }
        saver.writer.end(out);
        false
    }

    /// The host reports how storing the snapshot went. Clients that wait in SAVE get their reply.
    pub fn end_snapshot(&mut self, is_ok: bool) {
        self.transfer.saver = None;
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

    /// Ends a snapshot for [`Purpose::Copy`], complete or not.
    pub fn end_copy(&mut self) {
        self.transfer.saver = None;
    }

    /// DEBUG RELOAD: the data set goes through a snapshot and comes back.
    pub(in crate::engine) fn reload(&mut self, reply: &mut Reply) -> Called {
        if self.server.is_saving || self.transfer.saver.is_some() {
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

impl Saver {
    fn begin(&mut self, engine: &Engine, out: &mut Vec<u8>) {
        self.writer.begin(out);
        let created_s = (engine.now_ms / 1000).to_string();
        let used_bytes = engine.keys.used_bytes().to_string();
        let facts: [(&[u8], &[u8]); 4] = [
            (b"redis-ver", b"8.2.3"),
            (b"redis-bits", b"32"),
            (b"ctime", created_s.as_bytes()),
            (b"used-mem", used_bytes.as_bytes()),
        ];
        for (name, value) in facts {
            self.writer.aux(out, name, value);
        }
        for source in engine.server.functions.sources() {
            self.writer.function(out, source);
        }
    }

    /// Writes some entries, or goes on to the next database.
    fn step(&mut self, engine: &Engine, out: &mut Vec<u8>) {
        let Some(table) = engine.keys.db(self.db).filter(|table| !table.is_empty()) else {
            self.db += 1;
            return;
        };
        let cursor = self.cursor.unwrap_or_else(|| {
            self.writer.database(
                out,
                self.db as u64,
                table.len() as u64,
                table.volatile_len() as u64,
            );
            0
        });
        let now_s = engine.now_ms / 1000;
        let next = table.scan(cursor, ENTRIES_A_STEP, |view| {
            let entry = Entry::new(view);
            let attributes = Attributes {
                expire_ms: entry.expiry_ms(),
                usage: idle(&entry, now_s),
            };
            self.writer.entry(out, &entry, &attributes);
        });
        self.cursor = Some(next);
        if next == 0 {
            self.cursor = None;
            self.db += 1;
        }
    }
}

/// How long an entry was not used, if that is worth a word in the file.
fn idle(entry: &Entry<'_>, now_s: i64) -> Option<Usage> {
    let idle_s =
        (now_s as u32).wrapping_sub(entry.view().clock()) & crate::structures::table::CLOCK_MAX;
    (idle_s > 0).then_some(Usage::IdleSeconds(u64::from(idle_s)))
}
