//! The functions without a library's name.

use super::super::call::Call;
use super::super::function::{Function, Native, Run, Special, Userdata};
use super::super::lexer::c_length;
use super::super::table::Table;
use super::super::value::{TableId, Value};
use super::super::vm::{Host, Thrown, Unwinding, Vm};
use super::Functions;
use crate::algorithms::bytes::Append;
use crate::algorithms::num::write_i64;

const FUNCTIONS: &Functions = &[
    ("assert", assert),
    ("collectgarbage", collectgarbage),
    ("error", error),
    ("gcinfo", gcinfo),
    ("getfenv", getfenv),
    ("getmetatable", getmetatable),
    ("load", load),
    ("loadstring", loadstring),
    ("newproxy", newproxy),
    ("rawequal", rawequal),
    ("rawget", rawget),
    ("rawset", rawset),
    ("select", select),
    ("setfenv", setfenv),
    ("setmetatable", setmetatable),
    ("tonumber", tonumber),
    ("tostring", tostring),
    ("type", type_of),
    ("unpack", unpack),
    ("xpcall", xpcall),
];

/// So many values are unpacked for a step.
const VALUES_A_STEP: usize = 16;
/// Results beyond this do not fit on a C stack.
const MAX_UNPACKED: f64 = 8000.0;

pub fn open(vm: &mut Vm, globals: TableId) {
    for (name, run) in FUNCTIONS {
        vm.register(globals, name, *run);
    }
    let pcall = vm.heap.native(Native {
        special: Special::Protected,
        ..Native::default()
    });
    if let Ok(pcall) = pcall {
        vm.set_field(globals, "pcall", Value::Native(pcall));
    }
    for (name, run, special, iterator) in [
        ("pairs", pairs as Run, Special::Next, next as Run),
        ("ipairs", ipairs, Special::NextIndex, ipairs_step),
    ] {
        open_traversal(vm, globals, name, run, special, iterator);
    }
    vm.set_field(globals, "_G", Value::Table(globals));
    let version = Value::String(vm.heap.name("Lua 5.1"));
    vm.set_field(globals, "_VERSION", version);
}

/// A function that begins a traversal, with the one that goes on with it as its upvalue.
fn open_traversal(
    vm: &mut Vm,
    globals: TableId,
    name: &str,
    run: Run,
    special: Special,
    iterator: Run,
) {
    let iterator = vm.heap.native(Native {
        run: iterator,
        special,
        ..Native::default()
    });
    let Ok(iterator) = iterator.map(Value::Native) else {
        return;
    };
    if special == Special::Next {
        vm.set_field(globals, "next", iterator);
    }
    let begin = vm.heap.native(Native {
        run,
        upvalues: vec![iterator],
        ..Native::default()
    });
    if let Ok(begin) = begin {
        vm.set_field(globals, name, Value::Native(begin));
    }
}

fn assert(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    if call.any(vm, 0)?.is_true() {
        return Ok(call.count);
    }
    let message = match call.arg(vm, 1) {
        Value::Nil => b"assertion failed!".to_vec(),
        _ => {
            // C ends a text at its first zero byte.
            let mut message = call.bytes(vm, 1)?;
            message.truncate(c_length(&message));
            message
        }
    };
    Err(vm.native_error(&message))
}

/// A collection that a script asks for, and pays for.
fn collect(vm: &mut Vm) {
    const BYTES_A_STEP: usize = 512;
    vm.pay(vm.heap.used_bytes / BYTES_A_STEP);
    vm.collect();
}

fn collectgarbage(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let option = match call.arg(vm, 0) {
        Value::Nil => b"collect".to_vec(),
        _ => call.bytes(vm, 0)?,
    };
    const OPTIONS: [&[u8]; 7] = [
        b"collect",
        b"count",
        b"step",
        b"setpause",
        b"setstepmul",
        b"stop",
        b"restart",
    ];
    if !OPTIONS.contains(&option.as_slice()) {
        let why = [b"invalid option '".as_slice(), &option, b"'"].concat();
        return Err(call.bad(vm, 0, &why));
    }
    let setting = call.int_or(vm, 1, 0)? as f64;
    let kilobytes = |vm: &Vm| vm.heap.used_bytes as f64 / 1024.0;
    let result = match option.as_slice() {
        b"collect" => {
            collect(vm);
            0.0
        }
        b"count" => kilobytes(vm),
        b"step" => {
            collect(vm);
            return call.give(vm, Value::Bool(true));
        }
        // Nothing but what was set last: the collector has a pace of its own.
        b"setpause" | b"setstepmul" => {
            let place = usize::from(option == b"setstepmul");
            std::mem::replace(&mut vm.collector_settings[place], setting)
        }
        _ => 0.0,
    };
    call.give_number(vm, result)
}

fn gcinfo(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let kilobytes = (vm.heap.used_bytes / 1024) as f64;
    call.give_number(vm, kilobytes)
}

fn error(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let level = call.int_or(vm, 1, 1)?;
    let value = call.arg(vm, 0);
    if let (Value::String(_) | Value::Number(_), Ok(level)) = (value, usize::try_from(level))
        && level > 0
    {
        let mut message = vm.place(level);
        vm.append_text(&mut message, value);
        return Err(vm.throw_text(&message));
    }
    Err(vm.throw(value))
}

// ---- environments ----

/// The function that an argument means: itself, or the one so many levels up.
fn function_at(vm: &mut Vm, call: &Call, at: usize) -> Result<Option<Value>, Thrown> {
    let value = call.arg(vm, at);
    if Function::of(value).is_some() {
        return Ok(Some(value));
    }
    let level = call.int_or(vm, at, 1)?;
    if level < 0 {
        return Err(call.bad(vm, at, b"level must be non-negative"));
    }
    if level == 0 {
        return Ok(None);
    }
    let place = usize::try_from(level).unwrap_or(usize::MAX);
    match vm.frame_at(place) {
        Some(Some(frame)) => Ok(Some(frame.function.value())),
        Some(None) => {
            let mut message = b"no function environment for tail call at level ".to_vec();
            write_i64(&mut message, level);
            Err(vm.native_error(&message))
        }
        None => Err(call.bad(vm, at, b"invalid level")),
    }
}

fn getfenv(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let environment = match function_at(vm, call, 0)? {
        Some(Value::Closure(id)) => vm.heap.closures.get(id.0).map(|found| found.environment),
        Some(_) => None,
        None => Some(vm.thread.environment),
    };
    let environment = environment.unwrap_or(vm.globals);
    call.give(vm, Value::Table(environment))
}

fn setfenv(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 1)?;
    match function_at(vm, call, 0)? {
        None => {
            vm.thread.environment = table;
            Ok(0)
        }
        Some(Value::Closure(id)) => {
            if let Some(closure) = vm.heap.closures.get_mut(id.0) {
                closure.environment = table;
            }
            call.give(vm, Value::Closure(id))
        }
        Some(_) => Err(vm.native_error(b"'setfenv' cannot change environment of given object")),
    }
}

// ---- metatables and raw access ----

fn getmetatable(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let value = call.any(vm, 0)?;
    let result = match vm.metatable(value) {
        None => Value::Nil,
        Some(metatable) => match vm.heap.table_of(metatable).get_str(vm.names.metatable) {
            Value::Nil => Value::Table(metatable),
            protection => protection,
        },
    };
    call.give(vm, result)
}

fn setmetatable(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let metatable = match call.arg(vm, 1) {
        Value::Nil if call.has(1) => None,
        Value::Table(metatable) => Some(metatable),
        _ => return Err(call.bad(vm, 1, b"nil or table expected")),
    };
    let name = vm.names.metatable;
    if !vm.metamethod(Value::Table(table), name).is_nil() {
        return Err(vm.native_error(b"cannot change a protected metatable"));
    }
    if vm.heap.table_of(table).is_readonly {
        return Err(vm.error(b"Attempt to modify a readonly table"));
    }
    vm.heap.table_mut(table).metatable = metatable;
    call.give(vm, Value::Table(table))
}

fn rawequal(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let (one, two) = (call.any(vm, 0)?, call.any(vm, 1)?);
    call.give(vm, Value::Bool(one == two))
}

fn rawget(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let key = call.any(vm, 1)?;
    let value = vm.heap.table_of(table).get(key);
    call.give(vm, value)
}

fn rawset(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let (key, value) = (call.any(vm, 1)?, call.any(vm, 2)?);
    if vm.heap.table_of(table).is_readonly {
        return Err(vm.error(b"Attempt to modify a readonly table"));
    }
    vm.set_raw(table, key, value)?;
    call.give(vm, Value::Table(table))
}

fn newproxy(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let metatable = match call.arg(vm, 0) {
        Value::Nil | Value::Bool(false) => None,
        Value::Bool(true) => Some(vm.heap.table(0, 0)?),
        Value::Userdata(id) => vm
            .heap
            .userdata
            .get(id.0)
            .and_then(|userdata| userdata.metatable),
        _ => return Err(call.bad(vm, 0, b"boolean or proxy expected")),
    };
    let userdata = vm.heap.userdata(Userdata {
        metatable,
        environment: None,
    })?;
    call.give(vm, Value::Userdata(userdata))
}

// ---- traversal ----

fn next(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let key = call.arg(vm, 1);
    match Table::next(vm.heap.table_of(table), key) {
        Ok(Some((key, value))) => {
            call.push(vm, key)?;
            call.push(vm, value)?;
            Ok(2)
        }
        Ok(None) => call.give(vm, Value::Nil),
        Err(()) => Err(vm.error(b"invalid key to 'next'")),
    }
}

fn pairs(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let iterator = call.upvalue(vm, 0);
    call.push(vm, iterator)?;
    call.push(vm, Value::Table(table))?;
    call.push(vm, Value::Nil)?;
    Ok(3)
}

fn ipairs_step(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let index = call.int(vm, 1)?.wrapping_add(1);
    let value = vm.heap.table_of(table).get_number(index as f64);
    if value.is_nil() {
        return Ok(0);
    }
    call.push(vm, Value::Number(index as f64))?;
    call.push(vm, value)?;
    Ok(2)
}

fn ipairs(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let step = call.upvalue(vm, 0);
    call.push(vm, step)?;
    call.push(vm, Value::Table(table))?;
    call.push(vm, Value::Number(0.0))?;
    Ok(3)
}

fn select(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    if let Value::String(text) = call.arg(vm, 0)
        && vm.heap.bytes(text).first() == Some(&b'#')
    {
        return call.give_number(vm, (call.count - 1) as f64);
    }
    let count = call.count as i64;
    let mut index = call.int(vm, 0)?;
    if index < 0 {
        index += count;
    } else if index > count {
        index = count;
    }
    if index < 1 {
        return Err(call.bad(vm, 0, b"index out of range"));
    }
    Ok((count - index) as usize)
}

fn unpack(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let table = call.table(vm, 0)?;
    let from = call.int_or(vm, 1, 1)?;
    let to = match call.arg(vm, 2) {
        Value::Nil => vm.heap.table_of(table).length() as i64,
        _ => call.int(vm, 2)?,
    };
    if from > to {
        return Ok(0);
    }
    if to as f64 - from as f64 + 1.0 >= MAX_UNPACKED {
        return Err(vm.native_error(b"too many results to unpack"));
    }
    let count = (to - from + 1) as usize;
    vm.pay(count / VALUES_A_STEP);
    for index in from..=to {
        let value = vm.heap.table_of(table).get_number(index as f64);
        call.push(vm, value)?;
    }
    Ok(count)
}

// ---- text ----

fn type_of(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let kind = call.any(vm, 0)?.kind();
    let name = vm.names.types[kind];
    call.give(vm, Value::String(name))
}

/// What `tostring` makes of a value.
pub fn to_text(vm: &mut Vm, host: &mut dyn Host, value: Value) -> Result<Value, Thrown> {
    let method = vm.metamethod(value, vm.names.tostring);
    if !method.is_nil() {
        return vm.call_values(host, method, &[value]);
    }
    plain_text(vm, value)
}

/// The same without regard to metatables.
///
/// # Errors
/// When there is no memory for it.
pub fn plain_text(vm: &mut Vm, value: Value) -> Result<Value, Thrown> {
    if value == Value::NULL {
        return vm.text(b"userdata: (nil)");
    }
    let (kind, id) = match value {
        Value::String(_) => return Ok(value),
        Value::Number(number) => return Ok(Value::String(vm.number_text(number)?)),
        Value::Nil => return vm.text(b"nil"),
        Value::Bool(true) => return vm.text(b"true"),
        Value::Bool(false) => return vm.text(b"false"),
        Value::Table(id) => ("table", id.0),
        Value::Closure(id) => ("function", id.0),
        Value::Native(id) => ("function", id.0 | 1 << 28),
        Value::Coroutine(id) => ("thread", id.0),
        Value::Userdata(id) => ("userdata", id.0),
    };
    let mut text = kind.as_bytes().to_vec();
    // As long as an address is on the machines that servers run on.
    text.put(b": 0x7f00");
    for shift in (0..8).rev() {
        text.push(b"0123456789abcdef"[(id >> (shift * 4) & 15) as usize]);
    }
    vm.text(&text)
}

fn tostring(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let value = call.any(vm, 0)?;
    let text = to_text(vm, host, value)?;
    call.give(vm, text)
}

fn tonumber(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let base = call.int_or(vm, 1, 10)?;
    if base == 10 {
        let value = call.any(vm, 0)?;
        let number = vm.to_number(value).map_or(Value::Nil, Value::Number);
        return call.give(vm, number);
    }
    let mut text = call.bytes(vm, 0)?;
    text.truncate(c_length(&text));
    if !(2..=36).contains(&base) {
        return Err(call.bad(vm, 1, b"base out of range"));
    }
    let number = parse_base(&text, base as u64).map_or(Value::Nil, Value::Number);
    call.give(vm, number)
}

/// C's `strtoul`, with nothing but space behind the digits.
fn parse_base(text: &[u8], base: u64) -> Option<f64> {
    let is_space = |byte: &u8| matches!(byte, b' ' | 9..=13);
    let from = text.iter().position(|byte| !is_space(byte))?;
    let mut rest = text.get(from..)?;
    let is_negative = rest.first() == Some(&b'-');
    if matches!(rest.first(), Some(b'-' | b'+')) {
        rest = rest.get(1..)?;
    }
    if base == 16
        && let [b'0', b'x' | b'X', digit, ..] = rest
        && digit.is_ascii_hexdigit()
    {
        rest = rest.get(2..)?;
    }
    let digit = |byte: &u8| {
        (*byte as char)
            .to_digit(36)
            .filter(|digit| u64::from(*digit) < base)
    };
    let length = rest
        .iter()
        .position(|byte| digit(byte).is_none())
        .unwrap_or(rest.len());
    let (digits, tail) = rest.split_at(length);
    if digits.is_empty() || !tail.iter().all(is_space) {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, byte| {
        value
            .checked_mul(base)?
            .checked_add(u64::from(digit(byte)?))
    });
    Some(match value {
        None => u64::MAX as f64,
        Some(value) if is_negative => value.wrapping_neg() as f64,
        Some(value) => value as f64,
    })
}

// ---- chunks ----

/// Compiles text: the function, or nil and a message. Precompiled chunks are text as any other, and wrong.
fn load_text(vm: &mut Vm, call: &Call, text: &[u8], name: &[u8]) -> Result<usize, Thrown> {
    match vm.load(text, name) {
        Ok(function) => call.give(vm, function),
        Err(thrown) => {
            if vm.unwinding != Unwinding::Error {
                return Err(thrown);
            }
            vm.unwinding = Unwinding::No;
            let message = vm.thrown;
            call.push(vm, Value::Nil)?;
            call.push(vm, message)?;
            Ok(2)
        }
    }
}

fn loadstring(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let text = call.bytes(vm, 0)?;
    let name = match call.arg(vm, 1) {
        Value::Nil => text.clone(),
        _ => call.bytes(vm, 1)?,
    };
    load_text(vm, call, &text, &name)
}

fn load(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let function = call.arg(vm, 0);
    if Function::of(function).is_none() {
        return Err(call.bad_type(vm, 0, "function"));
    }
    let name = match call.arg(vm, 1) {
        Value::Nil => b"=(load)".to_vec(),
        _ => call.bytes(vm, 1)?,
    };
    let mut text = Vec::new();
    while let Some(piece) = next_piece(vm, host, call, function)? {
        let piece = match piece {
            Ok(piece) => piece,
            Err(message) => {
                call.push(vm, Value::Nil)?;
                call.push(vm, message)?;
                return Ok(2);
            }
        };
        let before = text.len();
        vm.append_text(&mut text, piece);
        if text.len() == before {
            break;
        }
        if text.len() > vm.heap.left_bytes() {
            return Err(Thrown);
        }
    }
    load_text(vm, call, &text, &name)
}

/// What the reader of `load` gives next: None at the end, Err with what it threw.
fn next_piece(
    vm: &mut Vm,
    host: &mut dyn Host,
    call: &Call,
    function: Value,
) -> Result<Option<Result<Value, Value>>, Thrown> {
    let at = vm.thread.top;
    call.push(vm, function)?;
    let is_ok = protected(vm, host, at, 0)?;
    let piece = match vm.thread.top > at {
        true => vm.stack(at),
        false => Value::Nil,
    };
    vm.thread.top = at;
    Ok(match piece {
        _ if !is_ok => Some(Err(piece)),
        Value::Nil => None,
        Value::String(_) | Value::Number(_) => Some(Ok(piece)),
        _ => {
            let mut message = vm.place(1);
            message.put(b"reader function must return a string");
            Some(Err(vm.text(&message)?))
        }
    })
}

// ---- protected calls ----

/// Calls the function at a place with the arguments behind it. True: all results are there; false: only what was
/// thrown is.
pub fn protected(
    vm: &mut Vm,
    host: &mut dyn Host,
    at: usize,
    count: usize,
) -> Result<bool, Thrown> {
    let (frames, depth, thread_depth) = (vm.thread.frames.len(), vm.depth, vm.thread.depth);
    match vm.call_at(host, at, count, None) {
        Ok(()) => Ok(true),
        Err(thrown) => {
            if matches!(vm.unwinding, Unwinding::Kill | Unwinding::Yield) {
                return Err(thrown);
            }
            vm.failed_at = vm.blame();
            vm.settle();
            vm.unwind(frames, at, depth, thread_depth);
            vm.unwinding = Unwinding::No;
            let value = std::mem::take(&mut vm.thrown);
            vm.set_stack(at, value);
            vm.thread.top = at + 1;
            Ok(false)
        }
    }
}

/// Puts a truth value before the results from a place on.
pub fn give_status(vm: &mut Vm, at: usize, is_ok: bool) -> Result<usize, Thrown> {
    let top = vm.thread.top;
    vm.ensure(top + 1)?;
    vm.thread.stack.copy_within(at..top, at + 1);
    vm.set_stack(at, Value::Bool(is_ok));
    vm.thread.top = top + 1;
    Ok(top + 1 - at)
}

fn xpcall(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    call.any(vm, 1)?;
    let (at, handler) = (call.place(2), call.arg(vm, 1));
    vm.ensure(at + 2)?;
    let function = call.arg(vm, 0);
    vm.set_stack(at, function);
    let mut is_ok = protected(vm, host, at, 0)?;
    if !is_ok {
        let value = vm.stack(at);
        vm.set_stack(at, handler);
        vm.set_stack(at + 1, value);
        vm.handled_at = vm.failed_at.take();
        let is_handled = protected(vm, host, at, 1);
        vm.handled_at = None;
        if !is_handled? {
            let text = vm.text(b"error in error handling")?;
            vm.set_stack(at, text);
        }
        if vm.thread.top == at {
            vm.set_stack(at, Value::Nil);
        }
        vm.thread.top = at + 1;
        is_ok = false;
    }
    give_status(vm, at, is_ok)
}
