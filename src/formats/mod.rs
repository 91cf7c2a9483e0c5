//! Pure codecs, byte for byte those of Redis: RDB objects, DUMP payloads, the snapshot of a whole dataset.

pub mod aof;
pub mod dump;
pub mod functions;
pub mod module;
pub mod objects;
pub mod rdb;
pub mod snapshot;
pub mod ziplist;
