//! Commands about keys, whatever they hold; a file for each concern. Every file has its own `ROWS`, all of them are
//! listed in `GROUPS`.
//!
//! <https://redis.io/docs/latest/commands/?group=generic>

pub mod expire;
pub mod keys;
pub mod object;
pub mod scan;
pub mod sort;
pub mod transfer;
pub mod wait;
