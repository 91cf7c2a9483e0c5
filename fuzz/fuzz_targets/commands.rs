//! Random commands, then the keyspace checked against itself.
#![no_main]
#![allow(dead_code)] // Each target uses a part of the shared modules.

#[path = "../../tests/fuzz/properties.rs"]
mod properties;
#[path = "../../tests/fuzz/streams.rs"]
mod streams;
#[path = "../../tests/spec/value.rs"]
mod value;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::commands(data));
