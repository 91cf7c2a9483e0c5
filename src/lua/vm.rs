//! The machine: its state, how errors are raised, how functions are called.
//!
//! The interpreter's loop is in `execute.rs`; what an operation means for values with metatables in `meta.rs`; names for
//! error messages in `names.rs`.

use std::rc::Rc;

use super::call::Call;
use super::code::Proto;
use super::compiler::compile;
use super::function::{Closure, Coroutine, Frame, Native, Run, Status, Thread};
use super::heap::{Heap, OutOfMemory};
use super::value::{CoroutineId, Str, TableId, Value};
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
    /// In the order of [`Value::TYPES`].
    pub types: [Str; Value::TYPES.len()],
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
            types: Value::TYPES.map(|name| heap.name(name)),
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
        own.into_iter().chain(self.arithmetic).chain(self.types)
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
    pub random: u64,
    /// The collector's pause and step, as scripts set them.
    pub(super) collector_settings: [f64; 2],
    /// Where formatted text is put together.
    pub(super) scratch: Vec<u8>,
    /// How often the host was asked.
    pub(super) refuels: u64,
    /// Where the last run failed: see [`Vm::blamed`].
    pub(super) failed_at: Option<(Rc<[u8]>, i64)>,
    /// Where the error was that a handler of `xpcall` is called for: it sees no more of the functions that failed.
    pub(super) handled_at: Option<(Rc<[u8]>, i64)>,
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
            handled_at: None,
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
        let bytes = proto.heap_bytes();
        if bytes + size_of::<Closure>() > self.heap.left_bytes() {
            return Err(OutOfMemory.into());
        }
        self.heap.charge(bytes)?;
        let closure = Closure {
            proto: Some(proto),
            upvalues: Box::default(),
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
            ..Native::default()
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
        if let Some(Some(frame)) = self.frame_at(level)
            && let Some(proto) = self.proto_of(frame)
        {
            out.put(&proto.source);
            out.push(b':');
            let line = proto.line((frame.pc as usize).saturating_sub(1));
            write_u64(&mut out, u64::from(line));
            out.put(b": ");
        }
        out
    }

    /// The call so many levels up; Some(None) for one that a tail call has taken the place of.
    pub(super) fn frame_at(&self, level: usize) -> Option<Option<&Frame>> {
        let mut level = level;
        for frame in self.thread.frames.iter().rev() {
            if level == 0 {
                return Some(Some(frame));
            }
            level -= 1;
            let gone = usize::from(frame.tail_calls);
            if level < gone {
                return Some(None);
            }
            level -= gone;
        }
        None
    }

    /// What a function that is being called was compiled to, if it is written in Lua.
    pub(super) fn proto_of(&self, frame: &Frame) -> Option<&Proto> {
        let id = frame.function.as_closure()?;
        self.heap.closures.get(id.0)?.proto.as_deref()
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
        // What was paid for beyond it is asked for with the next steps.
        self.fuel = self.fuel.saturating_add(FUEL);
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

    /// Gives the room for text back that was taken from [`Vm::scratch`], if it is not large.
    pub(super) fn keep_scratch(&mut self, text: Vec<u8>) {
        const MOST_BYTES: usize = 1 << 16;
        if text.capacity() <= MOST_BYTES {
            self.scratch = text;
        }
    }

    /// Begins the random numbers of `math.random` anew.
    pub fn seed_random(&mut self, seed: i32) {
        self.random = u64::from(seed as u32) << 16 | 0x330e;
    }
}
