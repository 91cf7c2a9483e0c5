//! Scripts that run: the machine's host, which carries out `redis.call` by the one way to run a command.
//!
//! A script sees one point in time, its commands never wait, and what is logged are its effects.

mod api;
mod convert;
#[cfg(feature = "debugger")]
mod debug;
mod flags;
mod pause;

#[cfg(feature = "debugger")]
pub(super) use debug::Debugger;
pub(super) use flags::flags_of;
pub(super) use pause::Pauses;

use super::{Called, Engine};
use crate::lua::Thrown;
use crate::lua::vm::Ran;
use crate::resp::{Encoding, Reply};
#[cfg(feature = "debugger")]
use crate::state::DebugMode;
use crate::state::Session;
use crate::state::scripts::{Fields, Machine, ScriptCall};
use crate::table::Resolved;
use convert::Errors;

/// The buffers of commands' replies are kept for the next script up to this.
const KEEP_REPLY_BYTES: usize = 64 * 1024;

/// A script that runs, and what it has done so far.
#[derive(Debug)]
pub(super) struct Running {
    call: Box<ScriptCall>,
    /// The row of the command that runs it.
    number: u16,
    /// The machine's names of fields.
    fields: Fields,
    /// What its commands reply, one at a time.
    reply: Reply,
    /// Where numbers among their arguments become text.
    scratch: Vec<u8>,
    /// The database that its commands use.
    db: usize,
    /// `redis.setresp(3)`.
    resp3: bool,
    /// `redis.set_repl`: where its effects go (bits 1 the log, 2 replicas).
    replication: u8,
    /// It has changed something: it cannot be killed any more.
    has_written: bool,
    /// Its caller can wait for the reply.
    may_pause: bool,
    /// How often the machine has asked whether to go on, in the slice that runs.
    asked: u32,
    /// What to say of a script that was killed.
    end_text: &'static str,
    #[cfg(feature = "debugger")]
    debug: Option<Box<debug::Debugging>>,
}

impl Running {
    fn new(call: Box<ScriptCall>, number: u16, fields: Fields, db: usize) -> Running {
        Running {
            call,
            number,
            fields,
            reply: Reply::new(Encoding::Cells, false),
            scratch: Vec::new(),
            db,
            resp3: false,
            replication: api::REPLICATE_ALL,
            has_written: false,
            may_pause: false,
            asked: 0,
            end_text: "",
            #[cfg(feature = "debugger")]
            debug: None,
        }
    }
}

/// What the machine talks to.
struct ScriptHost<'a> {
    engine: &'a mut Engine,
    session: &'a mut Session,
    running: &'a mut Running,
}

impl Engine {
    /// Runs a script to its end; its result, or its error, is the reply. One that takes long may be put aside instead.
    pub(super) fn run_script(
        &mut self,
        session: &mut Session,
        row: Resolved,
        args: &[&[u8]],
        call: Box<ScriptCall>,
        reply: &mut Reply,
    ) -> Called {
        #[cfg(feature = "debugger")]
        if session.debug != DebugMode::Off && !call.is_function && session.exec_length.is_none() {
            return self.start_debugging(session, row, args, call, reply);
        }
        let Some(mut machine) = self.machine_of(&call).take() else {
            return Called::Silent;
        };
        machine.vm.random = self.server.scripts.random.unwrap_or(machine.vm.random);
        let mut running = Running::new(call, row.number, machine.fields, session.db);
        let can_wait = !session.is_in_exec || session.exec_length.is_some();
        running.may_pause = session.may_pause && can_wait && self.pauses.limits.slice > 0;
        std::mem::swap(&mut running.reply, &mut machine.reply);
        let log_start = self.log.mark();
        let result = self.run_slice(session, &mut machine, &mut running, Some(args));
        if result == Ok(Ran::Paused) {
            return self.pause_script(session, (row, args), (machine, running), log_start, reply);
        }
        running.reply.restart(false, KEEP_REPLY_BYTES);
        std::mem::swap(&mut running.reply, &mut machine.reply);
        self.end_script(machine, &running, result, reply);
        if session.exec_length.is_none() {
            self.log.frame(log_start);
        }
        Called::Replied
    }

    /// Runs a script until it ends or pauses; with `args` from its beginning. Meanwhile the session is the script's.
    fn run_slice(
        &mut self,
        session: &mut Session,
        machine: &mut Machine,
        running: &mut Running,
        args: Option<&[&[u8]]>,
    ) -> Result<Ran, Thrown> {
        let resp3 = std::mem::replace(&mut session.resp3, running.resp3);
        let db = std::mem::replace(&mut session.db, running.db);
        let could_not_block = std::mem::replace(&mut session.is_in_exec, true);
        let length = session.exec_length;
        session.exec_length = Some(length.unwrap_or(1));
        session.is_scripting = true;
        running.asked = 0;
        let mut host = ScriptHost {
            engine: self,
            session,
            running,
        };
        let result = match args {
            Some(args) => host.start(machine, args),
            None => machine.vm.resume(&mut host),
        };
        running.db = session.db;
        session.resp3 = resp3;
        session.db = db;
        session.is_scripting = false;
        session.is_in_exec = could_not_block;
        session.exec_length = length;
        self.keys.begin(db, self.now_ms, session.no_touch);
        result
    }

    /// Writes the reply of a script that is over, and takes its machine back.
    fn end_script(
        &mut self,
        mut machine: Box<Machine>,
        running: &Running,
        result: Result<Ran, Thrown>,
        reply: &mut Reply,
    ) {
        self.write_end(&mut machine, running, result, reply);
        self.server.scripts.random = Some(machine.vm.random);
        *self.machine_of(&running.call) = Some(machine);
    }

    fn write_end(
        &mut self,
        machine: &mut Machine,
        running: &Running,
        result: Result<Ran, Thrown>,
        reply: &mut Reply,
    ) {
        let mut errors = Errors::default();
        match result {
            Ok(Ran::Done(value)) => {
                convert::write(machine, value, running.resp3, reply, &mut errors);
            }
            Ok(Ran::Paused) => machine.vm.abandon(),
            Err(Thrown) => {
                let (text, is_counted) = convert::failure(machine, running);
                errors.add(&text, is_counted);
                reply.error(&text);
            }
        }
        for code in &errors.codes {
            self.server.count_error(code);
        }
        if errors.has_any {
            self.server.count_failure(running.number);
        }
        machine.settle();
    }

    /// Where the machine that runs this is, when nothing runs.
    fn machine_of(&mut self, call: &ScriptCall) -> &mut Option<Box<Machine>> {
        match call.is_function {
            true => &mut self.server.functions.machine,
            false => &mut self.server.scripts.machine,
        }
    }
}

impl ScriptHost<'_> {
    /// Hands keys and arguments over and runs the script.
    fn start(&mut self, machine: &mut Machine, args: &[&[u8]]) -> Result<Ran, Thrown> {
        let call = &self.running.call;
        let (function, is_function) = (call.function, call.is_function);
        let vm = &mut machine.vm;
        let args = args.get(3..).unwrap_or(&[]);
        let (keys, args) = args.split_at(call.keys.min(args.len()));
        let keys = convert::list(vm, keys)?;
        // Nothing else refers to the first list while the second is made.
        vm.roots.push(keys);
        let args = convert::list(vm, args);
        vm.roots.pop();
        let lists = [keys, args?];
        if is_function {
            return vm.run(self, function, &lists);
        }
        let globals = vm.globals;
        vm.set_field(globals, "KEYS", lists[0]);
        vm.set_field(globals, "ARGV", lists[1]);
        vm.run(self, function, &[])
    }
}
