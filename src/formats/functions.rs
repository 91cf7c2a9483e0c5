//! The payload of FUNCTION DUMP and FUNCTION RESTORE: per library the byte 245 and its source, as in a snapshot, then
//! version and checksum, as of DUMP.

use super::dump;
use super::rdb::{self, Cursor};
use crate::algorithms::lzf::Compressor;
use std::borrow::Cow;

/// What stands before a library's source.
pub const LIBRARY: u8 = 245;
/// The same in versions of Redis 7.0 that were never released.
pub(super) const EARLY_LIBRARY: u8 = 246;

/// What is wrong with a payload, as FUNCTION RESTORE says it.
pub type Problem = &'static str;

/// Appends a library, with the byte before it.
pub fn write_library(out: &mut Vec<u8>, source: &[u8], compressor: Option<&mut Compressor>) {
    out.push(LIBRARY);
    rdb::write_string(out, source, compressor);
}

/// Ends a payload that starts at the beginning of `out`.
pub fn finish(out: &mut Vec<u8>) {
    dump::write_footer(out, 0);
}

/// What a payload holds.
#[derive(Debug, Default)]
pub struct Payload<'a> {
    /// The sources, up to where something is wrong.
    pub sources: Vec<Cow<'a, [u8]>>,
    pub problem: Option<Problem>,
}

/// Checks version and checksum, then reads the sources. O(length).
pub fn read(payload: &[u8]) -> Payload<'_> {
    let mut read = Payload::default();
    if dump::check(payload).is_none() {
        read.problem = Some("ERR DUMP payload version or checksum are wrong");
        return read;
    }
    let mut cursor = Cursor::new(payload);
    // As of DUMP, a library may reach into the footer.
    while cursor.rest().len() > dump::FOOTER_BYTES {
        read.problem = match cursor.byte() {
            Ok(LIBRARY) => match cursor.string() {
                Ok(source) => {
                    read.sources.push(source);
                    continue;
                }
                Err(_) => Some("ERR Failed loading library payload"),
            },
            Ok(EARLY_LIBRARY) => Some("ERR Pre-GA function format not supported"),
            _ => Some("ERR given type is not a function"),
        };
        break;
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::bytes::Append;

    #[test]
    fn a_real_server_dumps_these_bytes() {
        let source =
            b"#!lua name=lib\nredis.register_function('f', function(k,a) return {k,a} end)";
        let mut payload = Vec::new();
        finish(&mut payload);
        assert_eq!(payload, b"\x0c\x00\x96\xedh\x80\xf5U<\x93");
        assert!(read(&payload).sources.is_empty() && read(&payload).problem.is_none());
        payload.clear();
        write_library(&mut payload, source, Some(&mut Compressor::new()));
        assert_eq!(payload.get(..3), Some(&b"\xf5\x40\x4b"[..]));
        finish(&mut payload);
        assert_eq!(read(&payload).sources, [&source[..]]);
        for at in 0..payload.len() {
            let mut damaged = payload.clone();
            damaged[at] ^= 1;
            assert!(read(&damaged).problem.is_some());
            assert!(read(&payload[..at]).problem.is_some());
        }
    }

    #[test]
    fn what_is_wrong_is_found_behind_what_is_right() {
        for (rest, problem) in [
            (&b"\xf6"[..], "ERR Pre-GA function format not supported"),
            (b"\x00", "ERR given type is not a function"),
            (b"\xf5", "ERR Failed loading library payload"),
            (b"\xf5\x3fabc", "ERR Failed loading library payload"),
        ] {
            let mut payload = Vec::new();
            write_library(&mut payload, b"x", None);
            payload.put(rest);
            finish(&mut payload);
            let read = read(&payload);
            assert_eq!((read.sources.len(), read.problem), (1, Some(problem)));
        }
    }
}
