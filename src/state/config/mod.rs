//! The configuration: hot values as typed fields, read on every call; everything else by name in the parameter table.

mod file;
mod special;
mod table;
mod value;

pub use file::{LoadError, quote, split_words, with_command_line};
pub use table::{EFFECT, HIDDEN, HOST, IMMUTABLE, Kind, PARAMETERS, PROTECTED, Parameter, Special};
pub use value::Refusal;

use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::keyspace::{Class, Keyspace, Lfu};
use crate::values::Limits;
use std::borrow::Cow;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `databases`: how many there are.
    pub databases: usize,
    /// `proto-max-bulk-len`, in bytes: the longest string and the longest argument.
    pub proto_max_bulk_len_bytes: i64,
    /// `maxmemory`, in bytes; 0 for no limit.
    pub maxmemory_bytes: u64,
    /// `requirepass`; empty for none.
    pub requirepass: Vec<u8>,
    /// `hll-sparse-max-bytes`.
    pub hll_sparse_max_bytes: usize,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub is_active_expire: bool,
    /// `enable-debug-command`: whether at all, and whether for clients on this machine only.
    pub is_debug_allowed: bool,
    pub is_debug_local: bool,
    /// `stop-writes-on-bgsave-error`.
    pub stop_writes_on_bgsave_error: bool,
    /// `save`: when to save by itself.
    pub save_rules: Vec<SaveRule>,
    /// `slowlog-log-slower-than` is 0: every command counts as slow.
    pub is_slow_free: bool,
    /// `aof-timestamp-enabled`: times stand in the append-only file.
    pub is_aof_stamped: bool,
    /// `notify-keyspace-events`, as [`Class`] bits.
    pub notify_classes: u32,
    /// The lines that declare users.
    pub users: Vec<DeclaredUser>,
    /// The configuration file's name and its text as it was read.
    pub file: Option<(Vec<u8>, Vec<u8>)>,
    /// Values that are not the default, as CONFIG GET prints them, with their places in the table.
    values: Vec<(usize, Vec<u8>)>,
}

/// A line `user <name> <modifiers>` of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredUser {
    pub number: usize,
    pub line: Vec<u8>,
    /// The name and the modifiers.
    pub words: Vec<Vec<u8>>,
}

/// Save after so long with so many changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaveRule {
    pub seconds: i64,
    pub changes: u64,
}

impl Default for Config {
    fn default() -> Config {
        let mut config = Config {
            databases: 0,
            proto_max_bulk_len_bytes: 0,
            maxmemory_bytes: 0,
            requirepass: Vec::new(),
            users: Vec::new(),
            hll_sparse_max_bytes: 0,
            is_active_expire: true,
            is_debug_allowed: false,
            is_debug_local: false,
            stop_writes_on_bgsave_error: true,
            save_rules: Vec::new(),
            is_slow_free: false,
            is_aof_stamped: false,
            notify_classes: 0,
            file: None,
            values: Vec::new(),
        };
        for index in 0..PARAMETERS.len() {
            config.mirror(index);
        }
        config
    }
}

/// A parameter found by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Its place in the table.
    pub index: usize,
    /// It was called by its older name.
    pub is_alias: bool,
}

impl Found {
    pub fn parameter(self) -> &'static Parameter {
        &PARAMETERS[self.index]
    }

    /// The name it was found by.
    pub fn name(self) -> &'static str {
        match self.is_alias {
            true => self.parameter().alias,
            false => self.parameter().name,
        }
    }
}

/// All parameters, by both of their names.
pub fn names() -> impl Iterator<Item = Found> {
    PARAMETERS
        .iter()
        .enumerate()
        .flat_map(|(index, parameter)| {
            let both = [false, true]
                .into_iter()
                .take(1 + usize::from(!parameter.alias.is_empty()));
            both.map(move |is_alias| Found { index, is_alias })
        })
}

/// The parameter called `name`, in any case.
#[inline(never)]
pub fn find(name: &[u8]) -> Option<Found> {
    names().find(|found| found.name().as_bytes().is_word(name))
}

impl Config {
    /// The value of the parameter at `index`, as CONFIG GET prints it.
    #[inline(never)]
    pub fn get(&self, index: usize) -> &[u8] {
        let default = PARAMETERS
            .get(index)
            .map_or("", |parameter| parameter.default);
        let own = self.values.iter().find(|(place, _)| *place == index);
        own.map_or(default.as_bytes(), |(_, text)| text)
    }

    /// The value as CONFIG GET shows it: of the classes of events `A` hides those that stand beside it.
    pub fn shown(&self, index: usize) -> Cow<'_, [u8]> {
        let value = self.get(index);
        let is_events = matches!(PARAMETERS[index].kind, Kind::Special(Special::Events));
        match is_events && value.contains(&b'A') {
            true => Cow::Owned(
                value
                    .iter()
                    .copied()
                    .filter(|letter| !b"noc".contains(letter))
                    .collect(),
            ),
            false => Cow::Borrowed(value),
        }
    }

    /// The value of the parameter called `name`.
    #[inline(never)]
    pub fn value(&self, name: &str) -> &[u8] {
        find(name.as_bytes()).map_or(&[], |found| self.get(found.index))
    }

    /// How accesses are counted, if `maxmemory-policy` is one that counts them.
    pub fn lfu(&self) -> Option<Lfu> {
        let number = |name| u32::try_from(self.number(name)).unwrap_or(0);
        let counts = self.value("maxmemory-policy").ends_with(b"-lfu");
        counts.then(|| Lfu {
            log_factor: number("lfu-log-factor"),
            decay_minutes: number("lfu-decay-time"),
        })
    }

    /// Whether data of so many bytes is beyond `maxmemory`.
    pub fn is_full(&self, used_bytes: u64) -> bool {
        self.maxmemory_bytes > 0 && used_bytes > self.maxmemory_bytes
    }

    /// Makes the keyspace do as configured: what it tells of, how it counts accesses, when encodings change.
    pub fn apply_to(&self, keys: &mut Keyspace) {
        keys.notify_classes = self.notify_classes;
        keys.set_lfu(self.lfu());
        keys.set_lrm(self.value("maxmemory-policy").ends_with(b"-lrm"));
        keys.set_lazy_expire(self.value("lazyfree-lazy-expire") == b"yes");
        self.set_limits(&mut keys.limits);
    }

    /// The thresholds of encodings, put into `limits`.
    fn set_limits(&self, limits: &mut Limits) {
        let count = |name| usize::try_from(self.number(name)).unwrap_or(0);
        limits.list_max_listpack_size = self.number("list-max-listpack-size") as i32;
        limits.list_compress_depth = count("list-compress-depth");
        limits.hash_max_listpack_entries = count("hash-max-listpack-entries");
        limits.hash_max_listpack_value_bytes = count("hash-max-listpack-value");
        limits.set_max_intset_entries = count("set-max-intset-entries");
        limits.set_max_listpack_entries = count("set-max-listpack-entries");
        limits.set_max_listpack_value_bytes = count("set-max-listpack-value");
        limits.zset_max_listpack_entries = count("zset-max-listpack-entries");
        limits.zset_max_listpack_value_bytes = count("zset-max-listpack-value");
        limits.stream_node_max_bytes = count("stream-node-max-bytes");
        limits.stream_node_max_entries = count("stream-node-max-entries");
        limits.array_slice_size = count("array-slice-size");
        limits.array_thresholds.sparse_max = count("array-sparse-kmax");
        limits.array_thresholds.sparse_min = count("array-sparse-kmin");
    }

    /// The value of the parameter called `name`, if it is a number.
    pub fn number(&self, name: &str) -> i64 {
        num::parse_i64(self.value(name)).unwrap_or(0)
    }

    /// The text that `text` would become as the value at `index`; nothing is changed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, index: usize, text: &[u8]) -> Result<Vec<u8>, Refusal> {
        let parameter = &PARAMETERS[index];
        let words: Vec<&[u8]> = match parameter.kind.is_list() {
            true if text.is_empty() => Vec::new(),
            true => text.split(|byte| *byte == b' ').collect(),
            false => vec![text],
        };
        // CONFIG SET replaces the rules of `save`; a file may add to them.
        let old = if parameter.name == "save" {
            &[]
        } else {
            self.get(index)
        };
        value::canonical(parameter, &words, old)
    }

    /// Keeps a text that [`Config::check`] made.
    #[inline(never)]
    pub fn set(&mut self, index: usize, text: Vec<u8>) {
        self.values.retain(|(place, _)| *place != index);
        if text != PARAMETERS[index].default.as_bytes() {
            self.values.push((index, text));
        }
        self.mirror(index);
    }

    /// Brings the typed field of a parameter up to date.
    #[inline(never)]
    fn mirror(&mut self, index: usize) {
        let value = self.get(index);
        let number = num::parse_i64(value).unwrap_or(0);
        match PARAMETERS[index].name {
            "databases" => self.databases = number as usize,
            "proto-max-bulk-len" => self.proto_max_bulk_len_bytes = number,
            "maxmemory" => self.maxmemory_bytes = number as u64,
            "hll-sparse-max-bytes" => {
                self.hll_sparse_max_bytes = usize::try_from(number).unwrap_or(usize::MAX)
            }
            "enable-debug-command" => {
                let (is_local, is_allowed) = (value == b"local", value != b"no");
                self.is_debug_local = is_local;
                self.is_debug_allowed = is_allowed;
            }
            "stop-writes-on-bgsave-error" => self.stop_writes_on_bgsave_error = value == b"yes",
            "slowlog-log-slower-than" => self.is_slow_free = number == 0,
            "aof-timestamp-enabled" => self.is_aof_stamped = value == b"yes",
            "requirepass" => self.requirepass = value.owned(),
            "notify-keyspace-events" => self.notify_classes = Class::parse(value).unwrap_or(0),
            "save" => self.save_rules = save_rules(value),
            _ => {}
        }
    }
}

fn save_rules(text: &[u8]) -> Vec<SaveRule> {
    let numbers: Vec<i64> = text
        .split(|byte| *byte == b' ')
        .filter_map(num::parse_i64)
        .collect();
    let rules = numbers.chunks_exact(2).map(|pair| SaveRule {
        seconds: pair[0],
        changes: pair[1] as u64,
    });
    rules.collect()
}
