//! The one way to run a command.
//!
//! Direct calls, pipelines, EXEC, replay and the retry of a blocked client all end in [`Engine::run`]; whatever has to
//! happen around every command happens here or in the keyspace, never inside a command.

use super::{Called, Engine, SessionId};
use crate::keyspace::Expired;
use crate::resp::{Error, Reply};
use crate::state::acl::Where;
use crate::state::{Multi, Queued, ReplyMode, Session};
use crate::table::{Ctx, Flags, Outcome, Resolved};

/// Reply buffers above this are given back after use.
const KEEP_REPLY_BYTES: usize = 256 * 1024;

impl Engine {
    /// Runs one command of a native session; the reply is in [`Engine::reply`] until the next call. `args` starts with
    /// the command's name.
    pub fn call(&mut self, id: SessionId, args: &[&[u8]]) -> Called {
        let row = args.first().and_then(|name| self.lookup.find(name));
        self.call_row(id, row, args)
    }

    /// The same, for a row that was looked up before; `args` starts with the command's name all the same.
    #[inline]
    pub fn call_row(&mut self, id: SessionId, row: Option<Resolved>, args: &[&[u8]]) -> Called {
        let resp3 = self.reply.is_resp3();
        self.reply.restart(resp3, KEEP_REPLY_BYTES);
        self.call_more(id, row, args)
    }

    /// Empties the reply for a batch of [`Engine::call_more`].
    pub fn start_reply(&mut self, id: SessionId) {
        let resp3 = self.sessions.get(id).is_some_and(|session| session.resp3);
        self.reply.restart(resp3, KEEP_REPLY_BYTES);
    }

    /// Runs one command and appends its reply to the ones before.
    #[inline]
    pub fn call_more(&mut self, id: SessionId, row: Option<Resolved>, args: &[&[u8]]) -> Called {
        let Some(mut session) = self.sessions.take(id) else {
            self.reply.error(b"ERR no such session");
            return Called::Replied;
        };
        let mut reply =
            std::mem::replace(&mut self.reply, self.spare_reply.take().unwrap_or_default());
        reply.set_resp3(session.resp3);
        let called = self.request(&mut session, row, args, &mut reply);
        self.spare_reply = Some(std::mem::replace(&mut self.reply, reply));
        let has_messages = !session.messages.is_empty();
        self.sessions.put(session);
        self.after_request(id, has_messages);
        self.broadcast_changes();
        self.resume_all();
        called
    }

    /// One request of a session: checks, queueing, running, and the reply's fate.
    #[inline]
    pub(super) fn request(
        &mut self,
        session: &mut Session,
        row: Option<Resolved>,
        args: &[&[u8]],
        reply: &mut Reply,
    ) -> Called {
        session.active_ms = self.now_ms;
        match row {
            Some(row) if self.is_usual(session, row.row, args.len()) => {
                let mark = reply.mark();
                session.last_command = Some(row.number);
                let called = self.run(session, row, args, reply, false);
                if called == Called::Replied && reply.unchanged_since(mark) {
                    return Called::Silent;
                }
                called
            }
            row => self.request_unusual(session, row, args, reply),
        }
    }

    /// A request that may be refused, queued, or not be replied to.
    #[inline(never)]
    fn request_unusual(
        &mut self,
        session: &mut Session,
        row: Option<Resolved>,
        args: &[&[u8]],
        reply: &mut Reply,
    ) -> Called {
        let Some((name, _)) = args.split_first() else {
            return Called::Silent;
        };
        if self.server.config.maxmemory_bytes > 0 {
            self.make_room();
        }
        let mark = reply.mark();
        let called = match self.admit(session, row, name, args) {
            Ok(row) if session.multi.is_some() && !runs_inside_multi(row) => {
                session.last_command = Some(row.number);
                enqueue(session, row, args);
                reply.status("QUEUED");
                Called::Replied
            }
            Ok(row) => {
                session.last_command = Some(row.number);
                self.run(session, row, args, reply, false)
            }
            Err(_) if row.is_none() && is_web_request(name) => {
                session.is_closing = true;
                return Called::Silent;
            }
            Err((error, row)) => {
                let is_known = |row: &Resolved| row.row.subs.is_empty() || args.len() < 2;
                session.last_command = row.filter(is_known).map(|row| row.number);
                if let Some(row) = row.filter(|_| error.code() == b"NOPERM") {
                    let place = match session.multi {
                        Some(_) => Where::Multi,
                        None => Where::Toplevel,
                    };
                    self.note_denial(session, row, args, place);
                }
                self.reject(session, row, &error);
                if row.is_some_and(|row| row.row.name == "exec") {
                    self.abort(session, &error, reply);
                } else {
                    reply.error(error.text());
                }
                Called::Replied
            }
        };
        if let Some(tracking) = &mut session.tracking
            && session.multi.is_none()
            && called != Called::Blocked
            && !name.eq_ignore_ascii_case(b"client")
        {
            tracking.is_caching_said = false;
        }
        if session.reply_mode != ReplyMode::On && is_silenced(session) {
            if called == Called::Blocked {
                session.is_late_reply_dropped = true;
                return called;
            }
            reply.rewind(mark);
            return Called::Silent;
        }
        if called == Called::Replied && reply.unchanged_since(mark) {
            Called::Silent
        } else {
            called
        }
    }

    /// Counts a command that was refused before it ran, and spoils the transaction it should have been part of.
    fn reject(&mut self, session: &mut Session, row: Option<Resolved>, error: &Error) {
        self.server.count_error(error.code());
        if let Some(row) = row {
            self.server.count_rejection(row.number);
        }
        if let Some(multi) = &mut session.multi {
            multi.is_broken = true;
        }
    }

    /// What an EXEC that may not run replies; its transaction is over.
    #[cold]
    fn abort(&mut self, session: &mut Session, error: &Error, reply: &mut Reply) {
        session.multi = None;
        self.keys.unwatch_all(&mut session.watched, session.handle);
        session.is_touched = false;
        let reason = error.text();
        let reason = reason.strip_prefix(b"ERR ").unwrap_or(reason);
        let abort = Error::concat(&[b"EXECABORT Transaction discarded because of: ", reason]);
        reply.error(abort.text());
    }

    /// Runs a command that may run.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        row: Resolved,
        args: &[&[u8]],
        reply: &mut Reply,
        is_retry: bool,
    ) -> Called {
        let dirty_before = self.keys.dirty;
        self.keys.begin(session.db, self.now_ms, session.no_touch);
        let outcome = (row.row.run)(&mut Ctx {
            args,
            row: row.row,
            lookup: &self.lookup,
            keys: &mut self.keys,
            server: &mut self.server,
            session,
            others: &mut self.sessions,
            reply,
            rng: &mut self.rng,
            now_ms: self.now_ms,
            is_retry,
            effects: &mut self.effects,
        });
        let db = self.keys.selected();
        let called = match outcome {
            Ok(Outcome::Done) => Called::Replied,
            outcome => self.conclude(session, row, args, reply, outcome),
        };
        // A command that waits is counted when it has waited.
        if called != Called::Blocked {
            self.count_call(session, row.number);
        }
        if self.is_observed() && !is_retry {
            self.observe(session, row, args);
        }
        if self.server.tracking.is_active() {
            self.track(session, row, args);
        }
        if self.is_logging
            && (self.keys.dirty != dirty_before || self.effects.is_said || self.keys.has_expired())
        {
            self.log_run(session, row, db, args, dirty_before);
        }
        called
    }

    #[inline]
    pub(super) fn count_call(&mut self, session: &mut Session, number: u16) {
        self.server.stats.commands += 1;
        session.commands += 1;
        if let Some(stats) = self.server.stats.by_command.get_mut(usize::from(number)) {
            stats.calls += 1;
        }
    }

    /// What is left to do after a command that did not simply reply.
    #[inline(never)]
    fn conclude(
        &mut self,
        session: &mut Session,
        row: Resolved,
        args: &[&[u8]],
        reply: &mut Reply,
        outcome: Result<Outcome, Error>,
    ) -> Called {
        match outcome {
            Ok(Outcome::Done) => Called::Replied,
            Ok(Outcome::Exec) => self.run_queue(session, row, args, reply),
            #[cfg(feature = "scripting")]
            Ok(Outcome::Script(script)) => {
                self.observe_script(session, row, args);
                self.run_script(session, row, args, script, reply)
            }
            #[cfg(feature = "scripting")]
            Ok(Outcome::KillScript) => {
                self.kill_script();
                Called::Replied
            }
            Ok(Outcome::Reload { is_save }) => self.reload(is_save, reply),
            Ok(Outcome::Block(block)) => self.wait(session, row, args, *block, reply),
            Err(error) => {
                self.observe_script(session, row, args);
                self.server.count_error(error.code());
                self.server.count_failure(row.number);
                reply.error(error.text());
                Called::Replied
            }
        }
    }

    /// Records what a command wrote, in the frame of its transaction.
    #[inline(never)]
    fn log_run(
        &mut self,
        session: &mut Session,
        row: Resolved,
        db: usize,
        args: &[&[u8]],
        dirty_before: u64,
    ) {
        let log_start = self.log.mark();
        self.log.is_stamped = self.server.config.is_aof_stamped;
        if self.keys.has_expired() {
            let expired = self.keys.take_expired();
            self.record_expired(expired);
        }
        if self.effects.is_said {
            self.log.effects(db, self.now_ms, &mut self.effects);
        } else if row.row.is(Flags::WRITE | Flags::MAY_REPLICATE) && self.keys.dirty != dirty_before
        {
            self.log.command(db, self.now_ms, args);
        }
        let is_amid = session.exec_length.is_some();
        if !is_amid {
            self.log.frame(log_start);
        }
        self.server.aof.recorded_bytes = self.logged_bytes();
        if !is_amid {
            session.logged_bytes = self.server.aof.recorded_bytes;
        }
    }

    /// Records that keys and fields are gone.
    #[cold]
    pub(super) fn record_expired(&mut self, expired: Vec<Expired>) {
        for (db, command) in expired {
            let command: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            self.log.command(db, self.now_ms, &command);
        }
    }

    /// Runs the commands of a transaction; the reply is the array of their replies. When a script among them pauses, the
    /// rest waits with it.
    fn run_queue(
        &mut self,
        session: &mut Session,
        row: Resolved,
        args: &[&[u8]],
        reply: &mut Reply,
    ) -> Called {
        let Some(multi) = session.multi.take() else {
            return Called::Replied;
        };
        self.keys.unwatch_all(&mut session.watched, session.handle);
        session.is_touched = false;
        let start = reply.mark();
        reply.array(multi.queue.len());
        let log_start = self.log.mark();
        let may_not_block = std::mem::replace(&mut session.is_in_exec, true);
        let may_pause = session.may_pause;
        session.may_pause &= !may_not_block;
        let paused_at = self.run_queued(session, &multi.queue, 0, reply);
        session.may_pause = may_pause;
        session.is_in_exec = may_not_block;
        #[cfg(not(feature = "scripting"))]
        let _ = (paused_at, row, args);
        #[cfg(feature = "scripting")]
        if let Some(next) = paused_at {
            let command = (row, args.iter().map(|arg| arg.to_vec()).collect());
            self.pause_transaction(command, multi, next, reply.split_off(start), log_start);
            return Called::Blocked;
        }
        if self.server.kills.contains(&session.handle) {
            // It closed its own connection: nothing comes of the transaction's replies.
            reply.rewind(start);
        }
        self.log.frame(log_start);
        Called::Replied
    }

    /// Runs what is in the queue of a transaction from a place on; the place behind a script that pauses.
    pub(super) fn run_queued(
        &mut self,
        session: &mut Session,
        queue: &[Queued],
        from: usize,
        reply: &mut Reply,
    ) -> Option<usize> {
        session.exec_length = Some(queue.len());
        let mut paused_at = None;
        for (at, queued) in queue.iter().enumerate().skip(from) {
            let Some(row) = self.lookup.row(queued.number) else {
                continue;
            };
            let args: Vec<&[u8]> = queued.args.iter().map(Vec::as_slice).collect();
            let mark = reply.mark();
            if session.is_restricted
                && let Some(error) = self.refusal_in_exec(session, row, &args)
            {
                self.server.count_error(error.code());
                self.server.count_rejection(row.number);
                reply.error(error.text());
                continue;
            }
            let called = self.run(session, row, &args, reply, false);
            if called == Called::Blocked {
                paused_at = Some(at + 1);
                break;
            }
            if reply.unchanged_since(mark) {
                // An element must stand for every command; only SUBSCRIBE of no channel could leave none.
                reply.nil();
            }
        }
        session.exec_length = None;
        paused_at
    }
}

/// What CLIENT REPLY OFF and SKIP make of a reply.
#[cold]
fn is_silenced(session: &mut Session) -> bool {
    session.reply_mode = match session.reply_mode {
        ReplyMode::On => return false,
        ReplyMode::Off => ReplyMode::Off,
        ReplyMode::SkipNext => ReplyMode::Skip,
        ReplyMode::Skip => ReplyMode::On,
    };
    true
}

/// Whether a browser was tricked into sending a web request: what stands in it must not run.
fn is_web_request(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"host:") || name.eq_ignore_ascii_case(b"post")
}

/// The commands a transaction does not queue.
fn runs_inside_multi(row: Resolved) -> bool {
    matches!(
        row.row.name,
        "exec" | "discard" | "multi" | "watch" | "quit" | "reset"
    ) && row.container.is_none()
}

fn enqueue(session: &mut Session, row: Resolved, args: &[&[u8]]) {
    let args = args.iter().map(|arg| arg.to_vec()).collect();
    let multi: &mut Multi = session.multi.get_or_insert_default();
    multi.queue.push(Queued {
        number: row.number,
        args,
    });
}
