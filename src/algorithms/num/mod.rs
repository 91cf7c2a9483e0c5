//! Numbers as Redis reads and prints them.
//!
//! - [`integer`]: strict 64-bit integers, memory sizes of a configuration file;
//! - [`double`]: 64-bit floats: what a score or an increment may look like, and the text a double gets in a reply;
//! - [`long_double`]: the 80-bit floats behind INCRBYFLOAT;
//! - `exact`: the exact digits of a double, and a double to 17 digits;
//! - [`decimal`]: the exact decimal-to-binary conversion both use.
//!
//! Nothing here uses the float code of `core::fmt` and `core::num`, whose tables weigh more than all of this module.

pub mod decimal;
pub mod double;
mod exact;
pub mod integer;
pub mod long_double;

pub use double::{
    parse_c_f64, parse_decimal_f64, parse_f64, write_f64, write_fixed, write_shortest,
};
pub use exact::{exact_digits, round_digits, write_17_digits};
pub use integer::{
    IntText, count_of, format_i64, format_u64, parse_count, parse_i64, parse_memory, parse_percent,
    parse_u64, write_i64, write_u64,
};
pub use long_double::LongDouble;
