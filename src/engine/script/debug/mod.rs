//! SCRIPT DEBUG: a script that stops at its lines and talks with its client.
//!
//! <https://redis.io/docs/latest/develop/programmability/lua-debugging/>
//!
//! A script stops anywhere: in coroutines, under `pcall`, in a function that `table.sort` calls. No machine could be put
//! aside there. So none is: what the client says is kept, and so is what the script's commands replied; with every new
//! word the script runs again from its beginning on a machine of its own, is told the same as before, does the same as
//! before, and what was sent before is not sent again. Its commands have run once. The price is that a stop costs as
//! much as the script has calculated up to it.
//!
//! SCRIPT DEBUG YES works on a copy of the data, which is in the place of the data while the script runs.

mod print;
mod talk;

use std::mem;

use super::super::{Called, Engine, SessionId};
use super::api::Refusal;
use super::{Running, ScriptHost};
use crate::algorithms::bytes::{Append, Bytes};
use crate::formats::aof::{Log, Part};
use crate::keyspace::Keyspace;
use crate::lua::vm::Interrupt;
use crate::lua::{Call, Thrown, Value, Vm};
use crate::resp::{Cell, Encoding, Parser, Reply};
use crate::state::scripts::{
    HostFunction, Machine, ScriptCall, Shebang, error_reply, open_debugging, sha1hex, status_reply,
};
use crate::state::{DebugMode, Session};
use crate::table::Resolved;

/// Longer input without a whole command in it ends the session.
const INPUT_LIMIT_BYTES: usize = 1 << 20;
/// A word may be so long, and a command have so many.
const WORD_LIMIT: i64 = 1024;
/// What is shown of a value at first.
const SHOWN_BYTES: usize = 256;
/// The machine asks whether to go on about once in so many ms: the measure for `busy-reply-threshold`.
const MS_A_QUESTION: i64 = 4;

/// What the client has said.
#[derive(Debug, Clone)]
enum Said {
    Words(Vec<Vec<u8>>),
    /// Nothing that can be understood.
    Garbage,
    /// It is gone.
    Gone,
}

/// What a command of the script replied, or why it was not carried out; and what it left.
#[derive(Debug)]
struct Answer {
    reply: Result<Reply, Refusal>,
    db: usize,
    has_written: bool,
}

/// What is known from one run of the script to the next.
#[derive(Debug, Default)]
struct Memory {
    lines: Vec<Vec<u8>>,
    said: Vec<Said>,
    answers: Vec<Answer>,
    /// How many messages were sent.
    sent: usize,
}

/// A script that is debugged, while its client thinks.
#[derive(Debug)]
pub(in crate::engine) struct Debugger {
    session: SessionId,
    /// The row of the command.
    number: u16,
    args: Vec<Vec<u8>>,
    call: Box<ScriptCall>,
    /// What the script works on instead of the data.
    copy: Option<Box<Keyspace>>,
    /// What has come of the next command.
    input: Vec<u8>,
    /// The effects so far.
    log: Part,
    /// What the script sees of time stands still.
    started_ms: i64,
    memory: Memory,
}

/// A script that is debugged, while it runs.
#[derive(Debug)]
pub(super) struct Debugging {
    memory: Memory,
    /// How much was said, answered, and told up to now in this run.
    heard: usize,
    answered: usize,
    told: usize,
    /// Lines of the message that is being put together, and messages to be sent.
    message: Vec<Vec<u8>>,
    messages: Vec<Vec<Vec<u8>>>,
    breakpoints: Vec<i64>,
    is_stepping: bool,
    is_break_called: bool,
    is_timed_out: bool,
    /// How often the machine has asked since it stopped last.
    asked: i64,
    line: u32,
    /// Bytes that are shown of a value; 0 for all.
    shown_bytes: usize,
    is_hint_given: bool,
    /// It has stopped: nothing else stops it meanwhile.
    is_talking: bool,
    /// Nothing stops it any more.
    is_let_go: bool,
    /// The client has not said how to go on.
    is_waiting: bool,
    /// The function that was called has carried out a command.
    has_answered: bool,
}

impl Debugging {
    fn new(memory: Memory) -> Debugging {
        Debugging {
            memory,
            heard: 0,
            answered: 0,
            told: 0,
            message: Vec::new(),
            messages: Vec::new(),
            breakpoints: Vec::new(),
            is_stepping: true,
            is_break_called: false,
            is_timed_out: false,
            asked: 0,
            line: 0,
            shown_bytes: SHOWN_BYTES,
            is_hint_given: false,
            is_talking: false,
            is_let_go: false,
            is_waiting: false,
            has_answered: false,
        }
    }

    /// Adds a line to the message.
    fn say(&mut self, parts: &[&[u8]]) {
        let mut line = parts.concat();
        for byte in &mut line {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.message.push(line);
    }

    /// Adds a line that may be shortened.
    fn say_value(&mut self, parts: &[&[u8]]) {
        let mut line = parts.concat();
        let is_long = self.shown_bytes > 0 && line.len() > self.shown_bytes;
        if is_long {
            line.truncate(self.shown_bytes);
            line.put(b" ...");
        }
        self.say(&[&line]);
        if is_long && !mem::replace(&mut self.is_hint_given, true) {
            self.say(&[b"<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming."]);
        }
    }

    /// Sends the message, unless an earlier run has.
    fn send(&mut self) {
        let message = mem::take(&mut self.message);
        self.told += 1;
        if self.told > self.memory.sent {
            self.memory.sent = self.told;
            self.messages.push(message);
        }
    }

    /// Whether this is done for the first time.
    fn is_news(&self) -> bool {
        self.answered >= self.memory.answers.len() && self.told >= self.memory.sent
    }
}

// ---- the session ----

impl Engine {
    /// Begins to debug a script; what it says first is the reply.
    pub(super) fn start_debugging(
        &mut self,
        session: &mut Session,
        row: Resolved,
        args: &[&[u8]],
        call: Box<ScriptCall>,
        reply: &mut Reply,
    ) -> Called {
        let source = args.get(1).copied().unwrap_or(&[]);
        let end = source
            .iter()
            .rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let source = end.and_then(|end| source.get(..=end)).unwrap_or(&[]);
        let lines = match source.is_empty() {
            true => Vec::new(),
            false => source
                .split(|byte| *byte == b'\n')
                .map(Bytes::owned)
                .collect(),
        };
        let copy = (session.debug == DebugMode::Copy).then(|| self.copy_of_data());
        session.is_debugging = true;
        self.is_holding |= copy.is_none();
        let debugger = Debugger {
            session: session.handle,
            number: row.number,
            args: args.iter().map(|arg| arg.owned()).collect(),
            call,
            copy,
            input: Vec::new(),
            log: Part::default(),
            started_ms: self.now_ms,
            memory: Memory {
                lines,
                ..Memory::default()
            },
        };
        self.go_on(session, debugger, reply);
        Called::Replied
    }

    /// Whether a script has stopped that works on the data: nobody else is to see what it has done so far.
    pub(in crate::engine) fn is_debugging(&self) -> bool {
        self.debuggers
            .iter()
            .any(|debugger| debugger.copy.is_none())
    }

    /// Takes what a client says whose script has stopped.
    pub(in crate::engine) fn hear_debugger(
        &mut self,
        session: &mut Session,
        parser: &mut Parser,
        reply: &mut Reply,
    ) {
        let is_its = |debugger: &Debugger| debugger.session == session.handle;
        let Some(place) = self.debuggers.iter().position(is_its) else {
            return;
        };
        let mut debugger = self.debuggers.swap_remove(place);
        parser.take_rest(&mut debugger.input);
        let said_before = debugger.memory.said.len();
        while let Some(said) = next_said(&mut debugger.input) {
            debugger.memory.said.push(said);
        }
        match debugger.memory.said.len() > said_before {
            true => self.go_on(session, debugger, reply),
            false => self.debuggers.push(debugger),
        }
    }

    /// The client of a script that is debugged is gone: on the data itself, the script runs to its end.
    pub(in crate::engine) fn leave_debugger(&mut self, session: &mut Session) {
        if !session.is_debugging {
            return;
        }
        let is_its = |debugger: &Debugger| debugger.session == session.handle;
        if let Some(place) = self.debuggers.iter().position(is_its) {
            let mut debugger = self.debuggers.swap_remove(place);
            debugger.memory.said.push(Said::Gone);
            if debugger.copy.is_none() {
                let mut reply = Reply::new(Encoding::Wire, false);
                self.go_on(session, debugger, &mut reply);
            }
        }
        session.is_debugging = false;
    }

    /// Runs the script once more, further than before; writes what is new.
    fn go_on(&mut self, session: &mut Session, mut debugger: Debugger, reply: &mut Reply) {
        let outside = debugger.copy.take().map(|copy| self.step_aside(*copy));
        let now_ms = mem::replace(&mut self.now_ms, debugger.started_ms);
        let log_start = self.log.mark();
        let mut machine = self.server.scripts.fresh_machine();
        let call = debugger.call.clone();
        let mut running = Running::new(call, debugger.number, machine.fields, session.db);
        running.debug = Some(Box::new(Debugging::new(mem::take(&mut debugger.memory))));
        open_debugging(&mut machine.vm);
        let args: Vec<&[u8]> = debugger.args.iter().map(Vec::as_slice).collect();
        let result = match load(&mut machine, args.get(1).copied().unwrap_or(&[])) {
            Ok(function) => {
                running.call.function = function;
                self.run_slice(session, &mut machine, &mut running, Some(&args))
            }
            Err(thrown) => Err(thrown),
        };
        self.now_ms = now_ms;
        let Some(mut debugging) = running.debug.take() else {
            return;
        };
        if !debugging.is_waiting {
            debugging.say(&[b"<endsession>"]);
            debugging.send();
        }
        for message in &debugging.messages {
            reply.array(message.len());
            for line in message {
                reply.status_bytes(line);
            }
        }
        let is_over = !debugging.is_waiting;
        if is_over {
            self.write_end(&mut machine, &running, result, reply);
        }
        debugger.memory = debugging.memory;
        match outside {
            Some(outside) => debugger.copy = Some(Box::new(self.step_back(outside))),
            None => debugger.log.append(self.log.split_off(log_start)),
        }
        if is_over {
            self.end_debugging(session, debugger);
        } else {
            self.debuggers.push(debugger);
        }
    }

    /// The connection of a debugger serves for nothing else.
    fn end_debugging(&mut self, session: &mut Session, mut debugger: Debugger) {
        session.is_debugging = false;
        session.is_closing = true;
        if debugger.copy.is_none() {
            let start = self.log.mark();
            self.log.append(mem::take(&mut debugger.log));
            self.log.frame(start);
            session.logged_bytes = self.logged_bytes();
            if !self.is_busy() && !self.is_debugging() {
                self.is_holding = false;
            }
        }
    }

    /// The data once more.
    fn copy_of_data(&mut self) -> Box<Keyspace> {
        let seed = self.server.scripts.seed().clone();
        let mut copy = Keyspace::new(self.keys.db_count(), seed, self.now_ms);
        self.server.config.apply_to(&mut copy);
        copy.replace(self.keys.copies());
        Box::new(copy)
    }

    /// Puts a copy in the place of the data; what was there before.
    fn step_aside(&mut self, copy: Keyspace) -> Outside {
        Outside {
            keys: mem::replace(&mut self.keys, copy),
            log: mem::take(&mut self.log),
            is_logging: mem::replace(&mut self.is_logging, false),
            published: self.server.published.len(),
            monitored: self.server.monitored.len(),
            tracking: mem::take(&mut self.server.tracking),
        }
    }

    /// Puts the data back into its place; nobody hears of what was done to the copy.
    fn step_back(&mut self, outside: Outside) -> Keyspace {
        let mut copy = mem::replace(&mut self.keys, outside.keys);
        copy.take_touched();
        copy.take_events();
        self.log = outside.log;
        self.is_logging = outside.is_logging;
        self.server.published.truncate(outside.published);
        self.server.monitored.truncate(outside.monitored);
        self.server.tracking = outside.tracking;
        copy
    }
}

/// What is not to change while a copy is in the place of the data.
struct Outside {
    keys: Keyspace,
    log: Log,
    is_logging: bool,
    published: usize,
    monitored: usize,
    tracking: crate::state::TrackingTable,
}

/// Compiles a script that tells of its lines, and keeps it.
fn load(machine: &mut Machine, source: &[u8]) -> Result<Value, Thrown> {
    let body = Shebang::of_script(source).map_or(source, |shebang| shebang.body);
    let function = machine.vm.load_traced(body, b"@user_script")?;
    machine.keep(function);
    Ok(function)
}

/// Takes the next command out of what came: an array of words, as redis-cli sends it.
fn next_said(input: &mut Vec<u8>) -> Option<Said> {
    if input.is_empty() {
        return None;
    }
    match read_words(input) {
        Ok(Some((words, length))) => {
            input.drain(..length);
            Some(Said::Words(words))
        }
        Ok(None) if input.len() <= INPUT_LIMIT_BYTES => None,
        _ => {
            input.clear();
            Some(Said::Garbage)
        }
    }
}

/// Words, and how many bytes they took; None when more bytes are needed.
type Words = Option<(Vec<Vec<u8>>, usize)>;

fn read_words(input: &[u8]) -> Result<Words, ()> {
    let mut rest = input;
    let Some(count) = read_number(&mut rest, b'*')? else {
        return Ok(None);
    };
    let mut words = Vec::new();
    for _ in 0..count {
        let Some(length) = read_number(&mut rest, b'$')? else {
            return Ok(None);
        };
        let Some((word, behind)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        match behind {
            [b'\r', b'\n', behind @ ..] => rest = behind,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(()),
        }
        words.push(word.owned());
    }
    Ok(Some((words, input.len() - rest.len())))
}

/// A line of a sign and a number.
fn read_number(rest: &mut &[u8], sign: u8) -> Result<Option<usize>, ()> {
    match rest.split_first() {
        None => return Ok(None),
        Some((first, _)) if *first != sign => return Err(()),
        _ => {}
    }
    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
        return Ok(None);
    };
    let digits = rest.get(1..end).unwrap_or(&[]);
    *rest = rest.get(end + 2..).unwrap_or(&[]);
    match crate::algorithms::num::parse_i64(digits) {
        Some(number) if (1..=WORD_LIMIT).contains(&number) => Ok(Some(number as usize)),
        _ => Err(()),
    }
}

// ---- the script's side ----

impl ScriptHost<'_> {
    /// Whether the script goes on, for one that is debugged.
    pub(super) fn interrupt_debugged(&mut self) -> Interrupt {
        let limit_ms = self.engine.server.config.number("busy-reply-threshold");
        let limits = self.engine.pauses.limits;
        let Some(debug) = &mut self.running.debug else {
            return Interrupt::GoOn;
        };
        if debug.is_waiting {
            return Interrupt::Kill("");
        }
        if debug.is_let_go {
            return self.running.interrupt(limits);
        }
        debug.asked += 1;
        if debug.asked * MS_A_QUESTION >= limit_ms {
            debug.is_timed_out = true;
        }
        Interrupt::GoOn
    }

    /// A function of the `redis` table; errors it makes are told while the client goes line by line.
    pub(super) fn call_debugged(
        &mut self,
        vm: &mut Vm,
        call: &mut Call,
        function: u32,
    ) -> Result<usize, Thrown> {
        const ERROR_REPLY: u32 = HostFunction::ErrorReply as u32;
        const STATUS_REPLY: u32 = HostFunction::StatusReply as u32;
        const SHA1: u32 = HostFunction::Sha1 as u32;
        const BREAKPOINT: u32 = HostFunction::Breakpoint as u32;
        const DEBUG: u32 = HostFunction::Debug as u32;
        if let Some(debug) = &mut self.running.debug {
            debug.has_answered = false;
        }
        let result = match function {
            ERROR_REPLY => error_reply(vm, self, call),
            STATUS_REPLY => status_reply(vm, self, call),
            SHA1 => sha1hex(vm, self, call),
            BREAKPOINT => {
                if let Some(debug) = &mut self.running.debug {
                    debug.is_break_called = true;
                }
                call.give(vm, Value::Bool(true))
            }
            DEBUG => self.show_arguments(vm, call),
            _ => {
                let asked = self.engine.server.requests.len();
                let result = self.call_plainly(vm, call, function);
                if self
                    .running
                    .debug
                    .as_ref()
                    .is_some_and(|debug| !debug.is_news())
                {
                    // What redis.log has told the host already.
                    self.engine.server.requests.truncate(asked);
                }
                result
            }
        };
        if let Some(debug) = &mut self.running.debug
            && debug.is_stepping
            && !debug.has_answered
        {
            let value = match result {
                Ok(_) => call.last_result(vm),
                Err(Thrown) => vm.thrown,
            };
            if let Some(text) = error_of(vm, value) {
                let text = match function == ERROR_REPLY && call.count == 1 {
                    true => [b"-", call_text(&text)].concat(),
                    false => without_code(&text).owned(),
                };
                debug.say(&[b"<error> ", &text]);
            }
        }
        result
    }

    /// `redis.debug(...)`.
    fn show_arguments(&mut self, vm: &mut Vm, call: &Call) -> Result<usize, Thrown> {
        if let Some(debug) = &mut self.running.debug {
            let mut text = b"<debug> line ".to_vec();
            crate::algorithms::num::write_u64(&mut text, u64::from(debug.line));
            text.put(b": ");
            for at in 0..call.count {
                if at > 0 {
                    text.put(b", ");
                }
                print::value(vm, call.arg(vm, at), 0, &mut text);
            }
            debug.say(&[&text]);
        }
        Ok(0)
    }

    /// Carries out a command of the script, or repeats what it replied when it was carried out.
    ///
    /// # Errors
    /// Why it was refused.
    pub(super) fn carry_out_debugged(&mut self, args: &[&[u8]]) -> Result<(), Refusal> {
        let Some(debug) = &mut self.running.debug else {
            return self.carry_out(args);
        };
        debug.has_answered = true;
        if debug.is_stepping {
            let text = print::command(args);
            debug.say(&[b"<redis> ", &text]);
        }
        let place = debug.answered;
        debug.answered += 1;
        if let Some(answer) = debug.memory.answers.get(place) {
            self.session.db = answer.db;
            self.running.has_written = answer.has_written;
            if let Ok(reply) = &answer.reply {
                self.running.reply = Reply::on(
                    Encoding::Cells,
                    reply.is_resp3(),
                    reply.text().owned(),
                    reply.cells().to_vec(),
                );
            }
        } else {
            let done = self.carry_out(args);
            let running = &mut *self.running;
            let reply = &running.reply;
            let reply = done.map(|()| {
                let (text, cells) = (reply.text().owned(), reply.cells().to_vec());
                Reply::on(Encoding::Cells, reply.is_resp3(), text, cells)
            });
            if let Some(debug) = &mut running.debug {
                debug.memory.answers.push(Answer {
                    reply,
                    db: self.session.db,
                    has_written: running.has_written,
                });
            }
        }
        self.show_answer(place)
    }

    fn show_answer(&mut self, place: usize) -> Result<(), Refusal> {
        let Some(debug) = &mut self.running.debug else {
            return Ok(());
        };
        let refusal = match debug.memory.answers.get(place) {
            Some(Answer {
                reply: Err(message),
                ..
            }) => Some(message.clone()),
            _ => None,
        };
        if debug.is_stepping {
            match &refusal {
                Some(message) => debug.say(&[b"<error> ", without_code(message)]),
                None => {
                    let reply = &self.running.reply;
                    if reply.cells().first() == Some(&(Cell::Error as u32)) {
                        debug.say(&[b"<error> -", reply.text()]);
                    }
                    let text = print::reply(reply, &self.running.fields);
                    debug.say_value(&[b"<reply> ", &text]);
                }
            }
        }
        refusal.map_or(Ok(()), Err)
    }
}

/// The error in a table, if it is one.
fn error_of(vm: &mut Vm, value: Value) -> Option<Vec<u8>> {
    let Value::Table(table) = value else {
        return None;
    };
    let key = Value::String(vm.heap.name("err"));
    match vm.heap.table_of(table).get(key) {
        Value::String(text) => Some(vm.heap.bytes(text).owned()),
        _ => None,
    }
}

/// An error without the code of those that have no other.
fn without_code(message: &[u8]) -> &[u8] {
    message.strip_prefix(b"ERR ").unwrap_or(message)
}

/// What `redis.error_reply` was called with, seen from what it made of it: a text of one word got a code.
fn call_text(message: &[u8]) -> &[u8] {
    match without_code(message) {
        word if !word.contains(&b' ') => word,
        _ => message,
    }
}
