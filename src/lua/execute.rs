//! The interpreter's loop.
//!
//! The running function's registers are a window of 256 values of the stack: a register number is a byte, so that no
//! access needs a check. What is rare or needs the machine as a whole is a function of its own, called with the program
//! counter saved; the window is taken anew afterwards.

use std::rc::Rc;

use super::code::{FIELDS_A_FLUSH, Ins, Op, Proto};
use super::compiler::arithmetic::{modulo, power};
use super::function::{Closure, Special};
use super::meta::Arithmetic;
use super::stack::WINDOW;
use super::value::{ClosureId, Packed, TableId, Value};
use super::vm::{Host, Thrown, Unwinding, Vm};

impl Vm {
    /// Runs the last frame and those it calls, until there are only `stop` frames, or it pauses.
    ///
    /// # Errors
    /// What is thrown.
    pub(super) fn execute(&mut self, host: &mut dyn Host, stop: usize) -> Result<(), Thrown> {
        self.executing += 1;
        let mut result = self.run_frames(host, stop);
        while result.is_err() {
            // The innermost `pcall` of those that were called from here catches it.
            let behind = self.thread.frames.get(stop..).unwrap_or(&[]);
            let Some(level) = behind.iter().rposition(|frame| frame.protects) else {
                break;
            };
            result = self.catch(stop + level);
            if result.is_err() {
                break;
            }
            result = self.end_protected(host, false);
            if result.is_ok() {
                if self.thread.frames.len() <= stop {
                    break;
                }
                result = self.run_frames(host, stop);
            }
        }
        self.executing = self.executing.saturating_sub(1);
        result
    }

    fn run_frames(&mut self, host: &mut dyn Host, stop: usize) -> Result<(), Thrown> {
        let mut closure = ClosureId(u32::MAX);
        let mut function: Option<Rc<Proto>> = None;
        // Takes up the last frame.
        'frame: loop {
            let Some(frame) = self.thread.frames.last() else {
                return Ok(());
            };
            let (base, mut pc) = (frame.base as usize, frame.pc as usize);
            let Some(id) = frame.function.as_closure() else {
                // What `pcall` called has returned.
                self.end_protected(host, true)?;
                if self.thread.frames.len() <= stop {
                    return Ok(());
                }
                self.collect_if_due();
                continue 'frame;
            };
            if id != closure {
                let Some(found) = self.heap.closures.get(id.0) else {
                    return self.lost();
                };
                function = found.proto.clone();
                closure = id;
            }
            let Some(proto) = function.as_deref() else {
                return self.lost();
            };
            let code = proto.code.as_slice();
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
                        None => return self.lost(),
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
                    match constants.get($index as usize) {
                        Some(constant) => *constant,
                        None => Packed::NIL,
                    }
                };
            }
            macro_rules! save {
                () => {
                    if let Some(frame) = self.thread.frames.last_mut() {
                        frame.pc = pc as u32;
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
                            if self.pauses() {
                                return Ok(());
                            }
                            continue 'frame;
                        }
                    }
                    pc = pc.wrapping_add_signed($distance as isize);
                }};
            }
            macro_rules! arithmetic {
                ($ins:ident, $left:expr, $right:expr, $kind:ident, |$x:ident, $y:ident| $result:expr) => {{
                    let (left, right) = ($left, $right);
                    if left.is_number() && right.is_number() {
                        let ($x, $y) = (left.float(), right.float());
                        r!($ins.a) = Packed::calculated($result);
                    } else {
                        let kind = Arithmetic::$kind;
                        slow!(self.arithmetic(host, kind, left, right, $ins, base));
                    }
                }};
            }
            macro_rules! compare {
                ($ins:ident, $left:expr, $right:expr, $op:tt, $slow:ident) => {{
                    let (left, right) = ($left, $right);
                    let holds = if left.is_number() && right.is_number() {
                        left.float() $op right.float()
                    } else {
                        slow!(self.$slow(host, left, right))
                    };
                    pc += usize::from(holds != ($ins.a != 0));
                }};
            }
            macro_rules! get {
                ($ins:ident, $key:expr, $fetch:ident) => {{
                    let (object, key) = (r!($ins.b), $key);
                    if let Some(id) = object.as_table() {
                        let table = self.heap.table_of(id);
                        let value = table.$fetch(key);
                        if !value.is_nil() || table.metatable.is_none() {
                            r!($ins.a) = value;
                            continue;
                        }
                    }
                    slow!(self.get_slowly(host, object, key, $ins, base));
                }};
            }
            macro_rules! set {
                ($ins:ident, $key:expr, $value:expr) => {{
                    let (object, key, value) = (r!($ins.a), $key, $value);
                    if let Some(id) = object.as_table()
                        && self.heap.set_quickly(id, key, value)
                    {
                        continue;
                    }
                    slow!(self.set_slowly(host, object, key, value, $ins));
                }};
            }
            loop {
                let Some(&ins) = code.get(pc) else {
                    return self.lost();
                };
                pc += 1;
                match ins.op {
                    Op::Move => r!(ins.a) = r!(ins.b),
                    Op::LoadK => r!(ins.a) = k!(ins.c),
                    Op::LoadBool => {
                        r!(ins.a) = Packed::bool(ins.b != 0);
                        pc += usize::from(ins.c != 0);
                    }
                    Op::LoadNil => {
                        for register in ins.a..=ins.b as u8 {
                            r!(register) = Packed::NIL;
                        }
                    }
                    Op::GetUpvalue => {
                        let id = self.heap.upvalue_of(closure, usize::from(ins.b));
                        let value = match id {
                            Some(id) => self.upvalue(id),
                            None => Packed::NIL,
                        };
                        regs = registers!();
                        r!(ins.a) = value;
                    }
                    Op::SetUpvalue => {
                        let value = r!(ins.a);
                        if let Some(id) = self.heap.upvalue_of(closure, usize::from(ins.b)) {
                            self.set_upvalue(id, value);
                        }
                        regs = registers!();
                    }
                    Op::GetGlobal => {
                        let key = k!(ins.c);
                        let environment = self.heap.environment_of(closure);
                        let table = self.heap.table_of(environment);
                        let value = table.fetch_string(key);
                        if !value.is_nil() || table.metatable.is_none() {
                            r!(ins.a) = value;
                        } else {
                            let object = Packed::table(environment);
                            slow!(self.get_slowly(host, object, key, ins, base));
                        }
                    }
                    Op::SetGlobal => {
                        let (key, value) = (k!(ins.c), r!(ins.a));
                        let environment = self.heap.environment_of(closure);
                        if !self.heap.set_quickly(environment, key, value) {
                            let object = Packed::table(environment);
                            slow!(self.set_slowly(host, object, key, value, ins));
                        }
                    }
                    Op::GetTable => get!(ins, r!(ins.c), fetch),
                    Op::GetTableK => get!(ins, k!(ins.c), fetch),
                    Op::GetField => get!(ins, k!(ins.c), fetch_string),
                    Op::SetTableRR => set!(ins, r!(ins.b), r!(ins.c)),
                    Op::SetTableRK => set!(ins, r!(ins.b), k!(ins.c)),
                    Op::SetTableKR => set!(ins, k!(ins.b), r!(ins.c)),
                    Op::SetTableKK => set!(ins, k!(ins.b), k!(ins.c)),
                    Op::NewTable => {
                        let table = slow!(self.new_table(ins));
                        r!(ins.a) = Packed::table(table);
                    }
                    Op::SelfK | Op::SelfR => {
                        let object = r!(ins.b);
                        let key = match ins.op {
                            Op::SelfR => r!(ins.c),
                            _ => k!(ins.c),
                        };
                        r!(ins.a.wrapping_add(1)) = object;
                        slow!(self.get_slowly(host, object, key, ins, base));
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
                        if operand.is_number() {
                            r!(ins.a) = Packed::calculated(-operand.float());
                        } else {
                            slow!(self.negate_slowly(host, operand, ins, base));
                        }
                    }
                    Op::Not => r!(ins.a) = Packed::bool(!r!(ins.b).is_true()),
                    Op::Length => {
                        let operand = r!(ins.b);
                        if let Some(id) = operand.as_table() {
                            let length = self.heap.table_of(id).length();
                            r!(ins.a) = Packed::calculated(length as f64);
                        } else if let Some(text) = operand.as_string() {
                            let length = self.heap.bytes(text).len();
                            r!(ins.a) = Packed::calculated(length as f64);
                        } else {
                            slow!(self.length_slowly(host, operand, ins, base));
                        }
                    }
                    Op::Concat => {
                        slow!(self.concat_slowly(host, ins, base));
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
                        let mut holds = left.equals(right);
                        if !holds && left.may_equal(right) {
                            holds = slow!(self.equal_slowly(host, left, right));
                        }
                        pc += usize::from(holds != (ins.a != 0));
                    }
                    Op::Less => compare!(ins, r!(ins.b), r!(ins.c), <, less_slowly),
                    Op::LessRK => compare!(ins, r!(ins.b), k!(ins.c), <, less_slowly),
                    Op::LessKR => compare!(ins, k!(ins.b), r!(ins.c), <, less_slowly),
                    Op::LessEqual => compare!(ins, r!(ins.b), r!(ins.c), <=, less_equal_slowly),
                    Op::LessEqualRK => compare!(ins, r!(ins.b), k!(ins.c), <=, less_equal_slowly),
                    Op::LessEqualKR => compare!(ins, k!(ins.b), r!(ins.c), <=, less_equal_slowly),
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
                        let count = argument_count(self.thread.top, at, ins.b);
                        save!();
                        if let Some(id) = r!(ins.a).as_closure()
                            && self.fuel > 0
                            && self.push_frame(id, at, count, ins.c as u16)
                        {
                            self.fuel -= 1;
                            continue 'frame;
                        }
                        let wanted = (ins.c > 0).then(|| ins.c as usize - 1);
                        if !self.call_slowly(host, at, count, wanted)? {
                            regs = registers!();
                            continue;
                        }
                        if self.is_pausing && self.pauses() {
                            return Ok(());
                        }
                        continue 'frame;
                    }
                    Op::TailCall => {
                        let at = base + usize::from(ins.a);
                        let mut count = argument_count(self.thread.top, at, ins.b);
                        save!();
                        if !r!(ins.a).is_function() {
                            // A function behind `__call` takes the place of the running one as any other.
                            count = self.make_callable(at, count)?;
                        }
                        if let Some(id) = self.packed(at).as_closure() {
                            self.burn(host)?;
                            self.replace_frame(id, at, count)?;
                        } else if !self.call_slowly(host, at, count, None)? {
                            regs = registers!();
                            continue;
                        }
                        if self.is_pausing && self.pauses() {
                            return Ok(());
                        }
                        continue 'frame;
                    }
                    Op::Return => {
                        let from = base + usize::from(ins.a);
                        let count = match ins.b {
                            0 => self.thread.top.saturating_sub(from),
                            b => usize::from(b) - 1,
                        };
                        if !self.thread.open.is_empty() {
                            self.close_upvalues(base);
                        }
                        let Some(frame) = self.thread.frames.pop() else {
                            return Ok(());
                        };
                        let at = frame.at as usize;
                        if count == 1 && frame.wanted == 2 {
                            let value = self.packed(from);
                            self.set_packed(at, value);
                        } else {
                            self.finish_call(at, from, count, frame.wanted);
                        }
                        if self.thread.frames.len() <= stop {
                            return Ok(());
                        }
                        continue 'frame;
                    }
                    Op::ForLoop => {
                        // They are numbers: the loop was prepared.
                        let step = r!(ins.a.wrapping_add(2)).float();
                        let limit = r!(ins.a.wrapping_add(1)).float();
                        let index = r!(ins.a).float() + step;
                        let goes_on = if step > 0.0 {
                            index <= limit
                        } else {
                            limit <= index
                        };
                        if goes_on {
                            r!(ins.a) = Packed::calculated(index);
                            r!(ins.a.wrapping_add(3)) = Packed::calculated(index);
                            jump_back!(ins.c);
                        }
                    }
                    Op::ForPrepare => {
                        save!();
                        self.prepare_loop(base + usize::from(ins.a))?;
                        regs = registers!();
                        pc = pc.wrapping_add_signed(ins.c as isize);
                    }
                    Op::ForIn => {
                        slow!(self.step_iterator(
                            host,
                            base + usize::from(ins.a),
                            usize::from(ins.b)
                        ));
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
                        r!(ins.a) = made.0.into();
                    }
                    Op::VarArg => {
                        slow!(self.spread_arguments(base, proto, ins));
                    }
                    #[cfg(feature = "debugger")]
                    Op::Line => slow!(self.pass_line(host)),
                }
            }
        }
    }

    /// What cannot be: a function or its registers are not where they were.
    #[cold]
    #[inline(never)]
    fn lost(&mut self) -> Result<(), Thrown> {
        Err(self.error(b"bad code"))
    }

    /// A call of what is no simple function of Lua: true when a frame was made that is to be taken up.
    #[inline(never)]
    fn call_slowly(
        &mut self,
        host: &mut dyn Host,
        at: usize,
        count: usize,
        wanted: Option<usize>,
    ) -> Result<bool, Thrown> {
        match self.begin_call(host, at, count, wanted) {
            Ok(false) => {
                self.collect_if_due();
                Ok(self.is_pausing)
            }
            Err(thrown) => {
                self.note_yield(at, wanted);
                Err(thrown)
            }
            begun => begun,
        }
    }

    #[inline]
    fn collect_if_due(&mut self) {
        if self.heap.is_due() {
            self.collect();
        }
    }

    #[inline(never)]
    fn negate_slowly(
        &mut self,
        host: &mut dyn Host,
        operand: Packed,
        ins: Ins,
        base: usize,
    ) -> Result<(), Thrown> {
        let value = self.negate(host, operand.value(), ins)?;
        self.set_stack(base + usize::from(ins.a), value);
        Ok(())
    }

    #[inline(never)]
    fn length_slowly(
        &mut self,
        host: &mut dyn Host,
        operand: Packed,
        ins: Ins,
        base: usize,
    ) -> Result<(), Thrown> {
        let value = self.length(host, operand.value(), ins)?;
        self.set_stack(base + usize::from(ins.a), value);
        Ok(())
    }

    #[inline(never)]
    fn concat_slowly(&mut self, host: &mut dyn Host, ins: Ins, base: usize) -> Result<(), Thrown> {
        let (first, last) = (base + usize::from(ins.b), base + ins.c as usize);
        let value = self.concat(host, first, last)?;
        self.set_stack(base + usize::from(ins.a), value);
        Ok(())
    }

    #[inline(never)]
    fn equal_slowly(
        &mut self,
        host: &mut dyn Host,
        left: Packed,
        right: Packed,
    ) -> Result<bool, Thrown> {
        self.equal(host, left.value(), right.value())
    }

    #[inline(never)]
    fn less_slowly(
        &mut self,
        host: &mut dyn Host,
        left: Packed,
        right: Packed,
    ) -> Result<bool, Thrown> {
        self.less(host, left.value(), right.value())
    }

    #[inline(never)]
    fn less_equal_slowly(
        &mut self,
        host: &mut dyn Host,
        left: Packed,
        right: Packed,
    ) -> Result<bool, Thrown> {
        self.less_equal(host, left.value(), right.value())
    }

    /// `object[key]` into the register of an instruction, metamethods and all.
    #[inline(never)]
    fn get_slowly(
        &mut self,
        host: &mut dyn Host,
        object: Packed,
        key: Packed,
        ins: Ins,
        base: usize,
    ) -> Result<(), Thrown> {
        if let Some(value) = self.find_field(object, key) {
            self.set_packed(base + usize::from(ins.a), value);
            return Ok(());
        }
        let about = Some(ins).filter(|ins| ins.op != Op::GetGlobal);
        let value = self.index(host, object.value(), key.value(), about)?;
        self.set_stack(base + usize::from(ins.a), value);
        Ok(())
    }

    /// `object[key] = value`, metamethods and all.
    #[inline(never)]
    fn set_slowly(
        &mut self,
        host: &mut dyn Host,
        object: Packed,
        key: Packed,
        value: Packed,
        ins: Ins,
    ) -> Result<(), Thrown> {
        let about = Some(ins).filter(|ins| ins.op != Op::SetGlobal);
        self.set_index(host, object.value(), key.value(), value.value(), about)
    }

    #[inline(never)]
    fn new_table(&mut self, ins: Ins) -> Result<TableId, Thrown> {
        self.collect_if_due();
        Ok(self.heap.table(usize::from(ins.b), ins.c as usize)?)
    }

    /// A call in tail position: the new function takes the place of the running one.
    #[inline(never)]
    fn replace_frame(&mut self, id: ClosureId, at: usize, count: usize) -> Result<(), Thrown> {
        let Some(frame) = self.thread.frames.pop() else {
            return Err(Thrown);
        };
        if !self.thread.open.is_empty() {
            self.close_upvalues(frame.base as usize);
        }
        let to = frame.at as usize;
        self.thread.stack.copy_within(at..at + count + 1, to);
        let wanted = usize::from(frame.wanted).checked_sub(1);
        match self.enter(id, to, count, wanted) {
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

    /// A yield went through here: its results belong to this call.
    #[cold]
    fn note_yield(&mut self, at: usize, wanted: Option<usize>) {
        if self.unwinding == Unwinding::Yield {
            self.thread.waiting = Some((at, wanted));
        }
    }

    /// Checks and converts what a numeric loop begins with.
    #[inline(never)]
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
    #[inline(never)]
    fn step_iterator(
        &mut self,
        host: &mut dyn Host,
        at: usize,
        count: usize,
    ) -> Result<(), Thrown> {
        if let Some((key, value)) = self.next_pair(at) {
            self.burn(host)?;
            self.set_packed(at + 3, key);
            self.set_packed(at + 4, value);
            for more in 2..count {
                self.set_packed(at + 3 + more, Packed::NIL);
            }
            return Ok(());
        }
        self.ensure(at + 6 + count)?;
        for offset in 0..3 {
            let value = self.packed(at + offset);
            self.set_packed(at + 3 + offset, value);
        }
        // A loop of its own runs the iterator: PUC does the same, so that a yield in it is refused there as well.
        self.call_at(host, at + 3, 2, Some(count))?;
        self.collect_if_due();
        Ok(())
    }

    /// What the iterator of a generic loop gives, when that is one of those that `pairs` and `ipairs` give and nothing is
    /// wrong.
    fn next_pair(&self, at: usize) -> Option<(Packed, Packed)> {
        let native = self.heap.natives.get(self.packed(at).as_native()?.0)?;
        if native.special == Special::No {
            return None;
        }
        let table = self.heap.table_of(self.packed(at + 1).as_table()?);
        let control = self.packed(at + 2);
        match native.special {
            Special::Next => table.next_pair(control).ok(),
            Special::NextIndex => {
                let index = control.float() + 1.0;
                let value = table.fetch(Packed::number(index));
                let is_index = (1.0..f64::from(i32::MAX)).contains(&index) && index.fract() == 0.0;
                match value.is_nil() {
                    true => is_index.then_some((Packed::NIL, Packed::NIL)),
                    false => is_index.then_some((Packed::number(index), value)),
                }
            }
            _ => None,
        }
    }

    #[inline(never)]
    fn set_list(&mut self, at: usize, ins: Ins) -> Result<(), Thrown> {
        let Some(id) = self.packed(at).as_table() else {
            return Ok(());
        };
        let count = match ins.b {
            0 => self.thread.top.saturating_sub(at + 1),
            b => usize::from(b),
        };
        let first = (ins.c.max(1) as usize - 1) * FIELDS_A_FLUSH;
        self.heap.reserve_array(id, first + count)?;
        for offset in 1..=count {
            let value = self.packed(at + offset);
            let key = Packed::number((first + offset) as f64);
            if !self.heap.set_quickly(id, key, value) {
                return Err(Thrown);
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn make_closure(
        &mut self,
        proto: &Proto,
        running: ClosureId,
        base: usize,
        place: i32,
        pc: usize,
    ) -> Result<(Value, usize), Thrown> {
        self.collect_if_due();
        let Some(inner) = proto.inner.get(place as usize).cloned() else {
            return Err(self.error(b"bad code"));
        };
        let count = inner.upvalue_names.len();
        let mut upvalues = Vec::with_capacity(count);
        for ins in proto.code.iter().skip(pc).take(count) {
            let id = match ins.op {
                Op::Move => Some(self.capture(base + usize::from(ins.b))?),
                _ => self.heap.upvalue_of(running, usize::from(ins.b)),
            };
            upvalues.extend(id);
        }
        let environment = self
            .heap
            .closures
            .get(running.0)
            .map_or(self.globals, |closure| closure.environment);
        let closure = Closure {
            proto: Some(inner),
            upvalues: upvalues.into(),
            environment,
        };
        let id = self.heap.closure(closure)?;
        Ok((Value::Closure(id), count))
    }
}

/// How many arguments a call has.
#[inline(always)]
fn argument_count(top: usize, at: usize, b: u16) -> usize {
    match b {
        0 => top.saturating_sub(at + 1),
        b => usize::from(b) - 1,
    }
}
