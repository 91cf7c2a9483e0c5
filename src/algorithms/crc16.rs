//! CRC-16/XMODEM and the cluster's key slots.

/// Slots of a cluster.
pub const SLOTS: u16 = 16384;

/// The remainders of the sixteen values of four bits.
const NIBBLES: [u16; 16] = nibbles();

const fn nibbles() -> [u16; 16] {
    let mut table = [0; 16];
    let mut i = 0;
    while i < 16 {
        let mut crc = (i as u16) << 12;
        let mut bit = 0;
        while bit < 4 {
            crc = if crc & 0x8000 != 0 {
                crc << 1 ^ 0x1021
            } else {
                crc << 1
            };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

/// CRC-16/XMODEM: polynomial 0x1021, start 0, not reflected.
pub fn crc16(data: &[u8]) -> u16 {
    let step =
        |crc: u16, nibble: u8| crc << 4 ^ NIBBLES[((crc >> 12) as u8 ^ nibble) as usize & 15];
    data.iter()
        .fold(0, |crc, byte| step(step(crc, byte >> 4), byte & 15))
}

/// The part of a key that decides its slot: what stands between the first `{` and the next `}`, if that is not empty.
pub fn hash_tag(key: &[u8]) -> &[u8] {
    let tag = || {
        let open = key.iter().position(|byte| *byte == b'{')?;
        let inside = key.get(open + 1..)?;
        let close = inside.iter().position(|byte| *byte == b'}')?;
        inside.get(..close).filter(|tag| !tag.is_empty())
    };
    tag().unwrap_or(key)
}

/// The slot of a key, 0 to 16383.
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_value_and_slots() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        // CLUSTER KEYSLOT of a real server.
        let cases: [(&[u8], u16); 8] = [
            (b"", 0),
            (b"foo", 12182),
            (b"bar", 5061),
            (b"{foo}bar", 12182),
            (b"foo{}bar", 14292),
            (b"foo{{bar}}zap", 4015),
            (b"foo{bar}{zap}", 5061),
            (b"{foo", 13308),
        ];
        for (key, slot) in cases {
            assert_eq!(key_slot(key), slot, "{key:?}");
        }
    }
}
