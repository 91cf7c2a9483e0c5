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

/// After so many rewrites that failed one after the other, the next ones are put off, longer and longer.
const PATIENT_FAILURES: u64 = 3;
/// But not longer than this.
const LONGEST_PAUSE_MINUTES: i64 = 60;

/// The append-only file.
#[derive(Debug, Default)]
pub struct Aof {
    pub storage: Storage,
    /// Writes are recorded.
    pub is_on: bool,
    /// It was turned on, and its first base is not stored yet.
    pub is_starting: bool,
    /// A rewrite was asked for and has not been reported done.
    pub is_rewriting: bool,
    /// One is to begin once nothing else is being saved.
    pub is_scheduled: bool,
    /// Bytes recorded and handed out since it was turned on; so many of them are written, and so many survive a power
    /// cut.
    pub recorded_bytes: u64,
    pub taken_bytes: u64,
    pub written_bytes: u64,
    pub durable_bytes: u64,
    /// Bytes recorded when it was turned on last: the host counts from there.
    pub start_bytes: u64,
    /// Why the last write failed.
    pub failure: Option<Vec<u8>>,
    /// Sessions that wait in WAITAOF.
    pub waiters: Vec<u32>,
    /// How long the files are that were complete when `mark_bytes` had been recorded.
    older_bytes: u64,
    mark_bytes: u64,
    /// How long everything was after the last rewrite; at first the base.
    pub base_bytes: u64,
    /// When the rewrite under way began, and how long the last one took, in seconds.
    pub rewrite_started_s: i64,
    pub last_rewrite_s: Option<i64>,
    pub is_last_rewrite_bad: bool,
    /// Rewrites that failed since one did not.
    pub failures: u64,
    pause_minutes: i64,
    paused_until_s: i64,
}

impl Aof {
    /// How long the file is: its base and what follows.
    pub fn size_bytes(&self) -> u64 {
        self.older_bytes + self.taken_bytes.saturating_sub(self.mark_bytes)
    }

    /// Files are loaded anew.
    pub fn forget_files(&mut self) {
        self.older_bytes = 0;
        self.mark_bytes = self.taken_bytes;
    }

    /// Counts a file that was loaded: the first one is the base.
    pub fn count_loaded(&mut self, bytes: u64) {
        if self.older_bytes == 0 {
            self.base_bytes = bytes;
        }
        self.older_bytes += bytes;
    }

    /// What is recorded from now on counts.
    pub fn mark(&mut self) {
        self.older_bytes = self.size_bytes();
        self.mark_bytes = self.recorded_bytes;
    }

    /// A rewrite that began when `cut_bytes` had been recorded is stored; its base is so long.
    pub fn rebase(&mut self, base_bytes: u64, cut_bytes: u64) {
        self.older_bytes = base_bytes;
        self.mark_bytes = cut_bytes;
        self.base_bytes = self.size_bytes();
    }

    /// By how many percent it has grown since the last rewrite.
    pub fn growth_percent(&self) -> u64 {
        (self.size_bytes().saturating_mul(100) / self.base_bytes.max(1)).saturating_sub(100)
    }

    /// Whether rewrites are put off because the last ones failed; says for how many minutes when that begins.
    pub fn is_put_off(&mut self, now_s: i64) -> (bool, Option<i64>) {
        if self.failures < PATIENT_FAILURES {
            self.pause_minutes = 0;
            self.paused_until_s = 0;
            return (false, None);
        }
        if self.paused_until_s != 0 {
            let is_put_off = now_s < self.paused_until_s;
            if !is_put_off {
                self.paused_until_s = 0;
            }
            return (is_put_off, None);
        }
        self.pause_minutes = (self.pause_minutes * 2).clamp(1, LONGEST_PAUSE_MINUTES);
        self.paused_until_s = now_s + self.pause_minutes * 60;
        (true, Some(self.pause_minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::Aof;

    #[test]
    fn sizes_follow_what_is_loaded_taken_and_rewritten() {
        let mut aof = Aof::default();
        aof.count_loaded(100);
        aof.count_loaded(30);
        aof.mark();
        (aof.recorded_bytes, aof.taken_bytes) = (70, 70);
        assert_eq!((aof.size_bytes(), aof.base_bytes), (200, 100));
        assert_eq!(aof.growth_percent(), 100);
        (aof.recorded_bytes, aof.taken_bytes) = (90, 80);
        aof.rebase(50, 70);
        assert_eq!((aof.size_bytes(), aof.base_bytes), (60, 60));
        assert_eq!(aof.growth_percent(), 0);
    }

    #[test]
    fn rewrites_that_fail_are_put_off_longer_and_longer() {
        let mut aof = Aof {
            failures: 2,
            ..Aof::default()
        };
        assert_eq!(aof.is_put_off(1000), (false, None));
        aof.failures = 3;
        let mut now_s = 1000;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(aof.is_put_off(now_s), (true, Some(minutes)));
            assert_eq!(aof.is_put_off(now_s + minutes * 60 - 1), (true, None));
            now_s += minutes * 60;
            assert_eq!(aof.is_put_off(now_s), (false, None));
        }
        aof.failures = 0;
        assert_eq!(aof.is_put_off(now_s), (false, None));
    }
}
