//! What a snapshot under way holds: the file's next bytes.
//!
//! ```text
//!   walk        --> ready   whole entries, and the one that is written in parts -+-> chunks
//!   write guard --> kept    whole entries, when nothing is written in parts -----+
//! ```
//!
//! Entries of several databases stand mixed in the file, each run of them behind the number of its database: RDB allows it.
//! A large value is written in parts, a slice each; nothing else can come in between, so what the guard brings meanwhile
//! waits. When that very value is about to change, the rest of it is written at once: a write to a large value that the
//! snapshot has not passed yet pays for that, once.

use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::crc64::Crc64;
use crate::formats::objects::Part;
use crate::formats::snapshot::{Attributes, Options, Usage, Writer};
use crate::keyspace::{AccessClock, Keep, Keyspace};
use crate::state::Server;
use crate::values::Entry;
use std::mem;

/// Longer strings are not compressed, though `rdbcompression` says so: they would keep everybody waiting.
const LONGEST_COMPRESSED: usize = 64 * 1024;
/// What is not needed any more is given back above this.
const SPARE_BYTES: usize = 1 << 20;

/// What the file says about how a key was used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    /// Under an LRU policy.
    Idle,
    /// Under an LFU policy.
    Frequency,
}

/// Bytes of the file, and the database they end in; None when they do not say any.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    db: Option<usize>,
}

/// The bytes of a snapshot that are not fetched yet, and what it takes to make the others.
pub(super) struct Saver {
    /// Writes without a checksum, since not in the order of the file.
    writer: Writer,
    checksum: Option<Crc64>,
    kept_usage: Kept,
    /// The sizes of the databases at the cut, until they are written.
    sizes: Vec<Option<(u64, u64)>>,
    ready: Stream,
    /// How much of `ready` was fetched.
    fetched: usize,
    kept: Stream,
    /// The entry that is written in parts.
    partial: Option<(usize, Vec<u8>, Part)>,
}

impl Saver {
    /// At the cut: the head of the file and the libraries are ready. `is_base`: of an append-only file.
    pub(super) fn new(keys: &Keyspace, server: &Server, now_ms: i64, is_base: bool) -> Saver {
        let is_on = |name| server.config.value(name) == b"yes";
        let policy = server.config.value("maxmemory-policy");
        let kept_usage = match policy.get(policy.len().saturating_sub(4)..) {
            Some(b"-lru") => Kept::Idle,
            Some(b"-lfu") => Kept::Frequency,
            _ => Kept::Nothing,
        };
        let sizes = (0..keys.db_count()).map(|db| {
            let db = keys.db(db)?;
            Some((db.len() as u64, db.volatile_len() as u64))
        });
        let mut saver = Saver {
            writer: Writer::new(Options {
                compression: is_on("rdbcompression"),
                longest_compressed: LONGEST_COMPRESSED,
                checksum: false,
            }),
            checksum: is_on("rdbchecksum").then(Crc64::new),
            kept_usage,
            sizes: sizes.collect(),
            ready: Stream::default(),
            fetched: 0,
            kept: Stream::default(),
            partial: None,
        };
        saver.begin(keys, server, now_ms, is_base);
        saver
    }

    fn begin(&mut self, keys: &Keyspace, server: &Server, now_ms: i64, is_base: bool) {
        let out = &mut self.ready.bytes;
        self.writer.begin(out);
        let created_s = (now_ms / 1000).to_string();
        let used_bytes = keys.used_bytes().to_string();
        let facts: [(&[u8], &[u8]); 5] = [
            (b"redis-ver", b"8.2.3"),
            (b"redis-bits", b"32"),
            (b"ctime", created_s.as_bytes()),
            (b"used-mem", used_bytes.as_bytes()),
            (b"aof-base", if is_base { b"1" } else { b"0" }),
        ];
        for (name, value) in facts {
            self.writer.aux(out, name, value);
        }
        for source in server.functions.sources() {
            self.writer.function(out, source);
        }
    }

    /// Appends what is ready to `out`, until that is `goal` bytes long. True when nothing is left that could be fetched.
    pub(super) fn drain(&mut self, goal: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        while out.len() < goal {
            if self.fetched == self.ready.bytes.len() {
                self.fetched = 0;
                self.ready.bytes.clear();
                self.ready.bytes.shrink_to(SPARE_BYTES);
                if self.partial.is_some() || self.kept.bytes.is_empty() {
                    break;
                }
                mem::swap(&mut self.ready, &mut self.kept);
                self.kept.db = None;
            }
            let rest = self.ready.bytes.get(self.fetched..).unwrap_or_default();
            let part = rest.get(..goal - out.len()).unwrap_or(rest);
            out.put(part);
            self.fetched += part.len();
        }
        self.sum(out.get(start..).unwrap_or_default());
        out.len() < goal
    }

    fn sum(&mut self, bytes: &[u8]) {
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes);
        }
    }

    /// Whether everything that was brought is fetched.
    pub(super) fn is_empty(&self) -> bool {
        self.fetched == self.ready.bytes.len() && self.kept.bytes.is_empty()
    }

    /// Appends the end of the file.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        self.writer.end_items(out);
        self.sum(out.get(start..).unwrap_or_default());
        let checksum = self.checksum.as_ref().map_or(0, Crc64::value);
        out.put(&checksum.to_le_bytes());
    }

    /// Writes an entry, or the next part of it.
    fn write(
        &mut self,
        db: usize,
        entry: &Entry<'_>,
        clock: &AccessClock,
        part: &mut Part,
        is_kept: bool,
    ) -> bool {
        let Stream { bytes, db: in_db } = match is_kept {
            true => &mut self.kept,
            false => &mut self.ready,
        };
        if *in_db != Some(db) {
            *in_db = Some(db);
            match self.sizes.get_mut(db).and_then(Option::take) {
                Some((keys, expiring)) => self.writer.database(bytes, db as u64, keys, expiring),
                None => self.writer.select(bytes, db as u64),
            }
        }
        let usage = match self.kept_usage {
            Kept::Nothing => None,
            Kept::Idle => clock
                .idle_s(&entry.view())
                .map(|idle_s| Usage::IdleSeconds(u64::from(idle_s))),
            Kept::Frequency => clock.frequency(&entry.view()).map(Usage::Frequency),
        };
        let attributes = Attributes {
            expire_ms: entry.expiry_ms(),
            usage,
        };
        self.writer.part(bytes, entry, &attributes, part)
    }
}

impl Keep for Saver {
    fn keep(&mut self, db: usize, entry: Entry<'_>, clock: &AccessClock) {
        let is_partial = |(in_db, key, _): &mut (usize, Vec<u8>, Part)| {
            *in_db == db && key.as_slice() == entry.key()
        };
        let (mut part, is_kept) = match self.partial.take_if(is_partial) {
            Some((_, _, part)) => (part, false),
            None => (Part::whole(), true),
        };
        part.allow(usize::MAX);
        self.write(db, &entry, clock, &mut part, is_kept);
    }

    fn take(&mut self, db: usize, entry: Entry<'_>, clock: &AccessClock, left: &mut usize) -> bool {
        let (key, mut part) = match self.partial.take() {
            Some((_, key, part)) => (key, part),
            None => (Vec::new(), Part::whole()),
        };
        part.allow(*left);
        let is_end = self.write(db, &entry, clock, &mut part, false);
        *left = part.left();
        if !is_end {
            let key = match key.is_empty() {
                true => entry.key().owned(),
                false => key,
            };
            self.partial = Some((db, key, part));
        }
        is_end
    }

    fn held_bytes(&self) -> usize {
        self.ready.bytes.capacity() + self.kept.bytes.capacity()
    }
}
