//! The table library.

use super::super::call::Call;
use super::super::function::Function;
use super::super::value::{Packed, TableId, Value};
use super::super::vm::{Host, Thrown, Vm};
use super::Functions;

pub const FUNCTIONS: &Functions = &[
    ("concat", concat),
    ("foreach", foreach),
    ("foreachi", foreachi),
    ("getn", getn),
    ("insert", insert),
    ("maxn", maxn),
    ("remove", remove),
    ("setn", setn),
    ("sort", sort),
];

fn length(vm: &Vm, table: TableId) -> i64 {
    vm.heap.table_of(table).length() as i64
}

fn get(vm: &Vm, table: TableId, index: i64) -> Value {
    vm.heap.table_of(table).get_number(index as f64)
}

fn set(vm: &mut Vm, table: TableId, index: i64, value: Value) -> Result<(), Thrown> {
    if vm.heap.table_of(table).is_readonly {
        return Err(vm.error(b"Attempt to modify a readonly table"));
    }
    vm.set_raw(table, Value::Number(index as f64), value)
}

fn concat(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let separator = match call.arg(vm, 1) {
        Value::Nil => Vec::new(),
        _ => call.bytes(vm, 1)?,
    };
    let table = call.table(vm, 0)?;
    let from = call.int_or(vm, 2, 1)?;
    let to = match call.arg(vm, 3) {
        Value::Nil => length(vm, table),
        _ => call.int(vm, 3)?,
    };
    let mut out = Vec::new();
    let mut index = from;
    while index <= to {
        let value = get(vm, table, index);
        if !matches!(value, Value::String(_) | Value::Number(_)) {
            let mut message = b"invalid value (".to_vec();
            message.extend_from_slice(value.type_name().as_bytes());
            message.extend_from_slice(b") at index ");
            crate::algorithms::num::write_i64(&mut message, index);
            message.extend_from_slice(b" in table for 'concat'");
            return Err(vm.native_error(&message));
        }
        vm.append_text(&mut out, value);
        if index != to {
            out.extend_from_slice(&separator);
        }
        if out.len() > vm.heap.left_bytes() {
            return Err(Thrown);
        }
        vm.burn(host)?;
        index += 1;
    }
    let text = vm.heap.string_owned(out)?;
    call.give(vm, Value::String(text))
}

fn foreach(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let function = function(vm, call, 1)?;
    let mut key = Value::Nil;
    loop {
        let next = vm.heap.table_of(table).next(key);
        let Ok(next) = next else {
            return Err(vm.error(b"invalid key to 'next'"));
        };
        let Some((found, value)) = next else {
            return Ok(0);
        };
        key = found;
        let result = vm.call_values(host, function, &[key, value])?;
        if !result.is_nil() {
            return call.give(vm, result);
        }
    }
}

fn function(vm: &mut Vm, call: &Call, at: usize) -> Result<Value, Thrown> {
    let function = call.arg(vm, at);
    match Function::of(function) {
        Some(_) => Ok(function),
        None => Err(call.bad_type(vm, at, "function")),
    }
}

fn foreachi(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let count = length(vm, table);
    let function = function(vm, call, 1)?;
    for index in 1..=count {
        let value = get(vm, table, index);
        let result = vm.call_values(host, function, &[Value::Number(index as f64), value])?;
        if !result.is_nil() {
            return call.give(vm, result);
        }
    }
    Ok(0)
}

fn getn(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let count = length(vm, table);
    call.give_number(vm, count as f64)
}

fn setn(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    call.table(vm, 0)?;
    Err(vm.native_error(b"'setn' is obsolete"))
}

fn maxn(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let mut most = 0.0;
    let mut key = Value::Nil;
    while let Ok(Some((found, _))) = vm.heap.table_of(table).next(key) {
        key = found;
        if let Value::Number(number) = key
            && number > most
        {
            most = number;
        }
    }
    call.give_number(vm, most)
}

/// So many moves of elements are paid for at once.
const MOVES_A_PAYMENT: i64 = 1024;

fn insert(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let mut end = length(vm, table) + 1;
    let (at, value) = match call.count {
        2 => (end, call.arg(vm, 1)),
        3 => {
            let at = call.int(vm, 1)?;
            end = end.max(at);
            let mut index = end;
            while index > at {
                let value = get(vm, table, index - 1);
                set(vm, table, index, value)?;
                index -= 1;
                // The place may be far below 1.
                if (end - index) % MOVES_A_PAYMENT == 0 {
                    vm.burn_many(host, MOVES_A_PAYMENT as usize)?;
                }
            }
            (at, call.arg(vm, 2))
        }
        _ => return Err(vm.native_error(b"wrong number of arguments to 'insert'")),
    };
    set(vm, table, at, value)?;
    Ok(0)
}

fn remove(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let end = length(vm, table);
    let at = call.int_or(vm, 1, end)?;
    if !(1..=end).contains(&at) {
        return Ok(0);
    }
    let removed = get(vm, table, at);
    for index in at..end {
        let value = get(vm, table, index + 1);
        set(vm, table, index, value)?;
    }
    vm.burn_many(host, (end - at) as usize)?;
    set(vm, table, end, Value::Nil)?;
    call.give(vm, removed)
}

/// A sort under way.
struct Sort {
    table: TableId,
    order: Packed,
}

fn element(vm: &Vm, table: TableId, index: i64) -> Packed {
    vm.heap.table_of(table).fetch(Packed::number(index as f64))
}

impl Sort {
    fn less(
        &self,
        vm: &mut Vm,
        host: &mut dyn Host,
        one: Packed,
        two: Packed,
    ) -> Result<bool, Thrown> {
        if !self.order.is_nil() {
            let result = vm.call_packed(host, self.order, &[one, two])?;
            return Ok(result.is_true());
        }
        if one.is_number() && two.is_number() {
            return Ok(one.float() < two.float());
        }
        vm.less(host, one.value(), two.value())
    }

    fn exchange(&self, vm: &mut Vm, one: i64, two: i64) -> Result<(), Thrown> {
        let (first, second) = (element(vm, self.table, one), element(vm, self.table, two));
        self.put(vm, one, second)?;
        self.put(vm, two, first)
    }

    fn put(&self, vm: &mut Vm, index: i64, value: Packed) -> Result<(), Thrown> {
        let key = Packed::number(index as f64);
        if vm.heap.set_quickly(self.table, key, value) {
            return Ok(());
        }
        set(vm, self.table, index, value.value())
    }

    /// Exchanges two elements if the one behind is the less one.
    fn order_pair(
        &self,
        vm: &mut Vm,
        host: &mut dyn Host,
        low: i64,
        high: i64,
    ) -> Result<bool, Thrown> {
        let (one, two) = (element(vm, self.table, high), element(vm, self.table, low));
        let is_less = self.less(vm, host, one, two)?;
        if is_less {
            self.exchange(vm, low, high)?;
        }
        Ok(is_less)
    }

    /// Quicksort with the median of three, the larger part last.
    fn run(
        &self,
        vm: &mut Vm,
        host: &mut dyn Host,
        mut low: i64,
        mut high: i64,
    ) -> Result<(), Thrown> {
        while low < high {
            self.order_pair(vm, host, low, high)?;
            if high - low == 1 {
                return Ok(());
            }
            let middle = low + (high - low) / 2;
            if !self.order_pair(vm, host, low, middle)? {
                self.order_pair(vm, host, middle, high)?;
            }
            if high - low == 2 {
                return Ok(());
            }
            let pivot = element(vm, self.table, middle);
            self.exchange(vm, middle, high - 1)?;
            let border = self.partition(vm, host, pivot, low, high)?;
            if border - low < high - border {
                self.run(vm, host, low, border - 1)?;
                low = border + 1;
            } else {
                self.run(vm, host, border + 1, high)?;
                high = border - 1;
            }
        }
        Ok(())
    }

    fn partition(
        &self,
        vm: &mut Vm,
        host: &mut dyn Host,
        pivot: Packed,
        low: i64,
        high: i64,
    ) -> Result<i64, Thrown> {
        let (mut from, mut to) = (low, high - 1);
        loop {
            loop {
                from += 1;
                let value = element(vm, self.table, from);
                if !self.less(vm, host, value, pivot)? {
                    break;
                }
                if from > high {
                    return Err(vm.native_error(b"invalid order function for sorting"));
                }
            }
            loop {
                to -= 1;
                let value = element(vm, self.table, to);
                if !self.less(vm, host, pivot, value)? {
                    break;
                }
                if to < low {
                    return Err(vm.native_error(b"invalid order function for sorting"));
                }
            }
            if to < from {
                break;
            }
            self.exchange(vm, from, to)?;
        }
        self.exchange(vm, high - 1, from)?;
        Ok(from)
    }
}

fn sort(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let count = length(vm, table);
    let order = match call.arg(vm, 1) {
        Value::Nil => Value::Nil,
        _ => function(vm, call, 1)?,
    };
    // The pivot stays alive: it is in the table.
    let order = order.into();
    let sort = Sort { table, order };
    vm.burn_many(host, count as usize)?;
    sort.run(vm, host, 1, count)?;
    Ok(0)
}
