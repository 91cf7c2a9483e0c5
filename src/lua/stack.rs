//! The stack of a thread: its places, how functions are called on it and end, protected calls, variables that closures share.

use super::call::Call;
use super::code::{Ins, Proto};
use super::function::{Frame, Function, Run, Special, Upvalue, wanted_code};
use super::value::{ClosureId, Packed, UpvalueId, Value};
use super::vm::{Host, Thrown, Unwinding, Vm};

/// So deep may functions of the host and the machine call each other.
const MAX_DEPTH: u32 = 199;
/// So many functions may be active at once in a thread.
const MAX_FRAMES: usize = 20_000;
/// Registers a frame may use, whatever its function says: a window of this length needs no further checks.
pub const WINDOW: usize = 256;

/// Fewer variable arguments are part of the step that copies them; more are paid for.
const FREE_ARGUMENTS: usize = 64;
const ARGUMENTS_A_STEP: usize = 16;

impl Vm {
    /// Makes sure that the stack has `length` places and a window behind them.
    pub(super) fn ensure(&mut self, length: usize) -> Result<(), Thrown> {
        let wanted = length + WINDOW;
        let now = self.thread.stack.len();
        if wanted > now {
            let length = wanted.max(now * 2).max(2 * WINDOW);
            let bytes = (length - now) * size_of::<Packed>();
            self.heap.charge(bytes)?;
            self.thread.charged_bytes += bytes;
            self.thread.stack.resize(length, Packed::NIL);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn stack(&self, at: usize) -> Value {
        self.packed(at).value()
    }

    #[inline]
    pub(super) fn set_stack(&mut self, at: usize, value: Value) {
        self.set_packed(at, value.into());
    }

    #[inline(always)]
    pub(super) fn packed(&self, at: usize) -> Packed {
        self.thread.stack.get(at).copied().unwrap_or_default()
    }

    #[inline(always)]
    pub(super) fn set_packed(&mut self, at: usize, value: Packed) {
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
        for (offset, arg) in args.iter().enumerate() {
            self.set_stack(at + 1 + offset, *arg);
        }
        let result = self.call_above(host, at, function.into(), args.len())?;
        Ok(result.value())
    }

    /// The same.
    pub(super) fn call_packed(
        &mut self,
        host: &mut dyn Host,
        function: Packed,
        args: &[Packed],
    ) -> Result<Packed, Thrown> {
        let at = self.thread.limit();
        self.ensure(at + 1 + args.len())?;
        for (offset, arg) in args.iter().enumerate() {
            self.set_packed(at + 1 + offset, *arg);
        }
        self.call_above(host, at, function, args.len())
    }

    fn call_above(
        &mut self,
        host: &mut dyn Host,
        at: usize,
        function: Packed,
        count: usize,
    ) -> Result<Packed, Thrown> {
        self.set_packed(at, function);
        self.call_at(host, at, count, Some(1))?;
        Ok(self.packed(at))
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
            self.check_depth()?;
        }
        let top = self.thread.top;
        let (depth, thread_depth) = (self.depth, self.thread.depth);
        self.depth += 1;
        self.thread.depth += 1;
        let stop = self.thread.frames.len();
        let mut result = self.begin_call(host, at, count, wanted);
        if result == Ok(true) {
            result = self.execute(host, stop).map(|()| true);
        }
        self.depth = depth;
        self.thread.depth = thread_depth;
        result?;
        if self.is_pausing {
            self.fuel = 0;
        }
        if wanted.is_some() {
            self.thread.top = top;
        }
        Ok(())
    }

    /// Refuses the call that reaches the limit. Only resumes get behind it, where there is some room left, as in PUC.
    #[cold]
    fn check_depth(&mut self) -> Result<(), Thrown> {
        const LAST_ROOM: u32 = 25;
        match self.depth - MAX_DEPTH {
            0 => Err(self.error(b"C stack overflow")),
            1..LAST_ROOM => Ok(()),
            _ => Err(self.throw_text(b"error in error handling")),
        }
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
        let function = self.packed(at);
        if let Some(id) = function.as_native() {
            let Some(native) = self.heap.natives.get(id.0) else {
                return Err(self.error(b"not a function"));
            };
            let run = native.run;
            if native.special == Special::Protected {
                return self.begin_protected(host, at, count, wanted);
            }
            self.call_native(host, run, at, count, wanted)?;
            return Ok(false);
        }
        if let Some(id) = function.as_closure() {
            self.enter(id, at, count, wanted)?;
            return Ok(true);
        }
        let count = self.make_callable(at, count)?;
        self.begin_call(host, at, count, wanted)
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
    pub(super) fn enter(
        &mut self,
        id: ClosureId,
        at: usize,
        count: usize,
        wanted: Option<usize>,
    ) -> Result<(), Thrown> {
        if self.push_frame(id, at, count, wanted_code(wanted)) {
            return Ok(());
        }
        if self.thread.frames.len() >= MAX_FRAMES {
            return Err(self.error(b"stack overflow"));
        }
        let Some(closure) = self.heap.closures.get(id.0) else {
            return Err(self.error(b"not a function"));
        };
        let Some(proto) = closure.proto.clone() else {
            return Err(self.error(b"not a function"));
        };
        let size = proto.frame_size;
        if !proto.is_vararg {
            self.ensure(at + 1 + usize::from(size))?;
            self.push_frame(id, at, count, wanted_code(wanted));
            return Ok(());
        }
        let base = self.spread(at, count, &proto)?;
        self.ensure(base + usize::from(size))?;
        let first = usize::from(proto.params) + usize::from(proto.needs_arg);
        let limit = base + usize::from(size);
        if let Some(rest) = self.thread.stack.get_mut(base + first..limit) {
            rest.fill(Packed::NIL);
        }
        self.thread.frames.push(Frame {
            function: self.packed(at),
            at: at as u32,
            base: base as u32,
            pc: 0,
            limit: limit as u32,
            wanted: wanted_code(wanted),
            tail_calls: 0,
            protects: false,
            depth: 0,
            thread_depth: 0,
        });
        Ok(())
    }

    /// The same where it is simple: a function of as many arguments, and room on the stack. False where it is not.
    #[inline(always)]
    pub(super) fn push_frame(
        &mut self,
        id: ClosureId,
        at: usize,
        count: usize,
        wanted: u16,
    ) -> bool {
        let closure = self.heap.closures.get(id.0);
        let Some(proto) = closure.and_then(|closure| closure.proto.as_deref()) else {
            return false;
        };
        if proto.is_vararg || self.thread.frames.len() >= MAX_FRAMES {
            return false;
        }
        let base = at + 1;
        let given = base + count.min(usize::from(proto.params));
        let limit = base + usize::from(proto.frame_size);
        if limit + WINDOW > self.thread.stack.len() {
            return false;
        }
        if let Some(rest) = self.thread.stack.get_mut(given..limit) {
            for register in rest {
                *register = Packed::NIL;
            }
        }
        self.thread.frames.push(Frame {
            function: self.packed(at),
            at: at as u32,
            base: base as u32,
            pc: 0,
            limit: limit as u32,
            wanted,
            tail_calls: 0,
            protects: false,
            depth: 0,
            thread_depth: 0,
        });
        true
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

    /// Copies the variable arguments to where they are wanted.
    #[inline(never)]
    pub(super) fn spread_arguments(
        &mut self,
        base: usize,
        proto: &Proto,
        ins: Ins,
    ) -> Result<(), Thrown> {
        let frame = self.thread.frames.last();
        let at = frame.map_or(0, |frame| frame.at as usize);
        let extra = base.saturating_sub(at + 1 + usize::from(proto.params));
        let first = base - extra;
        let to = base + usize::from(ins.a);
        let wanted = match ins.b {
            0 => {
                self.ensure(to + extra + 1)?;
                self.thread.top = to + extra;
                extra
            }
            b => usize::from(b) - 1,
        };
        // A function that hands its arguments on with one more each time would copy more and more of them for a step.
        if wanted > FREE_ARGUMENTS {
            self.pay(wanted / ARGUMENTS_A_STEP);
        }
        for offset in 0..wanted {
            let value = match offset < extra {
                true => self.packed(first + offset),
                false => Packed::NIL,
            };
            self.set_packed(to + offset, value);
        }
        Ok(())
    }

    /// Runs a function of the host.
    #[inline(always)]
    fn call_native(
        &mut self,
        host: &mut dyn Host,
        run: Run,
        at: usize,
        count: usize,
        wanted: Option<usize>,
    ) -> Result<(), Thrown> {
        let base = at + 1;
        self.push_native(at, count, wanted)?;
        let results = run(self, host, &mut Call { base, count })?;
        self.pay_for_text(host)?;
        self.thread.frames.pop();
        self.finish_call(at, self.thread.top - results, results, wanted_code(wanted));
        Ok(())
    }

    /// Makes the frame of a function of the host.
    #[inline(always)]
    fn push_native(
        &mut self,
        at: usize,
        count: usize,
        wanted: Option<usize>,
    ) -> Result<(), Thrown> {
        if self.thread.frames.len() >= MAX_FRAMES {
            return Err(self.error(b"stack overflow"));
        }
        let base = at + 1;
        if base + count + WINDOW > self.thread.stack.len() {
            self.ensure(base + count)?;
        }
        self.thread.frames.push(Frame {
            function: self.packed(at),
            at: at as u32,
            base: base as u32,
            pc: 0,
            limit: 0,
            wanted: wanted_code(wanted),
            tail_calls: 0,
            protects: false,
            depth: 0,
            thread_depth: 0,
        });
        self.thread.top = base + count;
        Ok(())
    }

    /// Moves results to where the function was.
    #[inline]
    pub(super) fn finish_call(&mut self, at: usize, from: usize, count: usize, wanted: u16) {
        let moved = match wanted {
            0 => {
                self.thread.top = at + count;
                count
            }
            wanted => (usize::from(wanted) - 1).min(count),
        };
        // They move down, if at all.
        for offset in 0..moved {
            let value = self.packed(from + offset);
            self.set_packed(at + offset, value);
        }
        for place in moved + 1..usize::from(wanted) {
            self.set_packed(at + place - 1, Packed::NIL);
        }
    }

    // ---- protected calls ----

    /// `pcall`: calls its first argument with the others. Errors that the frame does not let pass give a status.
    fn begin_protected(
        &mut self,
        host: &mut dyn Host,
        at: usize,
        count: usize,
        wanted: Option<usize>,
    ) -> Result<bool, Thrown> {
        self.push_native(at, count, wanted)?;
        let (depth, thread_depth) = (self.depth, self.thread.depth);
        if let Some(frame) = self.thread.frames.last_mut() {
            frame.protects = true;
            (frame.depth, frame.thread_depth) = (depth as u8, thread_depth as u8);
        }
        let level = self.thread.frames.len() - 1;
        let mut count = count;
        if count == 0 {
            // What would be called is the place of the status.
            self.set_stack(at + 1, Value::Bool(true));
            self.thread.top = at + 2;
            count = 1;
        }
        let may_call = match depth >= MAX_DEPTH {
            true => self.check_depth(),
            false => Ok(()),
        };
        let began = match may_call {
            Err(thrown) => Err(thrown),
            Ok(()) => {
                self.depth += 1;
                self.thread.depth += 1;
                self.begin_call(host, at + 1, count - 1, None)
            }
        };
        match began {
            Ok(true) => return Ok(true),
            Ok(false) => self.end_protected(host, true)?,
            Err(_) => {
                self.catch(level)?;
                self.end_protected(host, false)?;
            }
        }
        Ok(false)
    }

    /// Gives up what runs behind the frame at `level`, which protects; what was thrown is on the stack then.
    ///
    /// # Errors
    /// When what is thrown is not to be caught.
    pub(super) fn catch(&mut self, level: usize) -> Result<(), Thrown> {
        if matches!(self.unwinding, Unwinding::Kill | Unwinding::Yield) {
            return Err(Thrown);
        }
        self.settle();
        let Some(frame) = self.thread.frames.get(level).copied() else {
            return Err(Thrown);
        };
        let depths = (u32::from(frame.depth), u32::from(frame.thread_depth));
        self.unwind(level + 1, frame.base as usize, depths.0, depths.1);
        self.unwinding = Unwinding::No;
        let value = std::mem::take(&mut self.thrown);
        self.set_stack(frame.base as usize, value);
        self.thread.top = frame.base as usize + 1;
        Ok(())
    }

    /// Ends the `pcall` whose frame is the last: what it called has left its results, or what was thrown, from its base on.
    ///
    /// Redis' own: of a thrown table it gives the field `err` instead if that is text, and as well if it is not.
    pub(super) fn end_protected(&mut self, host: &mut dyn Host, is_ok: bool) -> Result<(), Thrown> {
        let Some(frame) = self.thread.frames.last_mut() else {
            return Err(Thrown);
        };
        frame.protects = false;
        let frame = *frame;
        self.depth = u32::from(frame.depth);
        self.thread.depth = u32::from(frame.thread_depth);
        let base = frame.base as usize;
        let thrown = self.stack(base);
        if !is_ok && matches!(thrown, Value::Table(_)) {
            let key = Value::String(self.heap.name("err"));
            match self.index(host, thrown, key, None)? {
                text @ (Value::String(_) | Value::Number(_)) => self.set_stack(base, text),
                other => {
                    self.set_stack(base + 1, other);
                    self.thread.top = base + 2;
                }
            }
        }
        let count = self.thread.top.saturating_sub(base);
        self.ensure(base + count + 1)?;
        self.thread.stack.copy_within(base..base + count, base + 1);
        self.set_stack(base, Value::Bool(is_ok));
        self.thread.top = base + count + 1;
        self.pay_for_text(host)?;
        self.thread.frames.pop();
        self.finish_call(frame.at as usize, base, count + 1, frame.wanted);
        Ok(())
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
            let value = self.packed(at as usize);
            if let Some(upvalue) = self.heap.upvalues.get_mut(id.0) {
                *upvalue = Upvalue::Closed(value);
            }
        }
    }

    /// The value of a shared variable.
    #[inline(always)]
    pub(super) fn upvalue(&self, id: UpvalueId) -> Packed {
        match self.heap.upvalues.get(id.0) {
            Some(Upvalue::Closed(value)) => *value,
            Some(Upvalue::Open(number, at)) if *number == self.thread.number => {
                self.packed(*at as usize)
            }
            _ => self.upvalue_elsewhere(id),
        }
    }

    /// One on the stack of another coroutine.
    #[cold]
    #[inline(never)]
    fn upvalue_elsewhere(&self, id: UpvalueId) -> Packed {
        let Some(Upvalue::Open(number, at)) = self.heap.upvalues.get(id.0) else {
            return Packed::NIL;
        };
        let other = self.heap.coroutines.get(number.0);
        other
            .and_then(|other| other.thread.as_ref()?.stack.get(*at as usize).copied())
            .unwrap_or_default()
    }

    pub(super) fn set_upvalue(&mut self, id: UpvalueId, value: Packed) {
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
