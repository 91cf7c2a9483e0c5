//! The machine: its state, how errors are raised, how functions are called.
//!
//! The interpreter's loop is in `execute.rs`; what an operation means for values with metatables in `meta.rs`; names for
//! error messages in `names.rs`.

use std::rc::Rc;

use super::call::Call;
use super::code::Proto;
use super::compiler::compile;
use super::function::{Closure, Coroutine, Frame, Function, Native, Run, Status, Thread, Upvalue};
use super::heap::{Heap, OutOfMemory};
use super::value::{CoroutineId, Str, TableId, UpvalueId, Value};
use crate::algorithms::bytes::Append;
use crate::algorithms::hash::HashSeed;
use crate::algorithms::num::write_u64;

/// Something was thrown: the value is in [`Vm::thrown`], or a coroutine yields, or the script is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thrown;

impl From<OutOfMemory> for Thrown {
    /// The machine finds out by itself that nothing else was thrown.
    fn from(_: OutOfMemory) -> Thrown {
        Thrown
    }
}

/// Why the machine unwinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unwinding {
    #[default]
    No,
    Error,
    Yield,
    /// Nothing catches this.
    Kill,
}

/// What a host answers when it is asked whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    GoOn,
    /// Stop where the script can be taken up again, with [`Vm::resume`]. Where that cannot be (in a coroutine, or in a
    /// function that a function of the host called) the script goes on, and stops as soon as it is out of there.
    Pause,
    /// End the script with this message, past every `pcall`.
    Kill(&'static str),
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ran {
    /// It has ended: its first result.
    Done(Value),
    /// The host wanted it to pause.
    Paused,
}

/// What the machine asks of whoever runs it.
pub trait Host {
    /// Called every so many calls and backward jumps.
    fn interrupt(&mut self) -> Interrupt;

    /// A function of the host, by the number it was registered with.
    ///
    /// # Errors
    /// What the function throws.
    fn call(&mut self, vm: &mut Vm, call: &mut Call, function: u32) -> Result<usize, Thrown>;

    /// A line of a chunk begins that was loaded with [`Vm::load_traced`].
    ///
    /// # Errors
    /// What the host throws, or that it ends the script ([`Vm::end`]).
    #[cfg(feature = "debugger")]
    fn line(&mut self, _: &mut Vm, _line: u32) -> Result<(), Thrown> {
        Ok(())
    }
}

/// Calls and backward jumps between two questions to the host.
pub const FUEL: i32 = 100_000;
/// What random numbers begin with: as in Redis, once and not with every script.
const FIRST_RANDOM: u64 = 0x1234_abcd_330e;
/// So deep may functions of the host and the machine call each other.
const MAX_DEPTH: u32 = 199;
/// So many functions may be active at once in a thread.
const MAX_FRAMES: usize = 20_000;
/// Registers a frame may use, whatever its function says: a window of this length needs no further checks.
pub const WINDOW: usize = 256;

/// Names of metamethods and the like, made once.
#[derive(Debug)]
pub struct Names {
    pub index: Str,
    pub newindex: Str,
    pub call: Str,
    pub eq: Str,
    pub lt: Str,
    pub le: Str,
    pub concat: Str,
    pub unm: Str,
    pub len: Str,
    /// `__add` to `__pow`, in the order of the operations.
    pub arithmetic: [Str; 6],
    pub tostring: Str,
    pub metatable: Str,
    pub n: Str,
}

impl Names {
    fn new(heap: &mut Heap) -> Names {
        Names {
            index: heap.name("__index"),
            newindex: heap.name("__newindex"),
            call: heap.name("__call"),
            eq: heap.name("__eq"),
            lt: heap.name("__lt"),
            le: heap.name("__le"),
            concat: heap.name("__concat"),
            unm: heap.name("__unm"),
            len: heap.name("__len"),
            arithmetic: ["__add", "__sub", "__mul", "__div", "__mod", "__pow"]
                .map(|name| heap.name(name)),
            tostring: heap.name("__tostring"),
            metatable: heap.name("__metatable"),
            n: heap.name("n"),
        }
    }

    fn all(&self) -> impl Iterator<Item = Str> {
        let own = [
            self.index,
            self.newindex,
            self.call,
            self.eq,
            self.lt,
            self.le,
            self.concat,
            self.unm,
            self.len,
            self.tostring,
            self.metatable,
            self.n,
        ];
        own.into_iter().chain(self.arithmetic)
    }
}

/// A Lua machine: a heap, its globals, and the thread that runs.
#[derive(Debug)]
pub struct Vm {
    pub heap: Heap,
    pub globals: TableId,
    pub names: Names,
    /// The metatable of all strings.
    pub string_metatable: Option<TableId>,
    /// What was thrown last.
    pub thrown: Value,
    pub(super) unwinding: Unwinding,
    /// What a yield hands over, or a resume.
    pub(super) transfer: Vec<Value>,
    pub(super) thread: Box<Thread>,
    /// The coroutine that runs; the main one is the first.
    pub(super) current: CoroutineId,
    pub(super) fuel: i32,
    /// Loops of the interpreter within each other: only the outermost can pause.
    pub(super) executing: u32,
    /// The host wants a pause.
    pub(super) is_pausing: bool,
    is_paused: bool,
    /// Values that stay alive because the host refers to them.
    pub roots: Vec<Value>,
    /// Calls of the machine and of the host within each other, over all threads.
    pub(super) depth: u32,
    /// The state of `math.random`.
    pub(super) random: u64,
    /// The collector's pause and step, as scripts set them.
    pub(super) collector_settings: [f64; 2],
    /// Where formatted text is put together.
    pub(super) scratch: Vec<u8>,
    /// How often the host was asked.
    pub(super) refuels: u64,
    /// Where the last run failed: see [`Vm::blamed`].
    pub(super) failed_at: Option<(Rc<[u8]>, i64)>,
    /// Where traced functions that run were told of last.
    #[cfg(feature = "debugger")]
    pub(super) marks: Vec<super::debug::Mark>,
}

impl Vm {
    /// A machine without any globals.
    pub fn new(seed: HashSeed, limit_bytes: usize) -> Vm {
        let mut heap = Heap::new(seed, limit_bytes.max(1 << 20));
        let names = Names::new(&mut heap);
        // A limit of a megabyte at least leaves room for these.
        let globals = heap.table(0, 64).unwrap_or(TableId(u32::MAX));
        let main = heap
            .coroutine(Coroutine {
                status: Status::Running,
                thread: None,
            })
            .unwrap_or(CoroutineId(u32::MAX));
        Vm {
            heap,
            globals,
            names,
            string_metatable: None,
            thrown: Value::Nil,
            unwinding: Unwinding::No,
            transfer: Vec::new(),
            thread: Box::new(Thread::new(main, globals)),
            current: main,
            fuel: FUEL,
            executing: 0,
            is_pausing: false,
            is_paused: false,
            roots: Vec::new(),
            depth: 0,
            random: FIRST_RANDOM,
            collector_settings: [200.0; 2],
            scratch: Vec::new(),
            refuels: 0,
            failed_at: None,
            #[cfg(feature = "debugger")]
            marks: Vec::new(),
        }
    }

    // ---- for hosts ----

    /// Compiles a chunk into a function. What messages call it is `name`.
    ///
    /// # Errors
    /// A syntax error's message is thrown.
    pub fn load(&mut self, source: &[u8], name: &[u8]) -> Result<Value, Thrown> {
        self.load_changed(source, name, |_| ())
    }

    /// Compiles a chunk and lets something be done with it before it becomes a function.
    pub(super) fn load_changed(
        &mut self,
        source: &[u8],
        name: &[u8],
        change: fn(&mut Proto),
    ) -> Result<Value, Thrown> {
        if self.heap.is_due() {
            self.collect();
        }
        match compile(&mut self.heap, source, name, self.depth) {
            Ok(mut proto) => {
                change(&mut proto);
                let environment = self.thread.environment;
                self.function(Rc::new(proto), environment)
            }
            Err(message) => {
                let text = self.heap.string(&message)?;
                Err(self.throw(Value::String(text)))
            }
        }
    }

    fn function(&mut self, proto: Rc<Proto>, environment: TableId) -> Result<Value, Thrown> {
        self.heap.charge(proto.heap_bytes())?;
        let closure = Closure {
            proto,
            upvalues: Rc::new([]),
            environment,
        };
        Ok(Value::Closure(self.heap.closure(closure)?))
    }

    /// Calls a function from outside. A paused run is given up.
    ///
    /// # Errors
    /// What it throws; the machine is as before and can go on.
    pub fn run(
        &mut self,
        host: &mut dyn Host,
        function: Value,
        args: &[Value],
    ) -> Result<Ran, Thrown> {
        self.abandon();
        self.fuel = FUEL;
        self.unwinding = Unwinding::No;
        let result = self.begin_run(host, function, args);
        self.end_run(result)
    }

    fn begin_run(
        &mut self,
        host: &mut dyn Host,
        function: Value,
        args: &[Value],
    ) -> Result<(), Thrown> {
        self.ensure(args.len() + 1)?;
        self.set_stack(0, function);
        for (offset, arg) in args.iter().enumerate() {
            self.set_stack(1 + offset, *arg);
        }
        (self.depth, self.thread.depth) = (1, 1);
        // A function of the host cannot pause, nor can what it calls.
        self.executing = 1;
        let is_lua = self.begin_call(host, 0, args.len(), Some(1))?;
        self.executing = 0;
        match is_lua {
            true => self.execute(host, 0),
            false => Ok(()),
        }
    }

    /// Goes on with a run that was paused.
    ///
    /// # Errors
    /// As of [`Vm::run`]; or when none is paused.
    pub fn resume(&mut self, host: &mut dyn Host) -> Result<Ran, Thrown> {
        if !self.is_paused {
            return Err(self.throw_text(b"nothing to resume"));
        }
        self.is_paused = false;
        let result = self.execute(host, 0);
        self.end_run(result)
    }

    fn end_run(&mut self, result: Result<(), Thrown>) -> Result<Ran, Thrown> {
        if self.is_paused {
            return Ok(Ran::Paused);
        }
        if result.is_err() {
            self.failed_at = self.blame();
            self.settle();
        }
        self.abandon();
        result.map(|()| Ran::Done(self.stack(0)))
    }

    /// Ends a run that is paused from outside, past every `pcall`; [`Vm::blamed`] tells where it stood.
    pub fn end_paused(&mut self) {
        if self.is_paused {
            self.unwinding = Unwinding::Kill;
            self.failed_at = self.blame();
            self.abandon();
        }
    }

    /// Whether a run is paused.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Gives up what runs or is paused; the machine can run something else then.
    pub fn abandon(&mut self) {
        self.close_upvalues(0);
        self.thread.frames.clear();
        self.thread.top = 0;
        (self.depth, self.thread.depth) = (0, 0);
        self.executing = 0;
        (self.is_pausing, self.is_paused) = (false, false);
        #[cfg(feature = "debugger")]
        self.marks.clear();
    }

    /// Whether the interpreter's loop that runs is the one that can pause.
    fn can_pause(&self) -> bool {
        self.executing == 1 && self.current == CoroutineId(0)
    }

    /// At a place where everything is saved: whether to pause here.
    pub(super) fn pauses(&mut self) -> bool {
        if !self.is_pausing || !self.can_pause() {
            return false;
        }
        self.is_pausing = false;
        self.is_paused = true;
        self.fuel = FUEL;
        true
    }

    /// Whether the last run was ended by the host.
    pub fn was_killed(&self) -> bool {
        self.unwinding == Unwinding::Kill
    }

    /// Makes sure that a thrown value is there: running out of memory throws none by itself.
    pub(super) fn settle(&mut self) {
        if self.unwinding == Unwinding::No {
            let text = self.heap.name("not enough memory");
            self.thrown = Value::String(text);
            self.unwinding = Unwinding::Error;
        }
    }

    /// Adds a function of the host to a table.
    pub fn register(&mut self, table: TableId, name: &str, run: Run) {
        let native = self.heap.native(Native {
            run,
            upvalues: Vec::new(),
            environment: None,
        });
        if let Ok(native) = native {
            self.set_field(table, name, Value::Native(native));
        }
    }

    /// Sets a field of a library's table, read-only or not.
    pub fn set_field(&mut self, table: TableId, name: &str, value: Value) {
        let key = Value::String(self.heap.name(name));
        let grown = self.heap.table_mut(table).set(key, value, usize::MAX);
        self.heap.account(grown.unwrap_or(0));
    }

    /// The text of a value that was thrown, if it is text.
    pub fn thrown_text(&self) -> Option<&[u8]> {
        match self.thrown {
            Value::String(text) => Some(self.heap.bytes(text)),
            _ => None,
        }
    }

    // ---- errors ----

    /// Throws a value.
    pub fn throw(&mut self, value: Value) -> Thrown {
        self.thrown = value;
        self.unwinding = Unwinding::Error;
        Thrown
    }

    /// Throws a text as it is.
    pub fn throw_text(&mut self, text: &[u8]) -> Thrown {
        match self.heap.string(text) {
            Ok(text) => self.throw(Value::String(text)),
            Err(error) => error.into(),
        }
    }

    /// Throws a message behind the place of the instruction that runs: an error of the machine.
    #[cold]
    pub fn error(&mut self, message: &[u8]) -> Thrown {
        self.error_at(0, message)
    }

    /// Throws a message behind the place of the call that runs: an error of a function of the host.
    #[cold]
    pub fn native_error(&mut self, message: &[u8]) -> Thrown {
        self.error_at(1, message)
    }

    #[cold]
    fn error_at(&mut self, level: usize, message: &[u8]) -> Thrown {
        let mut text = self.place(level);
        text.put(message);
        self.throw_text(&text)
    }

    /// `name:line: ` of the function `level` levels up; empty when that is none of Lua's.
    pub fn place(&self, level: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let frame = self.thread.frames.iter().rev().nth(level);
        if let Some(frame) = frame
            && let Some(proto) = &frame.proto
        {
            out.put(&proto.source);
            out.push(b':');
            let line = proto.line(frame.pc.saturating_sub(1));
            write_u64(&mut out, u64::from(line));
            out.put(b": ");
        }
        out
    }

    // ---- fuel and memory ----

    /// One call or backward jump.
    #[inline(always)]
    pub(super) fn burn(&mut self, host: &mut dyn Host) -> Result<(), Thrown> {
        self.fuel -= 1;
        if self.fuel < 0 {
            return self.refuel(host);
        }
        Ok(())
    }

    /// Pays for work that the host has done for the script; whether to go on is asked with the next step.
    pub fn pay(&mut self, steps: usize) {
        self.fuel = self
            .fuel
            .saturating_sub(i32::try_from(steps).unwrap_or(i32::MAX));
    }

    /// Pays for work of a function of the host that may take long.
    pub(super) fn burn_many(&mut self, host: &mut dyn Host, steps: usize) -> Result<(), Thrown> {
        self.fuel = self
            .fuel
            .saturating_sub(i32::try_from(steps).unwrap_or(i32::MAX));
        if self.fuel < 0 {
            return self.refuel(host);
        }
        Ok(())
    }

    /// Pays for the strings that were made, if they are long: a loop that makes long ones is not to run on for minutes
    /// between two questions to the host.
    #[inline]
    pub(super) fn pay_for_text(&mut self, host: &mut dyn Host) -> Result<(), Thrown> {
        /// So many bytes cost about as much as an instruction.
        const BYTES_A_STEP: usize = 32;
        /// Less is not worth the trouble.
        const LEAST_BYTES: usize = 16 * 1024;
        if self.heap.unpaid_bytes < LEAST_BYTES {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.heap.unpaid_bytes);
        self.burn_many(host, bytes / BYTES_A_STEP)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn refuel(&mut self, host: &mut dyn Host) -> Result<(), Thrown> {
        let can_pause = self.can_pause();
        if self.is_pausing && can_pause {
            // Somewhere near there is a place for it.
            self.fuel = 0;
            return Ok(());
        }
        self.fuel = FUEL;
        self.refuels += 1;
        match host.interrupt() {
            Interrupt::GoOn => self.is_pausing = false,
            Interrupt::Pause => {
                self.is_pausing = true;
                if can_pause {
                    self.fuel = 0;
                }
            }
            Interrupt::Kill(message) => {
                let text = self.error_at(0, message.as_bytes());
                self.unwinding = Unwinding::Kill;
                // It stays so: the next instruction anywhere would end the script again.
                self.fuel = 0;
                return Err(text);
            }
        }
        Ok(())
    }

    /// Collects garbage. What the stack, the globals and the host's roots refer to stays.
    pub fn collect(&mut self) {
        if self.heap.held > 0 {
            return;
        }
        for name in self.names.all() {
            self.heap.mark(Value::String(name));
        }
        self.heap.mark(Value::Table(self.globals));
        self.heap.mark(Value::Coroutine(self.current));
        self.heap.mark(Value::Coroutine(CoroutineId(0)));
        if let Some(table) = self.string_metatable {
            self.heap.mark(Value::Table(table));
        }
        self.heap.mark(self.thrown);
        for place in 0..self.roots.len() + self.transfer.len() {
            let root = self
                .roots
                .get(place)
                .or_else(|| self.transfer.get(place - self.roots.len()));
            let root = root.copied().unwrap_or_default();
            self.heap.mark(root);
        }
        self.thread.mark(&mut self.heap);
        self.heap.collect();
    }

    /// Sees to it that `bytes` may be allocated, by a collection if need be. What nothing refers to is gone then.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub fn make_room(&mut self, bytes: usize) -> Result<(), Thrown> {
        if bytes > self.heap.left_bytes() {
            self.collect();
            if bytes > self.heap.left_bytes() {
                return Err(Thrown);
            }
        }
        Ok(())
    }

    /// A string of these bytes.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn text(&mut self, bytes: &[u8]) -> Result<Value, Thrown> {
        Ok(Value::String(self.heap.string(bytes)?))
    }

    // ---- the stack ----

    /// Makes sure that the stack has `length` places and a window behind them.
    pub(super) fn ensure(&mut self, length: usize) -> Result<(), Thrown> {
        let wanted = length + WINDOW;
        let now = self.thread.stack.len();
        if wanted > now {
            let length = wanted.max(now * 2).max(2 * WINDOW);
            let bytes = (length - now) * size_of::<Value>();
            self.heap.charge(bytes)?;
            self.thread.charged_bytes += bytes;
            self.thread.stack.resize(length, Value::Nil);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn stack(&self, at: usize) -> Value {
        self.thread.stack.get(at).copied().unwrap_or_default()
    }

    #[inline]
    pub(super) fn set_stack(&mut self, at: usize, value: Value) {
        if let Some(place) = self.thread.stack.get_mut(at) {
            *place = value;
        }
    }

    // ---- calls ----

    /// Calls a function with values from anywhere: its first result.
    ///
    /// # Errors
    /// What it throws.
    pub fn call_values(
        &mut self,
        host: &mut dyn Host,
        function: Value,
        args: &[Value],
    ) -> Result<Value, Thrown> {
        let at = self.thread.limit();
        self.ensure(at + 1 + args.len())?;
        self.set_stack(at, function);
        for (offset, arg) in args.iter().enumerate() {
            self.set_stack(at + 1 + offset, *arg);
        }
        self.call_at(host, at, args.len(), Some(1))?;
        Ok(self.stack(at))
    }

    /// Calls the function at a place of the stack with the arguments behind it; the results are in its place then. With
    /// None all of them are wanted, and [`Thread::top`] is behind the last.
    ///
    /// # Errors
    /// What it throws.
    pub(super) fn call_at(
        &mut self,
        host: &mut dyn Host,
        at: usize,
        count: usize,
        wanted: Option<usize>,
    ) -> Result<(), Thrown> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(b"C stack overflow"));
        }
        let top = self.thread.top;
        self.depth += 1;
        self.thread.depth += 1;
        let stop = self.thread.frames.len();
        let mut result = self.begin_call(host, at, count, wanted);
        if result == Ok(true) {
            result = self.execute(host, stop).map(|()| true);
        }
        self.depth -= 1;
        self.thread.depth = self.thread.depth.saturating_sub(1);
        result?;
        if self.is_pausing {
            self.fuel = 0;
        }
        if wanted.is_some() {
            self.thread.top = top;
        }
        Ok(())
    }

    /// Begins a call: true when a frame was made that is to be executed, false when all is done.
    pub(super) fn begin_call(
        &mut self,
        host: &mut dyn Host,
        at: usize,
        count: usize,
        wanted: Option<usize>,
    ) -> Result<bool, Thrown> {
        self.burn(host)?;
        match Function::of(self.stack(at)) {
            Some(Function::Closure(_)) => {
                self.enter(at, count, wanted)?;
                Ok(true)
            }
            Some(Function::Native(id)) => {
                let run = self.heap.natives.get(id.0).map(|native| native.run);
                self.call_native(host, run, at, count, wanted)?;
                Ok(false)
            }
            None => {
                let count = self.make_callable(at, count)?;
                self.begin_call(host, at, count, wanted)
            }
        }
    }

    /// Puts the `__call` metamethod of a value before it.
    pub(super) fn make_callable(&mut self, at: usize, count: usize) -> Result<usize, Thrown> {
        let value = self.stack(at);
        let method = self.metamethod(value, self.names.call);
        if Function::of(method).is_none() {
            return Err(self.type_error(at, b"call"));
        }
        self.ensure(at + count + 2)?;
        self.thread.stack.copy_within(at..at + count + 1, at + 1);
        self.set_stack(at, method);
        Ok(count + 1)
    }

    /// Makes the frame of a Lua function.
    #[inline]
    pub(super) fn enter(
        &mut self,
        at: usize,
        count: usize,
        wanted: Option<usize>,
    ) -> Result<(), Thrown> {
        let function = self.stack(at);
        let Value::Closure(id) = function else {
            return Err(self.error(b"not a function"));
        };
        let Some(closure) = self.heap.closures.get(id.0) else {
            return Err(self.error(b"not a function"));
        };
        let proto = closure.proto.clone();
        if self.thread.frames.len() >= MAX_FRAMES {
            return Err(self.error(b"stack overflow"));
        }
        let (params, size) = (usize::from(proto.params), usize::from(proto.frame_size));
        let mut base = at + 1;
        if proto.is_vararg {
            base = self.spread(at, count, &proto)?;
        }
        if base + size + WINDOW > self.thread.stack.len() {
            self.ensure(base + size)?;
        }
        let first = match proto.is_vararg {
            true => params + usize::from(proto.needs_arg),
            false => count.min(params),
        };
        if let Some(rest) = self.thread.stack.get_mut(base + first..base + size) {
            rest.fill(Value::Nil);
        }
        self.thread.frames.push(Frame {
            proto: Some(proto),
            function,
            at,
            base,
            pc: 0,
            wanted,
            tail_calls: 0,
        });
        Ok(())
    }

    /// Moves the fixed arguments of a function with variable ones behind the others; where they begin then.
    fn spread(&mut self, at: usize, count: usize, proto: &Proto) -> Result<usize, Thrown> {
        let params = usize::from(proto.params);
        let first = at + 1;
        let count_all = count.max(params);
        self.ensure(first + count_all + params + 1)?;
        for place in count..params {
            self.set_stack(first + place, Value::Nil);
        }
        let base = first + count_all;
        for place in 0..params {
            let value = self.stack(first + place);
            self.set_stack(base + place, value);
            self.set_stack(first + place, Value::Nil);
        }
        if proto.needs_arg {
            let extra = count_all - params;
            let table = self.heap.table(extra, 1)?;
            for place in 0..extra {
                let value = self.stack(first + params + place);
                let key = Value::Number((place + 1) as f64);
                let grown = self.heap.table_mut(table).set(key, value, usize::MAX);
                self.heap.account(grown.unwrap_or(0));
            }
            let n = Value::String(self.names.n);
            let count = Value::Number(extra as f64);
            let grown = self.heap.table_mut(table).set(n, count, usize::MAX);
            self.heap.account(grown.unwrap_or(0));
            self.set_stack(base + params, Value::Table(table));
        }
        Ok(base)
    }

    /// Runs a function of the host.
    pub(super) fn call_native(
        &mut self,
        host: &mut dyn Host,
        run: Option<Run>,
        at: usize,
        count: usize,
        wanted: Option<usize>,
    ) -> Result<(), Thrown> {
        let Some(run) = run else {
            return Err(self.error(b"not a function"));
        };
        if self.thread.frames.len() >= MAX_FRAMES {
            return Err(self.error(b"stack overflow"));
        }
        let base = at + 1;
        self.ensure(base + count)?;
        self.thread.frames.push(Frame {
            proto: None,
            function: self.stack(at),
            at,
            base,
            pc: 0,
            wanted,
            tail_calls: 0,
        });
        self.thread.top = base + count;
        let results = run(self, host, &mut Call { base, count })?;
        self.pay_for_text(host)?;
        self.thread.frames.pop();
        self.finish_call(at, self.thread.top - results, results, wanted);
        Ok(())
    }

    /// Moves results to where the function was.
    #[inline]
    pub(super) fn finish_call(
        &mut self,
        at: usize,
        from: usize,
        count: usize,
        wanted: Option<usize>,
    ) {
        let moved = wanted.map_or(count, |wanted| wanted.min(count));
        if from != at && from + moved <= self.thread.stack.len() {
            self.thread.stack.copy_within(from..from + moved, at);
        }
        match wanted {
            Some(wanted) => {
                for place in moved..wanted {
                    self.set_stack(at + place, Value::Nil);
                }
            }
            None => self.thread.top = at + count,
        }
    }

    /// Gives up what runs behind `frames` and `at`, after an error that was caught.
    pub(super) fn unwind(&mut self, frames: usize, at: usize, depth: u32, thread_depth: u32) {
        self.close_upvalues(at);
        self.thread.frames.truncate(frames);
        self.depth = depth;
        self.thread.depth = thread_depth;
        self.thread.top = at;
    }

    // ---- upvalues ----

    /// The variable at a place of the stack, shared from now on.
    pub(super) fn capture(&mut self, at: usize) -> Result<UpvalueId, Thrown> {
        let at = at as u32;
        let place = self.thread.open.partition_point(|(other, _)| *other < at);
        if let Some((other, id)) = self.thread.open.get(place)
            && *other == at
        {
            return Ok(*id);
        }
        let id = self.heap.upvalue(Upvalue::Open(self.thread.number, at))?;
        self.thread.open.insert(place, (at, id));
        Ok(id)
    }

    /// Variables from `from` on leave the stack.
    pub(super) fn close_upvalues(&mut self, from: usize) {
        while let Some((at, id)) = self.thread.open.last().copied() {
            if (at as usize) < from {
                return;
            }
            self.thread.open.pop();
            let value = self.stack(at as usize);
            if let Some(upvalue) = self.heap.upvalues.get_mut(id.0) {
                *upvalue = Upvalue::Closed(value);
            }
        }
    }

    /// The value of a shared variable.
    pub(super) fn upvalue(&self, id: UpvalueId) -> Value {
        match self.heap.upvalues.get(id.0) {
            Some(Upvalue::Closed(value)) => *value,
            Some(Upvalue::Open(number, at)) if *number == self.thread.number => {
                self.stack(*at as usize)
            }
            Some(Upvalue::Open(number, at)) => self
                .heap
                .coroutines
                .get(number.0)
                .and_then(|other| other.thread.as_ref()?.stack.get(*at as usize).copied())
                .unwrap_or_default(),
            None => Value::Nil,
        }
    }

    pub(super) fn set_upvalue(&mut self, id: UpvalueId, value: Value) {
        let place = match self.heap.upvalues.get_mut(id.0) {
            Some(Upvalue::Closed(closed)) => Some(closed),
            Some(Upvalue::Open(number, at)) => {
                let (number, at) = (*number, *at as usize);
                if number == self.thread.number {
                    self.thread.stack.get_mut(at)
                } else {
                    let other = self.heap.coroutines.get_mut(number.0);
                    other.and_then(|other| other.thread.as_mut()?.stack.get_mut(at))
                }
            }
            None => None,
        };
        if let Some(place) = place {
            *place = value;
        }
    }
}

impl Vm {
    /// Begins the random numbers of `math.random` anew.
    pub fn seed_random(&mut self, seed: i32) {
        self.random = u64::from(seed as u32) << 16 | 0x330e;
    }
}
