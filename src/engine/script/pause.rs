//! Scripts that run long: in slices, one with each tick, so that the host is not kept waiting.
//!
//! Between two slices a script is as alone with the data as within one. Clients that come meanwhile have their input held
//! back; once `busy-reply-threshold` has passed they are told BUSY instead, and may call SCRIPT KILL. Calls of a program,
//! which cannot be held back, are told BUSY at once. What happens by time waits, and so does what the script's commands
//! have left to do for others; only messages go out.

use super::super::{Called, Engine, LogRecord, SessionId};
use super::Running;
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use crate::lua::vm::Interrupt;
use crate::lua::{Ran, Thrown};
use crate::resp::Reply;
use crate::state::scripts::{Busy, Machine, ScriptLimits};
use crate::state::{Block, Hindrance, Session, TimeoutReply};
use crate::table::Resolved;

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
    log: Vec<LogRecord>,
    /// CLIENT CACHING was said before it.
    is_caching_said: bool,
    /// Its caller is gone.
    is_orphan: bool,
    /// The threshold has passed, and the log was told.
    is_slow: bool,
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
        log_start: usize,
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
        }));
        let block = Block::on_time(None, TimeoutReply::Ok);
        self.wait(session, row, args, block, reply)
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
        let waiting = session.waiting.take();
        let log_start = self.log.len();
        self.log.append(&mut paused.log);
        if let Some(tracking) = &mut session.tracking {
            tracking.is_caching_said = paused.is_caching_said;
        }
        // What the script sees of time stands still.
        let now_ms = std::mem::replace(&mut self.now_ms, busy.started_ms);
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
        self.now_ms = now_ms;
        if result == Ok(Ran::Paused) {
            paused.log = self.log.split_off(log_start);
            let has_written = paused.running.has_written;
            self.server.scripts.busy = Some(Box::new(Busy {
                has_written,
                ..*busy
            }));
            session.waiting = waiting;
            self.sessions.put(session);
            self.pauses.paused = Some(Box::new(paused));
            return;
        }
        let mut reply = Reply::new(session.encoding(), session.resp3);
        let (machine, running) = (paused.machine, paused.running);
        self.end_script(machine, &running, result, &mut reply);
        self.frame_transaction(log_start);
        self.count_call(&mut session, paused.row.number);
        let spent_ms = u64::try_from(now_ms - busy.started_ms).unwrap_or(0);
        self.server.spent_usec += spent_ms * 1000;
        let args: Vec<&[u8]> = busy.command.iter().map(Vec::as_slice).collect();
        if self.is_observed() {
            self.observe(&session, paused.row, &args);
        }
        if let Some(tracking) = &mut session.tracking {
            tracking.is_caching_said = false;
        }
        // What its caller has sent meanwhile comes first.
        self.finish(&mut session, reply);
        self.sessions.put(session);
        self.end_pauses();
        if paused.is_orphan {
            self.disconnect(paused.session);
        }
    }

    /// No script is paused any more: the others go on.
    fn end_pauses(&mut self) {
        self.server.hindrance = Hindrance::None;
        self.server.scripts.busy = None;
        self.is_holding = false;
        self.end_pause();
    }
}
