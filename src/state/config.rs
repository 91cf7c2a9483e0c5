//! The configuration: hot values as typed fields, read on every call; everything else by name in the parameter table.

/// What the engine itself reads.
#[derive(Debug, Clone)]
pub struct Config {
    /// `databases`: how many there are.
    pub databases: usize,
    /// `proto-max-bulk-len`, in bytes: the longest string and the longest argument.
    pub proto_max_bulk_len_bytes: i64,
    /// `maxmemory`, in bytes; 0 for no limit.
    pub maxmemory_bytes: u64,
    /// `requirepass`; empty for none.
    pub requirepass: Vec<u8>,
    /// `hll-sparse-max-bytes`.
    pub hll_sparse_max_bytes: usize,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub is_active_expire: bool,
    /// `enable-debug-command`.
    pub is_debug_allowed: bool,
    /// `stop-writes-on-bgsave-error`.
    pub stop_writes_on_bgsave_error: bool,
    /// `save`: when to save by itself.
    pub save_rules: Vec<SaveRule>,
}

/// Save after so long with so many changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaveRule {
    pub seconds: i64,
    pub changes: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            databases: 16,
            proto_max_bulk_len_bytes: 512 << 20,
            maxmemory_bytes: 0,
            requirepass: Vec::new(),
            hll_sparse_max_bytes: 3000,
            is_active_expire: true,
            is_debug_allowed: false,
            stop_writes_on_bgsave_error: true,
            save_rules: [(3600, 1), (300, 100), (60, 10000)]
                .map(|(seconds, changes)| SaveRule { seconds, changes })
                .to_vec(),
        }
    }
}
