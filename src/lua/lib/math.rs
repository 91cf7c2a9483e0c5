//! The math library. The random numbers are those of Redis: a 48-bit linear congruence with the seed of the script.

use super::super::call::{Call, to_integer};
use super::super::value::{TableId, Value};
use super::super::vm::{Host, Thrown, Vm};
use super::Functions;
use crate::algorithms::power;

/// In the order of PUC's list, which decides on the order of traversal.
pub const FUNCTIONS: &Functions = &[
    ("abs", abs),
    ("acos", acos),
    ("asin", asin),
    ("atan2", atan2),
    ("atan", atan),
    ("ceil", ceil),
    ("cosh", cosh),
    ("cos", cos),
    ("deg", deg),
    ("exp", exp),
    ("floor", floor),
    ("fmod", fmod),
    ("frexp", frexp),
    ("ldexp", ldexp),
    ("log10", log10),
    ("log", log),
    ("max", max),
    ("min", min),
    ("modf", modf),
    ("pow", pow),
    ("rad", rad),
    ("random", random),
    ("randomseed", randomseed),
    ("sinh", sinh),
    ("sin", sin),
    ("sqrt", sqrt),
    ("tanh", tanh),
    ("tan", tan),
];

pub fn constants(vm: &mut Vm, table: TableId) {
    vm.set_field(table, "pi", Value::Number(std::f64::consts::PI));
    vm.set_field(table, "huge", Value::Number(f64::INFINITY));
}

/// Functions of one number.
macro_rules! functions {
    ($($name:ident = $function:expr;)*) => {
        $(
            fn $name(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
                unary(vm, call, $function)
            }
        )*
    };
}

fn unary(vm: &mut Vm, call: &Call, function: fn(f64) -> f64) -> Result<usize, Thrown> {
    let number = call.number(vm, 0)?;
    call.give_number(vm, function(number))
}

/// What a function gives for a number it is not defined for: a NaN without a sign, whatever the platform makes of it.
fn outside(x: f64, result: f64) -> f64 {
    match result.is_nan() && !x.is_nan() {
        true => f64::NAN,
        false => result,
    }
}

functions! {
    abs = f64::abs;
    acos = |x| outside(x, f64::acos(x));
    asin = |x| outside(x, f64::asin(x));
    atan = f64::atan;
    ceil = f64::ceil;
    cos = f64::cos;
    cosh = f64::cosh;
    deg = |x| x / (std::f64::consts::PI / 180.0);
    exp = power::exp;
    floor = f64::floor;
    log = power::log;
    log10 = |x| outside(x, f64::log10(x));
    rad = |x| x * (std::f64::consts::PI / 180.0);
    sin = f64::sin;
    sinh = f64::sinh;
    sqrt = f64::sqrt;
    tan = f64::tan;
    tanh = f64::tanh;
}

/// The two numbers of a call. The second is checked first, as a C compiler does it that evaluates arguments from the right.
fn two(vm: &mut Vm, call: &Call) -> Result<(f64, f64), Thrown> {
    let second = call.number(vm, 1)?;
    Ok((call.number(vm, 0)?, second))
}

fn atan2(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let (y, x) = two(vm, call)?;
    call.give_number(vm, y.atan2(x))
}

fn fmod(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let (x, y) = two(vm, call)?;
    call.give_number(vm, x % y)
}

fn pow(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let (x, y) = two(vm, call)?;
    call.give_number(vm, power::pow(x, y))
}

fn modf(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let number = call.number(vm, 0)?;
    let whole = number.trunc();
    let fraction = match number.is_infinite() {
        true => 0.0f64.copysign(number),
        false => (number - whole).copysign(number),
    };
    call.push(vm, Value::Number(whole))?;
    call.push(vm, Value::Number(fraction))?;
    Ok(2)
}

fn frexp(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let number = call.number(vm, 0)?;
    let (mantissa, exponent) = split(number);
    call.push(vm, Value::Number(mantissa))?;
    call.push(vm, Value::Number(f64::from(exponent)))?;
    Ok(2)
}

/// A mantissa between a half and one, and an exponent of two.
fn split(number: f64) -> (f64, i32) {
    if number == 0.0 || !number.is_finite() {
        return (number, 0);
    }
    let bits = number.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    if exponent == 0 {
        // Denormal: made normal first.
        let (mantissa, exponent) = split(number * 18_014_398_509_481_984.0);
        return (mantissa, exponent - 54);
    }
    let mantissa = f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52);
    (mantissa, exponent - 1022)
}

fn ldexp(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    // C takes an int.
    let mut left = call.int(vm, 1)? as i32;
    let mut number = call.number(vm, 0)?;
    while left != 0 && number != 0.0 && number.is_finite() {
        let step = left.clamp(-1000, 1000);
        number *= f64::from_bits(((step + 1023) as u64) << 52);
        left -= step;
    }
    call.give_number(vm, number)
}

fn extreme(vm: &mut Vm, call: &Call, is_better: fn(f64, f64) -> bool) -> Result<usize, Thrown> {
    let mut best = call.number(vm, 0)?;
    for at in 1..call.count {
        let number = call.number(vm, at)?;
        if is_better(number, best) {
            best = number;
        }
    }
    call.give_number(vm, best)
}

fn max(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    extreme(vm, call, |number, best| number > best)
}

fn min(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    extreme(vm, call, |number, best| number < best)
}

/// The generator: x' = a x + c modulo 2^48, of which the upper 31 bits are given.
fn next_random(vm: &mut Vm) -> f64 {
    const FACTOR: u64 = 0x5_deec_e66d;
    const LARGEST: f64 = 2_147_483_647.0;
    vm.random = vm.random.wrapping_mul(FACTOR).wrapping_add(0xb) & ((1 << 48) - 1);
    let value = (vm.random >> 17) as f64;
    (value % LARGEST) / LARGEST
}

fn random(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let unit = next_random(vm);
    let result = match call.count {
        0 => unit,
        1 => {
            let high = call.integer(vm, 0)? as i32;
            if high < 1 {
                return Err(call.bad(vm, 0, b"interval is empty"));
            }
            (unit * f64::from(high)).floor() + 1.0
        }
        2 => {
            let (low, high) = (call.integer(vm, 0)? as i32, call.integer(vm, 1)? as i32);
            if low > high {
                return Err(call.bad(vm, 1, b"interval is empty"));
            }
            // Integers of 32 bits, that wrap around.
            let count = high.wrapping_sub(low).wrapping_add(1);
            (unit * f64::from(count)).floor() + f64::from(low)
        }
        _ => return Err(vm.native_error(b"wrong number of arguments")),
    };
    call.give_number(vm, result)
}

fn randomseed(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let seed = to_integer(call.number(vm, 0)?) as i32;
    vm.seed_random(seed);
    Ok(0)
}
