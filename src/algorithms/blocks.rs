//! The padding both SHA functions share: 64-byte blocks, a one bit, zeros, the length in bits.

/// Calls `compress` with every block of the padded message.
pub(super) fn for_each(data: &[u8], mut compress: impl FnMut(&[u8; 64])) {
    let (blocks, rest) = data.as_chunks::<64>();
    for block in blocks {
        compress(block);
    }
    let mut last = [0u8; 64];
    for (slot, byte) in last.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *slot = *byte;
    }
    if rest.len() >= 56 {
        compress(&last);
        last = [0; 64];
    }
    let length_bits = (data.len() as u64).wrapping_mul(8);
    last[56..].copy_from_slice(&length_bits.to_be_bytes());
    compress(&last);
}
