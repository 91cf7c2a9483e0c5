//! Pure functions on bytes. Nothing here knows a Redis type, reads a clock or draws a random number.

mod blocks;
pub mod bytes;
pub mod crc16;
pub mod crc64;
pub mod find;
pub mod geo;
pub mod glob;
pub mod hash;
pub mod lcs;
pub mod lzf;
pub mod murmur;
pub mod num;
pub mod order;
mod pair;
#[cfg(feature = "scripting")]
pub mod power;
pub mod regex;
pub mod rng;
pub mod sha1;
pub mod sha256;
pub mod xxh3;
