//! Snapshots: the data set as an RDB file, in pieces.

use super::super::Engine;
use super::saver::Saver;

/// What a snapshot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A file of its own: SAVE and BGSAVE.
    Save,
    /// The base of an append-only file, whose next segment begins at this moment: BGREWRITEAOF.
    Rewrite,
    /// For somebody who wants a copy: nothing is stored by it, and commands do not see it. A snapshot for another purpose
    /// puts an end to it.
    Copy,
}

impl Engine {
    /// Starts a snapshot: the data set as it is at this moment, the *cut*. Each [`Engine::next_chunk`] continues it, and
    /// commands may run in between; what they change is written as it was before. A snapshot that is under way ends.
    /// Before a rewrite the host takes what was recorded so far: it belongs to the segment that ends here.
    pub fn begin_snapshot(&mut self, purpose: Purpose) {
        if purpose == Purpose::Rewrite {
            self.log.cut();
        }
        if purpose != Purpose::Copy {
            self.note_begin(purpose);
        }
        let saver = Saver::new(
            &self.keys,
            &self.server,
            self.now_ms,
            purpose == Purpose::Rewrite,
        );
        self.keys.begin_cut(Box::new(saver));
    }

    /// Appends the next chunk, at most about `limit_bytes` long, to `out`; false when the snapshot is complete. The work is
    /// limited as well, so a chunk may be empty and more to come. Only a write to a large value that is not written yet
    /// takes long, see [`Saver`].
    pub fn next_chunk(&mut self, limit_bytes: usize, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        let is_more = self.write_chunk(limit_bytes, out);
        self.transfer.handed_bytes += (out.len() - before) as u64;
        is_more
    }

    fn write_chunk(&mut self, limit_bytes: usize, out: &mut Vec<u8>) -> bool {
        let mut left = limit_bytes.max(1);
        let goal = out.len().saturating_add(left);
        loop {
            let Some(saver) = self.keys.keeper::<Saver>() else {
                return false;
            };
            let is_drained = saver.drain(goal, out);
            if left == 0 || !is_drained {
                return true;
            }
            if !self.keys.walk(&mut left)
                && let Some(saver) = self.keys.keeper::<Saver>()
                && saver.is_empty()
            {
                saver.end(out);
                self.keys.end_cut();
                return false;
            }
        }
    }

    /// Ends a snapshot for [`Purpose::Copy`], complete or not.
    pub fn end_copy(&mut self) {
        self.keys.end_cut();
    }
}
