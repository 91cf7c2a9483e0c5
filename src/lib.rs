//! Redstart is Redis, re-implemented in Rust: a data-structure engine without I/O that runs where no Redis server can.
//!
//! The code map, lowest layer first. A layer imports only layers above it in this list; `tests/tidy.rs` enforces it.
//!
//! - [`algorithms`]: pure functions on bytes: number text, glob, checksums, hashes, compression, the seeded generator.
//! - [`structures`]: the slab allocator, the segmented hash table, bitmaps, HyperLogLog registers. They know no Redis words.
//! - [`resp`]: the incremental request parser, the reply builder, the table of error texts.
//! - `lua`: the script machine: compiler, interpreter, heap and libraries of Lua 5.1. It knows no keyspace. Feature `scripting`.
//! - [`values`]: what a string (list, hash, ...) is: encodings and operations, without keys and replies.
//! - [`keyspace`]: databases, lookups, the write guard, expiry, watch, events, scan.
//! - [`formats`]: byte-exact codecs: RDB objects, the stored snapshot.
//! - [`state`]: inert data: server, sessions, configuration, pub/sub maps, statistics.
//! - [`table`]: the command row and everything read from it: arity, keys, flags, documentation; the context a command gets.
//! - [`commands`]: one file per Redis group: rows on top, functions below in the same order.
//! - [`engine`]: the one way to run a command, transactions, blocking, delivery, time; the public Rust API.
//! - `wasm`: the raw exports and the wasm-bindgen control plane.

pub mod algorithms;
pub mod structures;
pub mod resp;
#[cfg(feature = "scripting")]
pub mod lua;
pub mod values;
pub mod keyspace;
pub mod formats;
pub mod state;
pub mod table;
pub mod commands;
pub mod engine;
#[cfg(target_arch = "wasm32")]
pub mod wasm;
