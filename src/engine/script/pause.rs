//! Scripts that run long: in slices, one with each tick, so that the host is not kept waiting.
//!
//! Between two slices a script is as alone with the data as within one. Clients that come meanwhile have their input held
//! back; once `busy-reply-threshold` has passed they are told BUSY instead, and may call SCRIPT KILL. Calls of a program,
//! which cannot be held back, are told BUSY at once. What happens by time waits, and so does what the script's commands
//! have left to do for others; only messages go out.

use super::super::{Called, Engine, SessionId};
use super::Running;
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use crate::formats::aof::{Mark, Part};
use crate::lua::vm::Interrupt;
use crate::lua::{Ran, Thrown};
use crate::resp::Reply;
use crate::state::scripts::{Busy, Machine, ScriptLimits};
use crate::state::{Block, Hindrance, Multi, Session, TimeoutReply};
use crate::table::Resolved;
use std::mem;

/// What a command of a script costs in steps, besides one for each part of its reply.
pub(super) const STEPS_A_COMMAND: usize = 40;

/// What the error says of a script that SCRIPT KILL or FUNCTION KILL has ended.
const KILLED: &str = "Script killed by user with SCRIPT KILL...";
/// What it says of one that ran into [`ScriptLimits::most`].
const TOO_LONG: &str = "Script killed: it took too long where it cannot be paused.";

/// The scripts of an engine and their time.
#[derive(Debug, Default)]
pub struct Pauses {
    pub limits: ScriptLimits,
    paused: Option<Box<Paused>>,
}

/// A script between two slices. Its caller waits, with the command among what waiting clients have.
#[derive(Debug)]
struct Paused {
    session: SessionId,
    row: Resolved,
    machine: Box<Machine>,
    running: Running,
    /// Its effects so far.
    log: Part,
    /// CLIENT CACHING was said before it.
    is_caching_said: bool,
    /// Its caller is gone.
    is_orphan: bool,
    /// The threshold has passed, and the log was told.
    is_slow: bool,
    /// The transaction it is part of.
    rest: Option<Rest>,
}

/// A transaction in which a script is paused: what is left of it.
#[derive(Debug)]
struct Rest {
    /// EXEC and its arguments.
    row: Resolved,
    args: Vec<Vec<u8>>,
    multi: Box<Multi>,
    /// The place in the queue behind the script.
    next: usize,
    /// The replies so far.
    reply: Reply,
}

impl Running {
    /// Whether the script goes on, asked every so many steps.
    pub(super) fn interrupt(&mut self, limits: ScriptLimits) -> Interrupt {
        self.asked += 1;
        if self.asked >= limits.most {
            self.end_text = TOO_LONG;
            return Interrupt::Kill(TOO_LONG);
        }
        match self.may_pause && self.asked >= limits.slice {
            true => Interrupt::Pause,
            false => Interrupt::GoOn,
        }
    }
}

impl Engine {
    /// Sets how long scripts run.
    pub fn set_script_limits(&mut self, limits: ScriptLimits) {
        self.pauses.limits = limits;
    }

    /// Whether scripts that a native session calls may pause: their replies come as messages then. Those of wire sessions
    /// always may.
    pub fn set_may_pause(&mut self, id: SessionId, may_pause: bool) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.may_pause = may_pause;
        }
    }

    /// Puts a script aside that has used up its slice; its caller waits.
    pub(super) fn pause_script(
        &mut self,
        session: &mut Session,
        (row, args): (Resolved, &[&[u8]]),
        (machine, running): (Box<Machine>, Running),
        log_start: Mark,
        reply: &mut Reply,
    ) -> Called {
        self.server.scripts.busy = Some(Box::new(Busy {
            is_function: running.call.is_function,
            has_written: running.has_written,
            name: running.call.name.clone(),
            command: args.iter().map(|arg| arg.owned()).collect(),
            started_ms: self.now_ms,
        }));
        self.server.hindrance = Hindrance::Script;
        self.is_holding = true;
        let tracking = session.tracking.as_ref();
        self.pauses.paused = Some(Box::new(Paused {
            session: session.handle,
            row,
            machine,
            running,
            log: self.log.split_off(log_start),
            is_caching_said: tracking.is_some_and(|tracking| tracking.is_caching_said),
            is_orphan: false,
            is_slow: false,
            rest: None,
        }));
        let block = Block::on_time(None, TimeoutReply::Ok);
        // In a transaction other commands must not wait; this one does.
        let is_in_exec = mem::replace(&mut session.is_in_exec, false);
        let called = self.wait(session, row, args, block, reply);
        session.is_in_exec = is_in_exec;
        called
    }

    /// Puts the rest of a transaction aside with its script.
    pub(in crate::engine) fn pause_transaction(
        &mut self,
        (row, args): (Resolved, Vec<Vec<u8>>),
        multi: Box<Multi>,
        next: usize,
        reply: Reply,
        log_start: Mark,
    ) {
        let mut log = self.log.split_off(log_start);
        if let Some(paused) = &mut self.pauses.paused {
            log.append(mem::take(&mut paused.log));
            paused.log = log;
            paused.rest = Some(Rest {
                row,
                args,
                multi,
                next,
                reply,
            });
        }
    }

    /// Whether the command of this session is a script that is paused: it is shown when it is over.
    pub(in crate::engine) fn is_script_of(&self, session: &Session) -> bool {
        let paused = self.pauses.paused.as_ref();
        paused.is_some_and(|paused| paused.session == session.handle)
    }

    /// The session's host is gone. True when its script is paused: that goes on without it, and it is closed then.
    pub(in crate::engine) fn orphan_script(&mut self, id: SessionId) -> bool {
        match &mut self.pauses.paused {
            Some(paused) if paused.session == id => {
                paused.is_orphan = true;
                true
            }
            _ => false,
        }
    }

    /// Runs a slice of the script that is paused; true when it is paused still, and nothing else may happen.
    #[cold]
    pub(in crate::engine) fn tick_script(&mut self) -> bool {
        self.tell_when_slow();
        let Some(paused) = self.pauses.paused.take() else {
            return false;
        };
        self.run_paused(*paused, false);
        if self.has_aftermath() {
            self.settle();
        }
        if self.is_busy() {
            self.resume_all();
        }
        self.is_busy()
    }

    /// Once the threshold has passed, clients are told instead of being held back.
    fn tell_when_slow(&mut self) {
        let limit_ms = self.server.config.number("busy-reply-threshold");
        let (Some(paused), Some(busy)) = (&mut self.pauses.paused, &self.server.scripts.busy)
        else {
            return;
        };
        let spent_ms = self.now_ms - busy.started_ms;
        if paused.is_slow || limit_ms <= 0 || spent_ms < limit_ms {
            return;
        }
        paused.is_slow = true;
        let mut text = Vec::new();
        text.put(b"Slow script detected: still in execution after ");
        num::write_i64(&mut text, spent_ms);
        text.put(b" milliseconds. You can try killing the script using the ");
        text.put(if busy.is_function {
            b"FUNCTION"
        } else {
            b"SCRIPT"
        });
        text.put(b" KILL command. Script name is: ");
        text.put(&busy.name);
        text.push(b'.');
        self.server.request(&[b"log", b"warning", &text]);
        self.is_holding = false;
        self.end_pause();
        self.resume_all();
    }

    /// Ends the script that is paused; what its caller reads goes out when the command that did it is over.
    #[cold]
    pub(in crate::engine) fn kill_script(&mut self) {
        if let Some(paused) = self.pauses.paused.take() {
            self.run_paused(*paused, true);
        }
    }

    fn run_paused(&mut self, mut paused: Paused, is_killed: bool) {
        let busy = self.server.scripts.busy.take();
        let (Some(busy), Some(mut session)) = (busy, self.sessions.take(paused.session)) else {
            return self.end_pauses();
        };
        let is_orphan = paused.is_orphan;
        let waiting = session.waiting.take();
        let log_start = self.log.mark();
        self.log.append(mem::take(&mut paused.log));
        if let Some(tracking) = &mut session.tracking {
            tracking.is_caching_said = paused.is_caching_said;
        }
        // What the script sees of time stands still.
        let now_ms = mem::replace(&mut self.now_ms, busy.started_ms);
        session.is_in_exec = paused.rest.is_some();
        session.exec_length = paused.rest.as_ref().map(|rest| rest.multi.queue.len());
        let result = match is_killed {
            true => {
                let text = b"Lua script killed by user with SCRIPT KILL.";
                self.server.request(&[b"log", b"notice", text]);
                paused.running.end_text = KILLED;
                paused.machine.vm.end_paused();
                Err(Thrown)
            }
            false => self.run_slice(&mut session, &mut paused.machine, &mut paused.running, None),
        };
        if result == Ok(Ran::Paused) {
            paused.log = self.log.split_off(log_start);
            let has_written = paused.running.has_written;
            self.server.scripts.busy = Some(Box::new(Busy {
                has_written,
                ..*busy
            }));
            session.waiting = waiting;
            self.pauses.paused = Some(Box::new(paused));
        } else {
            let spent_ms = u64::try_from(now_ms - busy.started_ms).unwrap_or(0);
            self.end_paused(&mut session, paused, *busy, result, (log_start, spent_ms));
        }
        self.now_ms = now_ms;
        session.is_in_exec = false;
        session.exec_length = None;
        let id = session.handle;
        self.sessions.put(session);
        if self.pauses.paused.is_none() {
            self.end_pauses();
            if is_orphan {
                self.disconnect(id);
            }
        }
    }

    /// Writes the reply of a script that was paused and is over, and runs the rest of its transaction.
    fn end_paused(
        &mut self,
        session: &mut Session,
        paused: Paused,
        busy: Busy,
        result: Result<Ran, Thrown>,
        (log_start, spent_ms): (Mark, u64),
    ) {
        let mut rest = paused.rest;
        let mut reply = match &mut rest {
            Some(rest) => mem::take(&mut rest.reply),
            None => Reply::new(session.encoding(), session.resp3),
        };
        self.end_script(paused.machine, &paused.running, result, &mut reply);
        self.server.spent_usec += spent_ms * 1000;
        self.note_run(session, paused.row, &busy.command);
        if let Some(rest) = rest {
            let next = self.run_queued(session, &rest.multi.queue, rest.next, &mut reply);
            if let Some(next) = next {
                self.pause_transaction((rest.row, rest.args), rest.multi, next, reply, log_start);
                if let Some(other) = &mut self.pauses.paused {
                    other.is_orphan = paused.is_orphan;
                }
                return;
            }
            self.note_run(session, rest.row, &rest.args);
        }
        self.log.frame(log_start);
        session.logged_bytes = self.logged_bytes();
        if let Some(tracking) = &mut session.tracking {
            tracking.is_caching_said = false;
        }
        // What its caller has sent meanwhile comes first.
        self.finish(session, reply);
    }

    /// Counts and shows a command that was paused and is over.
    fn note_run(&mut self, session: &mut Session, row: Resolved, args: &[Vec<u8>]) {
        self.count_call(session, row.number);
        if self.is_observed() {
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            self.observe(session, row, &args);
        }
    }

    /// No script is paused any more: the others go on, once those are served that wait for what the script has written.
    fn end_pauses(&mut self) {
        self.server.hindrance = Hindrance::None;
        self.server.scripts.busy = None;
        self.is_holding = false;
    }
}
