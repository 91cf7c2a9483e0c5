//! The wasm layer; see the code map in the crate documentation.

pub mod heap;
