//! Any bytes as an append-only file.
#![no_main]
#![allow(dead_code)] // Each target uses a part of the shared modules.

#[path = "../../tests/fuzz/files.rs"]
mod files;
#[path = "../../tests/rdb/forms.rs"]
mod forms;
#[path = "../../tests/fuzz/streams.rs"]
mod streams;
#[path = "../../tests/spec/value.rs"]
mod value;

libfuzzer_sys::fuzz_target!(|data: &[u8]| files::log(data));
