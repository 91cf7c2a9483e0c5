//! How full a node may be.

/// Nodes filled by count are no longer than this either; so is a packed element.
const SAFE_BYTES: usize = 8192;
/// The sizes that -1 to -5 stand for.
const SIZES_BYTES: [usize; 5] = [4096, 8192, 16384, 32768, 65536];

/// `list-max-listpack-size`, and from which length on an element gets a node of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Positive: elements a node (0 counts as 1); negative: -1 to -5 for 4 to 64 KiB.
    size: i32,
    /// 0: what follows from `size`.
    large_bytes: usize,
    /// Nodes at either end that a DUMP never compresses; 0 for all of them.
    depth: usize,
}

impl Fill {
    #[inline]
    pub fn new(size: i32, large_bytes: usize) -> Fill {
        Fill {
            size,
            large_bytes,
            depth: 0,
        }
    }

    /// The same with `list-compress-depth`.
    pub fn with_depth(self, depth: usize) -> Fill {
        Fill { depth, ..self }
    }

    /// What a list keeps of it for its whole life.
    pub fn kept(self) -> Fill {
        Fill {
            size: self.size.clamp(-5, i32::from(i16::MAX)),
            depth: self.depth.min(usize::from(u16::MAX)),
            ..self
        }
    }

    /// Whether Redis compresses the node with so many before it, of `count`, whatever it does with other strings.
    pub fn is_inner(self, at: usize, count: usize) -> bool {
        self.depth > 0 && at >= self.depth && at + self.depth < count
    }

    /// The most bytes and elements a listpack may have.
    pub fn limits(self) -> (usize, usize) {
        match self.size {
            0.. => (usize::MAX, self.size.max(1) as usize),
            size => (size_of_level(size), usize::MAX),
        }
    }

    /// Whether that is more than one node may have.
    #[inline]
    pub fn is_exceeded(self, bytes: usize, count: usize) -> bool {
        match self.size {
            0.. => bytes > SAFE_BYTES || count > self.size.max(1) as usize,
            size => bytes > size_of_level(size),
        }
    }

    /// Whether an element is too long for a listpack.
    #[inline]
    pub fn is_large(self, length: usize) -> bool {
        match (self.large_bytes, self.size) {
            (0, 0..) => length > SAFE_BYTES,
            (0, size) => length > size_of_level(size),
            (large_bytes, _) => length >= large_bytes,
        }
    }
}

/// Bytes a node, for a size below 0.
#[inline]
fn size_of_level(size: i32) -> usize {
    let level = (size.unsigned_abs() as usize - 1).min(SIZES_BYTES.len() - 1);
    SIZES_BYTES.get(level).copied().unwrap_or(SAFE_BYTES)
}
