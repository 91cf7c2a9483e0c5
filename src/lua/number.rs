//! Numbers as text: `%.14g`.

use super::format::Spec;
use crate::algorithms::num::write_i64;

/// Appends a number as Lua prints it: up to 14 significant digits.
pub fn write_number(out: &mut Vec<u8>, number: f64) {
    let integer = number as i64;
    if integer as f64 == number
        && integer.unsigned_abs() < 100_000_000_000_000
        && (number != 0.0 || number.is_sign_positive())
    {
        return write_i64(out, integer);
    }
    Spec::number().float(out, number, b'g');
}
