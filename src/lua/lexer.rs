//! Tokens out of source text.

use super::heap::Heap;
use super::value::Str;
use crate::algorithms::num::{parse_c_f64, write_u64};

/// A token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token {
    /// A single character that stands for itself.
    Char(u8),
    And,
    Break,
    Do,
    Else,
    ElseIf,
    End,
    False,
    For,
    Function,
    If,
    In,
    Local,
    Nil,
    Not,
    Or,
    Repeat,
    Return,
    Then,
    True,
    Until,
    While,
    Concat,
    Dots,
    Equal,
    GreaterEqual,
    LessEqual,
    NotEqual,
    Number(f64),
    Name(Str),
    String(Str),
    Eof,
}

/// The words that are no names.
const WORDS: [(&str, Token); 21] = [
    ("and", Token::And),
    ("break", Token::Break),
    ("do", Token::Do),
    ("else", Token::Else),
    ("elseif", Token::ElseIf),
    ("end", Token::End),
    ("false", Token::False),
    ("for", Token::For),
    ("function", Token::Function),
    ("if", Token::If),
    ("in", Token::In),
    ("local", Token::Local),
    ("nil", Token::Nil),
    ("not", Token::Not),
    ("or", Token::Or),
    ("repeat", Token::Repeat),
    ("return", Token::Return),
    ("then", Token::Then),
    ("true", Token::True),
    ("until", Token::Until),
    ("while", Token::While),
];

impl Token {
    /// The token as messages name it, when its text is not at hand.
    pub fn describe(self, out: &mut Vec<u8>) {
        let text = match self {
            // No token at all, as far as PUC's messages go.
            Token::Char(0) => return,
            Token::Char(byte) if byte.is_ascii_control() => {
                out.extend_from_slice(b"char(");
                write_u64(out, u64::from(byte));
                out.push(b')');
                return;
            }
            Token::Char(byte) => return out.push(byte),
            Token::Concat => "..",
            Token::Dots => "...",
            Token::Equal => "==",
            Token::GreaterEqual => ">=",
            Token::LessEqual => "<=",
            Token::NotEqual => "~=",
            Token::Number(_) => "<number>",
            Token::Name(_) => "<name>",
            Token::String(_) => "<string>",
            Token::Eof => "<eof>",
            word => WORDS
                .iter()
                .find(|(_, token)| *token == word)
                .map_or("", |(text, _)| *text),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// What is wrong with a source: the whole message.
pub type SyntaxError = Vec<u8>;

const MAX_LINES: u32 = i32::MAX as u32 - 2;

/// Reads tokens.
pub struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    /// The line of the token read last but one: the line of what is being compiled.
    pub last_line: u32,
    pub line: u32,
    /// The chunk's name as messages show it.
    pub name: Vec<u8>,
    /// The text of the token that is being read, for messages and as a string's value.
    buffer: Vec<u8>,
}

impl<'a> Lexer<'a> {
    pub fn new(source: &'a [u8], name: Vec<u8>) -> Lexer<'a> {
        Lexer {
            source,
            at: 0,
            last_line: 1,
            line: 1,
            name,
            buffer: Vec::new(),
        }
    }

    fn current(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn peek(&self, distance: usize) -> Option<u8> {
        self.source.get(self.at + distance).copied()
    }

    fn save(&mut self) {
        if let Some(byte) = self.current() {
            self.buffer.push(byte);
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        while self
            .current()
            .is_some_and(|byte| byte != b'\n' && byte != b'\r')
        {
            self.at += 1;
        }
    }

    /// A message with the place of the error and what stands there.
    pub fn error(&self, message: &[u8], near: &[u8]) -> SyntaxError {
        let mut out = self.name.clone();
        out.push(b':');
        write_u64(&mut out, u64::from(self.line));
        out.extend_from_slice(b": ");
        out.extend_from_slice(message);
        if !near.is_empty() {
            out.extend_from_slice(b" near '");
            // Messages are C strings in Lua.
            let near = near.split(|byte| *byte == 0).next().unwrap_or(&[]);
            out.extend_from_slice(near);
            out.push(b'\'');
        }
        out
    }

    fn error_here(&self, message: &[u8]) -> SyntaxError {
        self.error(message, &self.buffer)
    }

    /// The text of the token read last, if it is one with text of its own.
    pub fn text(&self, token: Token) -> Vec<u8> {
        let mut out = Vec::new();
        match token {
            Token::Name(_) | Token::String(_) | Token::Number(_) => {
                out.extend_from_slice(&self.buffer);
            }
            // The number of a zero byte says "no token" to Lua.
            Token::Char(0) => {}
            token => token.describe(&mut out),
        }
        out
    }

    /// The next token.
    ///
    /// # Errors
    /// The message of a syntax error.
    pub fn next(&mut self, heap: &mut Heap) -> Result<Token, SyntaxError> {
        self.buffer.clear();
        loop {
            let Some(byte) = self.current() else {
                return Ok(Token::Eof);
            };
            match byte {
                b'\n' | b'\r' => self.end_line()?,
                b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
                b'-' if self.peek(1) == Some(b'-') => {
                    self.at += 2;
                    self.comment()?;
                }
                _ => return self.token(byte, heap),
            }
        }
    }

    fn token(&mut self, byte: u8, heap: &mut Heap) -> Result<Token, SyntaxError> {
        match byte {
            b'[' => {
                let level = self.long_bracket();
                match level {
                    Some(level) => {
                        self.long_text(level, true)?;
                        self.string_token(level + 2, heap)
                    }
                    None if self.peek(1) == Some(b'=') => {
                        self.at += 1;
                        self.buffer.push(b'[');
                        while self.current() == Some(b'=') {
                            self.save();
                        }
                        Err(self.error_here(b"invalid long string delimiter"))
                    }
                    None => self.short(1, Token::Char(b'[')),
                }
            }
            b'=' if self.peek(1) == Some(b'=') => self.short(2, Token::Equal),
            b'<' if self.peek(1) == Some(b'=') => self.short(2, Token::LessEqual),
            b'>' if self.peek(1) == Some(b'=') => self.short(2, Token::GreaterEqual),
            b'~' if self.peek(1) == Some(b'=') => self.short(2, Token::NotEqual),
            b'"' | b'\'' => {
                self.quoted(byte)?;
                self.string_token(1, heap)
            }
            b'.' if is_one_of(self.peek(1), b".") => match self.peek(2) {
                next if is_one_of(next, b".") => self.short(3, Token::Dots),
                _ => self.short(2, Token::Concat),
            },
            b'.' if !self.peek(1).is_some_and(|next| next.is_ascii_digit()) => {
                self.short(1, Token::Char(b'.'))
            }
            b'.' | b'0'..=b'9' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(heap),
            byte => self.short(1, Token::Char(byte)),
        }
    }

    fn short(&mut self, length: usize, token: Token) -> Result<Token, SyntaxError> {
        self.at += length;
        Ok(token)
    }

    fn end_line(&mut self) -> Result<(), SyntaxError> {
        let first = self.current();
        self.at += 1;
        let second = self.current();
        if matches!(second, Some(b'\n' | b'\r')) && second != first {
            self.at += 1;
        }
        self.line += 1;
        if self.line >= MAX_LINES {
            return Err(self.error(b"chunk has too many lines", b""));
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), SyntaxError> {
        if self.current() == Some(b'[')
            && let Some(level) = self.long_bracket()
        {
            self.long_text(level, false)?;
            self.buffer.clear();
            return Ok(());
        }
        self.skip_line();
        Ok(())
    }

    /// The level of the long bracket that opens here.
    fn long_bracket(&self) -> Option<usize> {
        let mut level = 0;
        while self.peek(1 + level) == Some(b'=') {
            level += 1;
        }
        (self.peek(1 + level) == Some(b'[')).then_some(level)
    }

    /// Reads the text in long brackets into the buffer, brackets included.
    fn long_text(&mut self, level: usize, is_string: bool) -> Result<(), SyntaxError> {
        for _ in 0..level + 2 {
            self.save();
        }
        if matches!(self.current(), Some(b'\n' | b'\r')) {
            self.end_line()?;
        }
        loop {
            match self.current() {
                None => {
                    let message: &[u8] = match is_string {
                        true => b"unfinished long string",
                        false => b"unfinished long comment",
                    };
                    return Err(self.error(message, b"<eof>"));
                }
                Some(b']') if self.closes(level) => {
                    for _ in 0..level + 2 {
                        self.save();
                    }
                    return Ok(());
                }
                Some(b'\n' | b'\r') => {
                    self.buffer.push(b'\n');
                    self.end_line()?;
                }
                Some(_) => self.save(),
            }
        }
    }

    fn closes(&self, level: usize) -> bool {
        (0..level).all(|at| self.peek(1 + at) == Some(b'=')) && self.peek(1 + level) == Some(b']')
    }

    /// The token of the text in the buffer, without `around` bytes at either end.
    fn string_token(&mut self, around: usize, heap: &mut Heap) -> Result<Token, SyntaxError> {
        let text = self
            .buffer
            .get(around..self.buffer.len().saturating_sub(around))
            .unwrap_or(&[]);
        match heap.string(text) {
            Ok(text) => Ok(Token::String(text)),
            Err(_) => Err(b"not enough memory".to_vec()),
        }
    }

    /// Reads a quoted string into the buffer, quotes included.
    fn quoted(&mut self, quote: u8) -> Result<(), SyntaxError> {
        self.save();
        loop {
            match self.current() {
                None => return Err(self.error(b"unfinished string", b"<eof>")),
                Some(b'\n' | b'\r') => return Err(self.error_here(b"unfinished string")),
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(byte) => {
                    self.save();
                    if byte == quote {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let Some(byte) = self.current() else {
            // The end of the source is reported as such.
            return Ok(());
        };
        let plain = match byte {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\n' | b'\r' => {
                self.buffer.push(b'\n');
                return self.end_line();
            }
            b'0'..=b'9' => {
                let mut code = 0u32;
                for _ in 0..3 {
                    let Some(digit) = self.current().filter(u8::is_ascii_digit) else {
                        break;
                    };
                    code = code * 10 + u32::from(digit - b'0');
                    self.at += 1;
                }
                let Ok(code) = u8::try_from(code) else {
                    return Err(self.error_here(b"escape sequence too large"));
                };
                self.buffer.push(code);
                return Ok(());
            }
            other => other,
        };
        self.at += 1;
        self.buffer.push(plain);
        Ok(())
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        while self
            .current()
            .is_some_and(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            self.save();
        }
        if is_one_of(self.current(), b"eE") {
            self.save();
            if is_one_of(self.current(), b"+-") {
                self.save();
            }
        }
        while self
            .current()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            self.save();
        }
        match parse_number(&self.buffer[..c_length(&self.buffer)]) {
            Some(number) => Ok(Token::Number(number)),
            None => Err(self.error_here(b"malformed number")),
        }
    }

    fn word(&mut self, heap: &mut Heap) -> Result<Token, SyntaxError> {
        while self
            .current()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            self.save();
        }
        let word = WORDS
            .iter()
            .find(|(text, _)| text.as_bytes() == self.buffer.as_slice());
        if let Some((_, token)) = word {
            return Ok(*token);
        }
        match heap.string(&self.buffer) {
            Ok(name) => Ok(Token::Name(name)),
            Err(_) => Err(b"not enough memory".to_vec()),
        }
    }
}

/// Whether a character is one of these. As C searches them, the zero byte at their end is one, too.
fn is_one_of(byte: Option<u8>, set: &[u8]) -> bool {
    byte.is_some_and(|byte| byte == 0 || set.contains(&byte))
}

/// How much of a text C sees: what comes before the first zero byte.
pub fn c_length(text: &[u8]) -> usize {
    let zero = text.iter().position(|byte| *byte == 0);
    zero.unwrap_or(text.len())
}

/// The number that a text is, as Lua 5.1 on a modern C library reads it: decimal, hexadecimal, `inf` and `nan`, with
/// space around.
pub fn parse_number(text: &[u8]) -> Option<f64> {
    let text = text.get(..c_length(text))?;
    let is_space = |byte: &u8| matches!(byte, b' ' | 9..=13);
    let from = text.iter().position(|byte| !is_space(byte))?;
    let to = text.iter().rposition(|byte| !is_space(byte))? + 1;
    let text = text.get(from..to)?;
    let number = parse_c_f64(text)?;
    Some(match number.is_nan() && text.first() == Some(&b'-') {
        true => number.copysign(-1.0),
        false => number,
    })
}
