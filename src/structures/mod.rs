//! The structures layer; see the code map in the crate documentation.

pub mod bitmap;
pub mod bytes;
pub mod entry;
pub mod hyperloglog;
pub mod intset;
pub mod item;
pub mod listpack;
pub mod ordered;
pub mod quicklist;
pub mod ranked;
pub mod runs;
pub mod slab;
pub mod sparse_array;
pub mod table;
