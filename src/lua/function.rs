//! Functions, the variables they share, and the threads they run in.

use std::rc::Rc;

use super::call::Call;
use super::code::Proto;
use super::heap::Heap;
use super::value::{ClosureId, CoroutineId, NativeId, Packed, TableId, UpvalueId, Value};
use super::vm::{Host, Thrown, Vm};

/// A function written in Lua.
#[derive(Debug)]
pub struct Closure {
    /// None in a place that is free.
    pub proto: Option<Rc<Proto>>,
    pub upvalues: Box<[UpvalueId]>,
    pub environment: TableId,
}

impl Default for Closure {
    fn default() -> Closure {
        Closure {
            proto: None,
            upvalues: Box::default(),
            environment: TableId(u32::MAX),
        }
    }
}

impl Closure {
    pub(super) fn bytes(&self) -> usize {
        size_of::<Closure>() + self.upvalues.len() * size_of::<UpvalueId>()
    }
}

/// What a function of the host does: its arguments are in the call, it pushes its results and says how many.
pub type Run = fn(&mut Vm, &mut dyn Host, &mut Call) -> Result<usize, Thrown>;

/// What the machine does by itself where it calls a function of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Special {
    #[default]
    No,
    /// `pcall`: the frame protects.
    Protected,
    /// `next`, in a loop.
    Next,
    /// What `ipairs` gives, in a loop.
    NextIndex,
}

/// A function of the host.
#[derive(Debug)]
pub struct Native {
    pub run: Run,
    pub upvalues: Vec<Value>,
    /// None for the globals.
    pub environment: Option<TableId>,
    pub special: Special,
}

fn nothing(_: &mut Vm, _: &mut dyn Host, _: &mut Call) -> Result<usize, Thrown> {
    Ok(0)
}

impl Default for Native {
    fn default() -> Native {
        Native {
            run: nothing,
            upvalues: Vec::new(),
            environment: None,
            special: Special::No,
        }
    }
}

impl Native {
    pub(super) fn bytes(&self) -> usize {
        size_of::<Native>() + self.upvalues.capacity() * size_of::<Value>()
    }
}

/// A variable shared by closures: on a stack while its function runs, by itself afterwards.
#[derive(Clone, Copy, Debug)]
pub enum Upvalue {
    /// Whose stack, and the place on it.
    Open(CoroutineId, u32),
    Closed(Packed),
}

impl Default for Upvalue {
    fn default() -> Upvalue {
        Upvalue::Closed(Packed::NIL)
    }
}

#[derive(Debug, Default)]
pub struct Userdata {
    pub metatable: Option<TableId>,
    pub environment: Option<TableId>,
}

/// How a coroutine stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Not begun, or waiting in a yield.
    #[default]
    Suspended,
    Running,
    /// It has resumed another one.
    Normal,
    Dead,
}

#[derive(Debug, Default)]
pub struct Coroutine {
    pub status: Status,
    /// Away while it runs.
    pub thread: Option<Box<Thread>>,
}

/// A function that is being called.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub function: Packed,
    /// The place of the function on the stack; results go there.
    pub at: u32,
    /// Register 0, or the first argument.
    pub base: u32,
    /// The instruction to run next; nothing for a function of the host.
    pub pc: u32,
    /// Behind the last register; 0 for a function of the host.
    pub limit: u32,
    /// One more than how many results are wanted; 0 for all.
    pub wanted: u16,
    /// Calls in tail position that this frame has taken the place of.
    pub tail_calls: u16,
    /// This is a `pcall`: errors of the functions behind it end here.
    pub protects: bool,
    /// What [`Vm`] and the thread count, before that.
    pub depth: u8,
    pub thread_depth: u8,
}

/// How [`Frame::wanted`] says how many results are wanted.
pub fn wanted_code(wanted: Option<usize>) -> u16 {
    wanted.map_or(0, |wanted| wanted as u16 + 1)
}

/// A stack with the functions that run on it.
#[derive(Debug)]
pub struct Thread {
    /// The coroutine that this is the thread of.
    pub number: CoroutineId,
    pub stack: Vec<Packed>,
    pub frames: Vec<Frame>,
    /// Open upvalues, those of the highest places last.
    pub open: Vec<(u32, UpvalueId)>,
    /// Behind the last of a variable number of values.
    pub top: usize,
    /// The globals of functions loaded in it.
    pub environment: TableId,
    /// Calls of the machine by functions of the host that run in this thread.
    pub depth: u32,
    /// Where the results of the yield go that this waits in, and how many are wanted.
    pub waiting: Option<(usize, Option<usize>)>,
    /// Bytes of the stack that are accounted for.
    pub charged_bytes: usize,
}

impl Thread {
    pub fn new(number: CoroutineId, environment: TableId) -> Thread {
        Thread {
            number,
            stack: Vec::new(),
            frames: Vec::new(),
            open: Vec::new(),
            top: 0,
            environment,
            depth: 0,
            waiting: None,
            charged_bytes: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.charged_bytes
    }

    /// The place behind everything that the running function uses.
    pub fn limit(&self) -> usize {
        match self.frames.last() {
            Some(frame) if frame.limit > 0 => frame.limit as usize,
            _ => self.top,
        }
    }

    /// Marks what the stack refers to.
    pub(super) fn mark(&self, heap: &mut Heap) {
        heap.mark(Value::Table(self.environment));
        for value in self
            .stack
            .get(..self.limit().max(self.top))
            .unwrap_or(&self.stack)
        {
            heap.mark_packed(*value);
        }
        for frame in &self.frames {
            heap.mark_packed(frame.function);
        }
        for (_, id) in &self.open {
            heap.mark_upvalue(*id);
        }
    }
}

/// A function, of either kind.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    Closure(ClosureId),
    Native(NativeId),
}

impl Function {
    pub fn of(value: Value) -> Option<Function> {
        match value {
            Value::Closure(id) => Some(Function::Closure(id)),
            Value::Native(id) => Some(Function::Native(id)),
            _ => None,
        }
    }
}
