//! What a command gets, and what it gives back.

use super::{Command, Lookup, Options};
use crate::algorithms::num::{LongDouble, parse_i64};
use crate::algorithms::rng::Rng;
use crate::formats::aof::Effects;
use crate::keyspace::Keyspace;
use crate::resp::{Error, Reply};
use crate::state::{Block, Server, Session, Sessions};

/// What a command's function returns: the error becomes the reply.
pub type Result = core::result::Result<Outcome, Error>;

/// What is to happen after a command's function.
#[derive(Debug)]
pub enum Outcome {
    /// The reply is complete.
    Done,
    /// Nothing was replied; the client waits.
    Block(Box<Block>),
    /// Run the queue of the session's transaction.
    Exec,
    /// Run a script, or a function of a library.
    #[cfg(feature = "scripting")]
    Script(Box<crate::state::scripts::ScriptCall>),
    /// End the script that is paused; the reply is there already.
    #[cfg(feature = "scripting")]
    KillScript,
    /// Save the data set, for it to count or not, and load it again (DEBUG RELOAD, DEBUG LOADAOF), then reply OK.
    Reload { is_save: bool },
}

/// Everything a command may touch.
#[derive(Debug)]
pub struct Ctx<'a> {
    /// The arguments; the name is the first (of a subcommand: both words).
    pub args: &'a [&'a [u8]],
    pub row: &'static Command,
    pub lookup: &'a Lookup,
    /// The databases, with the session's one selected.
    pub keys: &'a mut Keyspace,
    pub server: &'a mut Server,
    /// The client that runs the command.
    pub session: &'a mut Session,
    /// All other clients.
    pub others: &'a mut Sessions,
    pub reply: &'a mut Reply,
    pub rng: &'a mut Rng,
    /// The time of this command, in ms since the epoch; it does not move while the command runs.
    pub now_ms: i64,
    /// The command was blocked before and runs again because a key became ready.
    pub is_retry: bool,
    /// What to log instead of the command itself, when that is something else; nothing said logs the arguments as they
    /// are.
    pub effects: &'a mut Effects,
}

impl<'a> Ctx<'a> {
    /// The argument at `at`; empty when there is none, which the row's arity excludes for fixed arguments.
    #[inline]
    pub fn arg(&self, at: usize) -> &'a [u8] {
        self.args.get(at).copied().unwrap_or(&[])
    }

    /// A cursor over the arguments from `at` on.
    pub fn options(&self, at: usize) -> Options<'a> {
        Options::new(self.args, at)
    }

    /// The argument at `at` as an integer.
    pub fn integer(&self, at: usize) -> core::result::Result<i64, Error> {
        parse_i64(self.arg(at)).ok_or(Error::NOT_INTEGER)
    }

    /// When a timeout in milliseconds is over, in ms since the epoch; None for 0, which is never.
    ///
    /// # Errors
    /// Not an integer, negative, or beyond the end of time.
    pub fn deadline_from_ms(&self, timeout: &[u8]) -> core::result::Result<Option<i64>, Error> {
        let timeout_ms = parse_i64(timeout).ok_or(Error::TIMEOUT_NOT_INTEGER)?;
        self.deadline_in(timeout_ms)
    }

    /// The same of a timeout in seconds, which may have a fraction; parts of a millisecond count as a whole one.
    ///
    /// # Errors
    /// Not a number, negative, or beyond the end of time.
    pub fn deadline_from_s(&self, timeout: &[u8]) -> core::result::Result<Option<i64>, Error> {
        let timeout = LongDouble::parse(timeout).ok_or(Error::TIMEOUT_NOT_FLOAT)?;
        let timeout_ms = (timeout.to_f64() * 1000.0).ceil();
        if timeout_ms >= i64::MAX as f64 {
            return Err(Error::TIMEOUT_RANGE);
        }
        self.deadline_in(timeout_ms as i64)
    }

    fn deadline_in(&self, timeout_ms: i64) -> core::result::Result<Option<i64>, Error> {
        match timeout_ms {
            0 => Ok(None),
            ..0 => Err(Error::TIMEOUT_NEGATIVE),
            _ => timeout_ms
                .checked_add(self.now_ms)
                .map(Some)
                .ok_or(Error::TIMEOUT_RANGE),
        }
    }

    /// Logs (AOF, replicas) `command` instead of the arguments; called several times, several commands.
    pub fn propagate(&mut self, command: &[&[u8]]) {
        if self.keys.is_logging() {
            self.effects.add(command);
        }
    }

    /// The command that is logged for a key that was deleted on the way: UNLINK where the setting of that name says so.
    pub fn deletion(&self, setting: &str) -> &'static [u8] {
        match self.server.config.value(setting) {
            b"yes" => b"UNLINK",
            _ => b"DEL",
        }
    }

    /// Logs nothing of this command.
    pub fn propagate_nothing(&mut self) {
        if self.keys.is_logging() {
            self.effects.is_said = true;
        }
    }

    /// `ERR unknown subcommand or wrong number of arguments for '<word>'. Try <CONTAINER> HELP.`, for what a subcommand
    /// checks itself.
    pub fn unknown_subcommand(&self, container: &str) -> Error {
        let word = self.arg(1);
        let word = &word[..word.len().min(128)];
        Error::concat(&[
            b"ERR unknown subcommand or wrong number of arguments for '",
            word,
            b"'. Try ",
            container.as_bytes(),
            b" HELP.",
        ])
    }

    /// The HELP reply of a container: `lines` between the frame Redis puts around them.
    pub fn help(&mut self, container: &str, lines: &[&str]) -> Result {
        self.reply.array(lines.len() + 3);
        let upper = container.to_ascii_uppercase();
        self.reply.status(
            &[
                &upper,
                " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            ]
            .concat(),
        );
        for line in lines {
            self.reply.status(line);
        }
        self.reply.status("HELP");
        self.reply.status("    Print this help.");
        Ok(Outcome::Done)
    }
}
