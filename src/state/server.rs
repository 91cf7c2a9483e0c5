//! The server itself: identity, counters, and what it asks of its host.

use super::acl::Users;
use super::functions::Functions;
use super::{Aof, Config, PubSub, Slowlog, Storage, TrackingTable};
use crate::algorithms::bytes::Bytes;
use crate::algorithms::hash::HashSeed;
use crate::resp::Error;
use crate::structures::ordered::OrderedMap;
use std::collections::VecDeque;

/// The Redis whose behaviour this is.
pub const REDIS_VERSION: &str = "8.2.3";

/// Counters of one command.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommandStats {
    pub calls: u64,
    pub usec: u64,
    /// Refused before it ran (arity, authentication, memory, ...).
    pub rejected: u64,
    /// Ran and replied an error.
    pub failed: u64,
}

/// Counters of the server; CONFIG RESETSTAT sets them to zero.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    pub connections: u64,
    pub rejected_connections: u64,
    pub commands: u64,
    pub input_bytes: u64,
    pub output_bytes: u64,
    pub error_replies: u64,
    /// Saves that succeeded.
    pub saves: u64,
    /// Rewrites of the append-only file that began.
    pub rewrites: u64,
    /// By the error's first word.
    pub errors: OrderedMap<Vec<u8>, u64>,
    /// By row number.
    pub by_command: Vec<CommandStats>,
}

/// Why most commands are refused for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hindrance {
    #[default]
    None,
    /// The data set is being loaded.
    Loading,
    /// A script is paused.
    Script,
}

/// Something only the host can do: a name and its arguments.
pub type Request = Vec<Vec<u8>>;

/// What a load did with the keys of the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// In the data set now.
    pub keys: u64,
    /// Left out, because their time was up.
    pub expired: u64,
    /// Left out, because this engine has no such values.
    pub skipped: u64,
}

/// The files being loaded while clients have to wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct Loading {
    /// In seconds since the epoch.
    pub started_s: i64,
    /// Bytes that were read, of so many as far as the host knows.
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// What is neither a key nor a client.
#[derive(Debug)]
pub struct Server {
    pub config: Config,
    pub stats: Stats,
    pub pubsub: PubSub,
    pub tracking: TrackingTable,
    pub users: Users,
    /// 40 hexadecimal digits, new at each start.
    pub run_id: Vec<u8>,
    /// The replication id: the same form.
    pub replication_id: Vec<u8>,
    pub started_ms: i64,
    /// When the data set was saved last, in seconds since the epoch.
    pub last_save_s: i64,
    pub is_last_save_ok: bool,
    /// A save was asked for and has not been reported done.
    pub is_saving: bool,
    /// The data set is to be saved as soon as that is possible, whatever the `save` rules say.
    pub is_save_wanted: bool,
    /// It is SAVE, which waits for a rewrite to end.
    pub is_save_waiting: bool,
    /// It is BGSAVE.
    pub is_save_aside: bool,
    /// One is to begin once nothing else is under way.
    pub is_save_scheduled: bool,
    /// When it began, and how long the last BGSAVE took, in seconds.
    pub save_started_s: i64,
    pub last_save_took_s: Option<i64>,
    pub last_load: LoadReport,
    pub loading: Loading,
    pub aof: Aof,
    pub hindrance: Hindrance,
    /// Clients wait until then: CLIENT PAUSE, DEBUG SLEEP.
    pub paused_until_ms: i64,
    /// The pause holds back only commands that may write.
    pub pause_writes_only: bool,
    /// PUBLISH is passed on to the host, for other tabs and processes.
    pub is_bridged: bool,
    pub requests: VecDeque<Request>,
    /// Messages published by the running command; the engine delivers them when it is done.
    pub published: Vec<Published>,
    /// Raised by CLIENT KILL and CLIENT UNBLOCK: sessions the engine is to act on after the command.
    pub kills: Vec<u32>,
    pub unblocks: Vec<(u32, bool)>,
    /// The most bytes the keys took, as far as anybody looked, and when that was.
    pub peak_bytes: u64,
    pub peak_ms: i64,
    /// The host's process, as INFO shows it; 0 where there is none.
    pub process_id: u64,
    /// Memory is short, and there is no key that may go.
    pub is_out_of_room: bool,
    /// DEBUG PAUSE-CRON: nothing happens by time.
    pub is_cron_paused: bool,
    pub slowlog: Slowlog,
    /// How long the running command said it takes, in microseconds.
    pub spent_usec: u64,
    /// Sessions in MONITOR, and the lines they have yet to be sent.
    pub monitors: Vec<u32>,
    pub monitored: Vec<Vec<u8>>,
    /// Sessions that wait in SAVE.
    pub save_waiters: Vec<u32>,
    /// Who is told when SHUTDOWN fails.
    pub shutdown_waiters: Vec<u32>,
    /// Sessions that wait in ACL LOAD and ACL SAVE.
    pub acl_waiters: Vec<u32>,
    /// Function libraries.
    pub functions: Functions,
    /// What EVAL and SCRIPT LOAD brought.
    #[cfg(feature = "scripting")]
    pub scripts: super::scripts::Scripts,
}

/// What scripts and functions take, in bytes, and how many there are.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScriptingMemory {
    /// Values of scripts, and of functions.
    pub eval_machine: usize,
    pub function_machine: usize,
    /// Sources of scripts, and of functions with what is told of them.
    pub scripts: usize,
    pub functions: usize,
    pub script_count: usize,
    pub function_count: usize,
    pub library_count: usize,
    /// Scripts that were dropped to make room.
    pub evicted: u64,
}

impl ScriptingMemory {
    /// All values together.
    pub fn machines(&self) -> usize {
        self.eval_machine + self.function_machine
    }
}

/// A published message.
#[derive(Debug)]
pub struct Published {
    /// So many keyspace events of the request came first.
    pub events_before: usize,
    pub is_sharded: bool,
    pub channel: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Server {
    /// A server started at `now_ms`; `ids` are the run id and the replication id.
    pub fn new(
        config: Config,
        now_ms: i64,
        ids: [Vec<u8>; 2],
        rows: usize,
        seed: HashSeed,
        secret: [u64; 2],
    ) -> Server {
        let [run_id, replication_id] = ids;
        Server {
            config,
            stats: Stats {
                by_command: vec![CommandStats::default(); rows],
                ..Stats::default()
            },
            pubsub: PubSub::default(),
            tracking: TrackingTable::default(),
            users: Users::new(rows, secret),
            run_id,
            replication_id,
            started_ms: now_ms,
            last_save_s: now_ms / 1000,
            is_last_save_ok: true,
            is_saving: false,
            is_save_wanted: false,
            is_save_waiting: false,
            is_save_aside: false,
            is_save_scheduled: false,
            save_started_s: 0,
            last_save_took_s: None,
            last_load: LoadReport::default(),
            loading: Loading::default(),
            aof: Aof::default(),
            hindrance: Hindrance::None,
            paused_until_ms: 0,
            pause_writes_only: false,
            is_bridged: false,
            requests: VecDeque::new(),
            published: Vec::new(),
            kills: Vec::new(),
            unblocks: Vec::new(),
            peak_bytes: 0,
            peak_ms: now_ms,
            process_id: 0,
            is_cron_paused: false,
            is_out_of_room: false,
            slowlog: Slowlog::default(),
            spent_usec: 0,
            monitors: Vec::new(),
            monitored: Vec::new(),
            save_waiters: Vec::new(),
            shutdown_waiters: Vec::new(),
            acl_waiters: Vec::new(),
            functions: Functions::new(seed.clone()),
            #[cfg(feature = "scripting")]
            scripts: super::scripts::Scripts::new(seed),
        }
    }

    /// Why nothing may be written: the last save, or the last append, failed.
    pub fn disk_loss(&self) -> Option<Error> {
        if !self.is_last_save_ok
            && self.config.stop_writes_on_bgsave_error
            && !self.config.save_rules.is_empty()
        {
            return Some(Error::MISCONF);
        }
        // Turned off, it fails no more, though the host may not have heard yet.
        let why = self
            .aof
            .failure
            .as_ref()
            .filter(|_| self.is_aof_enabled())?;
        Some(Error::concat(&[
            b"MISCONF Errors writing to the AOF file: ",
            why,
        ]))
    }

    /// Whether there may be such a reason.
    #[inline]
    pub fn is_disk_doubtful(&self) -> bool {
        !self.is_last_save_ok || self.aof.failure.is_some()
    }

    /// Whether there is an append-only file, or will be once its first base is stored.
    pub fn is_aof_enabled(&self) -> bool {
        self.aof.storage == Storage::Aof && self.config.value("appendonly") == b"yes"
    }

    /// Asks the host for a save, and does not wait for it.
    pub fn start_save(&mut self, now_ms: i64) {
        self.is_saving = true;
        self.is_save_aside = true;
        self.is_save_scheduled = false;
        self.is_save_wanted = false;
        self.save_started_s = now_ms / 1000;
        self.request(&[b"save", b"bg"]);
    }

    /// Asks the host for a rewrite of the append-only file, which may be its first base.
    pub fn start_rewrite(&mut self, now_ms: i64) {
        self.aof.is_rewriting = true;
        self.aof.is_scheduled = false;
        self.aof.rewrite_started_s = now_ms / 1000;
        self.stats.rewrites += 1;
        match self.aof.is_starting && !self.aof.is_on {
            true => self.request(&[b"appendonly", b"yes"]),
            false => self.request(&[b"rewrite"]),
        }
    }

    /// `appendonly` was changed.
    pub fn turn_aof(&mut self, is_on: bool, now_ms: i64) {
        self.aof.is_scheduled = false;
        if is_on {
            self.aof.is_starting = true;
            match self.is_saving {
                true => {
                    self.aof.is_scheduled = true;
                    self.log(
                        2,
                        b"AOF was enabled but there is already another background operation. An AOF background was \
                          scheduled to start when possible.",
                    );
                }
                false => self.start_rewrite(now_ms),
            }
            return;
        }
        self.aof.is_rewriting = false;
        self.aof.is_starting = false;
        self.aof.failure = None;
        self.request(&[b"appendonly", b"no"]);
    }

    /// Asks the host for something.
    pub fn request(&mut self, parts: &[&[u8]]) {
        self.requests
            .push_back(parts.iter().map(|part| part.owned()).collect());
    }

    /// What scripts and functions take.
    pub fn scripting_memory(&self) -> ScriptingMemory {
        #[cfg(feature = "scripting")]
        return ScriptingMemory {
            eval_machine: self.scripts.machine_bytes(),
            function_machine: self.functions.machine_bytes(),
            scripts: self.scripts.source_bytes(),
            functions: self.functions.source_bytes(),
            script_count: self.scripts.len(),
            function_count: self.functions.function_count(),
            library_count: self.functions.libraries().len(),
            evicted: self.scripts.evicted,
        };
        #[cfg(not(feature = "scripting"))]
        ScriptingMemory::default()
    }

    /// Hands a line to the host's log, if `loglevel` wants it; levels are counted from `debug` on.
    pub fn log(&mut self, level: usize, text: &[u8]) {
        const LEVELS: [&[u8]; 4] = [b"debug", b"verbose", b"notice", b"warning"];
        let least = self.config.value("loglevel");
        let least = LEVELS.iter().position(|name| *name == least);
        if let Some(name) = LEVELS.get(level)
            && Some(level) >= least
        {
            self.request(&[b"log", name, text]);
        }
    }

    /// Remembers the highest use of memory.
    pub fn note_memory(&mut self, used_bytes: u64, now_ms: i64) {
        if used_bytes > self.peak_bytes {
            self.peak_bytes = used_bytes;
            self.peak_ms = now_ms;
        }
    }

    /// Counts a call of a command that ended in an error.
    pub fn count_failure(&mut self, number: u16) {
        if let Some(stats) = self.stats.by_command.get_mut(usize::from(number)) {
            stats.failed += 1;
        }
    }

    /// Counts a command that was refused before it ran.
    pub fn count_rejection(&mut self, number: u16) {
        if let Some(stats) = self.stats.by_command.get_mut(usize::from(number)) {
            stats.rejected += 1;
        }
    }

    /// Counts an error reply.
    pub fn count_error(&mut self, code: &[u8]) {
        /// A script could make up codes without end; Redis stops counting them by name too.
        const CODES_LIMIT: usize = 128;
        self.stats.error_replies += 1;
        if let Some(count) = self.stats.errors.get_mut(code) {
            *count += 1;
        } else if self.stats.errors.len() < CODES_LIMIT {
            self.stats.errors.insert(code.owned(), 1);
        }
    }
}
