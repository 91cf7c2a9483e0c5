//! The functions of the `redis` table that need the engine.

use super::{ScriptHost, convert, pause};
use crate::algorithms::bytes::{Append, Bytes};
use crate::commands::server::acl::{object_of, refusal};
use crate::lua::call::to_integer;
use crate::lua::vm::Interrupt;
use crate::lua::{Call, Host, Thrown, Value, Vm};
use crate::resp::Cell;
use crate::state::Hindrance;
use crate::state::acl::Where;
use crate::state::scripts::{HostFunction, ScriptFlags, error_table, log_line, throw_table};
use crate::table::{Flags, Resolved};
use std::borrow::Cow;

/// `redis.REPL_AOF`, and both it and `redis.REPL_REPLICA`.
const REPLICATE_TO_LOG: u8 = 1;
pub const REPLICATE_ALL: u8 = 3;
/// Commands of scripts rarely have more arguments; their list needs no allocation.
const FEW_ARGS: usize = 16;

const BAD_ARGUMENTS: &[u8] = b"ERR Lua redis lib command arguments must be strings or integers";
const NO_ARGUMENTS: &[u8] = b"ERR Please specify at least one argument for this redis lib call";
/// What a script is told when its caller may not make a call.
const ACL_FAILURE: &[u8] = b"ERR ACL failure in script: ";

/// Why a script may not run a command.
pub(super) type Refusal = Cow<'static, [u8]>;

impl Host for ScriptHost<'_> {
    fn interrupt(&mut self) -> Interrupt {
        #[cfg(feature = "debugger")]
        if self.running.debug.is_some() {
            return self.interrupt_debugged();
        }
        self.running.interrupt(self.engine.pauses.limits)
    }

    fn call(&mut self, vm: &mut Vm, call: &mut Call, function: u32) -> Result<usize, Thrown> {
        #[cfg(feature = "debugger")]
        if self.running.debug.is_some() {
            return self.call_debugged(vm, call, function);
        }
        self.call_plainly(vm, call, function)
    }

    #[cfg(feature = "debugger")]
    fn line(&mut self, vm: &mut Vm, line: u32) -> Result<(), Thrown> {
        self.line_debugged(vm, line)
    }
}

impl ScriptHost<'_> {
    /// Calls a function of the `redis` table.
    ///
    /// # Errors
    /// What it throws.
    #[inline]
    pub(super) fn call_plainly(
        &mut self,
        vm: &mut Vm,
        call: &mut Call,
        function: u32,
    ) -> Result<usize, Thrown> {
        const CALL: u32 = HostFunction::Call as u32;
        const PROTECTED_CALL: u32 = HostFunction::ProtectedCall as u32;
        const LOG: u32 = HostFunction::Log as u32;
        const SET_RESP: u32 = HostFunction::SetResp as u32;
        const SET_REPLICATION: u32 = HostFunction::SetReplication as u32;
        const ACL_CHECK: u32 = HostFunction::AclCheck as u32;
        match function {
            CALL => self.command(vm, call, false),
            PROTECTED_CALL => self.command(vm, call, true),
            LOG => self.log(vm, call),
            SET_RESP => self.set_resp(vm, call),
            SET_REPLICATION => self.set_replication(vm, call),
            ACL_CHECK => self.acl_check(vm, call),
            _ => Err(throw_table(
                vm,
                b"ERR redis.register_function can only be called on FUNCTION LOAD command",
            )),
        }
    }
}

/// The arguments of a call as texts: those of numbers are written behind each other into `scratch`. None when one is
/// neither a string nor a number.
fn write_numbers(vm: &Vm, call: &Call, scratch: &mut Vec<u8>) -> Option<()> {
    for at in 0..call.count {
        match call.arg(vm, at) {
            Value::String(_) => {}
            Value::Number(number) => {
                let from = scratch.len();
                scratch.put(&[0; 4]);
                convert::write_number(scratch, number);
                let length = (scratch.len() - from - 4) as u32;
                if let Some(place) = scratch.get_mut(from..from + 4) {
                    place.copy_from_slice(&length.to_le_bytes());
                }
            }
            _ => return None,
        }
    }
    Some(())
}

/// Fills the list of arguments.
fn fill<'a>(vm: &'a Vm, call: &Call, mut scratch: &'a [u8], args: &mut [&'a [u8]]) {
    for (at, arg) in args.iter_mut().enumerate() {
        match call.arg(vm, at) {
            Value::String(text) => *arg = vm.heap.bytes(text),
            _ => {
                if let Some((length, rest)) = scratch.split_first_chunk()
                    && let Some((text, rest)) =
                        rest.split_at_checked(u32::from_le_bytes(*length) as usize)
                {
                    *arg = text;
                    scratch = rest;
                }
            }
        }
    }
}

impl ScriptHost<'_> {
    /// `redis.call(...)` and `redis.pcall(...)`: the latter returns an error instead of throwing it.
    fn command(
        &mut self,
        vm: &mut Vm,
        call: &mut Call,
        is_protected: bool,
    ) -> Result<usize, Thrown> {
        if call.count == 0 {
            return fail(vm, call, NO_ARGUMENTS, is_protected, false);
        }
        let mut scratch = std::mem::take(&mut self.running.scratch);
        scratch.clear();
        if write_numbers(vm, call, &mut scratch).is_none() {
            return fail(vm, call, BAD_ARGUMENTS, is_protected, false);
        }
        let mut few: [&[u8]; FEW_ARGS] = [&[]; FEW_ARGS];
        let mut many: Vec<&[u8]> = Vec::new();
        let args = match few.get_mut(..call.count) {
            Some(few) => few,
            None => {
                many.resize(call.count, &[]);
                &mut many
            }
        };
        fill(vm, call, &scratch, args);
        #[cfg(feature = "debugger")]
        let done = match self.running.debug {
            Some(_) => self.carry_out_debugged(args),
            None => self.carry_out(args),
        };
        #[cfg(not(feature = "debugger"))]
        let done = self.carry_out(args);
        self.running.scratch = scratch;
        if let Err(message) = done {
            return fail(vm, call, &message, is_protected, true);
        }
        let is_error = self.running.reply.cells().first() == Some(&(Cell::Error as u32));
        vm.pay(pause::STEPS_A_COMMAND + self.running.reply.cells().len());
        let value = convert::read(vm, &self.running.fields, &self.running.reply)?;
        match is_error && !is_protected {
            true => Err(vm.throw(value)),
            false => call.give(vm, value),
        }
    }

    /// Runs a command if it may run; its reply is in the running script's.
    ///
    /// # Errors
    /// Why it may not.
    pub(super) fn carry_out(&mut self, args: &[&[u8]]) -> Result<(), Refusal> {
        match self.admit(args) {
            Ok(row) => {
                self.run(row, args);
                Ok(())
            }
            Err((message, row)) => {
                let server = &mut self.engine.server;
                server.count_error(convert::code_of(&message));
                if let Some(row) = row {
                    server.count_rejection(row.number);
                    if message.starts_with(ACL_FAILURE) {
                        self.engine
                            .note_denial(self.session, row, args, Where::Script);
                    }
                }
                Err(message)
            }
        }
    }

    /// The row to run, or why a script may not run it.
    fn admit(&self, args: &[&[u8]]) -> Result<Resolved, (Refusal, Option<Resolved>)> {
        const UNKNOWN: Refusal = Cow::Borrowed(b"ERR Unknown Redis command called from script");
        const WRONG_ARITY: Refusal =
            Cow::Borrowed(b"ERR Wrong number of args calling Redis command from script");
        const NOT_ALLOWED: Refusal =
            Cow::Borrowed(b"ERR This Redis command is not allowed from script");
        let engine = &self.engine;
        let name = args.first().copied().unwrap_or(&[]);
        let mut row = engine.lookup.find(name).ok_or((UNKNOWN, None))?;
        if !row.row.subs.is_empty()
            && let Some(word) = args.get(1)
        {
            row = engine.lookup.find_sub(row, word).ok_or((UNKNOWN, None))?;
        }
        if !row.row.accepts(args.len()) {
            return Err((WRONG_ARITY, Some(row)));
        }
        if row.row.is(Flags::NOSCRIPT) {
            return Err((NOT_ALLOWED, Some(row)));
        }
        if self.session.is_restricted
            && let Some(denial) = engine.denial(self.session, row, args)
        {
            let object = object_of(denial.reason, row, args, denial.at);
            let text = refusal(&self.session.user, denial.reason, &object);
            let message = [ACL_FAILURE, &text].concat();
            return Err((Cow::Owned(message), Some(row)));
        }
        if row
            .row
            .is(Flags::WRITE | Flags::MAY_REPLICATE | Flags::DENYOOM)
        {
            self.admit_write(row)
                .map_err(|message| (message, Some(row)))?;
        }
        Ok(row)
    }

    fn admit_write(&self, row: Resolved) -> Result<(), Refusal> {
        let (engine, call) = (&self.engine, &self.running.call);
        if call.is_read_only && row.row.is(Flags::WRITE | Flags::MAY_REPLICATE) {
            let message = b"ERR Write commands are not allowed from read-only scripts.";
            return Err(Cow::Borrowed(message));
        }
        if engine.server.hindrance == Hindrance::Loading {
            return Ok(());
        }
        if row.row.is(Flags::WRITE)
            && engine.server.is_disk_doubtful()
            && let Some(error) = engine.server.disk_loss()
        {
            return Err(Cow::Owned(error.text().owned()));
        }
        // As it was when the script began.
        if engine.server.is_out_of_room
            && row.row.is(Flags::DENYOOM)
            && !self.running.has_written
            && !call.flags.has(ScriptFlags::ALLOW_OOM)
        {
            let message = b"OOM command not allowed when used memory > 'maxmemory'.";
            return Err(Cow::Borrowed(message));
        }
        Ok(())
    }

    /// Runs a command; its reply is in the running script's.
    fn run(&mut self, row: Resolved, args: &[&[u8]]) {
        let running = &mut *self.running;
        running.has_written |= row.row.is(Flags::WRITE);
        running.reply.clear();
        running.reply.set_resp3(running.resp3);
        let log_start = self.engine.log.mark();
        self.engine
            .run(self.session, row, args, &mut running.reply, false);
        if running.replication & REPLICATE_TO_LOG == 0 {
            self.engine.log.truncate(log_start);
        }
    }

    fn log(&mut self, vm: &mut Vm, call: &mut Call) -> Result<usize, Thrown> {
        let (level, text) = log_line(vm, call)?;
        self.engine.server.log(level, &text);
        Ok(0)
    }

    fn set_resp(&mut self, vm: &mut Vm, call: &mut Call) -> Result<usize, Thrown> {
        if call.count != 1 {
            let message = b"ERR redis.setresp() requires one argument.";
            return Err(throw_table(vm, message));
        }
        match vm.to_number(call.arg(vm, 0)).map(to_integer) {
            Some(2) => self.running.resp3 = false,
            Some(3) => self.running.resp3 = true,
            _ => return Err(throw_table(vm, b"ERR RESP version must be 2 or 3.")),
        }
        self.session.resp3 = self.running.resp3;
        Ok(0)
    }

    fn set_replication(&mut self, vm: &mut Vm, call: &mut Call) -> Result<usize, Thrown> {
        if call.count != 1 {
            let message = b"ERR redis.set_repl() requires one argument.";
            return Err(throw_table(vm, message));
        }
        let flags = vm.to_number(call.arg(vm, 0)).unwrap_or(0.0) as i64;
        if flags & !i64::from(REPLICATE_ALL) != 0 {
            let message = b"ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
            return Err(throw_table(vm, message));
        }
        self.running.replication = flags as u8;
        Ok(0)
    }

    /// Whether the user who runs the script may run a command.
    fn acl_check(&mut self, vm: &mut Vm, call: &mut Call) -> Result<usize, Thrown> {
        if call.count == 0 {
            return Err(throw_table(vm, NO_ARGUMENTS));
        }
        let mut scratch = Vec::new();
        if write_numbers(vm, call, &mut scratch).is_none() {
            return Err(throw_table(vm, BAD_ARGUMENTS));
        }
        let mut args: Vec<&[u8]> = vec![&[]; call.count];
        fill(vm, call, &scratch, &mut args);
        let lookup = &self.engine.lookup;
        let row = args.first().and_then(|name| lookup.find(name));
        let row = row.and_then(|row| match args.get(1) {
            Some(word) if !row.row.subs.is_empty() => lookup.find_sub(row, word),
            _ => Some(row),
        });
        let Some(row) = row else {
            let message = b"ERR Invalid command passed to redis.acl_check_cmd()";
            return Err(throw_table(vm, message));
        };
        let is_allowed = self.engine.denial(self.session, row, &args).is_none();
        call.give(vm, Value::Bool(is_allowed))
    }
}

/// An error of `redis.call` itself, thrown or returned. One that is counted already is not counted as the script's.
#[cold]
fn fail(
    vm: &mut Vm,
    call: &Call,
    message: &[u8],
    is_protected: bool,
    is_counted: bool,
) -> Result<usize, Thrown> {
    let value = error_table(vm, message, is_counted)?;
    match is_protected {
        true => call.give(vm, value),
        false => Err(vm.throw(value)),
    }
}
