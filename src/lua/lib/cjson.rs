//! The `cjson` library: settings, and values as JSON text.

use super::super::call::Call;
use super::super::format::Spec;
use super::super::function::{Native, Run};
use super::super::number::write_number;
use super::super::table::Table;
use super::super::value::{TableId, Value};
use super::super::vm::{Host, Thrown, Vm};
use super::{Functions, MAX_SLOTS, json};
use crate::algorithms::bytes::Append;
use crate::algorithms::num::{write_i64, write_u64};

const FUNCTIONS: &Functions = &[
    ("decode", decode),
    ("decode_invalid_numbers", decode_invalid_numbers),
    ("decode_max_depth", decode_max_depth),
    ("encode", encode),
    ("encode_invalid_numbers", encode_invalid_numbers),
    ("encode_keep_buffer", encode_keep_buffer),
    ("encode_max_depth", encode_max_depth),
    ("encode_number_precision", encode_number_precision),
    ("encode_sparse_array", encode_sparse_array),
    ("new", new),
];

/// Settings: their places in the table that the functions of one library share.
mod setting {
    pub const SPARSE_CONVERT: usize = 1;
    pub const SPARSE_RATIO: usize = 2;
    pub const SPARSE_SAFE: usize = 3;
    pub const ENCODE_DEPTH: usize = 4;
    pub const ENCODE_INVALID: usize = 5;
    pub const KEEP_BUFFER: usize = 6;
    pub const PRECISION: usize = 7;
    pub const DECODE_DEPTH: usize = 8;
    pub const DECODE_INVALID: usize = 9;
}

/// What the settings are at first.
const DEFAULTS: [i32; 9] = [0, 2, 10, 1000, 0, 1, 14, 1000, 1];
const MAX_PRECISION: i32 = 14;

/// Fills a library's table: its functions share settings of their own.
pub fn open(vm: &mut Vm, table: TableId) {
    let settings = vm.heap.table(DEFAULTS.len(), 0);
    let settings = settings.unwrap_or(TableId(u32::MAX));
    for (at, value) in DEFAULTS.iter().enumerate() {
        set_setting(vm, settings, at + 1, *value);
    }
    for (name, run) in FUNCTIONS {
        add(vm, table, name, *run, settings);
    }
    vm.set_field(table, "null", Value::NULL);
    for (name, text) in [("_NAME", "cjson"), ("_VERSION", "2.1.0")] {
        let text = vm.heap.name(text);
        vm.set_field(table, name, Value::String(text));
    }
}

fn add(vm: &mut Vm, table: TableId, name: &str, run: Run, settings: TableId) {
    let native = vm.heap.native(Native {
        run,
        upvalues: vec![Value::Table(settings)],
        ..Native::default()
    });
    if let Ok(native) = native {
        vm.set_field(table, name, Value::Native(native));
    }
}

fn new(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = vm.heap.table(0, FUNCTIONS.len() + 3)?;
    open(vm, table);
    call.give(vm, Value::Table(table))
}

// ---- settings ----

fn settings_of(vm: &Vm, call: &Call) -> TableId {
    match call.upvalue(vm, 0) {
        Value::Table(settings) => settings,
        _ => TableId(u32::MAX),
    }
}

fn setting(vm: &Vm, settings: TableId, at: usize) -> i32 {
    match vm.heap.table_of(settings).get_index(at) {
        Value::Number(number) => number as i32,
        _ => 0,
    }
}

fn set_setting(vm: &mut Vm, settings: TableId, at: usize, value: i32) {
    let (key, value) = (Value::Number(at as f64), Value::Number(f64::from(value)));
    // There has been room from the beginning.
    let _ = vm.heap.set(settings, key, value);
}

/// No more arguments than `most` may be given.
fn check_count(vm: &mut Vm, call: &Call, most: usize) -> Result<(), Thrown> {
    match call.count > most {
        true => Err(call.bad(vm, most, b"found too many arguments")),
        false => Ok(()),
    }
}

/// Changes a whole number when an argument is given, and gives it.
fn integer(
    vm: &mut Vm,
    call: &Call,
    arg: usize,
    at: usize,
    least: i32,
    most: i32,
) -> Result<usize, Thrown> {
    let settings = settings_of(vm, call);
    if !call.arg(vm, arg).is_nil() {
        let value = call.integer(vm, arg)? as i32;
        if value < least || value > most {
            let mut message = b"expected integer between ".to_vec();
            write_i64(&mut message, i64::from(least));
            message.put(b" and ");
            write_i64(&mut message, i64::from(most));
            return Err(call.bad(vm, 0, &message));
        }
        set_setting(vm, settings, at, value);
    }
    let value = setting(vm, settings, at);
    call.give(vm, Value::Number(f64::from(value)))
}

/// Changes a choice when an argument is given, and gives it.
fn choice(vm: &mut Vm, call: &Call, at: usize, choices: &[&str]) -> Result<usize, Thrown> {
    let settings = settings_of(vm, call);
    match call.arg(vm, 0) {
        Value::Nil => {}
        Value::Bool(value) => set_setting(vm, settings, at, i32::from(value)),
        _ => {
            let text = call.bytes(vm, 0)?;
            let mut found = None;
            for (place, name) in choices.iter().enumerate() {
                if name.as_bytes() == text {
                    found = Some(place);
                }
            }
            let Some(place) = found else {
                let mut message = b"invalid option '".to_vec();
                message.put(&text);
                message.push(b'\'');
                return Err(call.bad(vm, 0, &message));
            };
            set_setting(vm, settings, at, place as i32);
        }
    }
    match setting(vm, settings, at) {
        value @ 0..=1 => call.give(vm, Value::Bool(value == 1)),
        _ => call.give_text(vm, b"null"),
    }
}

const SWITCH: &[&str] = &["off", "on"];

fn encode_sparse_array(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    check_count(vm, call, 3)?;
    choice(vm, call, setting::SPARSE_CONVERT, SWITCH)?;
    integer(vm, call, 1, setting::SPARSE_RATIO, 0, i32::MAX)?;
    integer(vm, call, 2, setting::SPARSE_SAFE, 0, i32::MAX)?;
    Ok(3)
}

fn encode_max_depth(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    check_count(vm, call, 1)?;
    integer(vm, call, 0, setting::ENCODE_DEPTH, 1, i32::MAX)
}

fn decode_max_depth(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    check_count(vm, call, 1)?;
    integer(vm, call, 0, setting::DECODE_DEPTH, 1, i32::MAX)
}

fn encode_number_precision(
    vm: &mut Vm,
    _: &mut dyn Host,
    call: &mut Call,
) -> Result<usize, Thrown> {
    check_count(vm, call, 1)?;
    integer(vm, call, 0, setting::PRECISION, 1, MAX_PRECISION)
}

fn encode_keep_buffer(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    check_count(vm, call, 1)?;
    choice(vm, call, setting::KEEP_BUFFER, SWITCH)
}

fn encode_invalid_numbers(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    check_count(vm, call, 1)?;
    choice(vm, call, setting::ENCODE_INVALID, &["off", "on", "null"])
}

fn decode_invalid_numbers(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    check_count(vm, call, 1)?;
    choice(vm, call, setting::DECODE_INVALID, SWITCH)
}

// ---- values as text ----

/// A table that is being written.
struct Level {
    table: TableId,
    /// Elements of an array; None for an object.
    length: Option<usize>,
    /// Elements that were written.
    count: usize,
    /// The last key that was written.
    key: Value,
}

struct Writer {
    out: Vec<u8>,
    levels: Vec<Level>,
    /// Places taken on Redis' stack.
    slots: usize,
    settings: TableId,
}

fn cannot(vm: &mut Vm, what: &str, why: &str) -> Thrown {
    let message = ["Cannot serialise ", what, ": ", why].concat();
    vm.native_error(message.as_bytes())
}

/// The highest key and how many there are, if all are whole and above 0.
fn array_length(table: &Table) -> Option<(i32, i32)> {
    let (mut highest, mut count) = (0_i32, 0_i32);
    let mut key = Value::Nil;
    while let Ok(Some((next, _))) = table.next(key) {
        key = next;
        match key {
            Value::Number(number) if number >= 1.0 && number.floor() == number => {
                if number > f64::from(highest) {
                    // What C makes of a double that is out of range.
                    highest = match number > f64::from(i32::MAX) {
                        true => i32::MIN,
                        false => number as i32,
                    };
                }
                count = count.wrapping_add(1);
            }
            _ => return None,
        }
    }
    Some((highest, count))
}

impl Writer {
    fn number(&mut self, vm: &mut Vm, number: f64) -> Result<(), Thrown> {
        if !number.is_finite() {
            let text: &[u8] = match setting(vm, self.settings, setting::ENCODE_INVALID) {
                0 => return Err(cannot(vm, "number", "must not be NaN or Inf")),
                1 if number.is_nan() => b"nan",
                1 if number > 0.0 => b"inf",
                1 => b"-inf",
                _ => b"null",
            };
            self.out.put(text);
            return Ok(());
        }
        match setting(vm, self.settings, setting::PRECISION) {
            MAX_PRECISION => write_number(&mut self.out, number),
            precision => {
                let spec = Spec {
                    precision: Some(precision as usize),
                    ..Spec::default()
                };
                spec.float(&mut self.out, number, b'g');
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        let mut from = 0;
        for (at, byte) in text.iter().enumerate() {
            let short = match byte {
                b'"' | b'\\' | b'/' => *byte,
                8 => b'b',
                9 => b't',
                10 => b'n',
                12 => b'f',
                13 => b'r',
                0..32 | 127 => 0,
                _ => continue,
            };
            self.out.put(text.get(from..at).unwrap_or(&[]));
            from = at + 1;
            self.out.push(b'\\');
            if short != 0 {
                self.out.push(short);
                continue;
            }
            self.out.put(b"u00");
            for digit in [byte >> 4, byte & 15] {
                self.out.push(b"0123456789abcdef"[usize::from(digit & 15)]);
            }
        }
        self.out.put(text.get(from..).unwrap_or(&[]));
        self.out.push(b'"');
    }

    /// Writes a value, or the beginning of a table.
    fn value(&mut self, vm: &mut Vm, host: &mut dyn Host, value: Value) -> Result<(), Thrown> {
        vm.burn(host)?;
        match value {
            Value::Nil => self.out.put(b"null"),
            value if value == Value::NULL => self.out.put(b"null"),
            Value::Bool(true) => self.out.put(b"true"),
            Value::Bool(false) => self.out.put(b"false"),
            Value::Number(number) => self.number(vm, number)?,
            Value::String(text) => self.text(vm.heap.bytes(text)),
            Value::Table(table) => self.begin(vm, host, table)?,
            other => return Err(cannot(vm, other.type_name(), "type not supported")),
        }
        vm.make_room(self.out.len())
    }

    fn begin(&mut self, vm: &mut Vm, host: &mut dyn Host, table: TableId) -> Result<(), Thrown> {
        let depth = self.levels.len() + 1;
        let most = setting(vm, self.settings, setting::ENCODE_DEPTH);
        if depth > most as usize || self.slots + 3 > MAX_SLOTS {
            let mut message = b"Cannot serialise, excessive nesting (".to_vec();
            write_u64(&mut message, depth as u64);
            message.push(b')');
            return Err(vm.native_error(&message));
        }
        let shape = array_length(vm.heap.table_of(table));
        let mut length = None;
        if let Some((highest, count)) = shape {
            vm.burn_many(host, count as usize)?;
            let ratio = setting(vm, self.settings, setting::SPARSE_RATIO);
            let is_sparse = ratio > 0
                && highest > count.wrapping_mul(ratio)
                && highest > setting(vm, self.settings, setting::SPARSE_SAFE);
            if !is_sparse {
                length = usize::try_from(highest).ok().filter(|length| *length > 0);
            } else if setting(vm, self.settings, setting::SPARSE_CONVERT) == 0 {
                return Err(cannot(vm, "table", "excessively sparse array"));
            }
        }
        self.out.push(if length.is_some() { b'[' } else { b'{' });
        self.slots += if length.is_some() { 1 } else { 2 };
        self.levels.push(Level {
            table,
            length,
            count: 0,
            key: Value::Nil,
        });
        Ok(())
    }

    /// What comes next in the innermost table; None when everything is written.
    fn next(&mut self, vm: &mut Vm) -> Result<Option<Value>, Thrown> {
        while let Some(level) = self.levels.last_mut() {
            let table = vm.heap.table_of(level.table);
            if let Some(length) = level.length {
                if level.count < length {
                    level.count += 1;
                    let value = table.get_index(level.count);
                    if level.count > 1 {
                        self.out.push(b',');
                    }
                    return Ok(Some(value));
                }
                self.out.push(b']');
                self.slots -= 1;
            } else {
                if let Ok(Some((key, value))) = table.next(level.key) {
                    level.key = key;
                    level.count += 1;
                    if level.count > 1 {
                        self.out.push(b',');
                    }
                    self.key(vm, key)?;
                    return Ok(Some(value));
                }
                self.out.push(b'}');
                self.slots -= 2;
            }
            self.levels.pop();
        }
        Ok(None)
    }

    fn key(&mut self, vm: &mut Vm, key: Value) -> Result<(), Thrown> {
        match key {
            Value::Number(number) => {
                self.out.push(b'"');
                self.number(vm, number)?;
                self.out.push(b'"');
            }
            Value::String(text) => self.text(vm.heap.bytes(text)),
            other => {
                let why = "table key must be a number or string";
                return Err(cannot(vm, other.type_name(), why));
            }
        }
        self.out.push(b':');
        Ok(())
    }
}

/// The library's functions of values take one argument.
fn check_one(vm: &mut Vm, call: &Call) -> Result<(), Thrown> {
    match call.count {
        1 => Ok(()),
        _ => Err(call.bad(vm, 0, b"expected 1 argument")),
    }
}

fn encode(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    check_one(vm, call)?;
    let mut writer = Writer {
        out: Vec::new(),
        levels: Vec::new(),
        slots: 1,
        settings: settings_of(vm, call),
    };
    let mut value = call.arg(vm, 0);
    loop {
        writer.value(vm, host, value)?;
        match writer.next(vm)? {
            Some(next) => value = next,
            None => break,
        }
    }
    let text = vm.heap.string_owned(writer.out)?;
    call.give(vm, Value::String(text))
}

fn decode(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    check_one(vm, call)?;
    let text = call.string(vm, 0)?;
    let text = vm.heap.shared(text);
    let settings = settings_of(vm, call);
    let max_depth = setting(vm, settings, setting::DECODE_DEPTH) as usize;
    let takes_invalid = setting(vm, settings, setting::DECODE_INVALID) != 0;
    let value = json::read(vm, host, &text, max_depth, takes_invalid)?;
    call.give(vm, value)
}
