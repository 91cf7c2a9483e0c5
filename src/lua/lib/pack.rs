//! The `struct` library: numbers and text laid out in bytes as a C compiler does it.

use super::super::call::{Call, to_integer};
use super::super::value::Value;
use super::super::vm::{Host, Thrown, Vm};
use super::{Functions, MAX_SLOTS};
use crate::algorithms::bytes::Append;
use crate::algorithms::num::write_i64;

pub const FUNCTIONS: &Functions = &[("pack", pack), ("size", size), ("unpack", unpack)];

/// The widest integer, in bytes.
const MAX_INTEGER_BYTES: usize = 32;
/// What `!` alone aligns to.
const DEFAULT_ALIGNMENT: usize = 8;

/// A format that is being read, and how what follows is laid out.
struct Layout<'a> {
    format: &'a [u8],
    at: usize,
    is_big: bool,
    alignment: usize,
}

/// One element of a format.
struct Element {
    letter: u8,
    bytes: usize,
    /// Bytes left out before it.
    padding: usize,
}

impl Layout<'_> {
    fn new(format: &[u8]) -> Layout<'_> {
        Layout {
            format,
            at: 0,
            is_big: false,
            alignment: 1,
        }
    }

    /// The number that comes next in the format.
    fn number(&mut self, vm: &mut Vm, default: usize) -> Result<usize, Thrown> {
        let (mut value, mut has_digits) = (0_u64, false);
        while let Some(digit) = self
            .format
            .get(self.at)
            .filter(|byte| byte.is_ascii_digit())
        {
            value = value * 10 + u64::from(digit - b'0');
            if value > i32::MAX as u64 {
                return Err(vm.native_error(b"integral size overflow"));
            }
            has_digits = true;
            self.at += 1;
        }
        Ok(if has_digits { value as usize } else { default })
    }

    /// The next element, to be placed behind `total` bytes; None at the end.
    fn next(&mut self, vm: &mut Vm, total: usize) -> Result<Option<Element>, Thrown> {
        // C ends the format at its first zero byte.
        let letter = match self.format.get(self.at) {
            None | Some(0) => return Ok(None),
            Some(letter) => *letter,
        };
        self.at += 1;
        let bytes = match letter {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(vm, 1)?,
            b'i' | b'I' => self.number(vm, 4)?,
            _ => 0,
        };
        if matches!(letter, b'i' | b'I') && bytes > MAX_INTEGER_BYTES {
            let mut message = b"integral size ".to_vec();
            write_i64(&mut message, bytes as i64);
            message.put(b" is larger than limit of 32");
            return Err(vm.native_error(&message));
        }
        let mut padding = 0;
        let alignment = bytes.min(self.alignment);
        if letter != b'c' && alignment > 1 {
            // Sizes that are no power of 2 are padded to where this leads.
            let mask = alignment - 1;
            padding = alignment.wrapping_sub(total & mask) & mask;
        }
        Ok(Some(Element {
            letter,
            bytes,
            padding,
        }))
    }

    /// A letter that stands for no data.
    fn control(&mut self, vm: &mut Vm, call: &Call, letter: u8) -> Result<(), Thrown> {
        match letter {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let alignment = self.number(vm, DEFAULT_ALIGNMENT)?;
                if !alignment.is_power_of_two() {
                    let mut message = b"alignment ".to_vec();
                    write_i64(&mut message, alignment as i64);
                    message.put(b" is not a power of 2");
                    return Err(vm.native_error(&message));
                }
                self.alignment = alignment;
            }
            other => {
                let mut message = b"invalid format option '".to_vec();
                message.push(other);
                message.push(b'\'');
                return Err(call.bad(vm, 0, &message));
            }
        }
        Ok(())
    }

    /// Appends bytes that are in little-endian order.
    fn put(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        let from = out.len();
        out.put(bytes);
        if self.is_big
            && let Some(added) = out.get_mut(from..)
        {
            added.reverse();
        }
    }

    /// The lowest 64 bits of an integer.
    fn get(&self, bytes: &[u8]) -> u64 {
        let mut value = 0;
        for at in 0..bytes.len() {
            let place = match self.is_big {
                true => at,
                false => bytes.len() - 1 - at,
            };
            value = value << 8 | bytes.get(place).map_or(0, |byte| u64::from(*byte));
        }
        value
    }
}

/// What C on x86 makes of a double as 64 bits, signed below 0 and unsigned above.
fn to_bits(number: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    match number >= SIGN as f64 {
        true => to_integer(number - SIGN as f64) as u64 ^ SIGN,
        false => to_integer(number) as u64,
    }
}

/// An argument to be packed; behind the last one stands nil.
fn check(vm: &mut Vm, call: &Call, at: usize, expected: &str) -> Result<(), Thrown> {
    if call.has(at) {
        return Ok(());
    }
    let message = [expected, " expected, got nil"].concat();
    Err(call.bad(vm, at, message.as_bytes()))
}

fn packed_number(vm: &mut Vm, call: &Call, at: &mut usize) -> Result<f64, Thrown> {
    check(vm, call, *at, "number")?;
    let number = call.number(vm, *at)?;
    *at += 1;
    Ok(number)
}

fn pack(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let format = call.string(vm, 0)?;
    let format = vm.heap.shared(format);
    let mut layout = Layout::new(&format);
    let (mut out, mut arg) = (Vec::new(), 1);
    while let Some(element) = layout.next(vm, out.len())? {
        out.resize(out.len() + element.padding, 0);
        match element.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = packed_number(vm, call, &mut arg)?;
                let mut bytes = [0; MAX_INTEGER_BYTES];
                bytes[..8].copy_from_slice(&to_bits(number).to_le_bytes());
                layout.put(&mut out, bytes.get(..element.bytes).unwrap_or(&[]));
            }
            b'x' => out.push(0),
            b'f' => {
                let number = packed_number(vm, call, &mut arg)?;
                layout.put(&mut out, &(number as f32).to_le_bytes());
            }
            b'd' => {
                let number = packed_number(vm, call, &mut arg)?;
                layout.put(&mut out, &number.to_le_bytes());
            }
            b'c' | b's' => {
                check(vm, call, arg, "string")?;
                let text = call.string(vm, arg)?;
                arg += 1;
                let text = vm.heap.shared(text);
                let length = match element.bytes {
                    0 => text.len(),
                    length => length,
                };
                let Some(text) = text.get(..length) else {
                    return Err(call.bad(vm, arg, b"string too short"));
                };
                out.put(text);
                if element.letter == b's' {
                    out.push(0);
                }
            }
            letter => layout.control(vm, call, letter)?,
        }
        if out.len() > vm.heap.left_bytes() {
            return Err(Thrown);
        }
    }
    let text = vm.heap.string_owned(out)?;
    call.give(vm, Value::String(text))
}

fn too_short(vm: &mut Vm, call: &Call) -> Thrown {
    call.bad(vm, 1, b"data string too short")
}

/// The length of a text without one of its own: the value that was read before it, which is taken back.
fn taken_length(vm: &mut Vm, read: usize) -> Result<usize, Thrown> {
    let last = match read {
        0 => None,
        _ => vm.to_number(vm.stack(vm.thread.top - 1)),
    };
    match last {
        Some(number) => {
            vm.thread.top -= 1;
            Ok(usize::try_from(to_bits(number)).unwrap_or(usize::MAX))
        }
        None => Err(vm.native_error(b"format 'c0' needs a previous size")),
    }
}

fn unpack(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let (format, data) = (call.string(vm, 0)?, call.string(vm, 1)?);
    let (format, data) = (vm.heap.shared(format), vm.heap.shared(data));
    let position = call.integer_or(vm, 2, 1)?;
    if position == 0 {
        return Err(call.bad(vm, 2, b"offset must be 1 or greater"));
    }
    // Negative ones count as huge.
    let mut at = usize::try_from(position.wrapping_sub(1) as u64).unwrap_or(usize::MAX);
    let mut layout = Layout::new(&format);
    let mut read = 0;
    let mut has_moved = false;
    while let Some(element) = layout.next(vm, at)? {
        at = at.wrapping_add(element.padding);
        let Some(mut bytes) = span(&data, at, element.bytes) else {
            return Err(too_short(vm, call));
        };
        if call.count + read + 2 > MAX_SLOTS {
            return Err(vm.native_error(b"stack overflow (too many results)"));
        }
        has_moved = true;
        let value = match element.letter {
            b'b' | b'h' | b'l' | b'i' => {
                // Wider than 64 bits, the sign is looked for where x86 shifts to.
                let shift = (8 * bytes.len() as u32).wrapping_sub(1);
                let (bits, high) = (layout.get(bytes), u64::MAX.wrapping_shl(shift));
                let bits = if bits & high == 0 { bits } else { bits | high };
                Value::Number(bits as i64 as f64)
            }
            b'B' | b'H' | b'L' | b'T' | b'I' => Value::Number(layout.get(bytes) as f64),
            b'f' => Value::Number(f64::from(f32::from_bits(layout.get(bytes) as u32))),
            b'd' => Value::Number(f64::from_bits(layout.get(bytes))),
            b'c' => {
                if element.bytes == 0 {
                    let length = taken_length(vm, read)?;
                    read -= 1;
                    bytes = match span(&data, at, length) {
                        Some(bytes) => bytes,
                        None => return Err(too_short(vm, call)),
                    };
                }
                vm.text(bytes)?
            }
            b's' => {
                let rest = data.get(at..).unwrap_or(&[]);
                let Some(end) = rest.iter().position(|byte| *byte == 0) else {
                    return Err(vm.native_error(b"unfinished string in data"));
                };
                bytes = rest.get(..=end).unwrap_or(&[]);
                vm.text(rest.get(..end).unwrap_or(&[]))?
            }
            letter => {
                if letter != b'x' {
                    layout.control(vm, call, letter)?;
                }
                Value::Nil
            }
        };
        at += bytes.len();
        if !value.is_nil() {
            call.push(vm, value)?;
            read += 1;
        }
    }
    let end = match has_moved {
        true => at as f64 + 1.0,
        false => position as f64,
    };
    call.push(vm, Value::Number(end))?;
    Ok(read + 1)
}

fn span(data: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    data.get(at..at.checked_add(length)?)
}

fn size(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let format = call.string(vm, 0)?;
    let format = vm.heap.shared(format);
    let mut layout = Layout::new(&format);
    let mut total: u64 = 0;
    while let Some(element) = layout.next(vm, total as usize)? {
        match element.letter {
            b's' => return Err(call.bad(vm, 0, b"option 's' has no fixed size")),
            b'c' if element.bytes == 0 => {
                return Err(call.bad(vm, 0, b"option 'c0' has no fixed size"));
            }
            letter if !letter.is_ascii_alphanumeric() => layout.control(vm, call, letter)?,
            _ => {}
        }
        total += (element.padding + element.bytes) as u64;
    }
    call.give(vm, Value::Number(total as f64))
}
