//! Data of modules: what tells whose it is, and how to get past it.
//!
//! A module's data begins with an id of 64 bits: nine characters of six bits each, highest first, then ten bits that count
//! versions of its encoding. Since Redis 4.0 (type 7) the data describes itself: an opcode before each part, 0 at the end.

use super::rdb::{Cursor, ReadError};

const END: u64 = 0;
const SIGNED: u64 = 1;
const UNSIGNED: u64 = 2;
const FLOAT: u64 = 3;
const DOUBLE: u64 = 4;
const STRING: u64 = 5;

const NAME_LEN: usize = 9;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The name of the type that an id stands for.
pub fn name(id: u64) -> [u8; NAME_LEN] {
    let mut bits = id >> 10;
    let mut name = [b'?'; NAME_LEN];
    for place in name.iter_mut().rev() {
        *place = LETTERS[(bits & 63) as usize];
        bits >>= 6;
    }
    name
}

/// Reads past data up to its end mark. O(parts).
///
/// # Errors
/// When the bytes end before it or hold anything else.
pub fn skip(cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
    loop {
        match cursor.length()? {
            END => return Ok(()),
            SIGNED | UNSIGNED => drop(cursor.length()?),
            FLOAT => drop(cursor.array::<4>()?),
            DOUBLE => drop(cursor.array::<8>()?),
            STRING => cursor.skip_string()?,
            _ => return Err(ReadError::Corrupt("data of a module has an unknown part")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_names() {
        // The id that a real file has for ReJSON.
        assert_eq!(&name(5_035_677_737_576_115_203), b"ReJSON-RL");
        assert_eq!(&name(0), b"AAAAAAAAA");
        assert_eq!(&name(u64::MAX), b"_________");
    }

    #[test]
    fn parts_are_skipped() {
        let data = b"\x01\x05\x02\x41\x00\x03abcd\x04abcdefgh\x05\x03xyz\x05\xc0\x07\x05\xc3\x02\x05ab\x00!";
        let mut cursor = Cursor::new(data);
        assert_eq!(skip(&mut cursor), Ok(()));
        assert_eq!(cursor.rest(), b"!");
        for length in 0..data.len() - 1 {
            let cut = skip(&mut Cursor::new(&data[..length]));
            assert_eq!(cut, Err(ReadError::Incomplete));
        }
        assert!(matches!(
            skip(&mut Cursor::new(b"\x06")),
            Err(ReadError::Corrupt(_))
        ));
    }
}
