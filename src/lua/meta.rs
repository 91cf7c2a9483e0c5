//! What operations mean beyond numbers: metatables, conversions between text and numbers, comparison, concatenation.

use super::code::Ins;
use super::compiler::arithmetic::{modulo, power};
use super::function::Function;
use super::lexer::parse_number;
use super::number::write_number;
use super::table::BadKey;
use super::value::{Packed, Str, TableId, Value};
use super::vm::{Host, Thrown, Vm};

/// So many metatables in a row may refer to each other.
const MAX_CHAIN: usize = 100;

/// An operation of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

impl Arithmetic {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Arithmetic::Add => left + right,
            Arithmetic::Sub => left - right,
            Arithmetic::Mul => left * right,
            Arithmetic::Div => left / right,
            Arithmetic::Mod => modulo(left, right),
            Arithmetic::Pow => power(left, right),
        }
    }
}

impl Vm {
    // ---- metatables ----

    /// The metatable of a value.
    pub fn metatable(&self, value: Value) -> Option<TableId> {
        match value {
            Value::Table(id) => self.heap.table_of(id).metatable,
            Value::Userdata(id) => self.heap.userdata.get(id.0)?.metatable,
            Value::String(_) => self.string_metatable,
            _ => None,
        }
    }

    /// A value's metamethod; nil when it has none.
    pub fn metamethod(&self, value: Value, name: Str) -> Value {
        match self.metatable(value) {
            Some(table) => self.heap.table_of(table).get_str(name),
            None => Value::Nil,
        }
    }

    /// What an object has under a key, by itself or by the tables it inherits from. None when there is more to it: a
    /// function is to be asked, or there is nothing to index.
    #[inline(never)]
    pub(super) fn find_field(&self, object: Packed, key: Packed) -> Option<Packed> {
        let mut object = object;
        for _ in 0..MAX_CHAIN {
            let metatable = match object.as_table() {
                Some(id) => {
                    let table = self.heap.table_of(id);
                    let value = table.fetch(key);
                    if !value.is_nil() {
                        return Some(value);
                    }
                    match table.metatable {
                        Some(metatable) => metatable,
                        None => return Some(Packed::NIL),
                    }
                }
                None if object.is_string() => self.string_metatable?,
                None => return None,
            };
            let name = Packed::string(self.names.index);
            let method = self.heap.table_of(metatable).fetch_string(name);
            if method.is_nil() && !object.is_string() {
                return Some(Packed::NIL);
            }
            object = method;
        }
        None
    }

    /// `object[key]`. `ins` tells an error what was indexed.
    ///
    /// # Errors
    /// When there is nothing to index, or what a metamethod throws.
    pub fn index(
        &mut self,
        host: &mut dyn Host,
        object: Value,
        key: Value,
        ins: Option<Ins>,
    ) -> Result<Value, Thrown> {
        let mut object = object;
        for _ in 0..MAX_CHAIN {
            let method = match object {
                Value::Table(id) => {
                    let table = self.heap.table_of(id);
                    let value = table.get(key);
                    if !value.is_nil() {
                        return Ok(value);
                    }
                    let Some(metatable) = table.metatable else {
                        return Ok(Value::Nil);
                    };
                    let method = self.heap.table_of(metatable).get_str(self.names.index);
                    if method.is_nil() {
                        return Ok(Value::Nil);
                    }
                    method
                }
                other => {
                    let method = self.metamethod(other, self.names.index);
                    if method.is_nil() {
                        return Err(self.operand_error(other, b"index", ins));
                    }
                    method
                }
            };
            if Function::of(method).is_some() {
                return self.call_values(host, method, &[object, key]);
            }
            object = method;
        }
        Err(self.error(b"loop in gettable"))
    }

    /// `object[key] = value`.
    ///
    /// # Errors
    /// When there is nothing to index, the table is read-only or the key none, or what a metamethod throws.
    pub fn set_index(
        &mut self,
        host: &mut dyn Host,
        object: Value,
        key: Value,
        value: Value,
        ins: Option<Ins>,
    ) -> Result<(), Thrown> {
        let mut object = object;
        for _ in 0..MAX_CHAIN {
            let method = match object {
                Value::Table(id) => {
                    let table = self.heap.table_of(id);
                    if table.is_readonly {
                        return Err(self.error(b"Attempt to modify a readonly table"));
                    }
                    let metatable = table.metatable;
                    let method = match metatable {
                        Some(metatable) if table.get(key).is_nil() => {
                            self.heap.table_of(metatable).get_str(self.names.newindex)
                        }
                        _ => Value::Nil,
                    };
                    if method.is_nil() {
                        return self.set_raw(id, key, value);
                    }
                    // The key gets its place before the event is looked for, as in PUC: one that can be none is an error.
                    self.set_raw(id, key, Value::Nil)?;
                    method
                }
                other => {
                    let method = self.metamethod(other, self.names.newindex);
                    if method.is_nil() {
                        return Err(self.operand_error(other, b"index", ins));
                    }
                    method
                }
            };
            if Function::of(method).is_some() {
                self.call_values3(host, method, [object, key, value])?;
                return Ok(());
            }
            object = method;
        }
        Err(self.error(b"loop in settable"))
    }

    fn call_values3(
        &mut self,
        host: &mut dyn Host,
        function: Value,
        args: [Value; 3],
    ) -> Result<Value, Thrown> {
        self.call_values(host, function, &args)
    }

    /// Stores a value without metamethods; read-only tables are the caller's business.
    ///
    /// # Errors
    /// When the key is none, or there is no memory.
    pub fn set_raw(&mut self, table: TableId, key: Value, value: Value) -> Result<(), Thrown> {
        let left = self.heap.left_bytes();
        match self.heap.table_mut(table).set(key, value, left) {
            Ok(grown) => {
                self.heap.account(grown);
                Ok(())
            }
            Err(BadKey::Nil) => Err(self.error(b"table index is nil")),
            Err(BadKey::NaN) => Err(self.error(b"table index is NaN")),
            Err(BadKey::Memory) => Err(Thrown),
        }
    }

    // ---- arithmetic ----

    /// A number, or the number that a text says.
    pub fn to_number(&self, value: Value) -> Option<f64> {
        match value {
            Value::Number(number) => Some(number),
            Value::String(text) => parse_number(self.heap.bytes(text)),
            _ => None,
        }
    }

    /// Calculates with what may be no numbers, into the register of an instruction.
    #[cold]
    #[inline(never)]
    pub(super) fn arithmetic(
        &mut self,
        host: &mut dyn Host,
        operation: Arithmetic,
        left: Packed,
        right: Packed,
        ins: Ins,
        base: usize,
    ) -> Result<(), Thrown> {
        let (left, right) = (left.value(), right.value());
        let value = if let (Some(one), Some(two)) = (self.to_number(left), self.to_number(right)) {
            Value::Number(operation.apply(one, two))
        } else {
            self.arithmetic_by_method(host, operation, left, right, ins)?
        };
        self.set_stack(base + usize::from(ins.a), value);
        Ok(())
    }

    fn arithmetic_by_method(
        &mut self,
        host: &mut dyn Host,
        operation: Arithmetic,
        left: Value,
        right: Value,
        ins: Ins,
    ) -> Result<Value, Thrown> {
        let name = self.names.arithmetic[operation as usize];
        let mut method = self.metamethod(left, name);
        if method.is_nil() {
            method = self.metamethod(right, name);
        }
        if method.is_nil() {
            // The first operand that is no number is to blame; a constant has no name.
            let (culprit, ins) = match self.to_number(left) {
                Some(_) => (right, Some(ins)),
                None => (left, Some(ins).filter(|ins| !ins.op.is_constant_left())),
            };
            return Err(self.operand_error(culprit, b"perform arithmetic on", ins));
        }
        self.call_values(host, method, &[left, right])
    }

    pub(super) fn negate(
        &mut self,
        host: &mut dyn Host,
        operand: Value,
        ins: Ins,
    ) -> Result<Value, Thrown> {
        if let Some(number) = self.to_number(operand) {
            return Ok(Value::Number(-number));
        }
        let method = self.metamethod(operand, self.names.unm);
        if method.is_nil() {
            return Err(self.operand_error(operand, b"perform arithmetic on", Some(ins)));
        }
        self.call_values(host, method, &[operand, operand])
    }

    pub(super) fn length(
        &mut self,
        host: &mut dyn Host,
        operand: Value,
        ins: Ins,
    ) -> Result<Value, Thrown> {
        let length = match operand {
            Value::Table(id) => self.heap.table_of(id).length(),
            Value::String(text) => self.heap.bytes(text).len(),
            other => {
                let method = self.metamethod(other, self.names.len);
                if method.is_nil() {
                    return Err(self.operand_error(other, b"get length of", Some(ins)));
                }
                return self.call_values(host, method, &[other, Value::Nil]);
            }
        };
        Ok(Value::Number(length as f64))
    }

    // ---- comparison ----

    /// `==`, metamethods included.
    ///
    /// # Errors
    /// What a metamethod throws.
    pub fn equal(
        &mut self,
        host: &mut dyn Host,
        left: Value,
        right: Value,
    ) -> Result<bool, Thrown> {
        if left == right {
            return Ok(true);
        }
        let same_kind = matches!(
            (left, right),
            (Value::Table(_), Value::Table(_)) | (Value::Userdata(_), Value::Userdata(_))
        );
        if !same_kind {
            return Ok(false);
        }
        let method = self.common_method(left, right, self.names.eq);
        if method.is_nil() {
            return Ok(false);
        }
        Ok(self.call_values(host, method, &[left, right])?.is_true())
    }

    /// A metamethod that both values have.
    fn common_method(&self, left: Value, right: Value, name: Str) -> Value {
        let first = self.metamethod(left, name);
        if !first.is_nil() && first == self.metamethod(right, name) {
            first
        } else {
            Value::Nil
        }
    }

    /// `<`
    ///
    /// # Errors
    /// When the values cannot be compared, or what a metamethod throws.
    pub fn less(&mut self, host: &mut dyn Host, left: Value, right: Value) -> Result<bool, Thrown> {
        match (left, right) {
            (Value::Number(one), Value::Number(two)) => return Ok(one < two),
            (Value::String(one), Value::String(two)) => {
                return Ok(self.heap.bytes(one) < self.heap.bytes(two));
            }
            _ => {}
        }
        let method = self.common_method(left, right, self.names.lt);
        if left.type_name() != right.type_name() || method.is_nil() {
            return Err(self.order_error(left, right));
        }
        Ok(self.call_values(host, method, &[left, right])?.is_true())
    }

    /// `<=`
    ///
    /// # Errors
    /// As of [`Vm::less`].
    pub fn less_equal(
        &mut self,
        host: &mut dyn Host,
        left: Value,
        right: Value,
    ) -> Result<bool, Thrown> {
        match (left, right) {
            (Value::Number(one), Value::Number(two)) => return Ok(one <= two),
            (Value::String(one), Value::String(two)) => {
                return Ok(self.heap.bytes(one) <= self.heap.bytes(two));
            }
            _ => {}
        }
        if left.type_name() != right.type_name() {
            return Err(self.order_error(left, right));
        }
        let method = self.common_method(left, right, self.names.le);
        if !method.is_nil() {
            return Ok(self.call_values(host, method, &[left, right])?.is_true());
        }
        // Without `__le`, a <= b is not b < a.
        let method = self.common_method(right, left, self.names.lt);
        if method.is_nil() {
            return Err(self.order_error(left, right));
        }
        Ok(!self.call_values(host, method, &[right, left])?.is_true())
    }

    // ---- text ----

    /// The text of a number.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn number_text(&mut self, number: f64) -> Result<Str, Thrown> {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        write_number(&mut text, number);
        let result = self.heap.string(&text);
        self.scratch = text;
        Ok(result?)
    }

    /// Concatenates the values from `first` to `last` of the stack, from the right.
    pub(super) fn concat(
        &mut self,
        host: &mut dyn Host,
        first: usize,
        last: usize,
    ) -> Result<Value, Thrown> {
        if self.heap.is_due() {
            self.collect();
        }
        let is_text = |value: Value| matches!(value, Value::String(_) | Value::Number(_));
        let mut right = self.stack(last);
        let mut at = last;
        while at > first {
            if !is_text(self.stack(at - 1)) || !is_text(right) {
                let left = self.stack(at - 1);
                right = self.concat_by_method(host, left, right, at)?;
                at -= 1;
                // There a collection finds it.
                self.set_stack(at, right);
                continue;
            }
            // As many as are text, at once.
            let mut from = at - 1;
            while from > first && is_text(self.stack(from - 1)) {
                from -= 1;
            }
            right = self.join(from, at - 1, right)?;
            at = from;
            self.set_stack(at, right);
        }
        self.pay_for_text(host)?;
        Ok(right)
    }

    fn join(&mut self, first: usize, last: usize, tail: Value) -> Result<Value, Thrown> {
        let mut length = 0usize;
        for place in first..=last {
            length += self.text_length(self.stack(place));
        }
        length += self.text_length(tail);
        self.make_room(length)?;
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        text.reserve(length);
        for place in first..=last {
            self.append_text(&mut text, self.stack(place));
        }
        self.append_text(&mut text, tail);
        let result = self.heap.string(&text);
        self.keep_scratch(text);
        Ok(Value::String(result?))
    }

    fn text_length(&self, value: Value) -> usize {
        match value {
            Value::String(text) => self.heap.bytes(text).len(),
            _ => 32,
        }
    }

    /// Appends the text of a string or number.
    pub(super) fn append_text(&self, out: &mut Vec<u8>, value: Value) {
        match value {
            Value::String(text) => out.extend_from_slice(self.heap.bytes(text)),
            Value::Number(number) => write_number(out, number),
            _ => {}
        }
    }

    fn concat_by_method(
        &mut self,
        host: &mut dyn Host,
        left: Value,
        right: Value,
        at: usize,
    ) -> Result<Value, Thrown> {
        let mut method = self.metamethod(left, self.names.concat);
        if method.is_nil() {
            method = self.metamethod(right, self.names.concat);
        }
        if method.is_nil() {
            let culprit = match left {
                Value::String(_) | Value::Number(_) => at,
                _ => at - 1,
            };
            return Err(self.type_error(culprit, b"concatenate"));
        }
        self.call_values(host, method, &[left, right])
    }
}
