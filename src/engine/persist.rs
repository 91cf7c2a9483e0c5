//! Snapshots out and in.
//!
//! The host stores and brings back bytes; this turns the data set into an RDB file in chunks and back. Nothing of a
//! file that is damaged gets in: it is read whole into databases of its own, which replace the old ones at the end.

use super::{Called, Engine};
use crate::formats::objects::Loaded;
use crate::formats::snapshot::{Attributes, Item, LoadError, Options, Reader, Usage, Writer};
use crate::keyspace::Db;
use crate::resp::{Error, Reply};
use crate::state::Block;
use crate::state::functions::Functions;
use crate::values::{Entry, string};
use std::mem;

/// How long after a failed save the next one is tried (Redis: 5 s).
const RETRY_PAUSE_MS: i64 = 5000;
/// How many entries are written before the chunk's length is looked at.
const ENTRIES_A_STEP: usize = 64;

/// A save or load under way.
#[derive(Default)]
pub(super) struct Transfer {
    saver: Option<Saver>,
    loader: Option<Loader>,
    /// `dirty` when the save under way began.
    dirty_at_start: u64,
    /// Not again before this, after a save that failed.
    retry_after_ms: i64,
}

impl std::fmt::Debug for Transfer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Transfer")
            .field("is_saving", &self.saver.is_some())
            .finish_non_exhaustive()
    }
}

/// Where a save stands.
struct Saver {
    writer: Writer,
    is_begun: bool,
    db: usize,
    /// The place in the database, as of [`crate::structures::table::Table::scan`]; None before its header.
    cursor: Option<u64>,
}

/// Where a load stands.
struct Loader {
    reader: Reader,
    dbs: Vec<Db>,
    functions: Functions,
    /// Why a library cannot be loaded.
    problem: Option<Error>,
    db: usize,
    now_ms: i64,
}

/// How often `save` rules that wait for more changes are looked at.
const SAVE_CHECK_PAUSE_MS: i64 = 1000;

impl Engine {
    /// Starts a snapshot of the data set as it is now. Each [`Engine::next_chunk`] continues it; commands must not run
    /// in between until the last chunk is out.
    pub fn begin_snapshot(&mut self) {
        self.transfer.dirty_at_start = self.keys.dirty;
        self.server.is_saving = true;
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

    /// Starts loading a snapshot.
    pub fn begin_load(&mut self) {
        self.transfer.loader = Some(Loader {
            reader: Reader::new(self.keys.limits.clone()),
            dbs: self.keys.fresh(),
            functions: self.server.functions.fresh(),
            problem: None,
            db: 0,
            now_ms: self.now_ms,
        });
    }

    /// Takes the next bytes of the snapshot. Keys that have expired by now are left out.
    ///
    /// # Errors
    /// What is wrong with them; the load is over then and the data set as it was.
    pub fn load_chunk(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(mut loader) = self.transfer.loader.take() else {
            return Err(no_load());
        };
        let Loader {
            reader,
            dbs,
            functions,
            problem,
            db,
            now_ms,
        } = &mut loader;
        let fed = reader.feed(bytes, |item| match item {
            Item::Function { code } => functions.add(&code).map_err(|error| {
                *problem = Some(error);
                "a function library does not load"
            }),
            item => receive(item, dbs, db, *now_ms),
        });
        fed.map_err(|error| match problem {
            Some(problem) => Error::concat(&[refused(error).text(), b": ", problem.text()]),
            None => refused(error),
        })?;
        self.transfer.loader = Some(loader);
        Ok(())
    }

    /// Puts the loaded data set in the place of the present one.
    ///
    /// # Errors
    /// When the snapshot is not complete or its checksum is wrong; the data set stays as it was.
    pub fn end_load(&mut self) -> Result<(), Error> {
        let loader = self.transfer.loader.take().ok_or_else(no_load)?;
        loader.reader.finish().map_err(refused)?;
        self.keys.replace(loader.dbs);
        self.server.functions = loader.functions;
        Ok(())
    }

    /// DEBUG RELOAD: the data set goes through a snapshot and comes back.
    pub(super) fn reload(&mut self, reply: &mut Reply) -> Called {
        if self.server.is_saving {
            reply.error(b"ERR Background save already in progress");
            return Called::Replied;
        }
        let mut bytes = Vec::new();
        self.begin_snapshot();
        while self.next_chunk(usize::MAX, &mut bytes) {}
        self.end_snapshot(true);
        self.begin_load();
        match self.load_chunk(&bytes).and_then(|()| self.end_load()) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.text()),
        }
        Called::Replied
    }

    /// Asks the host for a save when one of the `save` rules says so.
    pub(super) fn save_when_due(&mut self) {
        if self
            .next_save_ms()
            .is_some_and(|at_ms| at_ms <= self.now_ms)
        {
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
    pub(super) fn next_save_check_ms(&self) -> Option<i64> {
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

/// Stores one item of a snapshot.
fn receive(
    item: Item<'_>,
    dbs: &mut [Db],
    db: &mut usize,
    now_ms: i64,
) -> Result<(), &'static str> {
    match item {
        Item::Database { index } => {
            *db = usize::try_from(index)
                .ok()
                .filter(|index| *index < dbs.len())
                .ok_or("more databases than `databases` allows")?;
        }
        Item::Entry {
            key,
            value,
            attributes,
        } => {
            if attributes
                .expire_ms
                .is_some_and(|expire_ms| expire_ms <= now_ms)
            {
                return Ok(());
            }
            let table = dbs.get_mut(*db).ok_or("no such database")?;
            let expiry_ms = attributes.expire_ms;
            let mut bytes = Vec::new();
            let (kind, content) = match value {
                Loaded::String(text) => {
                    bytes = text.into_owned();
                    let kind = string::moved_kind(string::WHOLE, key.len(), bytes.len(), expiry_ms);
                    (kind, string::content(&bytes))
                }
                Loaded::Object(object) => object.into_content(&mut bytes),
            };
            table.insert(&key, kind, content, expiry_ms);
            let idle_s = match attributes.usage {
                Some(Usage::IdleSeconds(idle_s)) => idle_s,
                _ => 0,
            };
            if let Some(view) = table.find(&key) {
                view.set_clock(((now_ms / 1000) as u64).wrapping_sub(idle_s) as u32);
            }
        }
        Item::Aux { .. } | Item::Sizes { .. } | Item::Function { .. } => {}
    }
    Ok(())
}

fn refused(error: LoadError) -> Error {
    Error::concat(&[b"ERR ", &error.message()])
}

fn no_load() -> Error {
    Error::new("ERR no load was begun")
}
