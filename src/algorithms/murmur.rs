//! MurmurHash64A, which spreads HyperLogLog elements over registers.

const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;

/// The 64-bit hash, reading the data little-endian on every machine. O(length).
pub fn murmur64a(data: &[u8], seed: u64) -> u64 {
    let (words, rest) = data.as_chunks::<8>();
    let mut hash = seed ^ (data.len() as u64).wrapping_mul(MULTIPLIER);
    for word in words {
        let mut mixed = u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> 47;
        hash = (hash ^ mixed.wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let tail = rest
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | *byte as u64);
        hash = (hash ^ tail).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 47;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> 47
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tail_length_counts() {
        let data = b"the quick brown fox";
        let hashes: Vec<u64> = (0..data.len())
            .map(|n| murmur64a(&data[..n], 0xadc8_3b19))
            .collect();
        for (i, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(hash));
        }
        assert_eq!(murmur64a(b"", 0), 0);
    }
}
