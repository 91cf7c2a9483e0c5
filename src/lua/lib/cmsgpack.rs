//! The `cmsgpack` library: values in the MessagePack format.

use super::super::call::{Call, to_integer};
use super::super::table::Table;
use super::super::value::{TableId, Value};
use super::super::vm::{Host, Thrown, Vm};
use super::{Functions, MAX_SLOTS};
use crate::algorithms::bytes::Append;
use crate::algorithms::num::write_i64;

pub const FUNCTIONS: &Functions = &[
    ("pack", pack),
    ("unpack", unpack),
    ("unpack_limit", unpack_limit),
    ("unpack_one", unpack_one),
];

/// Tables deeper than this are packed as nil.
const MAX_NESTING: u32 = 16;

/// Adds what is no function.
pub fn open(vm: &mut Vm, table: TableId) {
    for (name, text) in [
        ("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"),
        ("_DESCRIPTION", "MessagePack C implementation for Lua"),
        ("_NAME", "cmsgpack"),
        ("_VERSION", "lua-cmsgpack 0.4.0"),
    ] {
        let text = vm.heap.name(text);
        vm.set_field(table, name, Value::String(text));
    }
}

// ---- packing ----

/// Appends a type's byte and a number in `width` bytes, the highest first.
fn put_wide(out: &mut Vec<u8>, byte: u8, value: u64, width: usize) {
    out.push(byte);
    out.put(value.to_be_bytes().get(8 - width..).unwrap_or(&[]));
}

/// Appends a length: within the type's byte up to `fixed.1`, then as the 8-bit type if there is one, 16-bit and 32-bit.
fn put_length(out: &mut Vec<u8>, length: usize, fixed: (u8, usize), byte: Option<u8>, word: u8) {
    match (length, byte) {
        (length, _) if length <= fixed.1 => out.push(fixed.0 | length as u8),
        (length @ ..=0xff, Some(byte)) => put_wide(out, byte, length as u64, 1),
        (length @ ..=0xffff, _) => put_wide(out, word, length as u64, 2),
        (length, _) => put_wide(out, word + 1, length as u64, 4),
    }
}

fn put_integer(out: &mut Vec<u8>, value: i64) {
    let bits = value as u64;
    match value {
        -32..=127 => out.push(value as u8),
        128..=0xff => put_wide(out, 0xcc, bits, 1),
        0x100..=0xffff => put_wide(out, 0xcd, bits, 2),
        0x1_0000..=0xffff_ffff => put_wide(out, 0xce, bits, 4),
        0x1_0000_0000.. => put_wide(out, 0xcf, bits, 8),
        -0x80..=-33 => put_wide(out, 0xd0, bits, 1),
        -0x8000..=-0x81 => put_wide(out, 0xd1, bits, 2),
        -0x8000_0000..=-0x8001 => put_wide(out, 0xd2, bits, 4),
        _ => put_wide(out, 0xd3, bits, 8),
    }
}

fn put_number(out: &mut Vec<u8>, number: f64) {
    let integer = to_integer(number);
    if integer as f64 == number {
        put_integer(out, integer);
    } else if f64::from(number as f32) == number {
        put_wide(out, 0xca, u64::from((number as f32).to_bits()), 4);
    } else {
        put_wide(out, 0xcb, number.to_bits(), 8);
    }
}

/// How many pairs there are, and whether their keys are 1, 2, 3 and so on.
fn count_pairs(table: &Table) -> (usize, bool) {
    let (mut count, mut highest, mut is_array) = (0, 0.0, true);
    let mut key = Value::Nil;
    while let Ok(Some((next, _))) = table.next(key) {
        key = next;
        count += 1;
        match key {
            Value::Number(number) if number > 0.0 && number.fract() == 0.0 => {
                if number > highest {
                    highest = number;
                }
            }
            _ => is_array = false,
        }
    }
    (count, is_array && highest == count as f64)
}

fn put_value(
    vm: &mut Vm,
    host: &mut dyn Host,
    out: &mut Vec<u8>,
    value: Value,
    level: u32,
) -> Result<(), Thrown> {
    vm.burn(host)?;
    match value {
        Value::Bool(value) => out.push(0xc2 | u8::from(value)),
        Value::Number(number) => put_number(out, number),
        Value::String(text) => {
            let text = vm.heap.bytes(text);
            put_length(out, text.len(), (0xa0, 31), Some(0xd9), 0xda);
            out.put(text);
        }
        Value::Table(table) if level < MAX_NESTING => put_table(vm, host, out, table, level)?,
        _ => out.push(0xc0),
    }
    vm.make_room(out.len())
}

fn put_table(
    vm: &mut Vm,
    host: &mut dyn Host,
    out: &mut Vec<u8>,
    table: TableId,
    level: u32,
) -> Result<(), Thrown> {
    let (count, is_array) = count_pairs(vm.heap.table_of(table));
    vm.burn_many(host, count)?;
    if is_array {
        put_length(out, count, (0x90, 15), None, 0xdc);
        for index in 1..=count {
            let value = vm.heap.table_of(table).get_index(index);
            put_value(vm, host, out, value, level + 1)?;
        }
        return Ok(());
    }
    put_length(out, count, (0x80, 15), None, 0xde);
    let mut key = Value::Nil;
    while let Ok(Some((next, value))) = vm.heap.table_of(table).next(key) {
        key = next;
        put_value(vm, host, out, key, level + 1)?;
        put_value(vm, host, out, value, level + 1)?;
    }
    Ok(())
}

fn pack(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    if call.count == 0 {
        return Err(call.bad(vm, usize::MAX, b"MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for at in 0..call.count {
        let value = call.arg(vm, at);
        put_value(vm, host, &mut out, value, 0)?;
    }
    let text = vm.heap.string_owned(out)?;
    call.give(vm, Value::String(text))
}

// ---- unpacking ----

/// A table whose elements are being read.
struct Level {
    table: TableId,
    is_map: bool,
    /// Elements, or pairs, still to come.
    left: usize,
    /// Elements that were read.
    count: usize,
    /// The key whose value comes next.
    key: Option<Value>,
}

impl Level {
    /// What it takes of the stack in Redis while one of its elements is read.
    fn slots(&self) -> usize {
        1 + usize::from(!self.is_map || self.key.is_some())
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    levels: Vec<Level>,
    /// Places taken on Redis' stack.
    slots: usize,
}

/// What was read: a value, or the beginning of a table.
enum Read {
    Value(Value),
    Table { is_map: bool, length: usize },
}

impl<'a> Reader<'a> {
    fn take(&mut self, vm: &mut Vm, count: usize) -> Result<&'a [u8], Thrown> {
        let bytes = self
            .at
            .checked_add(count)
            .and_then(|end| self.text.get(self.at..end));
        match bytes {
            Some(bytes) => {
                self.at += count;
                Ok(bytes)
            }
            None => Err(vm.native_error(b"Missing bytes in input.")),
        }
    }

    /// A number of `width` bytes, the highest first.
    fn wide(&mut self, vm: &mut Vm, width: usize) -> Result<u64, Thrown> {
        let mut value = 0;
        for byte in self.take(vm, width)? {
            value = value << 8 | u64::from(*byte);
        }
        Ok(value)
    }

    fn item(&mut self, vm: &mut Vm) -> Result<Read, Thrown> {
        let byte = self.wide(vm, 1)? as u8;
        let number = |number| Ok(Read::Value(Value::Number(number)));
        let table = |is_map, length: u64| {
            let length = length as usize;
            Ok(Read::Table { is_map, length })
        };
        // The width of what follows, in bytes: types of a kind are in order of it.
        let width = match byte {
            0xcc..=0xcf => 1 << (byte - 0xcc),
            0xd0..=0xd3 => 1 << (byte - 0xd0),
            0xd9..=0xdb => 1 << (byte - 0xd9),
            0xdc | 0xde => 2,
            0xca | 0xdd | 0xdf => 4,
            0xcb => 8,
            _ => 0,
        };
        let bits = self.wide(vm, width)?;
        match byte {
            0..=0x7f => number(f64::from(byte)),
            0xe0.. => number(f64::from(byte as i8)),
            0xcc..=0xcf => number(bits as i64 as f64),
            0xd0..=0xd3 => {
                let unused = 64 - 8 * width as u32;
                number(((bits << unused) as i64 >> unused) as f64)
            }
            0xca => number(f64::from(f32::from_bits(bits as u32))),
            0xcb => number(f64::from_bits(bits)),
            0xc0 => Ok(Read::Value(Value::Nil)),
            0xc2 | 0xc3 => Ok(Read::Value(Value::Bool(byte == 0xc3))),
            0xa0..=0xbf => self.string(vm, u64::from(byte & 31)),
            0xd9..=0xdb => self.string(vm, bits),
            0x90..=0x9f => table(false, u64::from(byte & 15)),
            0x80..=0x8f => table(true, u64::from(byte & 15)),
            0xdc | 0xdd => table(false, bits),
            0xde | 0xdf => table(true, bits),
            _ => Err(vm.native_error(b"Bad data format in input.")),
        }
    }

    fn string(&mut self, vm: &mut Vm, length: u64) -> Result<Read, Thrown> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let text = self.take(vm, length)?;
        Ok(Read::Value(vm.text(text)?))
    }

    /// Whether there is place for one more on Redis' stack.
    fn check_slots(&self, vm: &mut Vm, taken: usize, why: &[u8]) -> Result<(), Thrown> {
        if taken < MAX_SLOTS {
            return Ok(());
        }
        let mut message = b"stack overflow (".to_vec();
        message.put(why);
        message.push(b')');
        Err(vm.native_error(&message))
    }

    /// The next value with all that is in it.
    fn value(&mut self, vm: &mut Vm, host: &mut dyn Host) -> Result<Value, Thrown> {
        loop {
            vm.burn(host)?;
            self.check_slots(
                vm,
                self.slots,
                b"too many return values at once; use unpack_one or unpack_limit instead.",
            )?;
            let mut value = match self.item(vm)? {
                Read::Value(value) => value,
                Read::Table { is_map, length } => {
                    let table = vm.heap.table(0, 0)?;
                    if !is_map {
                        let taken = self.slots + 1;
                        self.check_slots(vm, taken, b"in function mp_decode_to_lua_array")?;
                    }
                    if length > 0 {
                        let level = Level {
                            table,
                            is_map,
                            left: length,
                            count: 0,
                            key: None,
                        };
                        self.slots += level.slots();
                        self.levels.push(level);
                        continue;
                    }
                    Value::Table(table)
                }
            };
            // It is an element, and may be the last one of its table, which then is an element itself.
            loop {
                let Some(level) = self.levels.last_mut() else {
                    return Ok(value);
                };
                self.slots -= level.slots();
                let is_key = level.is_map && level.key.is_none();
                if is_key {
                    level.key = Some(value);
                } else {
                    level.count += 1;
                    let key = match level.key.take() {
                        Some(key) => key,
                        None => Value::Number(level.count as f64),
                    };
                    level.left -= 1;
                    store(vm, level.table, key, value)?;
                }
                if level.left > 0 {
                    self.slots += level.slots();
                    break;
                }
                value = Value::Table(level.table);
                self.levels.pop();
            }
        }
    }
}

/// Stores a pair; what is wrong with a key is said without a place, as the instruction is none of Lua's.
fn store(vm: &mut Vm, table: TableId, key: Value, value: Value) -> Result<(), Thrown> {
    match key {
        Value::Nil => Err(vm.throw_text(b"table index is nil")),
        Value::Number(number) if number.is_nan() => Err(vm.throw_text(b"table index is NaN")),
        key => Ok(vm.heap.set(table, key, value)?),
    }
}

/// Reads up to `limit` values from `offset` on; both 0: all there are, and the place behind them is not told.
fn unpack_from(
    vm: &mut Vm,
    host: &mut dyn Host,
    call: &Call,
    limit: i64,
    offset: i64,
    slots: usize,
) -> Result<usize, Thrown> {
    let text = call.string(vm, 0)?;
    let text = vm.heap.shared(text);
    let mut message = Vec::new();
    if offset < 0 || limit < 0 {
        message.put(b"Invalid request to unpack with offset of ");
        write_i64(&mut message, i64::from(offset as i32));
        message.put(b" and limit of ");
    } else if offset > text.len() as i64 {
        message.put(b"Start offset ");
        write_i64(&mut message, i64::from(offset as i32));
        message.put(b" greater than input length ");
    }
    if !message.is_empty() {
        write_i64(&mut message, text.len() as i64);
        message.push(b'.');
        return Err(vm.native_error(&message));
    }
    let is_all = limit == 0 && offset == 0;
    let mut reader = Reader {
        text: &text,
        at: offset as usize,
        levels: Vec::new(),
        slots,
    };
    // The place comes before the values.
    let from = vm.thread.top;
    if !is_all {
        call.push(vm, Value::Nil)?;
    }
    let mut count = 0;
    while reader.at < text.len() && (is_all || (count as i64) < limit) {
        let value = reader.value(vm, host)?;
        call.push(vm, value)?;
        count += 1;
        reader.slots += 1;
    }
    if is_all {
        return Ok(count);
    }
    reader.check_slots(vm, reader.slots, b"in function mp_unpack_full")?;
    let end = match reader.at == text.len() {
        true => -1.0,
        false => reader.at as f64,
    };
    vm.set_stack(from, Value::Number(end));
    Ok(count + 1)
}

fn unpack(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    unpack_from(vm, host, call, 0, 0, call.count)
}

fn unpack_one(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let offset = call.integer_or(vm, 1, 0)?;
    unpack_from(vm, host, call, 1, offset, 1)
}

fn unpack_limit(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let limit = call.integer(vm, 1)?;
    let offset = call.integer_or(vm, 2, 0)?;
    unpack_from(vm, host, call, limit, offset, 1)
}
