//! What a debugger needs of the machine: to be told about lines, and to see the functions that run and their variables.
//!
//! Only a chunk that was loaded with [`Vm::load_traced`] tells of its lines: its functions get an operation of their own
//! ([`Op::Line`]) wherever another line may begin, so that code which is not debugged pays nothing. The rule when a line
//! is told of is PUC's: when a function begins, when another line begins, and when a jump goes back.

use std::rc::Rc;

use super::code::{Ins, Op, Proto};
use super::function::Frame;
use super::heap::Heap;
use super::value::Value;
use super::vm::{Host, Thrown, Unwinding, Vm};

/// So many functions may be between two of their lines; more of them can only be coroutines that were left.
const MAX_MARKS: usize = 1 << 16;

/// Where a function that runs was told of last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    coroutine: u32,
    depth: usize,
    pc: usize,
}

/// A function that runs.
#[derive(Debug)]
pub struct Level {
    /// The chunk it is from, as the host named it; None for a function of the host.
    pub chunk: Option<Rc<[u8]>>,
    pub line: u32,
    /// What it was called by, if that can be told.
    pub name: Option<Vec<u8>>,
}

impl Vm {
    /// Like [`Vm::load`], for a chunk that tells the host of its lines.
    ///
    /// # Errors
    /// A syntax error's message is thrown.
    pub fn load_traced(&mut self, source: &[u8], name: &[u8]) -> Result<Value, Thrown> {
        self.load_changed(source, name, trace)
    }

    /// At an [`Op::Line`]: tells the host if it is another line, or the same again.
    #[inline(never)]
    pub(super) fn pass_line(&mut self, host: &mut dyn Host) -> Result<(), Thrown> {
        let depth = self.thread.frames.len();
        let frame = self.thread.frames.last();
        let Some((proto, pc)) = frame.and_then(|frame| place(&self.heap, frame)) else {
            return Ok(());
        };
        let (line, coroutine) = (proto.line(pc), self.current.0);
        let mark = Mark {
            coroutine,
            depth,
            pc,
        };
        while let Some(last) = self.marks.last()
            && last.coroutine == coroutine
            && last.depth > depth
        {
            self.marks.pop();
        }
        let known = self.marks.iter_mut().rev();
        let known = known
            .filter(|known| known.coroutine == coroutine)
            .find(|known| known.depth == depth);
        let is_same = match known {
            Some(known) => {
                let last = std::mem::replace(&mut known.pc, pc);
                pc != 0 && pc > last && proto.line(last) == line
            }
            None => {
                if self.marks.len() == MAX_MARKS {
                    self.marks.drain(..MAX_MARKS / 2);
                }
                self.marks.push(mark);
                false
            }
        };
        match is_same {
            true => Ok(()),
            false => host.line(self, line),
        }
    }

    /// Compiles code; a syntax error's message is the inner result.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn try_load(&mut self, source: &[u8], name: &[u8]) -> Result<Result<Value, Value>, Thrown> {
        match self.load(source, name) {
            Ok(function) => Ok(Ok(function)),
            Err(thrown) if self.unwinding != Unwinding::Error => Err(thrown),
            Err(_) => {
                self.unwinding = Unwinding::No;
                Ok(Err(std::mem::take(&mut self.thrown)))
            }
        }
    }

    /// Calls a function while another one runs; what it throws is the inner result.
    ///
    /// # Errors
    /// When the host ends the script meanwhile.
    pub fn try_call(
        &mut self,
        host: &mut dyn Host,
        function: Value,
    ) -> Result<Result<Value, Value>, Thrown> {
        let at = self.thread.limit();
        self.ensure(at + 1)?;
        self.set_stack(at, function);
        // What lies above is not in use while a line begins; a call leaves it as it is.
        let top = self.thread.top;
        let is_ok = super::lib::protected(self, host, at, 0)?;
        let result = match self.thread.top > at {
            true => self.stack(at),
            false => Value::Nil,
        };
        self.thread.top = top;
        Ok(if is_ok { Ok(result) } else { Err(result) })
    }

    /// A number that tells functions, coroutines and the like apart.
    pub fn address(&self, value: Value) -> u32 {
        match value {
            Value::Table(id) => id.0,
            Value::Closure(id) => id.0,
            Value::Native(id) => id.0 | 1 << 28,
            Value::Coroutine(id) => id.0,
            Value::Userdata(id) => id.0,
            _ => 0,
        }
    }

    /// Ends the run, past every `pcall`; the host has to answer [`super::vm::Interrupt::Kill`] when it is asked from now on.
    pub fn end(&mut self) -> Thrown {
        self.unwinding = Unwinding::Kill;
        self.fuel = 0;
        Thrown
    }

    /// A function that runs in this coroutine, counted from the innermost.
    pub fn level(&self, level: usize) -> Option<Level> {
        let at = self.thread.frames.len().checked_sub(level + 1)?;
        let frame = self.thread.frames.get(at)?;
        let Some((proto, pc)) = place(&self.heap, frame) else {
            return Some(Level {
                chunk: None,
                line: 0,
                name: None,
            });
        };
        Some(Level {
            chunk: Some(proto.chunk.clone()),
            line: proto.line(pc),
            name: self.name_of_call(at),
        })
    }

    /// Visits the named local variables of a function that runs, in the order in which they were declared.
    pub fn locals(&self, level: usize, visit: &mut dyn FnMut(&[u8], Value)) {
        let frame = self.thread.frames.iter().rev().nth(level);
        let Some((frame, (proto, pc))) =
            frame.and_then(|frame| Some((frame, place(&self.heap, frame)?)))
        else {
            return;
        };
        let pc = pc as u32;
        let live = proto
            .locals
            .iter()
            .take_while(|local| local.from <= pc)
            .filter(|local| pc < local.to);
        for (register, local) in live.enumerate() {
            visit(
                self.heap.bytes(local.name),
                self.stack(frame.base as usize + register),
            );
        }
    }
}

/// The function of a frame, and the instruction that runs.
fn place<'a>(heap: &'a Heap, frame: &Frame) -> Option<(&'a Proto, usize)> {
    let closure = heap.closures.get(frame.function.as_closure()?.0)?;
    Some((
        closure.proto.as_deref()?,
        (frame.pc as usize).saturating_sub(1),
    ))
}

/// Puts an [`Op::Line`] before every instruction where another line may begin, here and in all inner functions.
fn trace(proto: &mut Proto) {
    for inner in &mut proto.inner {
        if let Some(inner) = Rc::get_mut(inner) {
            trace(inner);
        }
    }
    let begins = beginnings(proto);
    // Where each instruction begins now, with the line before it.
    let mut places = Vec::with_capacity(begins.len() + 1);
    let mut length = 0;
    for begins in &begins {
        places.push(length);
        length += 1 + i32::from(*begins);
    }
    places.push(length);
    let code = std::mem::take(&mut proto.code);
    let lines = std::mem::take(&mut proto.lines);
    let new_place = |old: i32| {
        let place = usize::try_from(old).ok().and_then(|old| places.get(old));
        place.copied().unwrap_or(length)
    };
    for (at, (mut ins, line)) in code.into_iter().zip(lines).enumerate() {
        if begins.get(at) == Some(&true) {
            proto.lines.push(line);
            proto.code.push(Ins {
                op: Op::Line,
                a: 0,
                b: 0,
                c: 0,
            });
        }
        if is_jump(ins.op) {
            let behind = proto.code.len() as i32 + 1;
            ins.c = new_place(at as i32 + 1 + ins.c) - behind;
        }
        proto.lines.push(line);
        proto.code.push(ins);
    }
    for local in &mut proto.locals {
        local.from = new_place(local.from as i32) as u32;
        local.to = new_place(local.to as i32) as u32;
    }
}

fn is_jump(op: Op) -> bool {
    matches!(op, Op::Jump | Op::ForLoop | Op::ForPrepare)
}

/// Whether an instruction may pass over the one behind it.
fn is_skip(ins: &Ins) -> bool {
    ins.op.is_test() || (ins.op == Op::LoadBool && ins.c != 0)
}

/// The instructions that a line may begin with: after those of another line, and where jumps lead to. Not those that
/// another may pass over, nor those that say what a closure captures: nothing fits in there.
fn beginnings(proto: &Proto) -> Vec<bool> {
    let mut begins: Vec<bool> = (0..proto.code.len())
        .map(|at| at == 0 || proto.line(at) != proto.line(at - 1))
        .collect();
    let mut set = |at: i32, to: bool| {
        if let Some(place) = usize::try_from(at).ok().and_then(|at| begins.get_mut(at)) {
            *place = to;
        }
    };
    for (at, ins) in (1..).zip(&proto.code) {
        if is_jump(ins.op) {
            set(at + ins.c, true);
        }
        if is_skip(ins) {
            set(at + 1, true);
        }
    }
    for (at, ins) in (1..).zip(&proto.code) {
        if is_skip(ins) {
            set(at, false);
        }
        if ins.op == Op::Closure {
            let inner = proto.inner.get(ins.c as usize);
            let captures = inner.map_or(0, |inner| inner.upvalue_names.len());
            for capture in 0..captures {
                set(at + capture as i32, false);
            }
        }
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::hash::HashSeed;
    use crate::lua::{Call, Interrupt, lib};

    /// Notes the lines it is told of, and variables.
    #[derive(Default)]
    struct Notes {
        lines: Vec<u32>,
        seen: Vec<String>,
        look_at: u32,
        end_at: u32,
    }

    impl Host for Notes {
        fn interrupt(&mut self) -> Interrupt {
            Interrupt::Kill("")
        }

        fn call(&mut self, _: &mut Vm, _: &mut Call, _: u32) -> Result<usize, Thrown> {
            Ok(0)
        }

        fn line(&mut self, vm: &mut Vm, line: u32) -> Result<(), Thrown> {
            self.lines.push(line);
            if line == self.look_at {
                let mut level = 0;
                while let Some(found) = vm.level(level) {
                    let name = found.name.unwrap_or_default();
                    let name = String::from_utf8_lossy(&name);
                    let mut text = format!("{}:{name}", found.line);
                    vm.locals(level, &mut |name, value| {
                        text += &format!(" {}={value:?}", String::from_utf8_lossy(name));
                    });
                    self.seen.push(text);
                    level += 1;
                }
            }
            match line == self.end_at {
                true => Err(vm.end()),
                false => Ok(()),
            }
        }
    }

    fn run(source: &str, notes: &mut Notes) -> Result<(), Thrown> {
        let mut vm = Vm::new(HashSeed::new(1, 2), 1 << 24);
        lib::open(&mut vm);
        let function = vm.load_traced(source.as_bytes(), b"@test")?;
        vm.run(notes, function, &[]).map(|_| ())
    }

    fn lines(source: &str) -> Vec<u32> {
        let mut notes = Notes::default();
        assert!(run(source, &mut notes).is_ok());
        notes.lines
    }

    #[test]
    fn lines_are_told_as_puc_tells_them() {
        assert_eq!(lines("local a = 1\n\nlocal b = a\nreturn b"), [1, 3, 4]);
        assert_eq!(lines("for i = 1, 2 do local a = i end"), [1, 1, 1]);
        assert_eq!(
            lines("for i = 1, 2 do\n local a = i\nend\nreturn"),
            [1, 2, 1, 2, 1, 4]
        );
        assert_eq!(
            lines("local function f()\n return 1\nend\nlocal x = f()\nreturn pcall(f)"),
            [3, 4, 2, 5, 2]
        );
        assert_eq!(
            lines("local a\nif a == 1\nthen a = 2\nelse a = 3 end\nreturn a"),
            [2, 4, 5]
        );
        assert_eq!(
            lines(
                "local c = coroutine.wrap(function()\n coroutine.yield()\n return 1\nend)\nc()\nc()"
            ),
            [1, 4, 1, 5, 2, 6, 3]
        );
    }

    #[test]
    fn traced_code_calculates_the_same() {
        let source = "local s = 0 for i = 1, 9 do\n for k, v in pairs({5, 6, n = 7}) do\n  if v > 5 and i % 2 == 0 or not k\n  then s = s + v\n end end end local t = s > 3\n local u = t and (s\n == 52 or false) assert(u == true and s == 52)";
        assert!(!lines(source).is_empty());
    }

    #[test]
    fn variables_are_those_that_exist() {
        let mut notes = Notes {
            look_at: 3,
            ..Notes::default()
        };
        let source =
            "local a = 1\nlocal function f(x)\n local y = x\n return y end\nlocal b = f(a + 1)";
        assert!(run(source, &mut notes).is_ok());
        assert_eq!(notes.seen.len(), 2);
        assert_eq!(notes.seen[0], "3:f x=Number(2.0)");
        assert!(notes.seen[1].starts_with("5: a=Number(1.0) f=Closure("));
    }

    #[test]
    fn an_end_is_not_caught() {
        let mut notes = Notes {
            end_at: 2,
            ..Notes::default()
        };
        let source = "pcall(function()\n local x = 1\nend)\nlocal y = 2";
        assert!(run(source, &mut notes).is_err());
        assert_eq!(notes.lines, [1, 3, 1, 2]);
    }
}
