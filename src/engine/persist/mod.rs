//! What goes to storage and comes back. The host stores and brings back bytes; this turns the data set into an RDB file
//! in pieces (`save.rs`) and back (`load.rs`), hands out every write as the append-only file is to have it (`aof.rs`),
//! and runs such a file (`replay.rs`).

mod aof;
mod load;
mod policy;
mod replay;
mod save;
mod saver;

pub use save::Purpose;

/// What is under way.
#[derive(Default)]
pub(super) struct Transfer {
    loader: Option<load::Loader>,
    replay: Option<Box<replay::Replay>>,
    /// `dirty` when the save under way began.
    dirty_at_start: u64,
    /// Whether the one under way is a rewrite, not a save.
    is_rewrite: Option<bool>,
    /// How long it is so far, and where the append-only file was when it began.
    handed_bytes: u64,
    cut_bytes: u64,
    /// Bytes of the snapshot that is being loaded.
    loaded_bytes: u64,
    /// Not again before this, after a save that failed.
    retry_after_ms: i64,
}

impl std::fmt::Debug for Transfer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Transfer")
            .field("is_loading", &self.loader.is_some())
            .finish_non_exhaustive()
    }
}
