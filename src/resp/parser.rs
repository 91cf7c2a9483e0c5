//! The incremental request parser: bytes arrive in pieces of any size, whole requests come out.
//!
//! A request is an array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or an inline line (`GET k\r\n`, with the
//! quoting of `redis-cli`). The parser keeps the bytes it has and where it stands in them, so that a request that
//! arrives one byte at a time costs no more than one that arrives whole.

use crate::algorithms::num;
use crate::resp::Error;

/// A line (inline request, count or length) longer than this is refused.
const LINE_LIMIT_BYTES: usize = 64 * 1024;
/// A request may not have more arguments than this.
const ARGS_LIMIT: i64 = i32::MAX as i64;
/// What a client that has not authenticated yet may send.
const UNAUTHENTICATED_ARGS_LIMIT: i64 = 10;
const UNAUTHENTICATED_BULK_LIMIT_BYTES: i64 = 16384;
/// Consumed bytes in front of the buffer are dropped once they are more than this.
const COMPACT_BYTES: usize = 64 * 1024;
/// Memory kept for the next request once the buffer is empty.
const KEEP_BYTES: usize = 64 * 1024;

/// What the session and the configuration allow.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `proto-max-bulk-len`, in bytes.
    pub bulk_bytes: i64,
    pub authenticated: bool,
}

/// What [`Parser::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    Incomplete,
    /// A request stands in [`Parser::args`]; it may be empty, then there is nothing to do.
    Request,
    /// The stream cannot be understood any more: reply this and close.
    Broken(Error),
}

/// The state of one connection's incoming bytes.
#[derive(Debug, Clone, Default)]
pub struct Parser {
    buffer: Vec<u8>,
    /// The first byte not consumed yet.
    at: usize,
    /// From where to look for a line's end: bytes before were searched already.
    searched: usize,
    /// Bulk strings still to come in the current request; -1 between requests.
    missing: i64,
    /// The length of the bulk string whose header was read; -1 when the next thing is a header.
    bulk: i64,
    started: bool,
    /// The arguments of the current request, as ranges in the buffer.
    ranges: Vec<(usize, usize)>,
    /// Unquoted inline arguments, which do not stand in the buffer as such.
    inline: Vec<u8>,
    is_inline: bool,
}

impl Parser {
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Adds bytes from the connection.
    pub fn feed(&mut self, bytes: &[u8]) {
        let used = match self.ranges.first() {
            Some((from, _)) if self.started => *from,
            _ => self.at,
        };
        if used > COMPACT_BYTES {
            self.buffer.drain(..used);
            self.searched = self.searched.saturating_sub(used);
            self.at -= used;
            for (from, to) in self.ranges.iter_mut().filter(|_| self.started) {
                *from -= used;
                *to -= used;
            }
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Moves the bytes that were not consumed yet, for another reader.
    #[cfg(feature = "debugger")]
    pub fn take_rest(&mut self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.buffer.get(self.at..).unwrap_or(&[]));
        self.at = self.buffer.len();
        self.searched = self.at;
    }

    /// The bytes that were not consumed yet; None amid a request.
    pub fn between_requests(&self) -> Option<&[u8]> {
        match self.started {
            true => None,
            false => Some(self.buffer.get(self.at..).unwrap_or(&[])),
        }
    }

    /// Consumes so many bytes between two requests.
    pub fn skip(&mut self, length: usize) {
        self.at = (self.at + length).min(self.buffer.len());
        self.searched = self.searched.max(self.at);
    }

    /// Bytes received and not consumed yet.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.at
    }

    /// Bytes the buffers take.
    pub fn capacity_bytes(&self) -> usize {
        self.buffer.capacity() + self.inline.capacity()
    }

    /// The number of arguments of the request found last.
    pub fn arg_count(&self) -> usize {
        self.ranges.len()
    }

    /// The arguments of the request found last.
    pub fn args(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let source = if self.is_inline {
            &self.inline
        } else {
            &self.buffer
        };
        self.ranges
            .iter()
            .map(move |&(from, to)| source.get(from..to).unwrap_or(&[]))
    }

    /// Looks for the next request.
    pub fn next(&mut self, limits: Limits) -> Progress {
        if !self.started {
            self.ranges.clear();
            self.is_inline = false;
            if self.at == self.buffer.len() {
                self.reset_buffer();
                return Progress::Incomplete;
            }
            if self.buffer[self.at] != b'*' {
                return self.next_inline();
            }
            match self.read_count(limits) {
                Ok(Some(count)) if count <= 0 => return Progress::Request,
                Ok(Some(count)) => {
                    self.started = true;
                    self.missing = count;
                    self.bulk = -1;
                }
                Ok(None) => return Progress::Incomplete,
                Err(error) => return Progress::Broken(error),
            }
        }
        while self.missing > 0 {
            match self.read_bulk(limits) {
                Ok(true) => self.missing -= 1,
                Ok(false) => return Progress::Incomplete,
                Err(error) => return Progress::Broken(error),
            }
        }
        self.started = false;
        Progress::Request
    }

    fn reset_buffer(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEEP_BYTES);
        self.inline.shrink_to(KEEP_BYTES);
        self.at = 0;
        self.searched = 0;
    }

    /// The line that starts at `at`, without its end; consumes it. None when its end has not come yet.
    fn take_line(&mut self, too_long: &'static str) -> Result<Option<(usize, usize)>, Error> {
        let from = self.searched.max(self.at);
        let Some(end) = self
            .buffer
            .iter()
            .skip(from)
            .position(|&byte| byte == b'\n')
        else {
            self.searched = self.buffer.len();
            if self.buffer.len() - self.at > LINE_LIMIT_BYTES {
                return Err(Error::new(too_long));
            }
            return Ok(None);
        };
        let end = from + end;
        let start = self.at;
        self.at = end + 1;
        self.searched = self.at;
        let has_return = end > start && self.buffer[end - 1] == b'\r';
        Ok(Some((start, if has_return { end - 1 } else { end })))
    }

    fn read_count(&mut self, limits: Limits) -> Result<Option<i64>, Error> {
        let Some((from, to)) = self.take_line("ERR Protocol error: too big mbulk count string")?
        else {
            return Ok(None);
        };
        match num::parse_i64(&self.buffer[from + 1..to.max(from + 1)]) {
            Some(count) if count > ARGS_LIMIT => {
                Err(Error::new("ERR Protocol error: invalid multibulk length"))
            }
            Some(count) if count > UNAUTHENTICATED_ARGS_LIMIT && !limits.authenticated => Err(
                Error::new("ERR Protocol error: unauthenticated multibulk length"),
            ),
            Some(count) => Ok(Some(count)),
            None => Err(Error::new("ERR Protocol error: invalid multibulk length")),
        }
    }

    /// Reads one bulk string, header and body; false when bytes are missing.
    fn read_bulk(&mut self, limits: Limits) -> Result<bool, Error> {
        if self.bulk < 0 {
            let Some((from, to)) =
                self.take_line("ERR Protocol error: too big bulk count string")?
            else {
                return Ok(false);
            };
            let line = &self.buffer[from..to];
            let sigil = line.first().copied().unwrap_or(b'\r');
            if sigil != b'$' {
                return Err(Error::concat(&[
                    b"ERR Protocol error: expected '$', got '",
                    &[sigil],
                    b"'",
                ]));
            }
            match num::parse_i64(&line[1..]) {
                Some(length) if (0..=limits.bulk_bytes).contains(&length) => {
                    if length > UNAUTHENTICATED_BULK_LIMIT_BYTES && !limits.authenticated {
                        return Err(Error::new(
                            "ERR Protocol error: unauthenticated bulk length",
                        ));
                    }
                    self.bulk = length;
                }
                _ => return Err(Error::new("ERR Protocol error: invalid bulk length")),
            }
        }
        let end = self.at + self.bulk as usize;
        if self.buffer.len() < end + 2 {
            return Ok(false);
        }
        self.ranges.push((self.at, end));
        self.at = end + 2;
        self.searched = self.at;
        self.bulk = -1;
        Ok(true)
    }

    fn next_inline(&mut self) -> Progress {
        let (from, to) = match self.take_line("ERR Protocol error: too big inline request") {
            Ok(Some(range)) => range,
            Ok(None) => return Progress::Incomplete,
            Err(error) => return Progress::Broken(error),
        };
        self.is_inline = true;
        self.inline.clear();
        match split_inline(&self.buffer[from..to], &mut self.inline, &mut self.ranges) {
            true => Progress::Request,
            false => Progress::Broken(Error::new(
                "ERR Protocol error: unbalanced quotes in request",
            )),
        }
    }
}

/// Splits a line into arguments as `redis-cli` does: blanks separate, `"..."` knows escapes, `'...'` only `\'`.
/// The arguments' bytes go to `out`, their places to `ranges`. False when a quote is not closed or not followed by a
/// blank.
pub fn split_inline(line: &[u8], out: &mut Vec<u8>, ranges: &mut Vec<(usize, usize)>) -> bool {
    // Redis reads the line as a C string: what follows a NUL does not count.
    let line = line.split(|&byte| byte == 0).next().unwrap_or(&[]);
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|byte| is_blank(*byte)) {
            at += 1;
        }
        if at >= line.len() {
            return true;
        }
        let start = out.len();
        match take_argument(line, at, out) {
            Some(next) => at = next,
            None => return false,
        }
        ranges.push((start, out.len()));
    }
}

/// `isspace` of the C locale.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// One argument from `at` on; where the next begins, or None when its quotes are wrong.
fn take_argument(line: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match line.get(at) {
            None => return Some(at),
            Some(&byte) if is_blank(byte) => return Some(at),
            Some(b'"') => return take_double_quoted(line, at + 1, out),
            Some(b'\'') => return take_single_quoted(line, at + 1, out),
            Some(&byte) => out.push(byte),
        }
        at += 1;
    }
}

fn closed_at(line: &[u8], next: usize) -> Option<usize> {
    line.get(next)
        .is_none_or(|&byte| is_blank(byte))
        .then_some(next)
}

fn take_single_quoted(line: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match (line.get(at)?, line.get(at + 1)) {
            (b'\\', Some(b'\'')) => {
                out.push(b'\'');
                at += 1;
            }
            (b'\'', _) => return closed_at(line, at + 1),
            (&byte, _) => out.push(byte),
        }
        at += 1;
    }
}

fn take_double_quoted(line: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *line.get(at)? {
            b'"' => return closed_at(line, at + 1),
            b'\\' => {
                let next = *line.get(at + 1)?;
                let hex = (
                    line.get(at + 2).copied().and_then(hex_digit),
                    line.get(at + 3).copied().and_then(hex_digit),
                );
                if let (b'x', (Some(high), Some(low))) = (next, hex) {
                    out.push(high * 16 + low);
                    at += 4;
                    continue;
                }
                out.push(match next {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
                at += 1;
            }
            byte => out.push(byte),
        }
        at += 1;
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bulk_bytes: 512 << 20,
        authenticated: true,
    };

    fn all(input: &[u8], piece: usize) -> (Vec<Vec<Vec<u8>>>, Option<Error>) {
        let mut parser = Parser::new();
        let mut requests = Vec::new();
        for chunk in input.chunks(piece) {
            parser.feed(chunk);
            loop {
                match parser.next(LIMITS) {
                    Progress::Incomplete => break,
                    Progress::Request => requests.push(parser.args().map(<[u8]>::to_vec).collect()),
                    Progress::Broken(error) => return (requests, Some(error)),
                }
            }
        }
        (requests, None)
    }

    #[test]
    fn pieces_of_any_size_give_the_same_requests() {
        let input = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nset a \"x\\x00y\" 'q'\r\n\r\n*0\r\n*1\r\n$0\r\n\r\nPING\n";
        let whole = all(input, input.len());
        assert_eq!(whole.0.len(), 6);
        assert_eq!(whole.0[1], [&b"set"[..], b"a", b"x\0y", b"q"]);
        for piece in 1..input.len() {
            assert_eq!(all(input, piece), whole, "pieces of {piece} bytes");
        }
    }

    #[test]
    fn broken_streams_say_why() {
        let cases: [(&[u8], &str); 6] = [
            (b"*x\r\n", "ERR Protocol error: invalid multibulk length"),
            (
                b"*2147483648\r\n",
                "ERR Protocol error: invalid multibulk length",
            ),
            (b"*1\r\n:1\r\n", "ERR Protocol error: expected '$', got ':'"),
            (b"*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"),
            (
                b"*1\r\n$536870913\r\n",
                "ERR Protocol error: invalid bulk length",
            ),
            (
                b"GET \"a\r\n",
                "ERR Protocol error: unbalanced quotes in request",
            ),
        ];
        for (input, text) in cases {
            let (_, error) = all(input, 3);
            assert_eq!(error.as_ref().map(Error::text), Some(text.as_bytes()));
        }
    }
}
