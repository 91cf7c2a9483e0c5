//! Values of scripts and replies, into each other.

use super::Running;
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use crate::lua::call::to_integer;
use crate::lua::value::{Packed, Str, TableId};
use crate::lua::{Thrown, Value, Vm};
use crate::resp::{Cell, Encoding, Reply};
use crate::state::scripts::{Fields, Machine, error_table};

/// Places on the stack of Redis' machine: deeper nesting in a reply is an error.
const MAX_SLOTS: u32 = 8000;
/// The same for callers in the process: JavaScript reads what is nested by recursion.
const MAX_SLOTS_IN_PROCESS: u32 = 2000;
/// How many stand there when the reply begins, the result among them.
const SLOTS_BEFORE: u32 = 2;
/// How many more a value wants to be free.
const SLOTS_OF_A_VALUE: u32 = 4;
/// A table that holds others many times over could make a reply without end.
const MAX_REPLY_BYTES: usize = 256 << 20;

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

/// The size of the array part of a table that has grown to so many elements one by one, as Redis lets it.
fn grown_size(count: usize) -> usize {
    match count {
        0 => 0,
        _ => count.next_power_of_two(),
    }
}

/// An array of strings.
pub fn list(vm: &mut Vm, texts: &[&[u8]]) -> Result<Value, Thrown> {
    let table = vm.heap.table(grown_size(texts.len()), 0)?;
    for (place, text) in (1..).zip(texts) {
        let text = Packed::string(vm.heap.string(text)?);
        vm.heap.set_index(table, place, text)?;
    }
    Ok(Value::Table(table))
}

/// The error that a script ended with and where it happened, and whether it has been counted already.
pub fn failure(machine: &mut Machine, running: &Running) -> (Vec<u8>, bool) {
    let is_counted = machine.is_failure_counted();
    let mut text = match machine.vm.was_killed() {
        true => ["ERR ", running.end_text].concat().into_bytes(),
        false => machine.failure_text(),
    };
    running.call.put_place(&mut text, machine.vm.blamed());
    // Alone it would end the line for some readers.
    for byte in &mut text {
        if *byte == b'\r' {
            *byte = b' ';
        }
    }
    (text, is_counted)
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
pub(super) struct Cells<'a> {
    cells: &'a [u32],
    text: &'a [u8],
    fields: &'a Fields,
    resp3: bool,
}

impl<'a> Cells<'a> {
    pub(super) fn of(reply: &'a Reply, fields: &'a Fields) -> Cells<'a> {
        Cells {
            cells: reply.cells(),
            text: reply.text(),
            fields,
            resp3: reply.is_resp3(),
        }
    }

    pub(super) fn next(&mut self) -> Option<(u32, u32)> {
        let (&[kind, value], rest) = self.cells.split_first_chunk()?;
        self.cells = rest;
        Some((kind & 0xff, value))
    }

    /// The 64 bits behind the cell that was read last.
    pub(super) fn wide(&mut self) -> u64 {
        match self.cells.split_first_chunk() {
            Some((&[low, high], rest)) => {
                self.cells = rest;
                u64::from(low) | u64::from(high) << 32
            }
            None => 0,
        }
    }

    pub(super) fn take(&mut self, length: u32) -> &'a [u8] {
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
pub fn read(vm: &mut Vm, fields: &Fields, reply: &Reply) -> Result<Value, Thrown> {
    /// About what a value takes besides its text.
    const BYTES_A_CELL: usize = 24;
    vm.make_room(reply.text().len() + reply.cells().len() * BYTES_A_CELL)?;
    read_value(vm, &mut Cells::of(reply, fields))
}

fn read_value(vm: &mut Vm, cells: &mut Cells) -> Result<Value, Thrown> {
    let Some((kind, value)) = cells.next() else {
        return Ok(Value::Nil);
    };
    Ok(match kind {
        INT => Value::Number(f64::from(value as i32)),
        INT64 => Value::Number(cells.wide() as i64 as f64),
        BULK => vm.text(cells.take(value))?,
        NIL | NIL_ARRAY if cells.resp3 => Value::Nil,
        NIL | NIL_ARRAY => Value::Bool(false),
        BOOL => Value::Bool(value != 0),
        STATUS => field_text(vm, cells.fields.ok, cells.take(value))?,
        ERROR => error_table(vm, cells.take(value), true)?,
        DOUBLE => {
            let number = Value::Number(f64::from_bits(cells.wide()));
            with_field(vm, cells.fields.double, number)?
        }
        BIG_NUMBER => field_text(vm, cells.fields.big_number, cells.take(value))?,
        VERBATIM => read_verbatim(vm, cells.fields, cells.take(value))?,
        MAP => read_pairs(vm, cells, value)?,
        SET => read_set(vm, cells, value)?,
        ATTRIBUTE => {
            // Nothing that a script sees.
            for _ in 0..value * 2 {
                read_value(vm, cells)?;
            }
            read_value(vm, cells)?
        }
        _ => {
            // With nils among them they do not all come to stand in the array part.
            let size = if cells.resp3 {
                0
            } else {
                grown_size(value as usize)
            };
            let table = vm.heap.table(size, 0)?;
            for place in 1..=value {
                // Most elements are texts.
                let element = match *cells.cells {
                    [BULK, length, ref rest @ ..] => {
                        cells.cells = rest;
                        Packed::string(vm.heap.string(cells.take(length))?)
                    }
                    _ => read_value(vm, cells)?.into(),
                };
                if !vm.heap.table_mut(table).put_place(place, element) {
                    vm.heap.set_index(table, place, element)?;
                }
            }
            Value::Table(table)
        }
    })
}

/// A table with one field.
fn with_field(vm: &mut Vm, name: Str, value: Value) -> Result<Value, Thrown> {
    let table = vm.heap.table(0, 1)?;
    vm.heap.set(table, Value::String(name), value)?;
    Ok(Value::Table(table))
}

fn field_text(vm: &mut Vm, name: Str, text: &[u8]) -> Result<Value, Thrown> {
    let text = vm.text(text)?;
    with_field(vm, name, text)
}

/// `txt:text` becomes `{verbatim_string = {format = "txt", string = "text"}}`.
fn read_verbatim(vm: &mut Vm, fields: &Fields, text: &[u8]) -> Result<Value, Thrown> {
    let (format, text) = text.split_at_checked(4).unwrap_or((b"txt:", text));
    let inner = field_text(vm, fields.string, text)?;
    let format = vm.text(format.get(..3).unwrap_or(b"txt"))?;
    if let Value::Table(table) = inner {
        vm.heap.set(table, Value::String(fields.format), format)?;
    }
    with_field(vm, fields.verbatim_string, inner)
}

fn read_pairs(vm: &mut Vm, cells: &mut Cells, pairs: u32) -> Result<Value, Thrown> {
    let table = vm.heap.table(0, 0)?;
    for _ in 0..pairs {
        let key = read_value(vm, cells)?;
        let value = read_value(vm, cells)?;
        set_in(vm, table, key, value)?;
    }
    with_field(vm, cells.fields.map, Value::Table(table))
}

fn read_set(vm: &mut Vm, cells: &mut Cells, count: u32) -> Result<Value, Thrown> {
    let table = vm.heap.table(0, 0)?;
    for _ in 0..count {
        let member = read_value(vm, cells)?;
        set_in(vm, table, member, Value::Bool(true))?;
    }
    with_field(vm, cells.fields.set, Value::Table(table))
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
pub fn write(machine: &Machine, value: Value, resp3: bool, reply: &mut Reply, errors: &mut Errors) {
    let start = reply.mark();
    let mut writer = Writer {
        errors,
        vm: &machine.vm,
        fields: &machine.fields,
        resp3,
        reply,
    };
    let mut levels: Vec<Level> = Vec::new();
    levels.extend(writer.value(value, SLOTS_BEFORE));
    while let Some(level) = levels.last_mut() {
        match level.next(&machine.vm) {
            Some((value, slots)) => levels.extend(writer.value(value, slots)),
            None => drop(levels.pop()),
        }
        if writer.reply.used_bytes() > MAX_REPLY_BYTES {
            writer.reply.rewind(start);
            writer.error(b"ERR the reply of the script is too large");
            return;
        }
    }
}

/// The errors in a reply.
#[derive(Debug, Default)]
pub struct Errors {
    pub has_any: bool,
    /// The codes of those that are to be counted.
    pub codes: Vec<Vec<u8>>,
}

impl Errors {
    pub fn add(&mut self, message: &[u8], is_counted: bool) {
        self.has_any = true;
        if !is_counted {
            self.codes.push(code_of(message).owned());
        }
    }
}

/// The code of an error, by which it is counted: its first word.
pub fn code_of(message: &[u8]) -> &[u8] {
    /// A longer word is taken for a message without a code.
    const LONGEST_CODE_BYTES: usize = 30;
    match message.iter().position(|&byte| byte == b' ') {
        Some(end) if end <= LONGEST_CODE_BYTES => &message[..end],
        _ => b"ERR",
    }
}

struct Writer<'a> {
    errors: &'a mut Errors,
    vm: &'a Vm,
    fields: &'a Fields,
    resp3: bool,
    reply: &'a mut Reply,
}

/// A table whose elements are being written.
struct Level {
    table: TableId,
    kind: Elements,
    /// What its elements find on the stack of Redis' machine.
    slots: u32,
}

enum Elements {
    /// The last written, of so many.
    Places(usize, usize),
    /// The key written last, and its value if that is to be written.
    Pairs(Value, Option<Value>),
    /// The key written last.
    Keys(Value),
}

impl Level {
    /// The next to be written, and what stands on the stack with it.
    fn next(&mut self, vm: &Vm) -> Option<(Value, u32)> {
        let table = vm.heap.table_of(self.table);
        match &mut self.kind {
            Elements::Places(at, count) => {
                *at += 1;
                (*at <= *count).then(|| (table.get_index(*at), self.slots + 1))
            }
            Elements::Pairs(key, value) => {
                if let Some(value) = value.take() {
                    return Some((value, self.slots + 3));
                }
                let (next, found) = table.next(*key).ok()??;
                (*key, *value) = (next, Some(found));
                Some((next, self.slots + 4))
            }
            Elements::Keys(key) => {
                (*key, _) = table.next(*key).ok()??;
                Some((*key, self.slots + 3))
            }
        }
    }
}

impl Writer<'_> {
    /// Writes a value, of a table the header: its elements are to follow.
    fn value(&mut self, value: Value, slots: u32) -> Option<Level> {
        let limit = match self.reply.encoding() {
            Encoding::Wire => MAX_SLOTS,
            Encoding::Cells => MAX_SLOTS_IN_PROCESS,
        };
        if slots + SLOTS_OF_A_VALUE > limit {
            self.error(b"ERR reached lua stack limit");
            return None;
        }
        match value {
            Value::String(text) => self.reply.bulk(self.vm.heap.bytes(text)),
            Value::Number(number) => self.reply.int(to_integer(number)),
            Value::Bool(value) if self.resp3 => self.reply.bool(value),
            Value::Bool(true) => self.reply.int(1),
            Value::Table(table) => return self.table(table, slots),
            _ => self.reply.nil(),
        }
        None
    }

    fn error(&mut self, message: &[u8]) {
        self.errors.add(message, false);
        self.reply.error(message);
    }

    fn field(&self, table: TableId, name: Str) -> Value {
        self.vm.heap.table_of(table).get_str(name)
    }

    fn text_field(&self, table: TableId, name: Str) -> Option<&[u8]> {
        match self.field(table, name) {
            Value::String(text) => Some(self.vm.heap.bytes(text)),
            _ => None,
        }
    }

    /// Whether the table of an error says that it has been counted.
    fn is_counted(&self, table: TableId) -> bool {
        is_true(self.field(table, self.fields.is_counted))
    }

    /// Writes a table with a field that says what it stands for, the first of those in this order; others are arrays.
    fn table(&mut self, table: TableId, slots: u32) -> Option<Level> {
        if !self.vm.heap.table_of(table).has_nodes() {
            return self.elements(table, slots);
        }
        if let Some(message) = self.text_field(table, self.fields.err) {
            let message = one_line(without_breaks(until_zero(message)));
            let is_counted = self.is_counted(table);
            self.errors.add(&message, is_counted);
            self.reply.error(&message);
        } else if let Some(message) = self.text_field(table, self.fields.ok) {
            let message = one_line(until_zero(message));
            self.reply.status_bytes(&message);
        } else if let Value::Number(number) = self.field(table, self.fields.double) {
            self.reply.double(number);
        } else if let Some(digits) = self.text_field(table, self.fields.big_number) {
            let digits = one_line(digits);
            self.reply.big_number(&digits);
        } else if let Some((format, text)) = self.verbatim(table) {
            self.reply.verbatim_bytes(&format, self.vm.heap.bytes(text));
        } else if let Value::Table(map) = self.field(table, self.fields.map) {
            return self.pairs(map, slots, true);
        } else if let Value::Table(set) = self.field(table, self.fields.set) {
            return self.pairs(set, slots, false);
        } else {
            return self.elements(table, slots);
        }
        None
    }

    /// `{verbatim_string = {format = ..., string = ...}}`: formats have three letters, or are made to.
    fn verbatim(&self, table: TableId) -> Option<([u8; 3], Str)> {
        let Value::Table(inner) = self.field(table, self.fields.verbatim_string) else {
            return None;
        };
        let mut format = [b' '; 3];
        let said = until_zero(self.text_field(inner, self.fields.format)?);
        for (letter, said) in format.iter_mut().zip(said) {
            *letter = *said;
        }
        match self.field(inner, self.fields.string) {
            Value::String(text) => Some((format, text)),
            _ => None,
        }
    }

    /// What stands from 1 on, up to the first nil.
    fn elements(&mut self, table: TableId, slots: u32) -> Option<Level> {
        let elements = self.vm.heap.table_of(table);
        let mut count = 0;
        while !elements.get_index(count + 1).is_nil() {
            count += 1;
        }
        self.reply.array(count);
        let kind = Elements::Places(0, count);
        Some(Level { table, kind, slots })
    }

    /// Keys and values, or the keys alone.
    fn pairs(&mut self, table: TableId, slots: u32, with_values: bool) -> Option<Level> {
        let (pairs, mut count, mut key) = (self.vm.heap.table_of(table), 0, Value::Nil);
        while let Ok(Some((next, _))) = pairs.next(key) {
            (key, count) = (next, count + 1);
        }
        let kind = match with_values {
            true => {
                self.reply.map(count);
                Elements::Pairs(Value::Nil, None)
            }
            false => {
                self.reply.set(count);
                Elements::Keys(Value::Nil)
            }
        };
        Some(Level { table, kind, slots })
    }
}

fn is_true(value: Value) -> bool {
    value == Value::Bool(true)
}

/// A text as C reads it: up to its first zero byte.
pub fn until_zero(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or(&[])
}

/// A text without the line breaks at its end.
pub fn without_breaks(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}

/// Line breaks become spaces.
fn one_line(text: &[u8]) -> Vec<u8> {
    let mut text = text.owned();
    for byte in &mut text {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    text
}
