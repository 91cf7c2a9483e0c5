//! The keyed hash behind every table: foldhash in its quality variant under a 128-bit seed that the host supplies.
//!
//! foldhash's own default seed is a constant on wasm, so nothing here ever uses it: whoever knows the seed can choose
//! keys that collide. One seed gives one table order, which makes a run reproducible.

use core::hash::Hasher;
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

/// A 128-bit hash seed, expanded once so that hashing a short key costs a few nanoseconds. A clone is one word, so that
/// many small tables can have it.
#[derive(Clone, Debug)]
pub struct HashSeed(Arc<Expanded>);

#[derive(Debug)]
struct Expanded {
    shared: SharedSeed,
    start: u64,
}

impl HashSeed {
    /// Expands the two halves of a seed. Equal halves give equal hashes, on every platform with the same word size.
    pub fn new(low: u64, high: u64) -> HashSeed {
        HashSeed(Arc::new(Expanded {
            shared: SharedSeed::from_u64(low),
            start: high,
        }))
    }

    /// The hash of `bytes`. All 64 bits are usable, the high ones as well as the low ones. O(length).
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.0.start, &self.0.shared);
        hasher.write(bytes);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::HashSeed;

    #[test]
    fn one_seed_gives_one_hash_and_another_seed_another() {
        let first = HashSeed::new(1, 2);
        assert_eq!(first.hash(b"key"), HashSeed::new(1, 2).hash(b"key"));
        assert_ne!(first.hash(b"key"), HashSeed::new(1, 3).hash(b"key"));
        assert_ne!(first.hash(b"key"), HashSeed::new(2, 2).hash(b"key"));
        assert_ne!(first.hash(b""), first.hash(b"\0"));
    }

    #[test]
    fn high_and_low_bits_spread_over_counting_keys() {
        let seed = HashSeed::new(7, 11);
        let mut high = [0u32; 64];
        let mut low = [0u32; 64];
        for number in 0..64 * 100u32 {
            let hash = seed.hash(format!("key:{number:08}").as_bytes());
            high[(hash >> 58) as usize] += 1;
            low[(hash & 63) as usize] += 1;
        }
        for count in high.iter().chain(&low) {
            // 100 expected, standard deviation 10.
            assert!((50..=150).contains(count), "{count} of an expected 100");
        }
    }
}
