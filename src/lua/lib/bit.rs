//! The `bit` library: operations on 32-bit integers.

use super::super::call::Call;
use super::super::vm::{Host, Thrown, Vm};
use super::Functions;

pub const FUNCTIONS: &Functions = &[
    ("arshift", arshift),
    ("band", band),
    ("bnot", bnot),
    ("bor", bor),
    ("bswap", bswap),
    ("bxor", bxor),
    ("lshift", lshift),
    ("rol", rol),
    ("ror", ror),
    ("rshift", rshift),
    ("tobit", tobit),
    ("tohex", tohex),
];

/// Added to a double, this leaves its integer, rounded, in the lowest bits of the mantissa: 2^52 + 2^51.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// The most digits a number has in hexadecimal.
const MAX_DIGITS: u32 = 8;

/// The lowest 32 bits of a number rounded to an integer.
#[inline(never)]
fn bits(vm: &mut Vm, call: &Call, at: usize) -> Result<u32, Thrown> {
    Ok((call.number(vm, at)? + ROUNDER).to_bits() as u32)
}

#[inline(never)]
fn give(vm: &mut Vm, call: &Call, bits: u32) -> Result<usize, Thrown> {
    call.give_number(vm, f64::from(bits as i32))
}

fn tobit(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let bits = bits(vm, call, 0)?;
    give(vm, call, bits)
}

fn bnot(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let bits = bits(vm, call, 0)?;
    give(vm, call, !bits)
}

fn bswap(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let bits = bits(vm, call, 0)?;
    give(vm, call, bits.swap_bytes())
}

#[inline(never)]
fn fold(vm: &mut Vm, call: &Call, join: fn(u32, u32) -> u32) -> Result<usize, Thrown> {
    let mut all = bits(vm, call, 0)?;
    for at in 1..call.count {
        all = join(all, bits(vm, call, at)?);
    }
    give(vm, call, all)
}

fn band(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    fold(vm, call, |one, two| one & two)
}

fn bor(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    fold(vm, call, |one, two| one | two)
}

fn bxor(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    fold(vm, call, |one, two| one ^ two)
}

/// A shift by the lowest five bits of the second argument.
#[inline(never)]
fn shift(vm: &mut Vm, call: &Call, by: fn(u32, u32) -> u32) -> Result<usize, Thrown> {
    let (value, count) = (bits(vm, call, 0)?, bits(vm, call, 1)?);
    give(vm, call, by(value, count & 31))
}

fn lshift(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    shift(vm, call, u32::wrapping_shl)
}

fn rshift(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    shift(vm, call, u32::wrapping_shr)
}

fn arshift(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    shift(vm, call, |value, count| {
        (value as i32).wrapping_shr(count) as u32
    })
}

fn rol(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    shift(vm, call, u32::rotate_left)
}

fn ror(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    shift(vm, call, u32::rotate_right)
}

fn tohex(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let value = bits(vm, call, 0)?;
    let wanted = match call.has(1) {
        true => bits(vm, call, 1)? as i32,
        false => MAX_DIGITS as i32,
    };
    let digits: &[u8; 16] = match wanted < 0 {
        true => b"0123456789ABCDEF",
        false => b"0123456789abcdef",
    };
    let mut text = Vec::new();
    for place in (0..wanted.unsigned_abs().min(MAX_DIGITS)).rev() {
        text.push(digits[(value >> (place * 4) & 15) as usize]);
    }
    call.give_text(vm, &text)
}
