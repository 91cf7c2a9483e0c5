//! The append-only file: RDB or nothing at its start, then commands as requests of RESP, among them lines that begin
//! with `#` and say something to people (`#TS:1700000000`: when the commands below were run).
//!
//! Written by [`Log`], a buffer that the host empties; read by the parser of requests, with [`line_length`] for what
//! only stands in files.

use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;

/// Appends a command.
pub fn write_command(out: &mut Vec<u8>, args: &[&[u8]]) {
    out.reserve(16 + args.iter().map(|arg| arg.len() + 16).sum::<usize>());
    out.push(b'*');
    num::write_u64(out, args.len() as u64);
    for arg in args {
        write_length(out, arg.len());
        out.put(arg);
    }
    out.put(b"\r\n");
}

/// Ends the line before and appends a line with a length: as few pieces as can be, for each costs more than its bytes.
fn write_length(out: &mut Vec<u8>, length: usize) {
    let (tens, ones) = (b'0' + (length / 10 % 10) as u8, b'0' + (length % 10) as u8);
    match length {
        0..=9 => out.put(&[b'\r', b'\n', b'$', ones, b'\r', b'\n']),
        10..=99 => out.put(&[b'\r', b'\n', b'$', tens, ones, b'\r', b'\n']),
        _ => {
            out.put(b"\r\n$");
            num::write_u64(out, length as u64);
            out.put(b"\r\n");
        }
    }
}

/// How long the line of words for people is that a file goes on with: None when it goes on with something else, 0 when
/// the line's end is not there yet.
pub fn line_length(rest: &[u8]) -> Option<usize> {
    if rest.first() != Some(&b'#') {
        return None;
    }
    let end = rest.iter().position(|byte| *byte == b'\n');
    Some(end.map_or(0, |end| end + 1))
}

/// What commands want recorded instead of themselves.
#[derive(Debug, Default)]
pub struct Effects {
    /// Somebody said so; with no records, nothing is to be recorded.
    pub is_said: bool,
    bytes: Vec<u8>,
    records: u64,
}

/// Larger buffers are given back after use.
const KEEP_BYTES: usize = 64 * 1024;

impl Effects {
    /// One more command.
    pub fn add(&mut self, command: &[&[u8]]) {
        self.is_said = true;
        self.records += 1;
        write_command(&mut self.bytes, command);
    }

    fn clear(&mut self) {
        self.is_said = false;
        self.records = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEEP_BYTES);
    }
}

/// The writes that nobody has taken yet, as bytes of the file.
#[derive(Debug, Default)]
pub struct Log {
    bytes: Vec<u8>,
    /// How many commands were ever recorded, those around transactions and choices of databases left out.
    records: u64,
    /// The database that the commands so far chose; None at the start of a file.
    db: Option<usize>,
    /// Times are written.
    pub is_stamped: bool,
    /// The last one, in seconds since the epoch.
    stamp_s: i64,
}

/// A moment in a log.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    at: usize,
    records: u64,
    db: Option<usize>,
}

/// What was recorded from a moment on, taken out of its log for the time being.
#[derive(Debug, Default)]
pub struct Part {
    bytes: Vec<u8>,
    records: u64,
    /// The databases chosen before and after.
    db_before: Option<usize>,
    db: Option<usize>,
}

impl Log {
    /// How many bytes wait to be taken.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The database that is chosen where the log stands; None where the next command says its own.
    #[inline]
    pub fn db(&self) -> Option<usize> {
        self.db
    }

    /// A new file begins: the next command says its database.
    pub fn cut(&mut self) {
        self.db = None;
    }

    /// Exchanges the bytes for those of `out`, which must be empty.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        std::mem::swap(&mut self.bytes, out);
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.bytes = Vec::new();
        self.db = None;
    }

    #[inline]
    pub fn mark(&self) -> Mark {
        Mark {
            at: self.bytes.len(),
            records: self.records,
            db: self.db,
        }
    }

    /// Records a command of a database, run at `now_ms`.
    pub fn command(&mut self, db: usize, now_ms: i64, args: &[&[u8]]) {
        self.begin(db, now_ms);
        self.records += 1;
        write_command(&mut self.bytes, args);
    }

    /// Records what a command wanted recorded, and empties it.
    pub fn effects(&mut self, db: usize, now_ms: i64, effects: &mut Effects) {
        if effects.records > 0 {
            self.begin(db, now_ms);
            self.records += effects.records;
            self.bytes.put(&effects.bytes);
        }
        effects.clear();
    }

    #[inline]
    fn begin(&mut self, db: usize, now_ms: i64) {
        if self.is_stamped || self.db != Some(db) {
            self.announce(db, now_ms);
        }
    }

    /// Says the time and the database, where they are others than before.
    #[cold]
    fn announce(&mut self, db: usize, now_ms: i64) {
        let now_s = now_ms.div_euclid(1000);
        if self.is_stamped && now_s > self.stamp_s {
            self.stamp_s = now_s;
            self.bytes.put(b"#TS:");
            num::write_i64(&mut self.bytes, now_s);
            self.bytes.put(b"\r\n");
        }
        self.choose(db);
    }

    fn choose(&mut self, db: usize) {
        if self.db != Some(db) {
            self.db = Some(db);
            let number = num::format_u64(db as u64);
            write_command(&mut self.bytes, &[b"SELECT", number.as_bytes()]);
        }
    }

    /// Puts MULTI and EXEC around what was recorded since a mark, when that is several commands: a choice of database
    /// stands inside, a time before them. Linear in what was recorded since then.
    pub fn frame(&mut self, since: Mark) {
        const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
        if self.records <= since.records + 1 {
            return;
        }
        let mut at = since.at.min(self.bytes.len());
        at += line_length(self.bytes.get(at..).unwrap_or(&[])).unwrap_or(0);
        self.bytes.splice(at..at, MULTI.iter().copied());
        self.bytes.put(b"*1\r\n$4\r\nEXEC\r\n");
    }

    /// Takes back what was recorded since a mark.
    pub fn truncate(&mut self, since: Mark) {
        self.bytes.truncate(since.at);
        self.records = since.records;
        self.db = since.db;
    }

    /// Takes out what was recorded since a mark, to be appended again.
    pub fn split_off(&mut self, since: Mark) -> Part {
        let part = Part {
            bytes: self.bytes.split_off(since.at.min(self.bytes.len())),
            records: self.records - since.records,
            db_before: since.db,
            db: self.db,
        };
        self.records = since.records;
        self.db = since.db;
        part
    }

    /// Appends what was taken out.
    pub fn append(&mut self, part: Part) {
        if part.records == 0 {
            return;
        }
        if let Some(db) = part.db_before {
            self.choose(db);
        }
        self.bytes.put(&part.bytes);
        self.records += part.records;
        self.db = part.db;
    }
}

impl Part {
    /// Appends another part, which was recorded after this one.
    pub fn append(&mut self, later: Part) {
        if later.records == 0 {
            return;
        }
        if self.records == 0 {
            *self = later;
            return;
        }
        self.bytes.put(&later.bytes);
        self.records += later.records;
        self.db = later.db;
    }
}

/// A write as the file has it, with its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub db: usize,
    pub command: Vec<Vec<u8>>,
}

/// The commands in a file's bytes that begins with a choice of database; those choices are left out.
pub fn records(mut rest: &[u8]) -> Vec<Record> {
    let mut db = 0;
    let mut found: Vec<Record> = Vec::new();
    while !rest.is_empty() {
        if let Some(length) = line_length(rest) {
            rest = rest.get(length..).filter(|_| length > 0).unwrap_or(&[]);
            continue;
        }
        let Some(command) = read_command(&mut rest) else {
            break;
        };
        match command.as_slice() {
            [name, number] if name == b"SELECT" => {
                db = num::parse_i64(number).unwrap_or(0) as usize;
                if let Some(last) = found.last_mut().filter(|last| last.command == [b"MULTI"]) {
                    last.db = db;
                }
            }
            _ => found.push(Record { db, command }),
        }
    }
    found
}

fn read_command(rest: &mut &[u8]) -> Option<Vec<Vec<u8>>> {
    let count = read_count(rest, b'*')?;
    let mut command = Vec::new();
    for _ in 0..count {
        let length = read_count(rest, b'$')?;
        command.push(rest.get(..length)?.owned());
        *rest = rest.get(length + 2..)?;
    }
    Some(command)
}

fn read_count(rest: &mut &[u8], mark: u8) -> Option<usize> {
    let end = rest.iter().position(|byte| *byte == b'\r')?;
    let count = rest.get(..end)?.strip_prefix(&[mark])?;
    *rest = rest.get(end + 2..)?;
    usize::try_from(num::parse_i64(count)?).ok()
}
