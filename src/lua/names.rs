//! What things are called, for error messages: the local variable, global or field that an instruction worked on.

use std::rc::Rc;

use super::code::{Ins, Op, Proto};
use super::function::Frame;
use super::value::{Str, Value};
use super::vm::{FUEL, Thrown, Unwinding, Vm};
use crate::algorithms::bytes::Append;

/// A kind of name and the name.
type Named = (&'static [u8], Vec<u8>);

impl Vm {
    /// The function that threw what ended the last run, or who called it when it is one of the host: the source as the
    /// host named it, and the line. None when nothing was thrown by a function, as when memory ran out.
    pub fn blamed(&self) -> Option<(&[u8], i64)> {
        self.failed_at
            .as_ref()
            .map(|(source, line)| (&**source, *line))
    }

    pub(super) fn blame(&self) -> Option<(Rc<[u8]>, i64)> {
        if self.unwinding == Unwinding::No {
            return None;
        }
        self.lua_place(0)
    }

    /// For a function of the host: the source and line of who called it, or of the one before when that is the host's.
    /// For the handler of `xpcall`: of the error.
    pub fn caller(&self) -> Option<(Rc<[u8]>, i64)> {
        let caller = self.thread.frames.iter().rev().nth(1);
        let is_handler = caller.is_some_and(|frame| frame.function.as_closure().is_none());
        match &self.handled_at {
            Some(place) if is_handler => Some(place.clone()),
            _ => self.lua_place(1),
        }
    }

    /// Of the functions that run, leaving out the `level` last: the source and line of the last, or of the one before
    /// it when that is one of the host.
    fn lua_place(&self, level: usize) -> Option<(Rc<[u8]>, i64)> {
        let mut frames = self.thread.frames.iter().rev().skip(level);
        let last = frames.next()?;
        let frame = match last.function.as_closure() {
            Some(_) => last,
            // Called by the host itself it has no place.
            None => frames.next()?,
        };
        Some(match self.proto_of(frame) {
            Some(proto) => (
                proto.chunk.clone(),
                i64::from(proto.line((frame.pc as usize).saturating_sub(1))),
            ),
            None => (Rc::from(&b"=[C]"[..]), -1),
        })
    }

    /// Calls and backward jumps so far, in all runs.
    pub fn steps(&self) -> u64 {
        self.refuels * FUEL as u64 + (FUEL - self.fuel.clamp(0, FUEL)) as u64
    }

    fn name_of(&self, text: Str) -> Vec<u8> {
        self.heap.bytes(text).to_vec()
    }

    fn constant_name(&self, proto: &Proto, place: i32) -> Vec<u8> {
        match proto
            .constants
            .get(place as usize)
            .map(|found| found.value())
        {
            Some(Value::String(text)) => self.name_of(text),
            _ => b"?".to_vec(),
        }
    }

    /// What the value in a register was got from, at an instruction.
    fn object_name(&self, frame: &Frame, register: u8, pc: usize) -> Option<Named> {
        let proto = self.proto_of(frame)?;
        if let Some(name) = proto.local_name(usize::from(register), pc) {
            return Some((b"local", self.name_of(name)));
        }
        let at = last_set(proto, register, pc)?;
        let ins = proto.code.get(at)?;
        match ins.op {
            Op::GetGlobal => Some((b"global", self.constant_name(proto, ins.c))),
            Op::Move if ins.b < u16::from(ins.a) => self.object_name(frame, ins.b as u8, at),
            Op::GetField | Op::GetTableK => Some((b"field", self.constant_name(proto, ins.c))),
            Op::GetTable => Some((b"field", b"?".to_vec())),
            Op::GetUpvalue => {
                let name = proto.upvalue_names.get(usize::from(ins.b));
                Some((
                    b"upvalue",
                    name.map_or_else(|| b"?".to_vec(), |name| self.name_of(*name)),
                ))
            }
            Op::SelfK => Some((b"method", self.constant_name(proto, ins.c))),
            Op::SelfR => Some((b"method", b"?".to_vec())),
            _ => None,
        }
    }

    /// The name by which the function of a frame was called.
    fn called_by(&self, at: usize) -> Option<Named> {
        let frame = self.thread.frames.get(at.checked_sub(1)?)?;
        let pc = (frame.pc as usize).checked_sub(1)?;
        let ins = self.proto_of(frame)?.code.get(pc)?;
        match ins.op {
            Op::Call | Op::TailCall | Op::ForIn => self.object_name(frame, ins.a, pc),
            _ => None,
        }
    }

    /// The same for debuggers; a function that was called in tail position has lost its caller.
    #[cfg(feature = "debugger")]
    pub(super) fn name_of_call(&self, at: usize) -> Option<Vec<u8>> {
        match self.thread.frames.get(at)?.tail_calls {
            0 => self.called_by(at).map(|named| named.1),
            _ => None,
        }
    }

    /// The name by which the running function of the host was called, and whether after a colon.
    pub(super) fn called_name(&self) -> (Vec<u8>, bool) {
        let named = self.called_by(self.thread.frames.len().saturating_sub(1));
        match named {
            Some((kind, name)) => (name, kind == b"method"),
            None => (b"?".to_vec(), false),
        }
    }

    /// An operation was tried on a value it does not work on, which the running instruction has as an operand.
    #[cold]
    pub(super) fn operand_error(&mut self, value: Value, what: &[u8], ins: Option<Ins>) -> Thrown {
        let registers: &[u16] = match ins {
            Some(ins) => match ins.op {
                Op::SetTableRR | Op::SetTableRK | Op::SetTableKR | Op::SetTableKK => {
                    &[u16::from(ins.a)]
                }
                Op::GetTable | Op::GetTableK | Op::GetField | Op::SelfK | Op::SelfR => &[ins.b],
                Op::Minus | Op::Length => &[ins.b],
                Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Mod | Op::Pow => &[ins.b, ins.c as u16],
                Op::AddRK | Op::SubRK | Op::MulRK | Op::DivRK | Op::ModRK | Op::PowRK => &[ins.b],
                Op::AddKR | Op::SubKR | Op::MulKR | Op::DivKR | Op::ModKR | Op::PowKR => {
                    &[ins.c as u16]
                }
                _ => &[],
            },
            None => &[],
        };
        let named = self.thread.frames.last().and_then(|frame| {
            let register = registers.iter().find(|register| {
                is_same(
                    self.stack(frame.base as usize + usize::from(**register)),
                    value,
                )
            })?;
            self.object_name(frame, *register as u8, (frame.pc as usize).checked_sub(1)?)
        });
        self.named_error(value, what, named)
    }

    /// The value at a place of the stack cannot be called, or joined with text.
    #[cold]
    pub(super) fn type_error(&mut self, at: usize, what: &[u8]) -> Thrown {
        let named = self.thread.frames.last().and_then(|frame| {
            let register = u8::try_from(at.checked_sub(frame.base as usize)?).ok()?;
            self.object_name(frame, register, (frame.pc as usize).checked_sub(1)?)
        });
        self.named_error(self.stack(at), what, named)
    }

    fn named_error(&mut self, value: Value, what: &[u8], named: Option<Named>) -> Thrown {
        let mut message = b"attempt to ".to_vec();
        message.put(what);
        message.push(b' ');
        match named {
            Some((kind, name)) => {
                message.put(kind);
                message.put(b" '");
                message.put(&name);
                message.put(b"' (a ");
                message.put(value.type_name().as_bytes());
                message.put(b" value)");
            }
            None => {
                message.put(b"a ");
                message.put(value.type_name().as_bytes());
                message.put(b" value");
            }
        }
        self.error(&message)
    }

    /// Two values have no order.
    #[cold]
    pub(super) fn order_error(&mut self, left: Value, right: Value) -> Thrown {
        let (one, two) = (left.type_name(), right.type_name());
        let message = match one == two {
            true => ["attempt to compare two ", one, " values"].concat(),
            false => ["attempt to compare ", one, " with ", two].concat(),
        };
        self.error(message.as_bytes())
    }
}

/// Whether two values are one, NaN included.
fn is_same(one: Value, two: Value) -> bool {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => one.to_bits() == two.to_bits(),
        _ => one == two,
    }
}

/// The instruction before `end` that gave a register its value, as far as that can be told without running.
fn last_set(proto: &Proto, register: u8, end: usize) -> Option<usize> {
    let (mut found, mut pc) = (None, 0);
    while pc < end {
        let ins = proto.code.get(pc)?;
        let at = pc;
        pc += 1;
        let sets = match ins.op {
            Op::LoadNil => (u16::from(ins.a)..=ins.b).contains(&u16::from(register)),
            Op::ForIn => register >= ins.a.saturating_add(2),
            Op::Call | Op::TailCall => register >= ins.a,
            Op::SelfK | Op::SelfR => register == ins.a || register == ins.a.saturating_add(1),
            Op::Jump | Op::ForPrepare => {
                // What a forward jump leaves out has not been run on the way here.
                let target = pc.wrapping_add_signed(ins.c as isize);
                if ins.c > 0 && target <= end {
                    pc = target;
                }
                ins.op == Op::ForPrepare && register == ins.a
            }
            Op::Closure => {
                let count = proto
                    .inner
                    .get(ins.c as usize)
                    .map_or(0, |inner| inner.upvalue_names.len());
                pc += count;
                register == ins.a
            }
            op => sets_a(op) && register == ins.a,
        };
        if sets {
            found = Some(at);
        }
    }
    found
}

/// Whether an operation puts its result into register `a`.
fn sets_a(op: Op) -> bool {
    #[cfg(feature = "debugger")]
    if op == Op::Line {
        return false;
    }
    let sets_none = matches!(
        op,
        Op::SetUpvalue
            | Op::SetGlobal
            | Op::SetTableRR
            | Op::SetTableRK
            | Op::SetTableKR
            | Op::SetTableKK
            | Op::Return
            | Op::SetList
            | Op::Close
    );
    !sets_none && !op.is_comparison()
}

/// How messages of functions show a chunk's name, at the longest, with a terminating zero.
pub const NAME_BYTES: usize = 60;
/// The same for those of the compiler.
pub const SYNTAX_NAME_BYTES: usize = 80;

/// How messages show a chunk's name: `@name` and `=name` as they are, anything else as the beginning of a source.
pub fn chunk_name(name: &[u8], limit_bytes: usize) -> Vec<u8> {
    match name.split_first() {
        Some((b'=', rest)) => rest.get(..limit_bytes - 1).unwrap_or(rest).to_vec(),
        Some((b'@', rest)) => {
            let room = limit_bytes - b" '...' ".len() - 1;
            match rest.len() > room {
                true => [b"...", rest.get(rest.len() - room..).unwrap_or(&[])].concat(),
                false => rest.to_vec(),
            }
        }
        _ => {
            let line_end = name.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let room = limit_bytes - b" [string \"...\"] ".len() - 1;
            let length = line_end.unwrap_or(name.len()).min(room);
            let shown = name.get(..length).unwrap_or(name);
            let mut out = b"[string \"".to_vec();
            out.put(shown);
            if length < name.len() {
                out.put(b"...");
            }
            out.put(b"\"]");
            out
        }
    }
}
