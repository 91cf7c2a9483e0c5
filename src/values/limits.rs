//! When a value changes its encoding.

use crate::algorithms::hash::HashSeed;
use crate::structures::sparse_array::Thresholds;

/// The thresholds of the configuration that decide on encodings, under their names there.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Positive: elements a node; -1 to -5: 4 to 64 KiB a node.
    pub list_max_listpack_size: i32,
    /// From which length on an element of a list gets a node of its own; 0 for what follows from the size. For tests:
    /// DEBUG QUICKLIST-PACKED-THRESHOLD.
    pub list_packed_threshold_bytes: usize,
    /// Nodes at either end of a list that are never compressed; 0 compresses none.
    pub list_compress_depth: usize,
    pub hash_max_listpack_entries: usize,
    pub hash_max_listpack_value_bytes: usize,
    pub set_max_intset_entries: usize,
    pub set_max_listpack_entries: usize,
    pub set_max_listpack_value_bytes: usize,
    pub zset_max_listpack_entries: usize,
    pub zset_max_listpack_value_bytes: usize,
    /// 0 for no limit.
    pub stream_node_max_bytes: usize,
    /// 0 for no limit.
    pub stream_node_max_entries: usize,
    /// Indices a slice of a new array covers: a power of two.
    pub array_slice_size: usize,
    pub array_thresholds: Thresholds,
    /// The seed of the tables of members and fields.
    pub seed: HashSeed,
}

impl Limits {
    /// Redis' defaults.
    pub fn new(seed: HashSeed) -> Limits {
        Limits {
            list_max_listpack_size: -2,
            list_packed_threshold_bytes: 0,
            list_compress_depth: 0,
            hash_max_listpack_entries: 512,
            hash_max_listpack_value_bytes: 64,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value_bytes: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value_bytes: 64,
            stream_node_max_bytes: 4096,
            stream_node_max_entries: 100,
            array_slice_size: 4096,
            array_thresholds: Thresholds {
                sparse_max: 10,
                sparse_min: 5,
            },
            seed,
        }
    }
}
