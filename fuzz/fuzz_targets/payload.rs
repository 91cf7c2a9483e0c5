//! Damaged payloads of every type for RESTORE.
#![no_main]
#![allow(dead_code)] // Each target uses a part of the shared modules.

#[path = "../../tests/fuzz/payloads.rs"]
mod payloads;
#[path = "../../tests/fuzz/streams.rs"]
mod streams;
#[path = "../../tests/spec/value.rs"]
mod value;

libfuzzer_sys::fuzz_target!(|data: &[u8]| payloads::damaged_payload(data));
