//! How the debugger shows values, commands and replies.

use super::super::convert::{self, Cells};
use crate::algorithms::bytes::Append;
use crate::algorithms::num;
use crate::lua::format::Spec;
use crate::lua::{Value, Vm};
use crate::resp::{Cell, Reply};
use crate::state::scripts::Fields;

/// Tables within tables are shown so deep.
const MAX_DEPTH: usize = 10;
const TOO_DEEP: &[u8] = b"<max recursion level reached! Nested table?>";
/// Words of a command that are shown.
const SHOWN_WORDS: usize = 10;

/// A text in quotes, with escapes for what cannot be printed.
fn quoted(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.put(&[b'\\', byte]),
            b'\n' => out.put(b"\\n"),
            b'\r' => out.put(b"\\r"),
            b'\t' => out.put(b"\\t"),
            0x07 => out.put(b"\\a"),
            0x08 => out.put(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.put(b"\\x");
                out.push(DIGITS.get(high).copied().unwrap_or(b'0'));
                out.push(DIGITS.get(low).copied().unwrap_or(b'0'));
            }
        }
    }
    out.push(b'"');
}

/// A value of the script.
pub fn value(vm: &Vm, shown: Value, depth: usize, out: &mut Vec<u8>) {
    if depth == MAX_DEPTH {
        return out.put(TOO_DEEP);
    }
    match shown {
        Value::String(text) => quoted(vm.heap.bytes(text), out),
        Value::Nil => out.put(b"nil"),
        Value::Bool(true) => out.put(b"true"),
        Value::Bool(false) => out.put(b"false"),
        Value::Number(number) => Spec::default().float(out, number, b'g'),
        Value::Table(_) => table(vm, shown, depth, out),
        _ => {
            out.push(b'"');
            out.put(shown.type_name().as_bytes());
            out.put(b"@0x");
            let mut digits = Vec::new();
            Spec::default().unsigned(&mut digits, u64::from(vm.address(shown)), b'x');
            out.put(&digits);
            out.push(b'"');
        }
    }
}

fn table(vm: &Vm, shown: Value, depth: usize, out: &mut Vec<u8>) {
    let Value::Table(id) = shown else {
        return;
    };
    let mut pairs = Vec::new();
    let mut last = Value::Nil;
    while let Ok(Some((key, value))) = vm.heap.table_of(id).next(last) {
        pairs.push((key, value));
        last = key;
    }
    let mut expected = (1..).map(|number| Value::Number(f64::from(number)));
    let is_list = pairs.iter().all(|(key, _)| Some(*key) == expected.next());
    out.push(b'{');
    for (at, (key, element)) in pairs.into_iter().enumerate() {
        if at > 0 {
            out.put(b"; ");
        }
        if !is_list {
            out.push(b'[');
            value(vm, key, depth + 1, out);
            out.put(b"]=");
        }
        value(vm, element, depth + 1, out);
    }
    out.push(b'}');
}

/// A command's first words.
pub fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, arg) in args.iter().enumerate() {
        if at == SHOWN_WORDS {
            out.put(b" ... (");
            num::write_u64(&mut out, (args.len() - at - 1) as u64);
            out.put(b" more)");
            break;
        }
        if at > 0 {
            out.push(b' ');
        }
        out.put(arg);
    }
    out
}

/// A reply, for people.
pub fn reply(reply: &Reply, fields: &Fields) -> Vec<u8> {
    let mut out = Vec::new();
    let mut cells = Cells::of(reply, fields);
    element(&mut cells, reply.is_resp3(), &mut out);
    out
}

fn element(cells: &mut Cells, resp3: bool, out: &mut Vec<u8>) {
    let Some((kind, length)) = cells.next() else {
        return;
    };
    let is = |cell: Cell| kind == cell as u32;
    if is(Cell::Int) {
        num::write_i64(out, i64::from(length as i32));
    } else if is(Cell::Int64) {
        num::write_i64(out, cells.wide() as i64);
    } else if is(Cell::Bulk) {
        quoted(cells.take(length), out);
    } else if is(Cell::Status) {
        quoted(&[b"+", cells.take(length)].concat(), out);
    } else if is(Cell::Error) {
        quoted(&[b"-", cells.take(length)].concat(), out);
    } else if is(Cell::Nil) || is(Cell::NilArray) {
        out.put(if resp3 { b"(null)" } else { b"NULL" });
    } else if is(Cell::Bool) {
        out.put(if length != 0 { b"#true" } else { b"#false" });
    } else if is(Cell::Double) {
        out.put(b"(double) ");
        convert::write_number(out, f64::from_bits(cells.wide()));
    } else if is(Cell::Array) {
        elements(cells, length, resp3, [b"[", b"]"], out);
    } else if is(Cell::Set) {
        elements(cells, length, resp3, [b"~(", b")"], out);
    } else if is(Cell::Map) {
        out.push(b'{');
        for at in 0..length {
            if at > 0 {
                out.push(b',');
            }
            element(cells, resp3, out);
            out.put(b" => ");
            element(cells, resp3, out);
        }
        out.push(b'}');
    } else {
        // Texts with a format and big numbers are not shown.
        cells.take(length);
    }
}

fn elements(
    cells: &mut Cells,
    count: u32,
    resp3: bool,
    [open, close]: [&[u8]; 2],
    out: &mut Vec<u8>,
) {
    out.put(open);
    for at in 0..count {
        if at > 0 {
            out.push(b',');
        }
        element(cells, resp3, out);
    }
    out.put(close);
}
