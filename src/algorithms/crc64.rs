//! CRC-64 with the Jones polynomial, which guards RDB files and DUMP payloads.

/// The polynomial, reflected.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// The remainders of the sixteen values of four bits, for short data.
const NIBBLES: [u64; 16] = nibbles();

const fn step(mut crc: u64, bits: u32) -> u64 {
    let mut i = 0;
    while i < bits {
        crc = crc >> 1 ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
        i += 1;
    }
    crc
}

const fn nibbles() -> [u64; 16] {
    let mut table = [0; 16];
    let mut i = 0;
    while i < 16 {
        table[i] = step(i as u64, 4);
        i += 1;
    }
    table
}

/// Continues a checksum over more data. The first call starts from 0. Needs no tables to be built: for short data.
pub fn crc64(crc: u64, data: &[u8]) -> u64 {
    let nibble = |crc: u64| crc >> 4 ^ NIBBLES[(crc & 15) as usize];
    data.iter()
        .fold(crc, |crc, byte| nibble(nibble(crc ^ *byte as u64)))
}

/// A running checksum for long data: eight bytes a step, with 16 KiB of tables built at the start.
pub struct Crc64 {
    tables: Box<[[u64; 256]; 8]>,
    crc: u64,
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

impl Crc64 {
    /// A checksum of nothing yet.
    pub fn new() -> Crc64 {
        let mut tables = Box::new([[0; 256]; 8]);
        for byte in 0..256usize {
            let mut crc = byte as u64;
            for table in tables.iter_mut() {
                crc = step(crc, 8);
                table[byte] = crc;
            }
        }
        Crc64 { tables, crc: 0 }
    }

    /// Adds data.
    pub fn update(&mut self, data: &[u8]) {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &*self.tables;
        let mut crc = self.crc;
        let (words, rest) = data.as_chunks::<8>();
        for word in words {
            let [a, b, c, d, e, f, g, h] = (crc ^ u64::from_le_bytes(*word)).to_le_bytes();
            crc = t7[a as usize]
                ^ t6[b as usize]
                ^ t5[c as usize]
                ^ t4[d as usize]
                ^ t3[e as usize]
                ^ t2[f as usize]
                ^ t1[g as usize]
                ^ t0[h as usize];
        }
        let step = |crc: u64, byte: &u8| (crc >> 8) ^ t0[(crc as u8 ^ byte) as usize];
        self.crc = rest.iter().fold(crc, step);
    }

    /// The checksum of all data so far.
    pub fn value(&self) -> u64 {
        self.crc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_value() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(0, b""), 0);
    }

    #[test]
    fn both_forms_agree_however_data_is_cut() {
        let data: Vec<u8> = (0..1000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let want = crc64(0, &data);
        for cut in [0, 1, 7, 8, 9, 500, 999, 1000] {
            let mut running = Crc64::new();
            running.update(&data[..cut]);
            assert_eq!(crc64(crc64(0, &data[..cut]), &data[cut..]), want);
            running.update(&data[cut..]);
            assert_eq!(running.value(), want);
        }
    }
}
