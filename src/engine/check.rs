//! What is checked before a command runs, in Redis' order: the first check that fails is the reply.

use super::Engine;
use crate::algorithms::bytes::{Append, Bytes};
use crate::commands::connection::client_line;
use crate::commands::server::acl::{object_of, refusal};
use crate::resp::Error;
#[cfg(feature = "scripting")]
use crate::state::Kind;
use crate::state::acl::{Denial, LogEntry, Reason, Where};
use crate::state::{Config, Hindrance, ReplyMode, Session};
#[cfg(feature = "scripting")]
use crate::table::Group;
use crate::table::{Command, Flags, Resolved, rules};

/// A refused command: the error, and the row if there is one (for its counters).
type Refused = (Error, Option<Resolved>);

impl Engine {
    /// The row to run (a container's subcommand resolved), or why it may not run now.
    pub(super) fn admit(
        &self,
        session: &Session,
        row: Option<Resolved>,
        name: &[u8],
        args: &[&[u8]],
    ) -> Result<Resolved, Refused> {
        let row = row.ok_or_else(|| (unknown_command(name, args), None))?;
        let row = if row.row.subs.is_empty() || args.len() < 2 {
            row
        } else {
            self.resolve_sub(row, args)?
        };
        if !row.row.accepts(args.len()) {
            return Err((Error::wrong_arity(&row.full_name()), Some(row)));
        }
        if self.is_anything_special(session, row.row)
            && let Some(error) = self.special_refusal(session, row, args)
        {
            return Err((error, Some(row)));
        }
        Ok(row)
    }

    fn resolve_sub(&self, container: Resolved, args: &[&[u8]]) -> Result<Resolved, Refused> {
        let word = args.get(1).copied().unwrap_or(&[]);
        self.lookup.find_sub(container, word).ok_or_else(|| {
            let upper = container.row.name.to_ascii_uppercase();
            let word = quoted(word, QUOTED_BYTES);
            let parts: [&[u8]; 5] = [
                b"ERR unknown subcommand '",
                word,
                b"'. Try ",
                upper.as_bytes(),
                b" HELP.",
            ];
            (Error::concat(&parts), None)
        })
    }

    /// Whether a command of `count` arguments runs at once and replies as it likes: the check of nearly every call.
    /// Only a container's subcommands change what makes a session unusual.
    #[inline(always)]
    pub(super) fn is_usual(&self, session: &Session, row: &Command, count: usize) -> bool {
        row.subs.is_empty()
            && row.accepts(count)
            && session.multi.is_none()
            && session.tracking.is_none()
            && session.reply_mode == ReplyMode::On
            && !self.is_anything_special(session, row)
    }

    /// One quick look for the usual case: nothing stands in the way of anything.
    #[inline(always)]
    fn is_anything_special(&self, session: &Session, row: &Command) -> bool {
        !session.is_authenticated
            || session.is_subscriber()
            || self.server.hindrance != Hindrance::None
            || self.server.is_disk_doubtful()
            || (self.server.config.maxmemory_bytes > 0)
            || session.is_monitor
            || session.is_restricted
            || (session.multi.is_some() && row.is(Flags::NO_MULTI))
            || (row.name == "debug" && !is_debug_open(session, &self.server.config))
    }

    #[cold]
    fn special_refusal(&self, session: &Session, row: Resolved, args: &[&[u8]]) -> Option<Error> {
        let command = row.row;
        let config = &self.server.config;
        let flags = self.flags_of(row, args);
        let is_write = flags & Flags::WRITE != 0;
        // SCRIPT DEBUG is another one.
        let is_debug = command.name == "debug" && row.container.is_none();
        if is_debug && !is_debug_open(session, config) {
            return Some(Error::new(
                "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it \
                 from a local connection, otherwise you need to set this option in the configuration file, and then \
                 restart the server.",
            ));
        }
        if !session.is_authenticated && !command.is(Flags::NO_AUTH) {
            return Some(Error::NO_AUTH);
        }
        if session.multi.is_some() && command.is(Flags::NO_MULTI) {
            return Some(Error::new("ERR Command not allowed inside a transaction"));
        }
        if session.is_restricted
            && let Some(denial) = self.denial(session, row, args)
        {
            let object = object_of(denial.reason, row, args, denial.at);
            let text = refusal(&session.user, denial.reason, &object);
            return Some(Error::concat(&[b"NOPERM ", &text]));
        }
        if self.is_out_of_memory(session, row, flags) {
            return Some(Error::OOM);
        }
        if (is_write || command.name == "ping")
            && let Some(error) = self.server.disk_loss()
        {
            return Some(error);
        }
        let is_pubsub_command = matches!(
            command.name,
            "ping"
                | "subscribe"
                | "ssubscribe"
                | "unsubscribe"
                | "sunsubscribe"
                | "psubscribe"
                | "punsubscribe"
                | "quit"
                | "reset"
        );
        if session.is_subscriber() && !is_pubsub_command {
            return Some(Error::concat(&[
                b"ERR Can't execute '",
                &row.full_name(),
                b"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            ]));
        }
        if self.server.hindrance == Hindrance::Loading && !command.is(Flags::LOADING) {
            return Some(Error::LOADING);
        }
        #[cfg(feature = "scripting")]
        if let Some(busy) = &self.server.scripts.busy
            && !command.is(Flags::ALLOW_BUSY)
            && !reads_settings(session, row)
        {
            return Some(busy.refusal());
        }
        if session.is_monitor
            && flags & (Flags::WRITE | Flags::READONLY | Flags::MAY_REPLICATE) != 0
        {
            return Some(Error::new("ERR Replica can't interact with the keyspace"));
        }
        None
    }

    /// Why the session's user may not make this call.
    pub(super) fn denial(
        &self,
        session: &Session,
        row: Resolved,
        args: &[&[u8]],
    ) -> Option<Denial> {
        let user = self.server.users.get(&session.user)?;
        rules::denial(user, row, args)
    }

    /// Notes in ACL LOG that a call was not allowed.
    #[cold]
    pub(super) fn note_denial(
        &mut self,
        session: &Session,
        row: Resolved,
        args: &[&[u8]],
        place: Where,
    ) {
        let Some(denial) = self.denial(session, row, args) else {
            return;
        };
        let entry = LogEntry {
            id: 0,
            count: 0,
            reason: denial.reason,
            place,
            object: object_of(denial.reason, row, args, denial.at),
            user: session.user.owned(),
            client: client_line(session, &self.lookup, args, self.now_ms),
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
        };
        let limit = self.server.config.number("acllog-max-len");
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.server.users.log.note(entry, limit);
    }

    /// What EXEC says in the place of a command that may not run any more.
    #[cold]
    pub(super) fn refusal_in_exec(
        &mut self,
        session: &Session,
        row: Resolved,
        args: &[&[u8]],
    ) -> Option<Error> {
        let denial = self.denial(session, row, args)?;
        self.note_denial(session, row, args, Where::Multi);
        let reason: &[u8] = match denial.reason {
            Reason::Command => b"no permission to execute the command or subcommand",
            Reason::Key => b"no permission to touch the specified keys",
            Reason::Channel => b"no permission to access one of the channels used as arguments",
            Reason::Auth => b"no permission",
        };
        Some(Error::concat(&[
            b"NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
              command is no longer allowed for the following reason: ",
            reason,
        ]))
    }

    /// Whether memory is short for this command: one that may grow the data, or an EXEC with such a one in its queue.
    fn is_out_of_memory(&self, session: &Session, row: Resolved, flags: u32) -> bool {
        if !self.server.is_out_of_room || !self.server.config.is_full(self.keys.used_bytes()) {
            return false;
        }
        flags & Flags::DENYOOM != 0
            || row.row.name == "exec" && self.has_queued(session, Flags::DENYOOM)
    }

    /// Whether a command with one of these flags waits for EXEC.
    pub(super) fn has_queued(&self, session: &Session, flags: u32) -> bool {
        let queue = session.multi.as_ref().map_or(&[][..], |multi| &multi.queue);
        queue.iter().any(|queued| {
            let args = queued.args.iter().take(2);
            let args: Vec<&[u8]> = args.map(Vec::as_slice).collect();
            let row = self.lookup.row(queued.number);
            row.is_some_and(|row| self.flags_of(row, &args) & flags != 0)
        })
    }

    /// The flags of a command; those of a script or function are what it says of itself.
    pub(super) fn flags_of(&self, row: Resolved, args: &[&[u8]]) -> u32 {
        #[cfg(feature = "scripting")]
        if row.row.group == Group::Scripting && row.row.is(Flags::MOVABLEKEYS) {
            return super::script::flags_of(&self.server, row.row, args);
        }
        let _ = args;
        row.row.flags
    }
}

/// Whether the program around the engine asks how it is configured: a server has to know for each new connection.
#[cfg(feature = "scripting")]
fn reads_settings(session: &Session, row: Resolved) -> bool {
    let container = row.container.map_or("", |container| container.name);
    session.kind != Kind::Wire && container == "config" && row.row.name == "get"
}

/// How much of a name, and of all arguments together, an error text quotes.
const QUOTED_BYTES: usize = 128;

/// As much of `text` as an error text shows: at most `limit_bytes`, and nothing from a zero byte on.
fn quoted(text: &[u8], limit_bytes: usize) -> &[u8] {
    let text = text.split(|&byte| byte == 0).next().unwrap_or(&[]);
    text.get(..limit_bytes).unwrap_or(text)
}

/// Whether this client may use DEBUG.
#[cold]
fn is_debug_open(session: &Session, config: &Config) -> bool {
    let address = session.address.as_slice();
    let is_local = [&b"127."[..], b"::1", b"[::1]", b"/"]
        .iter()
        .any(|start| address.starts_with(start));
    config.is_debug_allowed && (!config.is_debug_local || is_local || address.is_empty())
}

/// `ERR unknown command 'x', with args beginning with: 'a' 'b' `.
#[cold]
fn unknown_command(name: &[u8], args: &[&[u8]]) -> Error {
    let mut shown = Vec::new();
    for arg in args.iter().skip(1) {
        if shown.len() >= QUOTED_BYTES {
            break;
        }
        let left = QUOTED_BYTES - shown.len();
        shown.push(b'\'');
        shown.put(quoted(arg, left));
        shown.put(b"' ");
    }
    Error::concat(&[
        b"ERR unknown command '",
        quoted(name, QUOTED_BYTES),
        b"', with args beginning with: ",
        &shown,
    ])
}
