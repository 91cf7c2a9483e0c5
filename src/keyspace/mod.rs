//! The databases: lookups, the write guard, expiry, watches, events.
//!
//! Commands reach keys only through [`Keyspace`]. Reading functions hide what has expired; writing functions are the
//! *write guard*: every one of them counts the change (`dirty`), tells those who WATCH the key, wakes clients blocked on
//! it and keeps the accounts, so that no command can forget to.
//!
//! A key that a read finds expired is gone at once for everybody who asks or listens; its memory is freed when the
//! command is over ([`Keyspace::has_aftermath`] sees to it), by the next command of the same request, or by a write.

mod check;
mod clock;
mod cut;
mod edit;
mod events;
mod evict;
mod expiry;
mod fields;
mod read;
mod signals;
mod stale;
mod write;

pub use clock::{AccessClock, Lfu};
pub use cut::Keep;
pub use edit::{Changes, Edited};
pub use events::{Class, Event};
pub use evict::{Eviction, Worth};
pub use fields::Gone;
pub use signals::Expired;
pub use write::{Condition, Expiry, Moved, Updated};

use crate::algorithms::hash::HashSeed;
use crate::structures::table::Table;
use crate::values::{Entry, Limits, Object};
use cut::Cut;
use fields::FieldDeadlines;
use signals::Signals;

/// One database.
pub type Db = Table<Object>;

/// Counters of the keyspace; CONFIG RESETSTAT sets them to zero.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyStats {
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    /// Fields of hashes.
    pub expired_fields: u64,
    pub evicted: u64,
}

/// All databases, with one selected and the time of the running command.
pub struct Keyspace {
    dbs: Vec<Db>,
    seed: HashSeed,
    selected: usize,
    now_ms: i64,
    /// Nothing expires: the log that is being run says itself what has.
    is_frozen: bool,
    clock: AccessClock,
    /// Changes so far.
    pub dirty: u64,
    /// `dirty` as of the last save.
    pub dirty_saved: u64,
    pub stats: KeyStats,
    /// `notify-keyspace-events`, as [`Class`] bits.
    pub notify_classes: u32,
    signals: Signals,
    fields: FieldDeadlines,
    evictor: evict::Evictor,
    /// The snapshot under way.
    cut: Option<Box<Cut>>,
    /// How many cuts in a row were not walked to their end.
    given_up: u8,
    /// The thresholds of encodings, as configured.
    pub limits: Limits,
    /// Where the next round of active expiry begins.
    expire_db: usize,
    /// Bytes inside boxed objects, over all databases.
    object_bytes: usize,
    /// Where short strings and packed aggregates are changed, to be stored again.
    scratch: Vec<u8>,
}

impl std::fmt::Debug for Keyspace {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Keyspace")
            .field("dbs", &self.dbs.len())
            .field("dirty", &self.dirty)
            .finish_non_exhaustive()
    }
}

/// Databases on their way in: what the keyspace knows of all entries is gathered as they come.
pub struct Fresh {
    pub dbs: Vec<Db>,
    object_bytes: usize,
    fields: FieldDeadlines,
}

impl Fresh {
    /// An entry was put into database `db`: its object takes so many bytes, and its first field dies then.
    pub fn gained(&mut self, db: usize, key: &[u8], object_bytes: usize, deadline_ms: Option<i64>) {
        self.object_bytes += object_bytes;
        self.fields.moved(db, key, None, deadline_ms);
    }
}

impl Keyspace {
    /// `count` empty databases.
    pub fn new(count: usize, seed: HashSeed, now_ms: i64) -> Keyspace {
        Keyspace {
            dbs: (0..count.max(1))
                .map(|_| Table::new(seed.clone()))
                .collect(),
            limits: Limits::new(seed.clone()),
            seed,
            selected: 0,
            now_ms,
            is_frozen: false,
            clock: AccessClock::default(),
            dirty: 0,
            dirty_saved: 0,
            stats: KeyStats::default(),
            notify_classes: 0,
            signals: Signals::default(),
            fields: FieldDeadlines::default(),
            evictor: evict::Evictor::default(),
            cut: None,
            given_up: 0,
            expire_db: 0,
            object_bytes: 0,
            scratch: Vec::new(),
        }
    }

    /// Prepares for a command of a client with database `db` selected.
    #[inline]
    pub fn begin(&mut self, db: usize, now_ms: i64, no_touch: bool) {
        self.delete_stale();
        self.selected = db;
        self.clock.begin(now_ms, no_touch);
        self.now_ms = if self.is_frozen { i64::MIN } else { now_ms };
    }

    /// Keeps everything from expiring, whatever the time, or no more.
    pub fn set_frozen(&mut self, is_frozen: bool) {
        self.is_frozen = is_frozen;
    }

    /// Counts accesses from now on (an LFU `maxmemory-policy`), or with None remembers when the last one was.
    pub fn set_lfu(&mut self, lfu: Option<Lfu>) {
        self.clock.set_lfu(lfu);
    }

    /// Whether only changes are accesses (an LRM `maxmemory-policy`).
    pub fn set_lrm(&mut self, is_lrm: bool) {
        self.clock.set_lrm(is_lrm);
    }

    /// Whether accesses are counted, not timed.
    pub fn is_lfu(&self) -> bool {
        self.clock.is_lfu()
    }

    /// The time that lives are compared with: that of the command, and before all times while nothing expires.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The selected database's number.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// Selects another database for what follows in this command; false when there is none of that number.
    pub fn select(&mut self, db: usize) -> bool {
        let exists = db < self.dbs.len();
        if exists {
            self.selected = db;
        }
        exists
    }

    pub fn db_count(&self) -> usize {
        self.dbs.len()
    }

    /// Changes the number of databases, while all are empty.
    pub fn set_db_count(&mut self, count: usize) {
        if self.dbs.iter().all(Table::is_empty) {
            self.dbs
                .resize_with(count.max(1), || Table::new(self.seed.clone()));
        }
    }

    /// The database of number `db`.
    pub fn db(&self, db: usize) -> Option<&Db> {
        self.dbs.get(db)
    }

    /// Keys in the selected database, expired ones not yet deleted included, as in Redis.
    pub fn len(&self) -> usize {
        self.dbs[self.selected].len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys of all databases that will expire, or of which a field will.
    pub fn volatile_len(&self) -> usize {
        let keys: usize = self.dbs.iter().map(Table::volatile_len).sum();
        keys + self.fields.total()
    }

    /// The same in the selected database. O(1).
    #[inline]
    pub fn selected_volatile_len(&self) -> usize {
        let keys = self.dbs.get(self.selected).map_or(0, Table::volatile_len);
        keys + self.fields.len(self.selected)
    }

    /// Bytes of keys, values and index, exactly as allocated; and what is held for a snapshot under way.
    pub fn used_bytes(&self) -> u64 {
        let tables: usize = self.dbs.iter().map(Table::used_bytes).sum();
        let held = self.cut.as_ref().map_or(0, |cut| cut.held_bytes());
        (tables + self.object_bytes + held) as u64
    }

    /// The part of [`Keyspace::used_bytes`] that is index.
    pub fn index_bytes(&self) -> u64 {
        let bytes: usize = self.dbs.iter().map(Table::index_bytes).sum();
        bytes as u64
    }

    /// The lengths of all strings of database `db`, in bytes. O(n).
    pub fn string_lengths(&self, db: usize) -> impl Iterator<Item = usize> {
        let entries = self.dbs.get(db).into_iter().flat_map(|table| table.iter());
        entries.filter_map(|view| Some(Entry::new(view).string()?.len()))
    }

    /// Databases as many, with the same seed, empty: for a load that may fail.
    pub fn fresh(&self) -> Fresh {
        let table = |_: &Db| Table::new(self.seed.clone());
        Fresh {
            dbs: self.dbs.iter().map(table).collect(),
            object_bytes: 0,
            fields: FieldDeadlines::default(),
        }
    }

    /// Copies of all databases. O(n).
    #[cfg(feature = "debugger")]
    pub fn copies(&self) -> Fresh {
        let mut fresh = self.fresh();
        fresh.dbs = self.dbs.clone();
        for (db, table) in self.dbs.iter().enumerate() {
            fresh.object_bytes += write::object_bytes_of(table);
            for view in table.iter() {
                let deadline_ms = Entry::new(view).field_deadline_ms();
                fresh.fields.moved(db, view.key(), None, deadline_ms);
            }
        }
        fresh
    }

    /// Puts loaded databases in the place of the present ones. Every watched key counts as touched, every cached one as
    /// outdated.
    pub fn replace(&mut self, fresh: Fresh) {
        self.signals.stale.clear();
        let old = std::mem::replace(&mut self.dbs, fresh.dbs);
        if let Some(cut) = &mut self.cut {
            for (db, table) in old.into_iter().enumerate() {
                let object_bytes = write::object_bytes_of(&table);
                cut.set_aside(db, table, object_bytes);
            }
        }
        self.object_bytes = fresh.object_bytes;
        self.fields = fresh.fields;
        self.signals.touch_all();
        self.signals.flushed();
        self.dirty_saved = self.dirty;
    }
}
