//! Values of scripts and replies, into each other.

use crate::algorithms::bytes::Append;
use crate::algorithms::num;
use crate::lua::call::to_integer;
use crate::lua::value::TableId;
use crate::lua::{Thrown, Value, Vm};
use crate::resp::{Cell, Reply};
use crate::state::scripts::error_table;

/// A table nested deeper than this in a reply is an error.
const MAX_DEPTH: usize = 2000;

const INT: u32 = Cell::Int as u32;
const INT64: u32 = Cell::Int64 as u32;
const BULK: u32 = Cell::Bulk as u32;
const NIL: u32 = Cell::Nil as u32;
const NIL_ARRAY: u32 = Cell::NilArray as u32;
const BOOL: u32 = Cell::Bool as u32;
const STATUS: u32 = Cell::Status as u32;
const ERROR: u32 = Cell::Error as u32;
const DOUBLE: u32 = Cell::Double as u32;
const BIG_NUMBER: u32 = Cell::BigNumber as u32;
const VERBATIM: u32 = Cell::Verbatim as u32;
const MAP: u32 = Cell::Map as u32;
const SET: u32 = Cell::Set as u32;
const ATTRIBUTE: u32 = Cell::Attribute as u32;

/// An array of strings.
pub fn list(vm: &mut Vm, texts: &[&[u8]]) -> Result<Value, Thrown> {
    let table = vm.heap.table(texts.len(), 0)?;
    for (place, text) in texts.iter().enumerate() {
        let text = vm.text(text)?;
        vm.heap
            .set(table, Value::Number((place + 1) as f64), text)?;
    }
    Ok(Value::Table(table))
}

/// A number as an argument of a command: whole ones without a fraction, others with as many digits as they need.
pub fn write_number(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        return out.put(if number.is_sign_negative() {
            b"-nan"
        } else {
            b"nan"
        });
    }
    let whole = to_integer(number);
    if whole as f64 == number && whole != i64::MIN {
        return num::write_i64(out, whole);
    }
    num::write_f64(out, number);
}

// ---- replies to values ----

/// A reply being read: cells, and the text they refer to in order.
struct Cells<'a> {
    cells: &'a [u32],
    text: &'a [u8],
}

impl<'a> Cells<'a> {
    fn next(&mut self) -> Option<(u32, u32)> {
        let (&[kind, value], rest) = self.cells.split_first_chunk()?;
        self.cells = rest;
        Some((kind & 0xff, value))
    }

    /// The 64 bits behind the cell that was read last.
    fn wide(&mut self) -> u64 {
        match self.cells.split_first_chunk() {
            Some((&[low, high], rest)) => {
                self.cells = rest;
                u64::from(low) | u64::from(high) << 32
            }
            None => 0,
        }
    }

    fn take(&mut self, length: u32) -> &'a [u8] {
        let (text, rest) = self
            .text
            .split_at_checked(length as usize)
            .unwrap_or((self.text, &[]));
        self.text = rest;
        text
    }
}

/// The reply of a command as a value.
///
/// # Errors
/// When there is no memory for it.
pub fn read(vm: &mut Vm, reply: &Reply) -> Result<Value, Thrown> {
    /// About what a value takes besides its text.
    const BYTES_A_CELL: usize = 24;
    vm.make_room(reply.text().len() + reply.cells().len() * BYTES_A_CELL)?;
    let mut cells = Cells {
        cells: reply.cells(),
        text: reply.text(),
    };
    read_value(vm, &mut cells, reply.is_resp3())
}

fn read_value(vm: &mut Vm, cells: &mut Cells, resp3: bool) -> Result<Value, Thrown> {
    let Some((kind, value)) = cells.next() else {
        return Ok(Value::Nil);
    };
    Ok(match kind {
        INT => Value::Number(f64::from(value as i32)),
        INT64 => Value::Number(cells.wide() as i64 as f64),
        BULK => vm.text(cells.take(value))?,
        NIL | NIL_ARRAY if resp3 => Value::Nil,
        NIL | NIL_ARRAY => Value::Bool(false),
        BOOL => Value::Bool(value != 0),
        STATUS => field_text(vm, "ok", cells.take(value))?,
        ERROR => error_table(vm, cells.take(value), true)?,
        DOUBLE => {
            let number = Value::Number(f64::from_bits(cells.wide()));
            with_field(vm, "double", number)?
        }
        BIG_NUMBER => field_text(vm, "big_number", cells.take(value))?,
        VERBATIM => read_verbatim(vm, cells.take(value))?,
        MAP => read_pairs(vm, cells, value, "map", resp3)?,
        SET => read_set(vm, cells, value, resp3)?,
        ATTRIBUTE => {
            // Nothing that a script sees.
            for _ in 0..value * 2 {
                read_value(vm, cells, resp3)?;
            }
            read_value(vm, cells, resp3)?
        }
        _ => {
            let table = vm.heap.table(value as usize, 0)?;
            for place in 1..=value {
                let element = read_value(vm, cells, resp3)?;
                vm.heap
                    .set(table, Value::Number(f64::from(place)), element)?;
            }
            Value::Table(table)
        }
    })
}

/// A table with one field.
fn with_field(vm: &mut Vm, name: &str, value: Value) -> Result<Value, Thrown> {
    let table = vm.heap.table(0, 1)?;
    let key = Value::String(vm.heap.name(name));
    vm.heap.set(table, key, value)?;
    Ok(Value::Table(table))
}

fn field_text(vm: &mut Vm, name: &str, text: &[u8]) -> Result<Value, Thrown> {
    let text = vm.text(text)?;
    with_field(vm, name, text)
}

/// `txt:text` becomes `{verbatim_string = {format = "txt", string = "text"}}`.
fn read_verbatim(vm: &mut Vm, text: &[u8]) -> Result<Value, Thrown> {
    let (format, text) = text.split_at_checked(4).unwrap_or((b"txt:", text));
    let inner = field_text(vm, "string", text)?;
    let format = vm.text(format.get(..3).unwrap_or(b"txt"))?;
    if let Value::Table(table) = inner {
        let key = Value::String(vm.heap.name("format"));
        vm.heap.set(table, key, format)?;
    }
    with_field(vm, "verbatim_string", inner)
}

fn read_pairs(
    vm: &mut Vm,
    cells: &mut Cells,
    pairs: u32,
    name: &str,
    resp3: bool,
) -> Result<Value, Thrown> {
    let table = vm.heap.table(0, pairs as usize)?;
    for _ in 0..pairs {
        let key = read_value(vm, cells, resp3)?;
        let value = read_value(vm, cells, resp3)?;
        set_in(vm, table, key, value)?;
    }
    with_field(vm, name, Value::Table(table))
}

fn read_set(vm: &mut Vm, cells: &mut Cells, count: u32, resp3: bool) -> Result<Value, Thrown> {
    let table = vm.heap.table(0, count as usize)?;
    for _ in 0..count {
        let member = read_value(vm, cells, resp3)?;
        set_in(vm, table, member, Value::Bool(true))?;
    }
    with_field(vm, "set", Value::Table(table))
}

/// Sets a field; a key that can be none is left out.
fn set_in(vm: &mut Vm, table: TableId, key: Value, value: Value) -> Result<(), Thrown> {
    if key.is_nil() || matches!(key, Value::Number(number) if number.is_nan()) {
        return Ok(());
    }
    Ok(vm.heap.set(table, key, value)?)
}

// ---- values to replies ----

/// The result of a script as a reply. `resp3` is the version the script chose, which only booleans depend on.
pub fn write(vm: &Vm, value: Value, resp3: bool, reply: &mut Reply) {
    let mut writer = Writer { vm, resp3, reply };
    writer.value(value, 0);
}

struct Writer<'a> {
    vm: &'a Vm,
    resp3: bool,
    reply: &'a mut Reply,
}

impl Writer<'_> {
    fn value(&mut self, value: Value, depth: usize) {
        match value {
            Value::String(text) => self.reply.bulk(self.vm.heap.bytes(text)),
            Value::Number(number) => self.reply.int(to_integer(number)),
            Value::Bool(value) if self.resp3 => self.reply.bool(value),
            Value::Bool(true) => self.reply.int(1),
            Value::Table(table) => self.table(table, depth),
            _ => self.reply.nil(),
        }
    }

    fn field(&self, table: TableId, name: &str) -> Value {
        match self.vm.heap.known(name.as_bytes()) {
            Some(key) => self.vm.heap.table_of(table).get_str(key),
            None => Value::Nil,
        }
    }

    fn text_field(&self, table: TableId, name: &str) -> Option<Vec<u8>> {
        match self.field(table, name) {
            Value::String(text) => Some(self.vm.heap.bytes(text).to_vec()),
            _ => None,
        }
    }

    fn table(&mut self, table: TableId, depth: usize) {
        if depth >= MAX_DEPTH {
            return self.reply.error(b"ERR reached lua stack limit");
        }
        if let Some(message) = self.text_field(table, "err") {
            return self.reply.error(&one_line(message));
        }
        if let Some(message) = self.text_field(table, "ok") {
            return self.reply.status_bytes(&one_line(message));
        }
        if let Value::Number(number) = self.field(table, "double") {
            return self.reply.double(number);
        }
        if let Value::Table(map) = self.field(table, "map") {
            return self.pairs(map, depth, true);
        }
        if let Value::Table(set) = self.field(table, "set") {
            return self.pairs(set, depth, false);
        }
        if let Some(digits) = self.text_field(table, "big_number") {
            let digits = one_line(digits);
            return self.reply.big_number(&String::from_utf8_lossy(&digits));
        }
        if let Value::Table(inner) = self.field(table, "verbatim_string")
            && let Some(format) = self.text_field(inner, "format")
            && let Some(text) = self.text_field(inner, "string")
        {
            return self
                .reply
                .verbatim(&String::from_utf8_lossy(&format), &text);
        }
        let mark = self.reply.mark();
        let mut count = 0;
        loop {
            let element = self.vm.heap.table_of(table).get_index(count + 1);
            if element.is_nil() {
                break;
            }
            self.value(element, depth + 1);
            count += 1;
        }
        self.reply.close_array(mark, count);
    }

    /// Keys and values, or the keys alone.
    fn pairs(&mut self, table: TableId, depth: usize, with_values: bool) {
        let mut pairs = Vec::new();
        let table = self.vm.heap.table_of(table);
        table.for_each(|key, value| pairs.push((key, value)));
        match with_values {
            true => self.reply.map(pairs.len()),
            false => self.reply.set(pairs.len()),
        }
        for (key, value) in pairs {
            self.value(key, depth + 1);
            if with_values {
                self.value(value, depth + 1);
            }
        }
    }
}

/// Line breaks become spaces.
fn one_line(mut text: Vec<u8>) -> Vec<u8> {
    for byte in &mut text {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    text
}
