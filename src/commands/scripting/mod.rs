//! Scripts and functions: the logic of a client, run where the data is.
//!
//! <https://redis.io/docs/latest/develop/programmability/>

pub mod eval;
pub mod fcall;
pub mod function;
pub mod script;
