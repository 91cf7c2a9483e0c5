//! Copying a whole table.

use super::super::entry::Shape;
use super::super::slab::Slab;
use super::Table;
use super::segment::Segment;

/// The copy has the layout of the original, so no key is hashed. O(n).
impl<B: Shape + Clone> Clone for Table<B> {
    fn clone(&self) -> Table<B> {
        let mut copy = Table::new(self.seed.clone());
        (copy.epoch, copy.is_pinned) = (self.epoch, self.is_pinned);
        copy.segments = Vec::with_capacity(self.segments.len());
        if self.slab.is_paged() {
            copy.slab = Slab::paged();
        }
        for segment in &self.segments {
            let mut twin = Segment::new(segment.prefix, segment.depth);
            // SAFETY: the segment is of this new table, and so is the slab. The entries of the original are live and
            // made for its `B`.
            unsafe {
                twin.reset(&mut copy.slab, segment.bucket_count());
                twin.fill_like(segment, |entry| entry.duplicate::<B>(&mut copy.slab));
            }
            copy.bucket_bytes += twin.memory_bytes();
            copy.segments.push(twin);
        }
        copy.directory.clone_from(&self.directory);
        copy.deadlines = self.deadlines.clone();
        (copy.depth, copy.deepest) = (self.depth, self.deepest);
        (copy.len, copy.volatile, copy.boxed) = (self.len, self.volatile, self.boxed);
        copy
    }
}
