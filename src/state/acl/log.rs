//! What was refused: ACL LOG.

use std::collections::VecDeque;

/// An event like one of so many ms before counts there.
const GROUPING_MS: i64 = 60_000;
/// So many events are looked at for one like it.
const GROUPING_DEPTH: usize = 10;

/// Why something was refused; a higher one says more about what the user lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Command,
    Key,
    Auth,
    Channel,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Auth => "auth",
            Reason::Channel => "channel",
        }
    }
}

/// In what a command was to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    Toplevel,
    Multi,
    Script,
}

impl Where {
    pub fn name(self) -> &'static str {
        match self {
            Where::Toplevel => "toplevel",
            Where::Multi => "multi",
            Where::Script => "lua",
        }
    }
}

/// Why a call is not allowed: the argument in question is at `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denial {
    pub reason: Reason,
    pub at: usize,
}

/// An event.
#[derive(Debug, Clone)]
pub struct LogEntry {
    pub id: u64,
    pub count: u64,
    pub reason: Reason,
    pub place: Where,
    /// The command, key or channel.
    pub object: Vec<u8>,
    pub user: Vec<u8>,
    /// The client as CLIENT INFO shows it.
    pub client: Vec<u8>,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// The latest events, the last first.
#[derive(Debug, Default)]
pub struct AclLog {
    pub entries: VecDeque<LogEntry>,
    next_id: u64,
    /// How often each [`Reason`] was given.
    pub denied: [u64; 4],
}

impl AclLog {
    /// Notes an event; `entry.id` and `entry.count` are given here. At most `limit` are kept.
    pub fn note(&mut self, mut entry: LogEntry, limit: usize) {
        if let Some(count) = self.denied.get_mut(entry.reason as usize) {
            *count += 1;
        }
        let is_alike = |known: &LogEntry| {
            (known.reason, known.place) == (entry.reason, entry.place)
                && known.object == entry.object
                && known.user == entry.user
                && entry.updated_ms - known.updated_ms <= GROUPING_MS
        };
        let known = self.entries.iter().take(GROUPING_DEPTH).position(is_alike);
        match known.and_then(|at| self.entries.remove(at)) {
            Some(known) => {
                entry.id = known.id;
                entry.count = known.count + 1;
                entry.created_ms = known.created_ms;
            }
            None => {
                entry.id = self.next_id;
                entry.count = 1;
                self.next_id += 1;
            }
        }
        self.entries.push_front(entry);
        self.entries.truncate(limit);
    }

    /// How often this was the reason.
    pub fn denied(&self, reason: Reason) -> u64 {
        self.denied.get(reason as usize).copied().unwrap_or(0)
    }
}
