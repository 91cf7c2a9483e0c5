//! Any bytes as a snapshot and as a payload of RESTORE.
#![no_main]
#![allow(dead_code)] // Each target uses a part of the shared modules.

#[path = "../../tests/fuzz/snapshots.rs"]
mod snapshots;
#[path = "../../tests/fuzz/streams.rs"]
mod streams;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    snapshots::snapshot(data);
    snapshots::payload(data);
});
