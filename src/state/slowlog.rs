//! The slow log: the commands that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;

/// One command that was slow.
#[derive(Debug)]
pub struct SlowEntry {
    pub id: u64,
    /// When it ended, in seconds since the epoch.
    pub at_s: i64,
    pub spent_usec: u64,
    /// The command, long ones cut short.
    pub args: Vec<Vec<u8>>,
    pub address: Vec<u8>,
    pub name: Vec<u8>,
}

/// The newest entry is the first.
#[derive(Debug, Default)]
pub struct Slowlog {
    pub entries: VecDeque<SlowEntry>,
    pub next_id: u64,
}

impl Slowlog {
    /// Adds an entry with the next id, and keeps no more than `limit`.
    pub fn push(&mut self, mut entry: SlowEntry, limit: usize) {
        entry.id = self.next_id;
        self.next_id += 1;
        self.entries.push_front(entry);
        self.entries.truncate(limit);
    }
}
