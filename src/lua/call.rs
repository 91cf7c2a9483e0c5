//! What a function of the host sees of its call: arguments, results, and the errors about arguments.

use super::value::{Packed, Str, TableId, Value};
use super::vm::{Thrown, Vm};
use crate::algorithms::bytes::Append;
use crate::algorithms::num::write_u64;

/// A call of a function of the host. Arguments are counted from 0; messages count from 1.
#[derive(Debug)]
pub struct Call {
    pub(super) base: usize,
    /// How many arguments there are.
    pub count: usize,
}

impl Call {
    /// The argument; nil when there is none.
    #[inline]
    pub fn arg(&self, vm: &Vm, at: usize) -> Value {
        if at < self.count {
            vm.stack(self.base + at)
        } else {
            Value::Nil
        }
    }

    /// Whether an argument was given, be it nil.
    pub fn has(&self, at: usize) -> bool {
        at < self.count
    }

    /// The place of an argument on the stack.
    pub(super) fn place(&self, at: usize) -> usize {
        self.base + at
    }

    /// What was pushed last.
    #[cfg(feature = "debugger")]
    pub fn last_result(&self, vm: &Vm) -> Value {
        vm.stack(vm.thread.top.saturating_sub(1))
    }

    /// Adds a result.
    ///
    /// # Errors
    /// When the stack cannot grow.
    pub fn push(&self, vm: &mut Vm, value: Value) -> Result<(), Thrown> {
        let top = vm.thread.top;
        if top >= vm.thread.stack.len() {
            vm.ensure(top + 1)?;
        }
        vm.set_stack(top, value);
        vm.thread.top = top + 1;
        Ok(())
    }

    /// The one result.
    ///
    /// # Errors
    /// When the stack cannot grow.
    pub fn give(&self, vm: &mut Vm, value: Value) -> Result<usize, Thrown> {
        self.push(vm, value)?;
        Ok(1)
    }

    /// A number as the one result.
    ///
    /// # Errors
    /// When the stack cannot grow.
    pub fn give_number(&self, vm: &mut Vm, number: f64) -> Result<usize, Thrown> {
        let top = vm.thread.top;
        if top >= vm.thread.stack.len() {
            vm.ensure(top + 1)?;
        }
        vm.set_packed(top, Packed::number(number));
        vm.thread.top = top + 1;
        Ok(1)
    }

    /// A string as the one result.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn give_text(&self, vm: &mut Vm, text: &[u8]) -> Result<usize, Thrown> {
        let text = vm.text(text)?;
        self.give(vm, text)
    }

    /// An upvalue of the running function.
    pub fn upvalue(&self, vm: &Vm, at: usize) -> Value {
        let frame = vm.thread.frames.last();
        match frame.and_then(|frame| frame.function.as_native()) {
            Some(id) => vm
                .heap
                .natives
                .get(id.0)
                .and_then(|native| native.upvalues.get(at).copied())
                .unwrap_or_default(),
            _ => Value::Nil,
        }
    }

    pub fn set_upvalue(&self, vm: &mut Vm, at: usize, value: Value) {
        let frame = vm.thread.frames.last();
        if let Some(id) = frame.and_then(|frame| frame.function.as_native())
            && let Some(native) = vm.heap.natives.get_mut(id.0)
            && let Some(place) = native.upvalues.get_mut(at)
        {
            *place = value;
        }
    }

    // ---- checks ----

    /// Says what is wrong with an argument.
    #[cold]
    pub fn bad(&self, vm: &mut Vm, at: usize, why: &[u8]) -> Thrown {
        let (name, is_method) = vm.called_name();
        // Some messages are about argument 0.
        let mut number = at.wrapping_add(1);
        let mut message = Vec::new();
        if is_method {
            // The object before the colon is not counted.
            number -= 1;
            if number == 0 {
                message.put(b"calling '");
                message.put(&name);
                message.put(b"' on bad self (");
                message.put(why);
                message.put(b")");
                return vm.native_error(&message);
            }
        }
        message.put(b"bad argument #");
        write_u64(&mut message, number as u64);
        message.put(b" to '");
        message.put(&name);
        message.put(b"' (");
        message.put(why);
        message.put(b")");
        vm.native_error(&message)
    }

    /// An argument is of another type.
    #[cold]
    pub fn bad_type(&self, vm: &mut Vm, at: usize, expected: &str) -> Thrown {
        let got = match self.has(at) {
            true => self.arg(vm, at).type_name(),
            false => "no value",
        };
        let why = [expected, " expected, got ", got].concat();
        self.bad(vm, at, why.as_bytes())
    }

    /// An argument of any type that must be given.
    ///
    /// # Errors
    /// When it is not.
    pub fn any(&self, vm: &mut Vm, at: usize) -> Result<Value, Thrown> {
        if !self.has(at) {
            return Err(self.bad(vm, at, b"value expected"));
        }
        Ok(self.arg(vm, at))
    }

    /// A number, or text that is one.
    ///
    /// # Errors
    /// When it is neither.
    pub fn number(&self, vm: &mut Vm, at: usize) -> Result<f64, Thrown> {
        let value = vm.packed(self.base + at);
        if at < self.count && value.is_number() {
            return Ok(value.float());
        }
        let value = self.arg(vm, at);
        match vm.to_number(value) {
            Some(number) => Ok(number),
            None => Err(self.bad_type(vm, at, "number")),
        }
    }

    /// A number cut to an integer, as C does on a 64-bit machine.
    ///
    /// # Errors
    /// When it is no number.
    pub fn integer(&self, vm: &mut Vm, at: usize) -> Result<i64, Thrown> {
        Ok(to_integer(self.number(vm, at)?))
    }

    /// The same, where nil or nothing stands for `default`.
    ///
    /// # Errors
    /// When it is no number.
    pub fn integer_or(&self, vm: &mut Vm, at: usize, default: i64) -> Result<i64, Thrown> {
        match self.arg(vm, at) {
            Value::Nil => Ok(default),
            _ => self.integer(vm, at),
        }
    }

    /// A number cut to an integer of 32 bits, C's `int`: the bits above are lost.
    ///
    /// # Errors
    /// When it is no number.
    pub fn int(&self, vm: &mut Vm, at: usize) -> Result<i64, Thrown> {
        Ok(i64::from(self.integer(vm, at)? as i32))
    }

    /// The same, where nil or nothing stands for `default`.
    ///
    /// # Errors
    /// When it is no number.
    pub fn int_or(&self, vm: &mut Vm, at: usize, default: i64) -> Result<i64, Thrown> {
        Ok(i64::from(self.integer_or(vm, at, default)? as i32))
    }

    /// A string; a number becomes its text.
    ///
    /// # Errors
    /// When it is neither.
    pub fn string(&self, vm: &mut Vm, at: usize) -> Result<Str, Thrown> {
        match self.arg(vm, at) {
            Value::String(text) => Ok(text),
            Value::Number(number) => {
                let text = vm.number_text(number)?;
                // It has to live as long as the call: on the stack, like the argument.
                vm.set_stack(self.base + at, Value::String(text));
                Ok(text)
            }
            _ => Err(self.bad_type(vm, at, "string")),
        }
    }

    /// The bytes of a string argument, copied.
    ///
    /// # Errors
    /// When it is no string.
    pub fn bytes(&self, vm: &mut Vm, at: usize) -> Result<Vec<u8>, Thrown> {
        let text = self.string(vm, at)?;
        Ok(vm.heap.bytes(text).to_vec())
    }

    /// A table.
    ///
    /// # Errors
    /// When it is none.
    pub fn table(&self, vm: &mut Vm, at: usize) -> Result<TableId, Thrown> {
        match self.arg(vm, at) {
            Value::Table(table) => Ok(table),
            _ => Err(self.bad_type(vm, at, "table")),
        }
    }
}

/// What C makes of a double as a 64-bit integer on x86: out of range, the smallest one.
pub fn to_integer(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}
