//! The interpreter's loop.
//!
//! The running function's registers are a window of 256 values of the stack: a register number is a byte, so that no
//! access needs a check. What is rare or needs the machine as a whole is a function of its own, called with the program
//! counter saved; the window is taken anew afterwards.

use std::rc::Rc;

use super::code::{FIELDS_A_FLUSH, Ins, Op, Proto};
use super::compiler::arithmetic::{modulo, power};
use super::function::{Closure, Function};
use super::meta::Arithmetic;
use super::value::{ClosureId, TableId, UpvalueId, Value};
use super::vm::{Host, Thrown, Unwinding, Vm, WINDOW};

/// What the loop does after an operation that changed the frames.
enum Next {
    /// Goes on in the frame that is the last now.
    Frame,
    /// The frames that were to be run are done.
    Stop,
}

impl Vm {
    /// Runs the last frame and those it calls, until there are only `stop` frames, or it pauses.
    ///
    /// # Errors
    /// What is thrown.
    pub(super) fn execute(&mut self, host: &mut dyn Host, stop: usize) -> Result<(), Thrown> {
        self.executing += 1;
        let result = loop {
            match self.run_frame(host, stop) {
                Ok(Next::Frame) if self.pauses() => break Ok(()),
                Ok(Next::Frame) => {}
                Ok(Next::Stop) => break Ok(()),
                Err(thrown) => break Err(thrown),
            }
        };
        self.executing = self.executing.saturating_sub(1);
        result
    }

    fn run_frame(&mut self, host: &mut dyn Host, stop: usize) -> Result<Next, Thrown> {
        let Some(frame) = self.thread.frames.last() else {
            return Ok(Next::Stop);
        };
        let (Some(proto), Value::Closure(closure)) = (frame.proto.clone(), frame.function) else {
            return Ok(Next::Stop);
        };
        let (base, mut pc) = (frame.base, frame.pc);
        let mut environment = self.environment(closure);
        let proto: &Proto = &proto;
        let constants = proto.constants.as_slice();

        // The window of registers; an instruction that has to give it up takes it anew.
        macro_rules! registers {
            () => {
                match self
                    .thread
                    .stack
                    .get_mut(base..)
                    .and_then(|stack| stack.first_chunk_mut::<WINDOW>())
                {
                    Some(registers) => registers,
                    None => return Err(self.error(b"stack overflow")),
                }
            };
        }
        let mut regs = registers!();
        macro_rules! r {
            ($index:expr) => {
                regs[$index as u8 as usize]
            };
        }
        macro_rules! k {
            ($index:expr) => {
                constants.get($index as usize).copied().unwrap_or_default()
            };
        }
        macro_rules! save {
            () => {
                if let Some(frame) = self.thread.frames.last_mut() {
                    frame.pc = pc;
                }
            };
        }
        // Something that needs the whole machine.
        macro_rules! slow {
            ($body:expr) => {{
                save!();
                let result = $body;
                let result = result?;
                regs = registers!();
                result
            }};
        }
        // One backward jump: where the host may have the script pause.
        macro_rules! jump_back {
            ($distance:expr) => {{
                self.fuel -= 1;
                if self.fuel < 0 {
                    slow!(self.refuel(host));
                    if self.is_pausing {
                        pc = pc.wrapping_add_signed($distance as isize);
                        save!();
                        return Ok(Next::Frame);
                    }
                }
                pc = pc.wrapping_add_signed($distance as isize);
            }};
        }
        macro_rules! arithmetic {
            ($ins:ident, $left:expr, $right:expr, $kind:ident, |$x:ident, $y:ident| $result:expr) => {{
                let (left, right) = ($left, $right);
                if let (Value::Number($x), Value::Number($y)) = (left, right) {
                    r!($ins.a) = Value::Number($result);
                } else {
                    let value = slow!(self.arithmetic(host, Arithmetic::$kind, left, right, $ins));
                    r!($ins.a) = value;
                }
            }};
        }
        macro_rules! compare {
            ($ins:ident, $left:expr, $right:expr, $op:tt, $slow:ident) => {{
                let (left, right) = ($left, $right);
                let holds = match (left, right) {
                    (Value::Number(x), Value::Number(y)) => x $op y,
                    _ => slow!(self.$slow(host, left, right)),
                };
                pc += usize::from(holds != ($ins.a != 0));
            }};
        }
        loop {
            let Some(&ins) = proto.code.get(pc) else {
                return Err(self.error(b"bad code"));
            };
            pc += 1;
            match ins.op {
                Op::Move => r!(ins.a) = r!(ins.b),
                Op::LoadK => r!(ins.a) = k!(ins.c),
                Op::LoadBool => {
                    r!(ins.a) = Value::Bool(ins.b != 0);
                    pc += usize::from(ins.c != 0);
                }
                Op::LoadNil => {
                    for register in ins.a..=ins.b as u8 {
                        r!(register) = Value::Nil;
                    }
                }
                Op::GetUpvalue => {
                    let value = match self.upvalue_id(closure, ins.b) {
                        Some(id) => self.upvalue(id),
                        None => Value::Nil,
                    };
                    regs = registers!();
                    r!(ins.a) = value;
                }
                Op::SetUpvalue => {
                    let value = r!(ins.a);
                    if let Some(id) = self.upvalue_id(closure, ins.b) {
                        self.set_upvalue(id, value);
                    }
                    regs = registers!();
                }
                Op::GetGlobal => {
                    let key = k!(ins.c);
                    let table = self.heap.table_of(environment);
                    let value = table.get(key);
                    if value.is_nil() && table.metatable.is_some() {
                        let value = slow!(self.index(host, Value::Table(environment), key, None));
                        r!(ins.a) = value;
                    } else {
                        r!(ins.a) = value;
                    }
                }
                Op::SetGlobal => {
                    let (key, value) = (k!(ins.c), r!(ins.a));
                    if !self.heap.set_quickly(environment, key, value) {
                        slow!(self.set_index(host, Value::Table(environment), key, value, None));
                    }
                }
                Op::GetTable | Op::GetTableK | Op::GetField => {
                    let object = r!(ins.b);
                    let key = match ins.op {
                        Op::GetTable => r!(ins.c),
                        _ => k!(ins.c),
                    };
                    if let Value::Table(id) = object {
                        let table = self.heap.table_of(id);
                        let value = table.get(key);
                        if !value.is_nil() || table.metatable.is_none() {
                            r!(ins.a) = value;
                            continue;
                        }
                    }
                    let value = slow!(self.index(host, object, key, Some(ins)));
                    r!(ins.a) = value;
                }
                Op::SetTableRR | Op::SetTableRK | Op::SetTableKR | Op::SetTableKK => {
                    let object = r!(ins.a);
                    let key = match ins.op {
                        Op::SetTableRR | Op::SetTableRK => r!(ins.b),
                        _ => k!(ins.b),
                    };
                    let value = match ins.op {
                        Op::SetTableRR | Op::SetTableKR => r!(ins.c),
                        _ => k!(ins.c),
                    };
                    if let Value::Table(id) = object
                        && self.heap.set_quickly(id, key, value)
                    {
                        continue;
                    }
                    slow!(self.set_index(host, object, key, value, Some(ins)));
                }
                Op::NewTable => {
                    let table = slow!(self.new_table(usize::from(ins.b), ins.c as usize));
                    r!(ins.a) = Value::Table(table);
                }
                Op::SelfK | Op::SelfR => {
                    let object = r!(ins.b);
                    let key = match ins.op {
                        Op::SelfR => r!(ins.c),
                        _ => k!(ins.c),
                    };
                    r!(ins.a.wrapping_add(1)) = object;
                    let value = slow!(self.index(host, object, key, Some(ins)));
                    r!(ins.a) = value;
                }
                Op::Add => arithmetic!(ins, r!(ins.b), r!(ins.c), Add, |x, y| x + y),
                Op::AddRK => arithmetic!(ins, r!(ins.b), k!(ins.c), Add, |x, y| x + y),
                Op::AddKR => arithmetic!(ins, k!(ins.b), r!(ins.c), Add, |x, y| x + y),
                Op::Sub => arithmetic!(ins, r!(ins.b), r!(ins.c), Sub, |x, y| x - y),
                Op::SubRK => arithmetic!(ins, r!(ins.b), k!(ins.c), Sub, |x, y| x - y),
                Op::SubKR => arithmetic!(ins, k!(ins.b), r!(ins.c), Sub, |x, y| x - y),
                Op::Mul => arithmetic!(ins, r!(ins.b), r!(ins.c), Mul, |x, y| x * y),
                Op::MulRK => arithmetic!(ins, r!(ins.b), k!(ins.c), Mul, |x, y| x * y),
                Op::MulKR => arithmetic!(ins, k!(ins.b), r!(ins.c), Mul, |x, y| x * y),
                Op::Div => arithmetic!(ins, r!(ins.b), r!(ins.c), Div, |x, y| x / y),
                Op::DivRK => arithmetic!(ins, r!(ins.b), k!(ins.c), Div, |x, y| x / y),
                Op::DivKR => arithmetic!(ins, k!(ins.b), r!(ins.c), Div, |x, y| x / y),
                Op::Mod => arithmetic!(ins, r!(ins.b), r!(ins.c), Mod, |x, y| modulo(x, y)),
                Op::ModRK => arithmetic!(ins, r!(ins.b), k!(ins.c), Mod, |x, y| modulo(x, y)),
                Op::ModKR => arithmetic!(ins, k!(ins.b), r!(ins.c), Mod, |x, y| modulo(x, y)),
                Op::Pow => arithmetic!(ins, r!(ins.b), r!(ins.c), Pow, |x, y| power(x, y)),
                Op::PowRK => arithmetic!(ins, r!(ins.b), k!(ins.c), Pow, |x, y| power(x, y)),
                Op::PowKR => arithmetic!(ins, k!(ins.b), r!(ins.c), Pow, |x, y| power(x, y)),
                Op::Minus => {
                    let operand = r!(ins.b);
                    if let Value::Number(number) = operand {
                        r!(ins.a) = Value::Number(-number);
                    } else {
                        let value = slow!(self.negate(host, operand, ins));
                        r!(ins.a) = value;
                    }
                }
                Op::Not => r!(ins.a) = Value::Bool(!r!(ins.b).is_true()),
                Op::Length => {
                    let operand = r!(ins.b);
                    let value = slow!(self.length(host, operand, ins));
                    r!(ins.a) = value;
                }
                Op::Concat => {
                    let (first, last) = (base + usize::from(ins.b), base + ins.c as usize);
                    let value = slow!(self.concat(host, first, last));
                    r!(ins.a) = value;
                }
                Op::Jump => {
                    if ins.c < 0 {
                        jump_back!(ins.c);
                    } else {
                        pc += ins.c as usize;
                    }
                }
                Op::Equal | Op::EqualK => {
                    let left = r!(ins.b);
                    let right = match ins.op {
                        Op::Equal => r!(ins.c),
                        _ => k!(ins.c),
                    };
                    let holds = match (left, right) {
                        (Value::Table(one), Value::Table(two)) if one != two => {
                            slow!(self.equal(host, left, right))
                        }
                        (Value::Userdata(one), Value::Userdata(two)) if one != two => {
                            slow!(self.equal(host, left, right))
                        }
                        _ => left == right,
                    };
                    pc += usize::from(holds != (ins.a != 0));
                }
                Op::Less => compare!(ins, r!(ins.b), r!(ins.c), <, less),
                Op::LessRK => compare!(ins, r!(ins.b), k!(ins.c), <, less),
                Op::LessKR => compare!(ins, k!(ins.b), r!(ins.c), <, less),
                Op::LessEqual => compare!(ins, r!(ins.b), r!(ins.c), <=, less_equal),
                Op::LessEqualRK => compare!(ins, r!(ins.b), k!(ins.c), <=, less_equal),
                Op::LessEqualKR => compare!(ins, k!(ins.b), r!(ins.c), <=, less_equal),
                Op::Test => pc += usize::from(r!(ins.a).is_true() != (ins.c != 0)),
                Op::TestSet => {
                    let value = r!(ins.b);
                    if value.is_true() == (ins.c != 0) {
                        r!(ins.a) = value;
                    } else {
                        pc += 1;
                    }
                }
                Op::Call => {
                    let at = base + usize::from(ins.a);
                    let count = self.argument_count(at, ins.b);
                    let wanted = (ins.c > 0).then(|| ins.c as usize - 1);
                    save!();
                    match self.begin_call(host, at, count, wanted) {
                        Ok(true) => return Ok(Next::Frame),
                        Ok(false) => {
                            if self.heap.is_due() {
                                self.collect();
                            }
                            if self.is_pausing {
                                return Ok(Next::Frame);
                            }
                            // It may have been setfenv.
                            environment = self.environment(closure);
                            regs = registers!();
                        }
                        Err(thrown) => {
                            self.note_yield(at, wanted);
                            return Err(thrown);
                        }
                    }
                }
                Op::TailCall => {
                    let at = base + usize::from(ins.a);
                    let mut count = self.argument_count(at, ins.b);
                    save!();
                    if Function::of(self.stack(at)).is_none() {
                        // A function behind `__call` takes the place of the running one as any other.
                        count = self.make_callable(at, count)?;
                    }
                    if let Value::Closure(_) = self.stack(at) {
                        self.burn(host)?;
                        self.replace_frame(at, count)?;
                        return Ok(Next::Frame);
                    }
                    match self.begin_call(host, at, count, None) {
                        Ok(true) => return Ok(Next::Frame),
                        Ok(false) => regs = registers!(),
                        Err(thrown) => {
                            self.note_yield(at, None);
                            return Err(thrown);
                        }
                    }
                }
                Op::Return => {
                    let from = base + usize::from(ins.a);
                    let count = match ins.b {
                        0 => self.thread.top.saturating_sub(from),
                        b => usize::from(b) - 1,
                    };
                    return Ok(self.leave(base, from, count, stop));
                }
                Op::ForLoop => {
                    if let (Value::Number(index), Value::Number(limit), Value::Number(step)) = (
                        r!(ins.a),
                        r!(ins.a.wrapping_add(1)),
                        r!(ins.a.wrapping_add(2)),
                    ) {
                        let index = index + step;
                        let goes_on = if step > 0.0 {
                            index <= limit
                        } else {
                            limit <= index
                        };
                        if goes_on {
                            r!(ins.a) = Value::Number(index);
                            r!(ins.a.wrapping_add(3)) = Value::Number(index);
                            jump_back!(ins.c);
                        }
                    }
                }
                Op::ForPrepare => {
                    save!();
                    self.prepare_loop(base + usize::from(ins.a))?;
                    regs = registers!();
                    pc = pc.wrapping_add_signed(ins.c as isize);
                }
                Op::ForIn => {
                    slow!(self.step_iterator(host, base + usize::from(ins.a), usize::from(ins.b)));
                    let control = r!(ins.a.wrapping_add(3));
                    if control.is_nil() {
                        pc += 1;
                    } else {
                        r!(ins.a.wrapping_add(2)) = control;
                    }
                }
                Op::SetList => {
                    slow!(self.set_list(base + usize::from(ins.a), ins));
                }
                Op::Close => {
                    self.close_upvalues(base + usize::from(ins.a));
                    regs = registers!();
                }
                Op::Closure => {
                    let made = slow!(self.make_closure(proto, closure, base, ins.c, pc));
                    pc += made.1;
                    r!(ins.a) = made.0;
                }
                Op::VarArg => {
                    slow!(self.spread_arguments(base, proto, ins));
                }
                #[cfg(feature = "debugger")]
                Op::Line => slow!(self.pass_line(host)),
            }
        }
    }

    #[inline]
    fn upvalue_id(&self, closure: ClosureId, place: u16) -> Option<UpvalueId> {
        self.heap
            .closures
            .get(closure.0)?
            .upvalues
            .get(usize::from(place))
            .copied()
    }

    #[inline]
    fn argument_count(&self, at: usize, b: u16) -> usize {
        match b {
            0 => self.thread.top.saturating_sub(at + 1),
            b => usize::from(b) - 1,
        }
    }

    fn new_table(&mut self, array: usize, nodes: usize) -> Result<TableId, Thrown> {
        if self.heap.is_due() {
            self.collect();
        }
        Ok(self.heap.table(array, nodes)?)
    }

    /// Ends a function: its results go to its caller.
    #[inline]
    fn leave(&mut self, base: usize, from: usize, count: usize, stop: usize) -> Next {
        if !self.thread.open.is_empty() {
            self.close_upvalues(base);
        }
        let Some(frame) = self.thread.frames.pop() else {
            return Next::Stop;
        };
        self.finish_call(frame.at, from, count, frame.wanted);
        if self.thread.frames.len() <= stop {
            return Next::Stop;
        }
        Next::Frame
    }

    /// A call in tail position: the new function takes the place of the running one.
    fn replace_frame(&mut self, at: usize, count: usize) -> Result<(), Thrown> {
        let Some(frame) = self.thread.frames.pop() else {
            return Err(Thrown);
        };
        if !self.thread.open.is_empty() {
            self.close_upvalues(frame.base);
        }
        self.thread.stack.copy_within(at..at + count + 1, frame.at);
        let entered = self.enter(frame.at, count, frame.wanted);
        match entered {
            Ok(()) => {
                if let Some(last) = self.thread.frames.last_mut() {
                    last.tail_calls = frame.tail_calls.saturating_add(1);
                }
                Ok(())
            }
            Err(thrown) => {
                self.thread.frames.push(frame);
                Err(thrown)
            }
        }
    }

    /// The globals of a function.
    #[inline]
    fn environment(&self, closure: ClosureId) -> TableId {
        let closure = self.heap.closures.get(closure.0);
        closure.map_or(self.globals, |closure| closure.environment)
    }

    /// A yield went through here: its results belong to this call.
    #[cold]
    fn note_yield(&mut self, at: usize, wanted: Option<usize>) {
        if self.unwinding == Unwinding::Yield {
            self.thread.waiting = Some((at, wanted));
        }
    }

    /// Checks and converts what a numeric loop begins with.
    fn prepare_loop(&mut self, at: usize) -> Result<(), Thrown> {
        let mut numbers = [0.0; 3];
        let messages: [&[u8]; 3] = [
            b"'for' initial value must be a number",
            b"'for' limit must be a number",
            b"'for' step must be a number",
        ];
        for (offset, message) in messages.into_iter().enumerate() {
            let Some(number) = self.to_number(self.stack(at + offset)) else {
                return Err(self.error(message));
            };
            numbers[offset] = number;
            self.set_stack(at + offset, Value::Number(number));
        }
        self.set_stack(at, Value::Number(numbers[0] - numbers[2]));
        Ok(())
    }

    /// Calls the iterator of a generic loop.
    fn step_iterator(
        &mut self,
        host: &mut dyn Host,
        at: usize,
        count: usize,
    ) -> Result<(), Thrown> {
        self.ensure(at + 6 + count)?;
        for offset in 0..3 {
            let value = self.stack(at + offset);
            self.set_stack(at + 3 + offset, value);
        }
        // A loop of its own runs the iterator: PUC does the same, so that a yield in it is refused there as well.
        self.call_at(host, at + 3, 2, Some(count))?;
        if self.heap.is_due() {
            self.collect();
        }
        Ok(())
    }

    fn set_list(&mut self, at: usize, ins: Ins) -> Result<(), Thrown> {
        let Value::Table(id) = self.stack(at) else {
            return Ok(());
        };
        let count = match ins.b {
            0 => self.thread.top.saturating_sub(at + 1),
            b => usize::from(b),
        };
        let first = (ins.c.max(1) as usize - 1) * FIELDS_A_FLUSH;
        self.heap.reserve_array(id, first + count)?;
        for offset in 1..=count {
            let value = self.stack(at + offset);
            let key = Value::Number((first + offset) as f64);
            self.heap.set(id, key, value)?;
        }
        Ok(())
    }

    fn make_closure(
        &mut self,
        proto: &Proto,
        running: ClosureId,
        base: usize,
        place: i32,
        pc: usize,
    ) -> Result<(Value, usize), Thrown> {
        if self.heap.is_due() {
            self.collect();
        }
        let Some(inner) = proto.inner.get(place as usize).cloned() else {
            return Err(self.error(b"bad code"));
        };
        let count = inner.upvalue_names.len();
        let mut upvalues = Vec::with_capacity(count);
        for ins in proto.code.iter().skip(pc).take(count) {
            let id = match ins.op {
                Op::Move => Some(self.capture(base + usize::from(ins.b))?),
                _ => self.upvalue_id(running, ins.b),
            };
            upvalues.extend(id);
        }
        let environment = self
            .heap
            .closures
            .get(running.0)
            .map_or(self.globals, |closure| closure.environment);
        let closure = Closure {
            proto: inner,
            upvalues: Rc::from(upvalues),
            environment,
        };
        let id = self.heap.closure(closure)?;
        Ok((Value::Closure(id), count))
    }

    /// Copies the variable arguments to where they are wanted.
    fn spread_arguments(&mut self, base: usize, proto: &Proto, ins: Ins) -> Result<(), Thrown> {
        let at = self.thread.frames.last().map_or(0, |frame| frame.at);
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
        for offset in 0..wanted {
            let value = match offset < extra {
                true => self.stack(first + offset),
                false => Value::Nil,
            };
            self.set_stack(to + offset, value);
        }
        Ok(())
    }
}
