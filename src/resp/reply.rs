//! The reply builder: commands say what they reply, the builder knows how the client reads it.
//!
//! One builder serves three encodings, chosen per session: RESP2 and RESP3 bytes for sockets, and *cells* for callers
//! in the same process. Cells are pairs of `u32` words, `[kind | flags << 8, value]`, with all text in one area beside
//! them, so that JavaScript decodes the text of a whole reply once and cuts it into strings.

use crate::algorithms::num;
use crate::structures::bytes::append;

/// How a session reads its replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// RESP bytes (version 2 or 3, as the session negotiated).
    Wire,
    /// Cells and text.
    Cells,
}

/// The kinds of a cell; the numbers are part of the JavaScript boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Cell {
    /// The value is an `i32`.
    Int = 0,
    Nil = 1,
    /// The value is a length in the text area.
    Bulk = 2,
    Status = 3,
    /// The next pair of words is an `i64`.
    Int64 = 4,
    /// The next pair of words is an `f64`.
    Double = 5,
    Bool = 6,
    Error = 7,
    /// The value counts the elements that follow.
    Array = 8,
    /// The value counts the key-value pairs that follow.
    Map = 9,
    Set = 10,
    Push = 11,
    /// Text `"txt:..."`.
    Verbatim = 12,
    BigNumber = 13,
    NilArray = 14,
    Attribute = 15,
}

/// A place in a reply where a header with a count not yet known will stand.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    text: usize,
    cells: usize,
}

/// A reply under construction. Several replies may follow each other in it.
#[derive(Debug)]
pub struct Reply {
    encoding: Encoding,
    resp3: bool,
    text: Vec<u8>,
    cells: Vec<u32>,
}

impl Default for Reply {
    /// Cells with RESP3's types.
    fn default() -> Reply {
        Reply::new(Encoding::Cells, true)
    }
}

impl Reply {
    /// An empty reply in `encoding`; `resp3` chooses the protocol's version 3 forms.
    pub fn new(encoding: Encoding, resp3: bool) -> Reply {
        Reply {
            encoding,
            resp3,
            text: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// The same as [`Reply::new`], on buffers that exist already: what they hold stays in front.
    pub fn on(encoding: Encoding, resp3: bool, text: Vec<u8>, cells: Vec<u32>) -> Reply {
        Reply {
            encoding,
            resp3,
            text,
            cells,
        }
    }

    /// The buffers: bytes (or text) and cells.
    pub fn into_parts(self) -> (Vec<u8>, Vec<u32>) {
        (self.text, self.cells)
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    pub fn cells(&self) -> &[u32] {
        &self.cells
    }

    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub fn is_resp3(&self) -> bool {
        self.resp3
    }

    /// Switches the protocol version for what follows (HELLO, RESET).
    pub fn set_resp3(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.cells.is_empty()
    }

    /// What the reply takes so far.
    pub fn used_bytes(&self) -> usize {
        self.text.len() + size_of_val(self.cells.as_slice())
    }

    pub fn clear(&mut self) {
        self.text.clear();
        self.cells.clear();
    }

    /// Empties the reply for a session of this protocol version, and gives the memory of an unusually large one back.
    #[inline(always)]
    pub fn restart(&mut self, resp3: bool, keep_bytes: usize) {
        self.resp3 = resp3;
        self.clear();
        if self.text.capacity() > keep_bytes || self.cells.capacity() > keep_bytes {
            self.text.shrink_to(keep_bytes);
            self.cells.shrink_to(keep_bytes);
        }
    }

    /// Where the next reply will start.
    pub fn mark(&self) -> Mark {
        Mark {
            text: self.text.len(),
            cells: self.cells.len(),
        }
    }

    /// Takes back everything said since `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.text.truncate(mark.text);
        self.cells.truncate(mark.cells);
    }

    /// Takes what was said since `mark` into a reply of its own.
    pub fn split_off(&mut self, mark: Mark) -> Reply {
        let text = self.text.split_off(mark.text.min(self.text.len()));
        let cells = self.cells.split_off(mark.cells.min(self.cells.len()));
        Reply::on(self.encoding, self.resp3, text, cells)
    }

    /// Whether nothing was said since `mark`.
    pub fn unchanged_since(&self, mark: Mark) -> bool {
        self.text.len() == mark.text && self.cells.len() == mark.cells
    }

    #[inline]
    fn cell(&mut self, kind: Cell, value: u32) {
        self.cells.extend_from_slice(&[kind as u32, value]);
    }

    #[inline]
    fn wide_cell(&mut self, kind: Cell, bits: u64) {
        self.cells
            .extend_from_slice(&[kind as u32, 0, bits as u32, (bits >> 32) as u32]);
    }

    fn header(&mut self, sigil: u8, count: i64) {
        self.text.push(sigil);
        num::write_i64(&mut self.text, count);
        self.text.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, sigil: u8, text: &[u8]) {
        self.text.push(sigil);
        self.text.extend_from_slice(text);
        self.text.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn text_cell(&mut self, kind: Cell, text: &[u8]) {
        self.cell(kind, text.len() as u32);
        append(&mut self.text, text);
    }

    /// `OK`.
    pub fn ok(&mut self) {
        self.status("OK");
    }

    /// A status line, such as `OK` or `QUEUED`.
    pub fn status(&mut self, text: &str) {
        self.status_bytes(text.as_bytes());
    }

    /// A status line of bytes; the caller guarantees that it holds no line break.
    #[inline(never)]
    pub fn status_bytes(&mut self, text: &[u8]) {
        match self.encoding {
            Encoding::Wire => self.line(b'+', text),
            Encoding::Cells => self.text_cell(Cell::Status, text),
        }
    }

    #[inline(never)]
    pub fn error(&mut self, text: &[u8]) {
        match self.encoding {
            Encoding::Wire => self.line(b'-', text),
            Encoding::Cells => self.text_cell(Cell::Error, text),
        }
    }

    #[inline(never)]
    pub fn int(&mut self, value: i64) {
        match self.encoding {
            Encoding::Wire => self.header(b':', value),
            Encoding::Cells => match i32::try_from(value) {
                Ok(small) => self.cell(Cell::Int, small as u32),
                Err(_) => self.wide_cell(Cell::Int64, value as u64),
            },
        }
    }

    /// A count of things, as an integer.
    pub fn count(&mut self, value: usize) {
        self.int(value as i64);
    }

    /// A yes or no that is an integer 1 or 0 in both protocol versions.
    pub fn int_bool(&mut self, value: bool) {
        self.int(i64::from(value));
    }

    /// A boolean: `#t`/`#f` in RESP3, 1 or 0 in RESP2.
    pub fn bool(&mut self, value: bool) {
        match (self.resp3, self.encoding) {
            (false, _) => self.int_bool(value),
            (true, Encoding::Wire) => {
                self.text
                    .extend_from_slice(if value { b"#t\r\n" } else { b"#f\r\n" })
            }
            (true, Encoding::Cells) => self.cell(Cell::Bool, u32::from(value)),
        }
    }

    #[inline(never)]
    pub fn bulk(&mut self, bytes: &[u8]) {
        match self.encoding {
            Encoding::Wire => {
                self.header(b'$', bytes.len() as i64);
                append(&mut self.text, bytes);
                self.text.extend_from_slice(b"\r\n");
            }
            Encoding::Cells => self.text_cell(Cell::Bulk, bytes),
        }
    }

    pub fn bulk_str(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// An integer in a bulk string.
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(num::format_i64(value).as_bytes());
    }

    /// Text with a three-letter format, for people: `=` in RESP3, a bulk string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        self.verbatim_bytes(format.as_bytes(), text);
    }

    /// The same with a format that is a client's.
    pub fn verbatim_bytes(&mut self, format: &[u8], text: &[u8]) {
        if !self.resp3 {
            return self.bulk(text);
        }
        let length = format.len() + 1 + text.len();
        match self.encoding {
            Encoding::Wire => self.header(b'=', length as i64),
            Encoding::Cells => self.cell(Cell::Verbatim, length as u32),
        }
        self.text.extend_from_slice(format);
        self.text.push(b':');
        self.text.extend_from_slice(text);
        if self.encoding == Encoding::Wire {
            self.text.extend_from_slice(b"\r\n");
        }
    }

    /// An integer beyond 64 bits: `(123` in RESP3, a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &[u8]) {
        match (self.resp3, self.encoding) {
            (false, _) => self.bulk(digits),
            (true, Encoding::Wire) => self.line(b'(', digits),
            (true, Encoding::Cells) => self.text_cell(Cell::BigNumber, digits),
        }
    }

    /// `pairs` of facts beside the reply that follows; only for RESP3.
    pub fn attribute(&mut self, pairs: usize) {
        match self.encoding {
            Encoding::Wire => self.header(b'|', pairs as i64),
            Encoding::Cells => self.cell(Cell::Attribute, pairs as u32),
        }
    }

    /// A double: `,1.5` in RESP3, a bulk string in RESP2.
    pub fn double(&mut self, value: f64) {
        match (self.resp3, self.encoding) {
            (false, _) => {
                let mut text = Vec::new();
                num::write_f64(&mut text, value);
                self.bulk(&text);
            }
            (true, Encoding::Wire) => {
                self.text.push(b',');
                num::write_f64(&mut self.text, value);
                self.text.extend_from_slice(b"\r\n");
            }
            (true, Encoding::Cells) => self.wide_cell(Cell::Double, value.to_bits()),
        }
    }

    /// Nothing: `_` in RESP3, the nil bulk in RESP2.
    #[inline(never)]
    pub fn nil(&mut self) {
        match (self.encoding, self.resp3) {
            (Encoding::Wire, true) => self.text.extend_from_slice(b"_\r\n"),
            (Encoding::Wire, false) => self.text.extend_from_slice(b"$-1\r\n"),
            (Encoding::Cells, _) => self.cell(Cell::Nil, 0),
        }
    }

    /// Nothing where an array was expected: `_` in RESP3, `*-1` in RESP2.
    pub fn nil_array(&mut self) {
        match (self.encoding, self.resp3) {
            (Encoding::Wire, true) => self.text.extend_from_slice(b"_\r\n"),
            (Encoding::Wire, false) => self.text.extend_from_slice(b"*-1\r\n"),
            (Encoding::Cells, true) => self.cell(Cell::Nil, 0),
            (Encoding::Cells, false) => self.cell(Cell::NilArray, 0),
        }
    }

    /// An array of `count` elements, which must follow.
    pub fn array(&mut self, count: usize) {
        self.aggregate(Cell::Array, count);
    }

    /// A map of `pairs` keys and values, which must follow; an array of twice as many in RESP2.
    pub fn map(&mut self, pairs: usize) {
        self.aggregate(Cell::Map, pairs);
    }

    /// A set of `count` elements, which must follow; an array in RESP2.
    pub fn set(&mut self, count: usize) {
        self.aggregate(Cell::Set, count);
    }

    /// An out-of-band message of `count` elements, which must follow; an array in RESP2.
    pub fn push(&mut self, count: usize) {
        self.aggregate(Cell::Push, count);
    }

    #[inline(never)]
    fn aggregate(&mut self, kind: Cell, count: usize) {
        let (kind, sigil, count) = self.aggregate_form(kind, count);
        match self.encoding {
            Encoding::Wire => self.header(sigil, count as i64),
            Encoding::Cells => self.cell(kind, count as u32),
        }
    }

    /// What an aggregate is in this protocol version, and the count its header shows.
    fn aggregate_form(&self, kind: Cell, count: usize) -> (Cell, u8, usize) {
        match (kind, self.resp3) {
            (Cell::Map, true) => (Cell::Map, b'%', count),
            (Cell::Map, false) => (Cell::Array, b'*', count * 2),
            (Cell::Set, true) => (Cell::Set, b'~', count),
            (Cell::Push, true) => (Cell::Push, b'>', count),
            // A native session needs to tell messages from replies whatever its version.
            (Cell::Push, false) if self.encoding == Encoding::Cells => (Cell::Push, b'>', count),
            _ => (Cell::Array, b'*', count),
        }
    }

    /// Puts the header of an array in front of everything said since `mark`.
    pub fn close_array(&mut self, mark: Mark, count: usize) {
        self.close(mark, Cell::Array, count);
    }

    /// Puts the header of a map in front of everything said since `mark`.
    pub fn close_map(&mut self, mark: Mark, pairs: usize) {
        self.close(mark, Cell::Map, pairs);
    }

    /// Puts the header of a set in front of everything said since `mark`.
    pub fn close_set(&mut self, mark: Mark, count: usize) {
        self.close(mark, Cell::Set, count);
    }

    fn close(&mut self, mark: Mark, kind: Cell, count: usize) {
        let (kind, sigil, count) = self.aggregate_form(kind, count);
        match self.encoding {
            Encoding::Wire => {
                let digits = num::format_i64(count as i64);
                let digits = digits.as_bytes();
                let mut header = [0; 23];
                header[0] = sigil;
                header[1..=digits.len()].copy_from_slice(digits);
                header[digits.len() + 1..digits.len() + 3].copy_from_slice(b"\r\n");
                if let Some(header) = header.get(..digits.len() + 3) {
                    insert(&mut self.text, mark.text, header);
                }
            }
            Encoding::Cells => {
                insert(&mut self.cells, mark.cells, &[kind as u32, count as u32]);
            }
        }
    }
}

/// Puts a few items in front of those from `place` on.
fn insert<T: Copy>(target: &mut Vec<T>, place: usize, items: &[T]) {
    let len = target.len();
    let place = place.min(len);
    target.extend_from_slice(items);
    target.copy_within(place..len, place + items.len());
    if let Some(gap) = target.get_mut(place..place + items.len()) {
        gap.copy_from_slice(items);
    }
}
