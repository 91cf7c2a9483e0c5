//! Commands that have run are shown to those who ask: MONITOR and the slow log.

use super::Engine;
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use crate::state::{Hindrance, Session, SlowEntry};
use crate::table::{Flags, Group, Resolved};

/// What stands in the place of a password.
const REDACTED: &[u8] = b"(redacted)";
/// The slow log keeps so many arguments of a command, and so many bytes of an argument.
const SLOW_ARGS: usize = 32;
const SLOW_ARG_BYTES: usize = 128;

impl Engine {
    /// Whether [`Engine::observe`] has anything to do.
    #[inline]
    pub(super) fn is_observed(&self) -> bool {
        (self.server.spent_usec > 0
            || self.server.config.is_slow_free
            || !self.server.monitors.is_empty())
            && self.server.hindrance != Hindrance::Loading
    }

    /// Shows a command that has just run.
    #[cold]
    pub(super) fn observe(&mut self, session: &Session, row: Resolved, args: &[&[u8]]) {
        #[cfg(feature = "scripting")]
        if self.is_script_of(session) {
            return;
        }
        let spent_usec = std::mem::take(&mut self.server.spent_usec);
        let shown = redacted(row, args);
        let limit_usec = self.server.config.number("slowlog-log-slower-than");
        let limit = self.server.config.number("slowlog-max-len");
        let is_slow = u64::try_from(limit_usec).is_ok_and(|limit_usec| spent_usec >= limit_usec);
        if is_slow && limit > 0 && !row.row.is(Flags::SKIP_SLOWLOG) {
            let entry = SlowEntry {
                id: 0,
                at_s: self.now_ms / 1000,
                spent_usec,
                args: shortened(&shown),
                // The commands of scripts come from nowhere.
                address: shown_name(session, &session.address),
                name: shown_name(session, &session.name),
            };
            self.server
                .slowlog
                .push(entry, usize::try_from(limit).unwrap_or(usize::MAX));
        }
        if !self.server.monitors.is_empty() && !row.row.is(Flags::ADMIN | Flags::SKIP_MONITOR) {
            let line = monitor_line(session, &shown, self.now_ms);
            self.server.monitored.push(line);
        }
    }

    /// Shows monitors a command that runs a script, before what the script calls.
    pub(super) fn observe_script(&mut self, session: &Session, row: Resolved, args: &[&[u8]]) {
        let runs_scripts = row.row.is(Flags::SKIP_MONITOR) && row.row.group == Group::Scripting;
        if runs_scripts && self.is_observed() && !self.server.monitors.is_empty() {
            let line = monitor_line(session, args, self.now_ms);
            self.server.monitored.push(line);
        }
    }

    /// Sends what was noted to the monitors that are still there.
    pub(super) fn deliver_monitored(&mut self) {
        let lines = std::mem::take(&mut self.server.monitored);
        if lines.is_empty() {
            return;
        }
        let sessions = &mut self.sessions;
        self.server
            .monitors
            .retain(|id| sessions.get(*id).is_some_and(|session| session.is_monitor));
        for id in self.server.monitors.clone() {
            if let Some(session) = self.sessions.get_mut(id) {
                for line in &lines {
                    session.send(false, |reply| reply.status_bytes(line));
                }
            }
            self.sessions.mark_ready(id);
        }
    }
}

/// `1700000000.123000 [0 127.0.0.1:5000] "GET" "k"`.
fn monitor_line(session: &Session, args: &[&[u8]], now_ms: i64) -> Vec<u8> {
    let mut line = Vec::new();
    num::write_i64(&mut line, now_ms.div_euclid(1000));
    let usec = num::format_i64(1_000_000 + now_ms.rem_euclid(1000) * 1000);
    line.push(b'.');
    line.put(&usec.as_bytes()[1..]);
    line.put(b" [");
    num::write_u64(&mut line, session.db as u64);
    line.push(b' ');
    line.put(match session.is_scripting {
        true => b"lua",
        false => &session.address,
    });
    line.push(b']');
    for arg in args {
        line.push(b' ');
        crate::state::config::quote(&mut line, arg);
    }
    line
}

/// The arguments without passwords.
fn redacted<'a>(row: Resolved, args: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut shown = args.to_vec();
    let container = row.container.map_or("", |container| container.name);
    let is_secret = |word: &[u8]| {
        let secrets = [
            "requirepass",
            "masterauth",
            "masteruser",
            "tls-key-file-pass",
            "tls-client-key-file-pass",
        ];
        secrets.iter().any(|secret| word.is_word(secret.as_bytes()))
    };
    let auth = args.iter().position(|word| word.is_word(b"auth"));
    for (at, arg) in shown.iter_mut().enumerate().skip(1) {
        let is_hidden = match (container, row.row.name) {
            ("", "auth") => true,
            ("acl", "setuser") => at >= 2,
            ("", "hello") => auth.is_some_and(|auth| at == auth + 1 || at == auth + 2),
            ("config", "set") => at >= 3 && at % 2 == 1 && is_secret(args[at - 1]),
            _ => false,
        };
        if is_hidden {
            *arg = REDACTED;
        }
    }
    shown
}

/// What the slow log keeps of a command.
fn shortened(args: &[&[u8]]) -> Vec<Vec<u8>> {
    let more = |count: usize, what: &[u8]| {
        [
            b"... (",
            num::format_i64(count as i64).as_bytes(),
            b" more ",
            what,
            b")",
        ]
        .concat()
    };
    let kept = if args.len() > SLOW_ARGS {
        SLOW_ARGS - 1
    } else {
        args.len()
    };
    let (first, rest) = args.split_at(kept);
    let mut all: Vec<Vec<u8>> = Vec::new();
    for arg in first {
        all.push(match arg.split_at_checked(SLOW_ARG_BYTES) {
            Some((start, left)) if !left.is_empty() => {
                [start, &more(left.len(), b"bytes")].concat()
            }
            _ => arg.owned(),
        });
    }
    if !rest.is_empty() {
        all.push(more(rest.len(), b"arguments"));
    }
    all
}

/// A client's address or name; empty for the commands of its script.
fn shown_name(session: &Session, name: &[u8]) -> Vec<u8> {
    match session.is_scripting {
        true => Vec::new(),
        false => name.owned(),
    }
}
