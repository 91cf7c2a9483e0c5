//! JSON text as values, with the liberties that `cjson` takes: any value at the top, `inf`, `nan` and hexadecimal numbers.

use super::super::lexer::parse_number;
use super::super::value::{TableId, Value};
use super::super::vm::{Host, Thrown, Vm};
use super::MAX_SLOTS;
use crate::algorithms::bytes::Append;
use crate::algorithms::num::write_u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String,
    Number,
    Bool(bool),
    Null,
    Colon,
    Comma,
    End,
    /// None; says why.
    Bad(&'static str),
}

impl Token {
    /// What messages call it.
    fn name(self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String => "T_STRING",
            Token::Number => "T_NUMBER",
            Token::Bool(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Bad(why) => why,
        }
    }
}

/// A table that is being read.
struct Level {
    table: TableId,
    is_object: bool,
    /// Elements that were read.
    count: usize,
    /// The key whose value comes next.
    key: Value,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    takes_invalid: bool,
    token: Token,
    /// Where the token begins, or where it is wrong.
    token_at: usize,
    /// The token's text without escapes.
    string: Vec<u8>,
    /// The token's number.
    number: f64,
    levels: Vec<Level>,
    max_depth: usize,
    /// Places taken on Redis' stack.
    slots: usize,
}

/// How many bytes there are from `at` on for which a check holds.
fn run_of(text: &[u8], at: usize, is_one: fn(&u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or(&[]);
    rest.iter()
        .position(|byte| !is_one(byte))
        .unwrap_or(rest.len())
}

fn starts_with_word(text: &[u8], at: usize, word: &[u8]) -> bool {
    text.get(at..at + word.len())
        .is_some_and(|part| part.eq_ignore_ascii_case(word))
}

/// How long the number at the beginning of a text is, and how much of it says its value, as C's `strtod` has it.
fn number_length(text: &[u8]) -> (usize, usize) {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    if starts_with_word(text, sign, b"nan") {
        let end = sign + 3;
        if text.get(end) == Some(&b'(') {
            let inner = run_of(text, end + 1, |byte| {
                byte.is_ascii_alphanumeric() || *byte == b'_'
            });
            if text.get(end + 1 + inner) == Some(&b')') {
                return (end + inner + 2, end);
            }
        }
        return (end, end);
    }
    for word in [b"infinity".as_slice(), b"inf"] {
        if starts_with_word(text, sign, word) {
            return (sign + word.len(), sign + word.len());
        }
    }
    if starts_with_word(text, sign, b"0x") {
        let length = digits_length(text, sign + 2, u8::is_ascii_hexdigit, b'p');
        if length > 0 {
            return (sign + 2 + length, sign + 2 + length);
        }
        return (sign + 1, sign + 1);
    }
    match digits_length(text, sign, u8::is_ascii_digit, b'e') {
        0 => (0, 0),
        length => (sign + length, sign + length),
    }
}

/// Digits, a point, digits and an exponent; 0 without any digit before the exponent.
fn digits_length(text: &[u8], from: usize, is_digit: fn(&u8) -> bool, letter: u8) -> usize {
    let mut at = from + run_of(text, from, is_digit);
    let mut count = at - from;
    if text.get(at) == Some(&b'.') {
        let behind = run_of(text, at + 1, is_digit);
        count += behind;
        at += 1 + behind;
    }
    if count == 0 {
        return 0;
    }
    if text.get(at).is_some_and(|byte| byte | 32 == letter) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let digits = run_of(text, at + 1 + sign, u8::is_ascii_digit);
        if digits > 0 {
            at += 1 + sign + digits;
        }
    }
    at - from
}

/// Whether a text begins with what C reads as a number and JSON does not know.
fn is_invalid_number(text: &[u8]) -> bool {
    if text.first() == Some(&b'+') {
        return true;
    }
    let at = usize::from(text.first() == Some(&b'-'));
    if text.get(at) == Some(&b'0') {
        return text
            .get(at + 1)
            .is_some_and(|byte| byte | 32 == b'x' || byte.is_ascii_digit());
    }
    starts_with_word(text, at, b"inf") || starts_with_word(text, at, b"nan")
}

impl Reader<'_> {
    fn advance(&mut self) {
        self.at += run_of(self.text, self.at, |byte| matches!(byte, 9 | 10 | 13 | 32));
        self.token_at = self.at;
        let Some(rest) = self.text.get(self.at..) else {
            self.token = Token::End;
            return;
        };
        let (token, length) = match rest.first() {
            // C ends a text at its first zero byte.
            None | Some(0) => (Token::End, 0),
            Some(b'{') => (Token::ObjectBegin, 1),
            Some(b'}') => (Token::ObjectEnd, 1),
            Some(b'[') => (Token::ArrayBegin, 1),
            Some(b']') => (Token::ArrayEnd, 1),
            Some(b':') => (Token::Colon, 1),
            Some(b',') => (Token::Comma, 1),
            Some(b'"') => (self.read_string(), 0),
            Some(b'-' | b'0'..=b'9') => {
                let is_refused = !self.takes_invalid && is_invalid_number(rest);
                (self.read_number(is_refused), 0)
            }
            _ if rest.starts_with(b"true") => (Token::Bool(true), 4),
            _ if rest.starts_with(b"false") => (Token::Bool(false), 5),
            _ if rest.starts_with(b"null") => (Token::Null, 4),
            _ if self.takes_invalid && is_invalid_number(rest) => (self.read_number(false), 0),
            _ => (Token::Bad("invalid token"), 0),
        };
        self.token = token;
        self.at += length;
    }

    fn read_number(&mut self, is_refused: bool) -> Token {
        let rest = self.text.get(self.at..).unwrap_or(&[]);
        let (length, said) = number_length(rest);
        let value = rest.get(..said).and_then(parse_number);
        let (Some(value), false) = (value, is_refused || length == 0) else {
            return Token::Bad("invalid number");
        };
        let is_negative = rest.first() == Some(&b'-');
        // Whether it vanishes or is none, it keeps its sign.
        self.number = value.copysign(if is_negative { -1.0 } else { 1.0 });
        self.at += length;
        Token::Number
    }

    /// Reads a string; where it is wrong, the place of that becomes the token's.
    fn read_string(&mut self) -> Token {
        self.string.clear();
        let mut at = self.at + 1;
        loop {
            let plain = run_of(self.text, at, |byte| !matches!(byte, b'"' | b'\\' | 0));
            self.string
                .put(self.text.get(at..at + plain).unwrap_or(&[]));
            at += plain;
            self.token_at = at;
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {}
                _ => return Token::Bad("unexpected end of string"),
            }
            let byte = match self.text.get(at + 1) {
                Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
                Some(b'b') => 8,
                Some(b't') => 9,
                Some(b'n') => 10,
                Some(b'f') => 12,
                Some(b'r') => 13,
                Some(b'u') => match self.read_unicode(at) {
                    Some(length) => {
                        at += length;
                        continue;
                    }
                    None => return Token::Bad("invalid unicode escape code"),
                },
                _ => return Token::Bad("invalid escape code"),
            };
            self.string.push(byte);
            at += 2;
        }
        self.token_at = self.at;
        self.at = at + 1;
        Token::String
    }

    /// The 16 bits of an escape.
    fn read_unit(&self, at: usize) -> Option<u32> {
        if self.text.get(at..at + 2)? != b"\\u" {
            return None;
        }
        let mut value = 0;
        for byte in self.text.get(at + 2..at + 6)? {
            value = value << 4 | char::from(*byte).to_digit(16)?;
        }
        Some(value)
    }

    /// Appends an escaped character and tells how long the escape is.
    fn read_unicode(&mut self, at: usize) -> Option<usize> {
        let (mut code, mut length) = (self.read_unit(at)?, 6);
        if (0xd800..0xdc00).contains(&code) {
            let low = self.read_unit(at + 6)?;
            if !(0xdc00..0xe000).contains(&low) {
                return None;
            }
            code = 0x1_0000 + ((code & 0x3ff) << 10 | low & 0x3ff);
            length = 12;
        }
        let mut bytes = [0; 4];
        let text = char::from_u32(code)?.encode_utf8(&mut bytes);
        self.string.put(text.as_bytes());
        Some(length)
    }

    #[cold]
    fn expected(&self, vm: &mut Vm, what: &str) -> Thrown {
        let parts = [
            "Expected ",
            what,
            " but found ",
            self.token.name(),
            " at character ",
        ];
        let mut message = parts.concat().into_bytes();
        write_u64(&mut message, self.token_at as u64 + 1);
        vm.native_error(&message)
    }

    /// A table begins.
    fn descend(&self, vm: &mut Vm) -> Result<TableId, Thrown> {
        let depth = self.levels.len() + 1;
        if depth <= self.max_depth && self.slots + 2 <= MAX_SLOTS {
            return Ok(vm.heap.table(0, 0)?);
        }
        let mut message = b"Found too many nested data structures (".to_vec();
        write_u64(&mut message, depth as u64);
        message.put(b") at character ");
        write_u64(&mut message, self.at as u64);
        Err(vm.native_error(&message))
    }

    /// A key and the colon behind it; the value's token follows.
    fn read_key(&mut self, vm: &mut Vm) -> Result<Value, Thrown> {
        if self.token != Token::String {
            return Err(self.expected(vm, "object key string"));
        }
        let key = vm.text(&self.string)?;
        self.advance();
        if self.token != Token::Colon {
            return Err(self.expected(vm, "colon"));
        }
        self.advance();
        Ok(key)
    }

    /// The value that begins with the token; None when it is a table with elements, the first of which comes next.
    fn begin(&mut self, vm: &mut Vm) -> Result<Option<Value>, Thrown> {
        let value = match self.token {
            Token::String => vm.text(&self.string)?,
            Token::Number => Value::Number(self.number),
            Token::Bool(value) => Value::Bool(value),
            Token::Null => Value::NULL,
            Token::ObjectBegin | Token::ArrayBegin => {
                let is_object = self.token == Token::ObjectBegin;
                let table = self.descend(vm)?;
                self.advance();
                let (end, slots) = match is_object {
                    true => (Token::ObjectEnd, 2),
                    false => (Token::ArrayEnd, 1),
                };
                if self.token != end {
                    let key = match is_object {
                        true => self.read_key(vm)?,
                        false => Value::Nil,
                    };
                    self.slots += slots;
                    self.levels.push(Level {
                        table,
                        is_object,
                        count: 0,
                        key,
                    });
                    return Ok(None);
                }
                Value::Table(table)
            }
            _ => return Err(self.expected(vm, "value")),
        };
        Ok(Some(value))
    }

    /// Stores an element of the innermost table; gives the table when that was the last one.
    fn store(&mut self, vm: &mut Vm, value: Value) -> Result<Option<Value>, Thrown> {
        self.advance();
        let Some(level) = self.levels.last_mut() else {
            return Ok(Some(value));
        };
        level.count += 1;
        let (table, is_object) = (level.table, level.is_object);
        let (key, end, slots, wanted) = match is_object {
            true => (level.key, Token::ObjectEnd, 2, "comma or object end"),
            false => {
                let index = Value::Number(level.count as f64);
                (index, Token::ArrayEnd, 1, "comma or array end")
            }
        };
        vm.heap.set(table, key, value)?;
        if self.token == end {
            self.levels.pop();
            self.slots -= slots;
            return Ok(Some(Value::Table(table)));
        }
        if self.token != Token::Comma {
            return Err(self.expected(vm, wanted));
        }
        self.advance();
        if is_object {
            let key = self.read_key(vm)?;
            if let Some(level) = self.levels.last_mut() {
                level.key = key;
            }
        }
        Ok(None)
    }
}

/// Reads the one value of a text.
///
/// # Errors
/// When it is no JSON, nested too deeply, or too much for the memory.
pub fn read(
    vm: &mut Vm,
    host: &mut dyn Host,
    text: &[u8],
    max_depth: usize,
    takes_invalid: bool,
) -> Result<Value, Thrown> {
    if let [first, second, ..] = text
        && (*first == 0 || *second == 0)
    {
        return Err(vm.native_error(b"JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut reader = Reader {
        text,
        at: 0,
        takes_invalid,
        token: Token::End,
        token_at: 0,
        string: Vec::new(),
        number: 0.0,
        levels: Vec::new(),
        max_depth,
        slots: 1,
    };
    reader.advance();
    loop {
        vm.burn(host)?;
        let mut value = reader.begin(vm)?;
        while let Some(done) = value {
            if reader.levels.is_empty() {
                reader.advance();
                return match reader.token {
                    Token::End => Ok(done),
                    _ => Err(reader.expected(vm, "the end")),
                };
            }
            value = reader.store(vm, done)?;
        }
    }
}
