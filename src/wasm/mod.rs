//! The JavaScript boundary.
//!
//! The data path is a handful of raw exports over one request buffer and one control block ([`abi`]); wasm-bindgen
//! serves what is not hot: statistics and the version as JavaScript values ([`control`]). `docs/boundary.md` has the
//! layout of every word. This is the only code that knows wasm-bindgen.

mod abi;
mod control;
pub mod heap;
mod instance;
