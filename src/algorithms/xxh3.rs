//! XXH3, the 64-bit hash that DIGEST shows.
//!
//! The published algorithm (<https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>) with seed 0 and the standard
//! secret. Four ways by length: up to 16 bytes one or two products, up to 240 a sum of products, beyond that eight lanes
//! over stripes of 64 bytes. O(n).

const PRIME32: [u64; 3] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d];
const PRIME64: [u64; 5] = [
    0x9e37_79b1_85eb_ca87,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x85eb_ca77_c2b2_ae63,
    0x27d4_eb2f_1656_67c5,
];

#[rustfmt::skip]
const SECRET: [u8; 192] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
];

/// Eight bytes at `at`, little-endian. The callers stay inside; what lies outside would read as 0.
#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |word| u64::from_le_bytes(*word))
}

fn half(bytes: &[u8], at: usize) -> u64 {
    let half = bytes.get(at..).and_then(|rest| rest.first_chunk());
    half.map_or(0, |half| u64::from(u32::from_le_bytes(*half)))
}

/// Both halves of the product of two words, one over the other.
#[inline]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

fn finish(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 37).wrapping_mul(0x1656_6791_9e37_79f9);
    hash ^ hash >> 32
}

fn finish_short(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 33).wrapping_mul(PRIME64[1]);
    let hash = (hash ^ hash >> 29).wrapping_mul(PRIME64[2]);
    hash ^ hash >> 32
}

/// Sixteen bytes with sixteen of the secret.
fn mix(bytes: &[u8], at: usize, secret: usize) -> u64 {
    fold(
        word(bytes, at) ^ word(&SECRET, secret),
        word(bytes, at + 8) ^ word(&SECRET, secret + 8),
    )
}

/// The hash of `bytes`.
pub fn hash(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let key = |one: usize, other: usize| word(&SECRET, one) ^ word(&SECRET, other);
    match *bytes {
        [] => finish_short(key(56, 64)),
        [first, .., last] | [first @ last] if length <= 3 => {
            let middle = bytes.get(length / 2).copied().unwrap_or(0);
            let all = u32::from_le_bytes([last, length as u8, first, middle]);
            finish_short(u64::from(all) ^ half(&SECRET, 0) ^ half(&SECRET, 4))
        }
        _ if length <= 8 => {
            let both = half(bytes, length - 4) | half(bytes, 0) << 32;
            const FACTOR: u64 = 0x9fb2_1c65_1e98_df25;
            let hash = both ^ key(8, 16);
            let hash = (hash ^ hash.rotate_left(49) ^ hash.rotate_left(24)).wrapping_mul(FACTOR);
            let hash = (hash ^ ((hash >> 35) + length as u64)).wrapping_mul(FACTOR);
            hash ^ hash >> 28
        }
        _ if length <= 16 => {
            let low = word(bytes, 0) ^ key(24, 32);
            let high = word(bytes, length - 8) ^ key(40, 48);
            finish(
                (length as u64)
                    .wrapping_add(low.swap_bytes())
                    .wrapping_add(high)
                    .wrapping_add(fold(low, high)),
            )
        }
        _ if length <= 240 => hash_medium(bytes),
        _ => hash_long(bytes),
    }
}

/// 17 to 240 bytes.
fn hash_medium(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let mut sum = (length as u64).wrapping_mul(PRIME64[0]);
    let mut add = |at: usize, secret: usize| sum = sum.wrapping_add(mix(bytes, at, secret));
    if length <= 128 {
        for pair in 0..length.div_ceil(32) {
            add(pair * 16, pair * 32);
            add(length - 16 - pair * 16, pair * 32 + 16);
        }
        return finish(sum);
    }
    (0..8).for_each(|at| add(at * 16, at * 16));
    sum = finish(sum);
    let mut add = |at: usize, secret: usize| sum = sum.wrapping_add(mix(bytes, at, secret));
    (8..length / 16).for_each(|at| add(at * 16, (at - 8) * 16 + 3));
    add(length - 16, 119);
    finish(sum)
}

const STRIPE_BYTES: usize = 64;
const STRIPES: usize = 16;

/// More than 240 bytes.
fn hash_long(bytes: &[u8]) -> u64 {
    let mut lanes = [
        PRIME32[2], PRIME64[0], PRIME64[1], PRIME64[2], PRIME64[3], PRIME32[1], PRIME64[4],
        PRIME32[0],
    ];
    let length = bytes.len();
    // The last stripe ends with the bytes, wherever that is; the ones before stop short of the end.
    for (at, stripe) in bytes[..length - 1].chunks_exact(STRIPE_BYTES).enumerate() {
        let place = at % STRIPES;
        accumulate(&mut lanes, stripe, place * 8);
        if place + 1 == STRIPES {
            for (at, lane) in lanes.iter_mut().enumerate() {
                *lane =
                    (*lane ^ *lane >> 47 ^ word(&SECRET, 128 + at * 8)).wrapping_mul(PRIME32[0]);
            }
        }
    }
    accumulate(&mut lanes, &bytes[length - STRIPE_BYTES..], 121);
    let mut sum = (length as u64).wrapping_mul(PRIME64[0]);
    for (at, pair) in lanes.chunks_exact(2).enumerate() {
        if let [one, other] = *pair {
            let secret = 11 + at * 16;
            sum = sum.wrapping_add(fold(
                one ^ word(&SECRET, secret),
                other ^ word(&SECRET, secret + 8),
            ));
        }
    }
    finish(sum)
}

#[inline]
fn accumulate(lanes: &mut [u64; 8], stripe: &[u8], secret: usize) {
    for at in 0..8 {
        let data = word(stripe, at * 8);
        let keyed = data ^ word(&SECRET, secret + at * 8);
        lanes[at ^ 1] = lanes[at ^ 1].wrapping_add(data);
        lanes[at] = lanes[at].wrapping_add((keyed & 0xffff_ffff).wrapping_mul(keyed >> 32));
    }
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn agrees_with_the_documented_digests() {
        assert_eq!(hash(b"Hello world"), 0xb6acb9d84a38ff74);
        assert_eq!(hash(b"foo"), 0xab6e5f64077e7d8a);
        // A digest with leading zeros, from a report about them.
        let text = b"v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd";
        assert_eq!(hash(text), 0x00006c38adf31777);
    }

    #[test]
    fn every_length_has_its_way() {
        let bytes: Vec<u8> = (0..5000u32).map(|at| (at * 7 + at / 11) as u8).collect();
        for (length, wanted) in LENGTHS {
            assert_eq!(hash(&bytes[..length]), wanted, "{length}");
        }
        let all = (0..=bytes.len()).fold(0u64, |sum, length| {
            sum.rotate_left(1) ^ hash(&bytes[..length])
        });
        assert_eq!(all, ALL);
    }

    /// By the reference library.
    #[rustfmt::skip]
    const LENGTHS: [(usize, u64); 24] = [
        (0, 0x2d06800538d394c2), (1, 0xc44bdff4074eecdb), (2, 0x9093381c8763d62e), (3, 0xc3489259e968ad9e),
        (4, 0xd3d60c1519014e89), (8, 0xb88dee77f6bf6980), (9, 0x03688dcad730d826), (16, 0xdd8981ec9affbf98),
        (17, 0xe80a7558052bfa63), (32, 0xd6bb3cf5956bbf39), (33, 0x3c9d35802bb9f905), (64, 0xe3a49e3b86a0b5bf),
        (65, 0x2a245da8fe17b89f), (96, 0xe3ab3a6891f257c6), (97, 0x38ff1ef0a5af486d), (128, 0xae4971727c1b77e3),
        (129, 0x81f0f8fdc0e7c433), (240, 0xa29a119e81055a60), (241, 0x9248b26750c85c3d), (1024, 0x6ee3630d606027b0),
        (1025, 0x196dcea676740873), (1088, 0x44b6c573b03084d6), (2049, 0xdd3520425534751d), (5000, 0x1708a6d06993e26e),
    ];
    const ALL: u64 = 0x329291236e4f8685;
}
