//! A cursor over a command's arguments, for the options behind the fixed ones.

use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::resp::Error;

/// Reads arguments one after another; words are compared without case.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    args: &'a [&'a [u8]],
    at: usize,
}

impl<'a> Options<'a> {
    /// A cursor at argument `at` (the name is 0).
    pub fn new(args: &'a [&'a [u8]], at: usize) -> Options<'a> {
        Options { args, at }
    }

    /// The index of the next argument.
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many arguments are left.
    pub fn left(&self) -> usize {
        self.args.len().saturating_sub(self.at)
    }

    /// All arguments that are left, not consumed.
    pub fn rest(&self) -> &'a [&'a [u8]] {
        self.args.get(self.at..).unwrap_or(&[])
    }

    pub fn is_done(&self) -> bool {
        self.left() == 0
    }

    /// The next argument, not consumed.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.args.get(self.at).copied()
    }

    /// Consumes the next argument when it is `word`.
    pub fn take(&mut self, word: &str) -> bool {
        let is_word = self.peek().is_some_and(|arg| arg.is_word(word.as_bytes()));
        self.at += usize::from(is_word);
        is_word
    }

    /// Consumes `word` and the value behind it; nothing is consumed when the value is missing.
    pub fn take_value(&mut self, word: &str) -> Option<&'a [u8]> {
        let is_word = self.peek().is_some_and(|arg| arg.is_word(word.as_bytes()));
        let value = self.args.get(self.at + 1).copied().filter(|_| is_word)?;
        self.at += 2;
        Some(value)
    }

    /// The next argument, or a syntax error.
    pub fn value(&mut self) -> Result<&'a [u8], Error> {
        let value = self.peek().ok_or(Error::SYNTAX)?;
        self.at += 1;
        Ok(value)
    }

    /// The next argument as an integer.
    pub fn integer(&mut self) -> Result<i64, Error> {
        num::parse_i64(self.value()?).ok_or(Error::NOT_INTEGER)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.value().ok()
    }
}
