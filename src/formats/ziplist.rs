//! The ziplist: what Redis had before the listpack, found in older files.
//!
//! Total bytes, place of the last element (u32 each) and count (u16), little-endian; then elements, each with the length
//! of the one before it, a head that tells what it is, and its text; `ff` at the end.

use super::rdb::ReadError;
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num::format_i64;

const HEADER_BYTES: usize = 10;
const END: u8 = 0xff;
/// A length of the element before that takes four more bytes.
const LONG_PREVIOUS: u8 = 0xfe;

/// The texts of all elements. O(bytes).
///
/// # Errors
/// When the bytes are no ziplist.
pub fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ReadError> {
    elements(bytes).ok_or(ReadError::Corrupt("a ziplist is damaged"))
}

fn elements(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (header, mut rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let total = u32::from_le_bytes(*header.first_chunk()?);
    let count = u16::from_le_bytes(*header.last_chunk()?);
    if total as usize != bytes.len() {
        return None;
    }
    let (mut texts, mut previous) = (Vec::new(), 0);
    while rest != [END] {
        let before = rest.len();
        let told = match byte(&mut rest)? {
            LONG_PREVIOUS => u32::from_le_bytes(chunk(&mut rest)?) as usize,
            END => return None,
            short => usize::from(short),
        };
        texts.push(element(&mut rest)?);
        if told != previous {
            return None;
        }
        previous = before - rest.len();
    }
    (count == u16::MAX || usize::from(count) == texts.len()).then_some(texts)
}

fn element(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let head = byte(rest)?;
    let number = match head {
        0x00..0x40 => return text(rest, usize::from(head)),
        0x40..0x80 => {
            let low = usize::from(byte(rest)?);
            return text(rest, usize::from(head & 0x3f) << 8 | low);
        }
        0x80 => {
            let length = u32::from_be_bytes(chunk(rest)?);
            return text(rest, length as usize);
        }
        0xc0 => i64::from(i16::from_le_bytes(chunk(rest)?)),
        0xd0 => i64::from(i32::from_le_bytes(chunk(rest)?)),
        0xe0 => i64::from_le_bytes(chunk(rest)?),
        0xf0 => {
            let [low, middle, high] = chunk(rest)?;
            i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)
        }
        0xfe => i64::from(i8::from_le_bytes(chunk(rest)?)),
        0xf1..=0xfd => i64::from(head & 0x0f) - 1,
        _ => return None,
    };
    Some(format_i64(number).owned())
}

fn chunk<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    chunk(rest).map(|[byte]| byte)
}

fn text(rest: &mut &[u8], length: usize) -> Option<Vec<u8>> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken.owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ziplist of elements without the lengths before them.
    fn ziplist(elements: &[&[u8]]) -> Vec<u8> {
        let (mut body, mut previous) = (Vec::new(), 0);
        for element in elements {
            body.push(previous as u8);
            body.extend_from_slice(element);
            previous = element.len() + 1;
        }
        let total = (HEADER_BYTES + body.len() + 1) as u32;
        let tail = (HEADER_BYTES + body.len() - previous) as u32;
        let mut bytes = [total.to_le_bytes(), tail.to_le_bytes()].concat();
        bytes.extend_from_slice(&(elements.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.push(END);
        bytes
    }

    #[test]
    fn every_head_is_read() {
        let bytes = ziplist(&[
            b"\x02ab",
            b"\x40\x01z",
            b"\x80\x00\x00\x00\x01q",
            b"\xc0\xff\x7f",
            b"\xd0\xff\xff\xff\x7f",
            b"\xe0\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xf0\x00\x00\x80",
            b"\xfe\x80",
            b"\xf1",
            b"\xfd",
        ]);
        let texts = read(&bytes).unwrap();
        let expected = [
            "ab",
            "z",
            "q",
            "32767",
            "2147483647",
            "-1",
            "-8388608",
            "-128",
            "0",
            "12",
        ];
        assert_eq!(texts, expected.map(|text| text.as_bytes().to_vec()));
    }

    #[test]
    fn damage_is_noticed() {
        let bytes = ziplist(&[b"\x02ab", b"\xf1"]);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err());
        }
        for at in [0, 8, 10, 14, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x41;
            assert!(read(&damaged).is_err(), "byte {at}");
        }
    }
}
