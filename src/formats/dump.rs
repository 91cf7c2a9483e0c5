//! The payload of DUMP and RESTORE: a type byte, the object, the RDB version (2 bytes) and a CRC-64 of all before it (8
//! bytes), both little-endian.

use super::objects::{self, Loaded, Templates};
use super::rdb::{self, Cursor, ReadError};
use crate::algorithms::bytes::Append;
use crate::algorithms::crc64::crc64;
use crate::algorithms::lzf::Compressor;
use crate::values::{Entry, Limits};

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too short, of a newer version, or damaged.
    VersionOrChecksum,
    /// Whole, but not an object of a known type.
    Format,
}

/// Appends the payload of a value. O(size).
pub fn write(out: &mut Vec<u8>, entry: &Entry<'_>, compressor: Option<&mut Compressor>) {
    let start = out.len();
    out.push(objects::type_byte(entry));
    objects::write(out, entry, compressor);
    write_footer(out, start);
}

/// Ends the payload that starts at `start` with version and checksum.
pub fn write_footer(out: &mut Vec<u8>, start: usize) {
    out.put(&rdb::VERSION.to_le_bytes());
    let checksum = crc64(0, out.get(start..).unwrap_or_default());
    out.put(&checksum.to_le_bytes());
}

/// Checks version and checksum, then reads the object. Bytes behind it are ignored, and an object may even reach into the
/// footer: the checksum vouches for the writer, and Redis does not look closer. O(length).
pub fn read<'a>(payload: &'a [u8], limits: &Limits) -> Result<Loaded<'a>, Refused> {
    let version = check(payload).ok_or(Refused::VersionOrChecksum)?;
    let mut cursor = Cursor::new(payload);
    let type_byte = cursor.byte().map_err(|_| Refused::Format)?;
    let type_byte = match version {
        rdb::VALKEY => objects::of_valkey(type_byte).ok_or(Refused::Format)?,
        _ => type_byte,
    };
    objects::read(&mut cursor, type_byte, limits, &Templates::default())
        .map_err(|_: ReadError| Refused::Format)
}

/// Version and checksum at a payload's end.
pub const FOOTER_BYTES: usize = 10;

/// The version, if it is one that can be read, and the checksum is right.
pub fn check(payload: &[u8]) -> Option<u16> {
    let (sealed, checksum) = payload.split_last_chunk::<8>()?;
    let (_, version) = sealed.split_last_chunk::<2>()?;
    let version = u16::from_le_bytes(*version);
    let is_known = version <= rdb::NEWEST || version == rdb::VALKEY;
    (is_known && crc64(0, sealed) == u64::from_le_bytes(*checksum)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::hash::HashSeed;

    fn dumped(text: &[u8]) -> Vec<u8> {
        let mut out = vec![rdb::TYPE_STRING];
        rdb::write_string(&mut out, text, Some(&mut Compressor::new()));
        write_footer(&mut out, 0);
        out
    }

    fn loaded(payload: &[u8]) -> Result<Vec<u8>, Refused> {
        match read(payload, &Limits::new(HashSeed::new(1, 2)))? {
            Loaded::String(text) => Ok(text.into_owned()),
            Loaded::Object(_) => Err(Refused::Format),
        }
    }

    #[test]
    fn a_real_server_dumps_these_bytes() {
        assert_eq!(
            dumped(b"10"),
            b"\x00\xc0\x0a\x0c\x00\xa5\xe9\x63\x85\xf4\x84\xfd\xf2"
        );
    }

    #[test]
    fn payloads_come_back() {
        for text in [&b""[..], b"123456", b"hello", &[b'z'; 5000]] {
            let payload = dumped(text);
            assert_eq!(loaded(&payload), Ok(text.to_vec()));
            for at in 0..payload.len() {
                let mut damaged = payload.clone();
                damaged[at] ^= 1;
                assert_eq!(loaded(&damaged), Err(Refused::VersionOrChecksum));
                assert!(loaded(&payload[..at]).is_err());
            }
        }
    }

    #[test]
    fn sealed_nonsense_is_bad_format() {
        for body in [
            &b""[..],
            b"\x63",
            b"\x04\x00",
            b"\x00\x3fabc",
            b"\x00\xc3\x01\x09\x00",
        ] {
            let mut payload = body.to_vec();
            write_footer(&mut payload, 0);
            assert_eq!(loaded(&payload), Err(Refused::Format));
        }
        let mut newer = b"\x00\x00\x10\x00".to_vec();
        let checksum = crc64(0, &newer);
        newer.extend_from_slice(&checksum.to_le_bytes());
        assert_eq!(loaded(&newer), Err(Refused::VersionOrChecksum));
    }
}
