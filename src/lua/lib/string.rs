//! The string library.

use super::super::call::{Call, to_integer};
use super::super::format::Spec;
use super::super::function::{Function, Native};
use super::super::lexer::c_length;
use super::super::value::{TableId, Value};
use super::super::vm::{Host, Thrown, Vm};
use super::Functions;
use super::pattern::{Capture, Matcher};
use crate::algorithms::bytes::Append;

pub const FUNCTIONS: &Functions = &[
    ("byte", byte),
    ("char", char),
    ("dump", dump),
    ("find", find),
    ("format", format),
    ("gfind", gmatch),
    ("gmatch", gmatch),
    ("gsub", gsub),
    ("len", len),
    ("lower", lower),
    ("match", match_text),
    ("rep", rep),
    ("reverse", reverse),
    ("sub", sub),
    ("upper", upper),
];

/// Characters that make a text more than a plain one to `find`.
const SPECIALS: &[u8] = b"^$*+?.([%-";
const MAX_WIDTH_DIGITS: usize = 2;
/// The longest run of flags.
const MAX_FLAGS: usize = 5;
/// Longer strings are not cut to a precision they do not have.
const LONG_TEXT: usize = 100;
/// Results that still fit on a C stack.
const MAX_RESULTS: usize = 8000;

/// All strings have the library's functions as methods.
pub fn open(vm: &mut Vm, table: TableId) {
    let metatable = vm.heap.table(0, 1).unwrap_or(TableId(u32::MAX));
    vm.set_field(metatable, "__index", Value::Table(table));
    vm.string_metatable = Some(metatable);
}

/// A place counted from 1, or from the end if negative, as one counted from 1.
fn relative(position: i64, length: usize) -> i64 {
    let position = match position < 0 {
        true => position + length as i64 + 1,
        false => position,
    };
    position.max(0)
}

/// The bytes from place `from` to `to`, both counted from 1 and included.
fn span(text: &[u8], from: i64, to: i64) -> &[u8] {
    let from = relative(from, text.len()).max(1);
    let to = relative(to, text.len()).min(text.len() as i64);
    if from > to {
        return &[];
    }
    text.get(from as usize - 1..to as usize).unwrap_or(&[])
}

fn len(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let text = call.string(vm, 0)?;
    let length = vm.heap.bytes(text).len();
    call.give_number(vm, length as f64)
}

fn sub(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let text = call.string(vm, 0)?;
    let (from, to) = (call.integer(vm, 1)?, call.integer_or(vm, 2, -1)?);
    let text = vm.heap.shared(text);
    call.give_text(vm, span(&text, from, to))
}

fn mapped(vm: &mut Vm, call: &Call, change: fn(&mut [u8])) -> Result<usize, Thrown> {
    let mut text = call.bytes(vm, 0)?;
    change(&mut text);
    let text = vm.heap.string_owned(text)?;
    call.give(vm, Value::String(text))
}

fn lower(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    mapped(vm, call, <[u8]>::make_ascii_lowercase)
}

fn upper(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    mapped(vm, call, <[u8]>::make_ascii_uppercase)
}

fn reverse(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    mapped(vm, call, <[u8]>::reverse)
}

fn rep(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let text = call.string(vm, 0)?;
    let count = usize::try_from(call.int(vm, 1)?.max(0)).unwrap_or(usize::MAX);
    let text = vm.heap.shared(text);
    vm.make_room(text.len().saturating_mul(count))?;
    let text = vm.heap.string_owned(text.repeat(count))?;
    call.give(vm, Value::String(text))
}

fn byte(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let text = call.string(vm, 0)?;
    let from = call.integer_or(vm, 1, 1)?;
    let text = vm.heap.shared(text);
    let from = relative(from, text.len());
    let to = call.integer_or(vm, 2, from)?;
    let bytes = span(&text, from, to);
    if from <= 0 && to <= 0 {
        return Ok(0);
    }
    if bytes.len() >= MAX_RESULTS {
        return Err(vm.native_error(b"stack overflow (string slice too long)"));
    }
    for byte in bytes {
        call.push(vm, Value::Number(f64::from(*byte)))?;
    }
    Ok(bytes.len())
}

fn char(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let mut text = Vec::with_capacity(call.count);
    for at in 0..call.count {
        let code = call.int(vm, at)?;
        let Ok(code) = u8::try_from(code) else {
            return Err(call.bad(vm, at, b"invalid value"));
        };
        text.push(code);
    }
    call.give_text(vm, &text)
}

fn dump(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    if Function::of(call.arg(vm, 0)).is_none() {
        return Err(call.bad_type(vm, 0, "function"));
    }
    Err(vm.native_error(b"unable to dump given function"))
}

// ---- patterns ----

/// The value of a capture; without any captures the whole match.
fn capture_value(
    matcher: &mut Matcher<'_>,
    level: usize,
    from: usize,
    to: usize,
) -> Result<Value, Thrown> {
    let capture = match matcher.captures.get(level) {
        Some(capture) => *capture,
        None if level == 0 => Capture::Span(from, to),
        None => return Err(matcher.vm.native_error(b"invalid capture index")),
    };
    match capture {
        Capture::Position(at) => Ok(Value::Number((at + 1) as f64)),
        Capture::Span(from, to) => {
            let text = matcher.source.get(from..to).unwrap_or(&[]);
            matcher.vm.text(text)
        }
        Capture::Open(_) => Err(matcher.vm.native_error(b"unfinished capture")),
    }
}

fn push_captures(
    matcher: &mut Matcher<'_>,
    call: &Call,
    from: usize,
    to: usize,
    with_whole: bool,
) -> Result<usize, Thrown> {
    let count = match matcher.captures.len() {
        0 if with_whole => 1,
        count => count,
    };
    for level in 0..count {
        let value = capture_value(matcher, level, from, to)?;
        call.push(matcher.vm, value)?;
    }
    Ok(count)
}

fn find_first(text: &[u8], pattern: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    if pattern.is_empty() {
        return Some(from);
    }
    // First by first byte: texts are short, and whoever searches a long one pays for it.
    let (first, tail) = pattern.split_first()?;
    let starts = rest
        .iter()
        .enumerate()
        .filter(|(_, byte)| *byte == first)
        .map(|(at, _)| at);
    starts
        .into_iter()
        .find(|at| {
            rest.get(at + 1..)
                .is_some_and(|rest| rest.starts_with(tail))
        })
        .map(|at| from + at)
}

fn search(vm: &mut Vm, host: &mut dyn Host, call: &Call, is_find: bool) -> Result<usize, Thrown> {
    let (text, pattern) = (call.string(vm, 0)?, call.string(vm, 1)?);
    let init = call.integer_or(vm, 2, 1)?;
    let (text, pattern) = (vm.heap.shared(text), vm.heap.shared(pattern));
    let start = (relative(init, text.len()) - 1).clamp(0, text.len() as i64) as usize;
    let is_plain = call.arg(vm, 3).is_true() || !pattern.iter().any(|byte| SPECIALS.contains(byte));
    if is_find && is_plain {
        vm.burn_many(host, text.len() / 64)?;
        return match find_first(&text, &pattern, start) {
            Some(at) => {
                call.push(vm, Value::Number((at + 1) as f64))?;
                call.push(vm, Value::Number((at + pattern.len()) as f64))?;
                Ok(2)
            }
            None => call.give(vm, Value::Nil),
        };
    }
    let is_anchored = pattern.first() == Some(&b'^');
    let mut matcher = Matcher::new(vm, host, &text, &pattern);
    for at in start..=text.len() {
        if let Some(end) = matcher.match_at(at, usize::from(is_anchored))? {
            if !is_find {
                return push_captures(&mut matcher, call, at, end, true);
            }
            call.push(matcher.vm, Value::Number((at + 1) as f64))?;
            call.push(matcher.vm, Value::Number(end as f64))?;
            return Ok(2 + push_captures(&mut matcher, call, at, end, false)?);
        }
        if is_anchored {
            break;
        }
    }
    call.give(vm, Value::Nil)
}

fn find(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    search(vm, host, call, true)
}

fn match_text(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    search(vm, host, call, false)
}

fn gmatch_step(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let (Value::String(text), Value::String(pattern), Value::Number(from)) = (
        call.upvalue(vm, 0),
        call.upvalue(vm, 1),
        call.upvalue(vm, 2),
    ) else {
        return Ok(0);
    };
    let (text, pattern) = (vm.heap.shared(text), vm.heap.shared(pattern));
    let mut matcher = Matcher::new(vm, host, &text, &pattern);
    for at in from as usize..=text.len() {
        if let Some(end) = matcher.match_at(at, 0)? {
            // An empty match goes on one further.
            let next = if end == at { end + 1 } else { end };
            call.set_upvalue(matcher.vm, 2, Value::Number(next as f64));
            return push_captures(&mut matcher, call, at, end, true);
        }
    }
    Ok(0)
}

fn gmatch(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let (text, pattern) = (call.string(vm, 0)?, call.string(vm, 1)?);
    let native = vm.heap.native(Native {
        run: gmatch_step,
        upvalues: vec![
            Value::String(text),
            Value::String(pattern),
            Value::Number(0.0),
        ],
        ..Native::default()
    })?;
    call.give(vm, Value::Native(native))
}

/// Appends what a match is replaced by.
fn replace(
    matcher: &mut Matcher<'_>,
    call: &Call,
    out: &mut Vec<u8>,
    from: usize,
    to: usize,
) -> Result<(), Thrown> {
    let by = call.arg(matcher.vm, 2);
    let value = match by {
        Value::String(_) | Value::Number(_) => return expand(matcher, call, out, from, to),
        Value::Table(_) => {
            let key = capture_value(matcher, 0, from, to)?;
            matcher.vm.index(matcher.host, by, key, None)?
        }
        function => {
            let count = matcher.captures.len().max(1);
            let mut args = Vec::with_capacity(count);
            for level in 0..count {
                let value = capture_value(matcher, level, from, to)?;
                // Pushed as well, so that a collection finds them.
                call.push(matcher.vm, value)?;
                args.push(value);
            }
            let result = matcher.vm.call_values(matcher.host, function, &args);
            matcher.vm.thread.top -= count;
            result?
        }
    };
    match value {
        Value::Nil | Value::Bool(false) => {
            out.put(matcher.source.get(from..to).unwrap_or(&[]));
        }
        Value::String(_) | Value::Number(_) => matcher.vm.append_text(out, value),
        other => {
            let message = ["invalid replacement value (a ", other.type_name(), ")"].concat();
            return Err(matcher.vm.native_error(message.as_bytes()));
        }
    }
    Ok(())
}

/// Appends a replacement text with its captures filled in.
fn expand(
    matcher: &mut Matcher<'_>,
    call: &Call,
    out: &mut Vec<u8>,
    from: usize,
    to: usize,
) -> Result<(), Thrown> {
    let text = call.string(matcher.vm, 2)?;
    let text = matcher.vm.heap.shared(text);
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'0') => out.put(matcher.source.get(from..to).unwrap_or(&[])),
            Some(digit @ b'1'..=b'9') => {
                let value = capture_value(matcher, usize::from(digit - b'1'), from, to)?;
                matcher.vm.append_text(out, value);
            }
            Some(other) => out.push(other),
            None => out.push(0),
        }
    }
    Ok(())
}

fn gsub(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let (text, pattern) = (call.string(vm, 0)?, call.string(vm, 1)?);
    let by = call.arg(vm, 2);
    let is_right = matches!(by, Value::String(_) | Value::Number(_) | Value::Table(_))
        || Function::of(by).is_some();
    let (text, pattern) = (vm.heap.shared(text), vm.heap.shared(pattern));
    let limit = match call.arg(vm, 3) {
        Value::Nil => text.len() as i64 + 1,
        _ => call.int(vm, 3)?,
    };
    if !is_right {
        return Err(call.bad(vm, 2, b"string/function/table expected"));
    }
    let is_anchored = pattern.first() == Some(&b'^');
    let mut matcher = Matcher::new(vm, host, &text, &pattern);
    let (mut out, mut at, mut count) = (Vec::new(), 0, 0);
    while count < limit {
        let end = matcher.match_at(at, usize::from(is_anchored))?;
        if let Some(end) = end {
            count += 1;
            replace(&mut matcher, call, &mut out, at, end)?;
        }
        match end {
            Some(end) if end > at => at = end,
            _ if at < text.len() => {
                out.push(text[at]);
                at += 1;
            }
            _ => break,
        }
        if out.len() > matcher.vm.heap.left_bytes() {
            return Err(Thrown);
        }
        if is_anchored {
            break;
        }
    }
    out.put(text.get(at..).unwrap_or(&[]));
    let result = vm.heap.string_owned(out)?;
    call.push(vm, Value::String(result))?;
    call.push(vm, Value::Number(count as f64))?;
    Ok(2)
}

// ---- format ----

/// Reads what stands between `%` and the conversion's letter.
fn read_spec(vm: &mut Vm, format: &[u8], at: &mut usize) -> Result<Spec, Thrown> {
    let mut spec = Spec::default();
    let start = *at;
    while let Some(flag) = format.get(*at) {
        match flag {
            b'-' => spec.left = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'#' => spec.alternate = true,
            b'0' => spec.zero = true,
            _ => break,
        }
        *at += 1;
    }
    if *at - start > MAX_FLAGS {
        return Err(vm.native_error(b"invalid format (repeated flags)"));
    }
    let number = |at: &mut usize| {
        let mut value = 0;
        for _ in 0..MAX_WIDTH_DIGITS {
            let Some(digit) = format.get(*at).filter(|byte| byte.is_ascii_digit()) else {
                break;
            };
            value = value * 10 + usize::from(digit - b'0');
            *at += 1;
        }
        value
    };
    spec.width = number(at);
    if format.get(*at) == Some(&b'.') {
        *at += 1;
        spec.precision = Some(number(at));
    }
    if format.get(*at).is_some_and(u8::is_ascii_digit) {
        return Err(vm.native_error(b"invalid format (width or precision too long)"));
    }
    Ok(spec)
}

/// Appends text so that the compiler reads it back.
fn quote(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' | b'\n' => out.put(&[b'\\', *byte]),
            b'\r' => out.put(b"\\r"),
            0 => out.put(b"\\000"),
            byte => out.push(*byte),
        }
    }
    out.push(b'"');
}

fn format(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let format = call.string(vm, 0)?;
    let format = vm.heap.shared(format);
    let mut out = std::mem::take(&mut vm.scratch);
    out.clear();
    let (mut at, mut arg) = (0, 0);
    while let Some(&byte) = format.get(at) {
        at += 1;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        if format.get(at) == Some(&b'%') {
            out.push(b'%');
            at += 1;
            continue;
        }
        arg += 1;
        if arg >= call.count {
            return Err(call.bad(vm, arg, b"no value"));
        }
        let spec = read_spec(vm, &format, &mut at)?;
        let letter = format.get(at).copied().unwrap_or(0);
        at += 1;
        convert(vm, call, &mut out, &spec, letter, arg)?;
        if out.len() > vm.heap.left_bytes() {
            return Err(Thrown);
        }
    }
    let text = vm.heap.string(&out);
    vm.keep_scratch(out);
    call.give(vm, Value::String(text?))
}

fn convert(
    vm: &mut Vm,
    call: &Call,
    out: &mut Vec<u8>,
    spec: &Spec,
    letter: u8,
    arg: usize,
) -> Result<(), Thrown> {
    match letter {
        b'c' => {
            let code = call.number(vm, arg)?;
            // A C int: what is none has zeros in its last byte.
            let is_int = (-2_147_483_648.0..2_147_483_648.0).contains(&code.trunc());
            let byte = if is_int { code as i64 as u8 } else { 0 };
            let before = out.len();
            let spec = Spec {
                precision: None,
                ..*spec
            };
            spec.text(out, &[byte]);
            // What is formatted ends at its first zero byte, as in C.
            let shown = c_length(out.get(before..).unwrap_or(&[]));
            out.truncate(before + shown);
        }
        b'd' | b'i' => spec.signed(out, to_integer(call.number(vm, arg)?)),
        b'o' | b'u' | b'x' | b'X' => {
            let number = call.number(vm, arg)?;
            const HALF: f64 = 9_223_372_036_854_775_808.0;
            let value = match number >= HALF {
                true => to_integer(number - HALF) as u64 ^ 1 << 63,
                false => to_integer(number) as u64,
            };
            spec.unsigned(out, value, letter);
        }
        b'e' | b'E' | b'f' | b'g' | b'G' => {
            let number = call.number(vm, arg)?;
            spec.float(out, number, letter);
        }
        b'q' => {
            let text = call.bytes(vm, arg)?;
            quote(out, &text);
        }
        b's' => {
            let text = call.bytes(vm, arg)?;
            if spec.precision.is_none() && text.len() >= LONG_TEXT {
                out.put(&text);
            } else {
                // C ends a text at its first zero byte.
                let shown = text.split(|byte| *byte == 0).next().unwrap_or(&[]);
                spec.text(out, shown);
            }
        }
        other => {
            let mut message = b"invalid option '%".to_vec();
            if other != 0 {
                message.push(other);
            }
            message.put(b"' to 'format'");
            return Err(vm.native_error(&message));
        }
    }
    Ok(())
}
