//! Running an append-only file: RDB at its beginning, or nothing, then commands.
//!
//! What it says happened, and is not said again: nothing is recorded, refused, counted as a call or shown to monitors;
//! keys and fields live on past their times, as what removes them stands in the file, and whoever would wait does not.
//! Meanwhile clients are told LOADING.

use super::super::{Called, Engine, SessionId};
use crate::algorithms::bytes::{Append, Bytes};
use crate::formats::aof::line_length;
use crate::resp::{Encoding, Error, Limits, Parser, Progress, Reply};
use crate::state::{Hindrance, Kind, Queued, Session};

/// How a file begins that begins with RDB.
const RDB: &[u8] = b"REDIS";
/// A line for people is not longer than this.
const LINE_BYTES: usize = 64 * 1024;
/// So many commands of a file that fail are told to the log.
const TOLD_FAILURES: u64 = 16;

/// A file being run.
pub(super) struct Replay {
    /// As messages call it; may be empty.
    name: Vec<u8>,
    part: Part,
    parser: Parser,
    session: SessionId,
    /// Bytes given, and how many of them end in a whole command outside of any transaction.
    fed_bytes: u64,
    valid_bytes: u64,
    failures: u64,
}

/// What the next bytes are part of.
enum Part {
    /// The first few, which tell what the file is.
    Start(Vec<u8>),
    Rdb,
    Commands,
}

impl Engine {
    /// Starts running an append-only file on the data set; `name` is what messages call it. Several files may follow
    /// each other: nothing expires until the last one is over.
    pub fn begin_replay(&mut self, name: &[u8], total_bytes: u64) {
        if let Some(unfinished) = self.transfer.replay.take() {
            self.disconnect(unfinished.session);
        }
        let session = self.connect(Kind::Native2);
        self.server.stats.connections -= 1;
        if let Some(session) = self.sessions.get_mut(session) {
            session.is_authenticated = true;
            session.is_in_exec = true;
        }
        if self.server.hindrance == Hindrance::None {
            self.server.hindrance = Hindrance::Loading;
            self.server.loading.started_s = self.now_ms / 1000;
            self.server.loading.done_bytes = 0;
            self.server.loading.total_bytes = 0;
            self.server.aof.forget_files();
        }
        self.server.loading.total_bytes += total_bytes;
        self.keys.set_frozen(true);
        self.transfer.replay = Some(Box::new(Replay {
            name: name.owned(),
            part: Part::Start(Vec::new()),
            parser: Parser::new(),
            session,
            fed_bytes: 0,
            valid_bytes: 0,
            failures: 0,
        }));
    }

    /// Runs the commands in the next bytes of the file. O(bytes), but for what the commands take.
    ///
    /// # Errors
    /// What is wrong with them, in Redis' words; the replay is over then. What came before stays done.
    pub fn replay_chunk(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut replay = self.transfer.replay.take().ok_or(NO_REPLAY)?;
        replay.fed_bytes += bytes.len() as u64;
        self.server.loading.done_bytes += bytes.len() as u64;
        let result = self.replay_part(&mut replay, bytes);
        match result {
            Ok(()) => self.transfer.replay = Some(replay),
            Err(_) => {
                self.disconnect(replay.session);
                self.end_loading();
            }
        }
        if self.has_aftermath() {
            self.settle();
        }
        result
    }

    /// The file is over; how many of its bytes were good. Fewer than were given mean that it ends inside of a command or
    /// a transaction, of which nothing was done. After the last file (`is_last`) clients are let in, and keys expire.
    ///
    /// # Errors
    /// When none was begun, or it ends inside of its RDB part; all is over then.
    pub fn end_replay(&mut self, is_last: bool) -> Result<u64, Error> {
        let mut replay = self.transfer.replay.take().ok_or(NO_REPLAY)?;
        let rest = match &mut replay.part {
            Part::Start(start) => std::mem::take(start),
            _ => Vec::new(),
        };
        let mut result = self.replay_commands(&mut replay, &rest);
        if matches!(replay.part, Part::Rdb) {
            result = self.replay_rdb(&mut replay, &[]);
        }
        if result.is_ok() && matches!(replay.part, Part::Rdb) {
            self.transfer.loader = None;
            result = Err(bad_rdb(&replay.name, b"it is truncated"));
        }
        if self.is_in_multi(&replay) {
            let text: [&[u8]; 2] = [
                b"Revert incomplete MULTI/EXEC transaction in AOF file ",
                &replay.name,
            ];
            self.server.log(3, &text.concat());
        }
        self.disconnect(replay.session);
        if is_last || result.is_err() {
            self.end_loading();
        }
        self.server.aof.count_loaded(replay.fed_bytes);
        result.map(|()| replay.valid_bytes)
    }

    /// Lets clients in again.
    fn end_loading(&mut self) {
        self.keys.set_frozen(false);
        if self.server.hindrance == Hindrance::Loading {
            self.server.hindrance = Hindrance::None;
        }
    }

    fn replay_part(&mut self, replay: &mut Replay, bytes: &[u8]) -> Result<(), Error> {
        match &mut replay.part {
            Part::Commands => self.replay_commands(replay, bytes),
            Part::Rdb => self.replay_rdb(replay, bytes),
            Part::Start(start) => {
                start.put(bytes);
                let known = start.len().min(RDB.len());
                if start.get(..known) != RDB.get(..known) {
                    let start = std::mem::take(start);
                    replay.part = Part::Commands;
                    return self.replay_commands(replay, &start);
                }
                if known < RDB.len() {
                    return Ok(());
                }
                let start = std::mem::take(start);
                replay.part = Part::Rdb;
                self.begin_preamble();
                self.replay_rdb(replay, &start)
            }
        }
    }

    fn replay_rdb(&mut self, replay: &mut Replay, bytes: &[u8]) -> Result<(), Error> {
        let rest = self
            .load_preamble(bytes)
            .map_err(|error| bad_rdb(&replay.name, error.text()))?;
        let Some(rest) = rest else {
            return Ok(());
        };
        replay.valid_bytes = replay.fed_bytes - rest.len() as u64;
        replay.part = Part::Commands;
        self.replay_commands(replay, &rest)
    }

    /// Runs commands with nobody watching.
    fn replay_commands(&mut self, replay: &mut Replay, bytes: &[u8]) -> Result<(), Error> {
        let Some(mut session) = self.sessions.take(replay.session) else {
            return Err(NO_REPLAY);
        };
        let is_logging = self.is_logging;
        self.set_logging(false);
        let commands = self.server.stats.commands;
        let by_command = self.server.stats.by_command.clone();
        let mut reply = Reply::new(Encoding::Cells, false);
        replay.parser.feed(bytes);
        let result = self.replay_parsed(replay, &mut session, &mut reply);
        self.server.stats.commands = commands;
        self.server.stats.by_command = by_command;
        self.server.spent_usec = 0;
        self.set_logging(is_logging);
        self.sessions.put(session);
        result
    }

    fn replay_parsed(
        &mut self,
        replay: &mut Replay,
        session: &mut Session,
        reply: &mut Reply,
    ) -> Result<(), Error> {
        let limits = Limits {
            bulk_bytes: i64::from(i32::MAX),
            authenticated: true,
        };
        loop {
            if let Some(rest) = replay.parser.between_requests() {
                match (line_length(rest), rest.first()) {
                    (_, None) => return Ok(()),
                    (None, Some(b'*')) => {}
                    (None, _) => return Err(bad_format(&replay.name)),
                    (Some(0), _) if rest.len() > LINE_BYTES => {
                        return Err(bad_format(&replay.name));
                    }
                    (Some(0), _) => return Ok(()),
                    (Some(length), _) => {
                        replay.parser.skip(length);
                        self.note_valid(replay, session);
                        continue;
                    }
                }
            }
            match replay.parser.next(limits) {
                Progress::Incomplete => return Ok(()),
                Progress::Request if replay.parser.arg_count() > 0 => {}
                Progress::Request | Progress::Broken(_) => return Err(bad_format(&replay.name)),
            }
            let args: Vec<&[u8]> = replay.parser.args().collect();
            let failures = self.server.stats.error_replies;
            reply.clear();
            self.replay_command(session, &args, reply)
                .map_err(|why| refused(why, args.first().copied(), &replay.name))?;
            if self.server.stats.error_replies != failures {
                replay.failures += 1;
                if replay.failures <= TOLD_FAILURES {
                    self.tell_failure(args.first().copied(), reply);
                }
            }
            self.note_valid(replay, session);
        }
    }

    /// What was read so far is good, unless a transaction is open.
    fn note_valid(&self, replay: &mut Replay, session: &Session) {
        if session.multi.is_none() {
            replay.valid_bytes = replay.fed_bytes - replay.parser.pending_bytes() as u64;
        }
    }

    /// Runs one command, or puts it into the open transaction.
    fn replay_command(
        &mut self,
        session: &mut Session,
        args: &[&[u8]],
        reply: &mut Reply,
    ) -> Result<(), Refusal> {
        let name = args.first().copied().unwrap_or(&[]);
        let mut row = self.lookup.find(name).ok_or(Refusal::Unknown)?;
        if let Some(word) = args.get(1)
            && !row.row.subs.is_empty()
        {
            row = self.lookup.find_sub(row, word).ok_or(Refusal::Unknown)?;
        }
        if !row.row.accepts(args.len()) {
            return Err(Refusal::Arity);
        }
        if let Some(multi) = &mut session.multi
            && row.row.name != "exec"
        {
            multi.queue.push(Queued {
                number: row.number,
                args: args.iter().map(|arg| arg.owned()).collect(),
            });
            return Ok(());
        }
        let called = self.run(session, row, args, reply, false);
        debug_assert!(called != Called::Blocked, "nobody waits while a log is run");
        Ok(())
    }

    #[cold]
    fn tell_failure(&mut self, name: Option<&[u8]>, reply: &Reply) {
        let text: [&[u8]; 5] = [
            b"== CRITICAL == This server is sending an error to its AOF-loading-client: '",
            reply.text(),
            b"' after processing the command '",
            &name.unwrap_or(&[]).to_ascii_lowercase(),
            b"'",
        ];
        self.server.log(3, &text.concat());
    }

    fn is_in_multi(&self, replay: &Replay) -> bool {
        let session = self.sessions.get(replay.session);
        session.is_some_and(|session| session.multi.is_some())
    }
}

/// Why a command of a file cannot be run.
#[derive(Clone, Copy)]
enum Refusal {
    Unknown,
    Arity,
}

#[cold]
fn refused(why: Refusal, name: Option<&[u8]>, file: &[u8]) -> Error {
    let start: &[u8] = match why {
        Refusal::Unknown => b"ERR Unknown command '",
        Refusal::Arity => b"ERR Wrong number of arguments of command '",
    };
    let name = name.unwrap_or(&[]);
    let name = name.get(..128).unwrap_or(name);
    Error::concat(&[
        start,
        name,
        b"' reading the append only file",
        &called(file),
    ])
}

#[cold]
fn bad_format(file: &[u8]) -> Error {
    Error::concat(&[
        b"ERR Bad file format reading the append only file",
        &called(file),
        b": make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>",
    ])
}

#[cold]
fn bad_rdb(file: &[u8], why: &[u8]) -> Error {
    Error::concat(&[
        b"ERR Error reading the RDB preamble of the AOF file",
        &called(file),
        b", AOF loading aborted: ",
        why.strip_prefix(b"ERR ").unwrap_or(why),
    ])
}

/// A file's name with a space before it.
fn called(file: &[u8]) -> Vec<u8> {
    match file {
        [] => Vec::new(),
        file => [b" ", file].concat(),
    }
}

const NO_REPLAY: Error = Error::new("ERR no replay was begun");
