//! Lua 5.1: a compiler and a machine that know nothing of Redis.
//!
//! `lexer` and `compiler` make instructions (`code`) of source text in one pass; `execute` runs them over the stack of a
//! `Thread` (`function`, `stack`) and the objects of a `heap` that counts every byte; `meta` is what operations mean beyond
//! numbers, `names` what things are called in messages. Libraries are functions of the host on `call`. The host is asked
//! every so often whether to go on, so that no script can run away, and decides how much memory there is.

mod arena;
pub mod call;
pub mod code;
mod compiler;
#[cfg(feature = "debugger")]
pub mod debug;
mod execute;
pub mod format;
pub mod function;
pub mod heap;
mod lexer;
pub mod lib;
mod meta;
mod names;
mod number;
mod recent;
mod stack;
mod table;
pub mod value;
pub mod vm;

pub use call::Call;
pub use value::Value;
pub use vm::{Host, Interrupt, Ran, Thrown, Vm};
