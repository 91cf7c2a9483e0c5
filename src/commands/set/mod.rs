//! Commands about sets; a file for each concern. Every file has its own `ROWS`, all of them are listed in `GROUPS`.
//!
//! <https://redis.io/docs/latest/commands/?group=set>

pub mod combine;
pub mod members;
pub mod random;
