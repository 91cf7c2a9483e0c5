//! The append-only file, as far as the engine knows it: the bytes are the host's.

/// What the host can keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// Nothing.
    #[default]
    None,
    /// Snapshots only.
    Snapshots,
    /// Snapshots and the append-only file.
    Aof,
}

/// The append-only file.
#[derive(Debug, Default)]
pub struct Aof {
    pub storage: Storage,
    /// Writes are recorded.
    pub is_on: bool,
    /// A rewrite was asked for and has not been reported done.
    pub is_rewriting: bool,
    /// Bytes handed out since it was turned on; so many of them are written, and so many survive a power cut.
    pub taken_bytes: u64,
    pub written_bytes: u64,
    pub durable_bytes: u64,
    /// How long the file is: its base and what follows; and how long it was after the last rewrite.
    pub size_bytes: u64,
    pub base_bytes: u64,
    /// Why the last write failed.
    pub failure: Option<Vec<u8>>,
}

impl Aof {
    /// Counts a file that was loaded: the first one is the base.
    pub fn count_loaded(&mut self, bytes: u64) {
        if self.size_bytes == 0 {
            self.base_bytes = bytes;
        }
        self.size_bytes += bytes;
    }
}
