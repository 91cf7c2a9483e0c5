//! The append-only file: RDB or nothing at its start, then commands as requests of RESP.

use crate::algorithms::bytes::Append;
use crate::algorithms::num::format_u64;

/// Appends a command.
pub fn write_command(out: &mut Vec<u8>, args: &[&[u8]]) {
    write_count(out, b'*', args.len());
    for arg in args {
        write_count(out, b'$', arg.len());
        out.put(arg);
        out.put(b"\r\n");
    }
}

fn write_count(out: &mut Vec<u8>, mark: u8, count: usize) {
    out.push(mark);
    out.put(format_u64(count as u64).as_bytes());
    out.put(b"\r\n");
}
