//! Short strings that were asked for lately, found without hashing their bytes: replies of commands are full of them.

use super::value::Str;

/// Longer strings are not kept.
const MOST_BYTES: usize = 7;
const PLACES: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Place {
    /// 0 for none.
    key: u64,
    text: Str,
}

/// The strings, each in the one place where it may stand. To be emptied before any string of the heap goes.
#[derive(Debug)]
pub struct Recent {
    places: Box<[Place; PLACES]>,
}

impl Recent {
    pub fn new() -> Recent {
        let nothing = Place {
            key: 0,
            text: Str { id: 0, hash: 0 },
        };
        Recent {
            places: Box::new([nothing; PLACES]),
        }
    }

    /// What tells a string from all others; None for one that is too long.
    #[inline]
    pub fn key(bytes: &[u8]) -> Option<u64> {
        let length = bytes.len();
        let word = match *bytes {
            [] => 0,
            [first] => u64::from(first),
            [first, second] => u64::from(u16::from_le_bytes([first, second])),
            [first, second, third] => u64::from(u32::from_le_bytes([first, second, third, 0])),
            _ if length <= MOST_BYTES => {
                let first = u32::from_le_bytes(*bytes.first_chunk()?);
                let last = u32::from_le_bytes(*bytes.last_chunk()?);
                // Without what the first four bytes tell already.
                let rest = u64::from(last) >> (8 * (8 - length));
                u64::from(first) | rest << 32
            }
            _ => return None,
        };
        Some(word | (length as u64 + 1) << 56)
    }

    #[inline]
    fn place(key: u64) -> usize {
        usize::from((key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
    }

    /// The string of a key, if it is among them.
    #[inline]
    pub fn get(&self, key: u64) -> Option<Str> {
        let place = &self.places[Recent::place(key)];
        (place.key == key).then_some(place.text)
    }

    #[inline]
    pub fn put(&mut self, key: u64, text: Str) {
        self.places[Recent::place(key)] = Place { key, text };
    }

    pub fn clear(&mut self) {
        for place in self.places.iter_mut() {
            place.key = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_as_their_strings_do() {
        let mut seen = std::collections::HashMap::new();
        let letters = [0_u8, 1, b'a', 255];
        for length in 0..=MOST_BYTES {
            for number in 0..letters.len().pow(length as u32) {
                let digit =
                    |at: usize| letters[number / letters.len().pow(at as u32) % letters.len()];
                let text: Vec<u8> = (0..length).map(digit).collect();
                let key = Recent::key(&text).expect("a short one");
                assert!(key != 0 && seen.insert(key, text).is_none());
            }
        }
        assert_eq!(Recent::key(&[0; MOST_BYTES + 1]), None);
    }
}
