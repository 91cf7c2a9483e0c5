//! The protocol: what comes in ([`Parser`]), what goes out ([`Reply`]), and the texts of errors ([`Error`]).

mod error;
mod parser;
mod reply;

pub use error::Error;
pub use parser::{Limits, Parser, Progress, split_inline};
pub use reply::{Cell, Encoding, Mark, Reply};
