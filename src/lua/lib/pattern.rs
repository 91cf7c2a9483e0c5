//! Lua's patterns.

use super::super::vm::{Host, Thrown, Vm};

pub const MAX_CAPTURES: usize = 32;
const ESCAPE: u8 = b'%';
/// So deep may items of a pattern nest in the search for a match.
const MAX_DEPTH: usize = 500;
/// Steps between two payments.
const STEPS_A_PAYMENT: usize = 1000;

/// What a capture has caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Begun and not yet closed.
    Open(usize),
    /// A place, of `()`.
    Position(usize),
    Span(usize, usize),
}

/// A search for a match.
pub struct Matcher<'a> {
    pub vm: &'a mut Vm,
    pub host: &'a mut dyn Host,
    pub source: &'a [u8],
    pub pattern: &'a [u8],
    pub captures: Vec<Capture>,
    depth: usize,
    steps: usize,
}

impl<'a> Matcher<'a> {
    pub fn new(
        vm: &'a mut Vm,
        host: &'a mut dyn Host,
        source: &'a [u8],
        pattern: &'a [u8],
    ) -> Matcher<'a> {
        Matcher {
            vm,
            host,
            source,
            pattern,
            captures: Vec::new(),
            depth: 0,
            steps: 0,
        }
    }

    /// Where a match that begins at `at` ends.
    pub fn match_at(&mut self, at: usize, pattern_from: usize) -> Result<Option<usize>, Thrown> {
        self.captures.clear();
        self.depth = 0;
        self.find(at, pattern_from)
    }

    fn error<T>(&mut self, message: &[u8]) -> Result<T, Thrown> {
        Err(self.vm.native_error(message))
    }

    fn pay(&mut self) -> Result<(), Thrown> {
        self.steps += 1;
        if self.steps >= STEPS_A_PAYMENT {
            self.steps = 0;
            self.vm.burn_many(self.host, STEPS_A_PAYMENT)?;
        }
        Ok(())
    }

    fn find(&mut self, at: usize, from: usize) -> Result<Option<usize>, Thrown> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.error(b"pattern too complex");
        }
        let result = self.find_item(at, from);
        self.depth -= 1;
        result
    }

    fn find_item(&mut self, mut at: usize, mut p: usize) -> Result<Option<usize>, Thrown> {
        loop {
            self.pay()?;
            let Some(&item) = self.pattern.get(p) else {
                return Ok(Some(at));
            };
            match item {
                b'(' if self.pattern.get(p + 1) == Some(&b')') => {
                    return self.start_capture(at, p + 2, Capture::Position(at));
                }
                b'(' => return self.start_capture(at, p + 1, Capture::Open(at)),
                b')' => return self.end_capture(at, p + 1),
                b'$' if p + 1 == self.pattern.len() => {
                    return Ok((at == self.source.len()).then_some(at));
                }
                ESCAPE => match self.pattern.get(p + 1) {
                    Some(b'b') => {
                        let Some(end) = self.match_balance(at, p + 2)? else {
                            return Ok(None);
                        };
                        (at, p) = (end, p + 4);
                        continue;
                    }
                    Some(b'f') => {
                        p += 2;
                        if self.pattern.get(p) != Some(&b'[') {
                            return self.error(b"missing '[' after '%f' in pattern");
                        }
                        let end = self.class_end(p)?;
                        let before = at
                            .checked_sub(1)
                            .and_then(|at| self.source.get(at))
                            .copied()
                            .unwrap_or(0);
                        let here = self.source.get(at).copied().unwrap_or(0);
                        if self.in_set(before, p, end - 1) || !self.in_set(here, p, end - 1) {
                            return Ok(None);
                        }
                        p = end;
                        continue;
                    }
                    Some(digit @ b'0'..=b'9') => {
                        let Some(end) = self.match_capture(at, *digit)? else {
                            return Ok(None);
                        };
                        (at, p) = (end, p + 2);
                        continue;
                    }
                    _ => {}
                },
                _ => {}
            }
            let end = self.class_end(p)?;
            let matches = self.matches_one(at, p, end);
            match self.pattern.get(end) {
                Some(b'?') => {
                    if matches && let Some(found) = self.find(at + 1, end + 1)? {
                        return Ok(Some(found));
                    }
                    p = end + 1;
                }
                Some(b'*') => return self.expand_most(at, p, end, 0),
                Some(b'+') => {
                    if !matches {
                        return Ok(None);
                    }
                    return self.expand_most(at + 1, p, end, 0);
                }
                Some(b'-') => return self.expand_least(at, p, end),
                _ => {
                    if !matches {
                        return Ok(None);
                    }
                    (at, p) = (at + 1, end);
                }
            }
        }
    }

    fn expand_most(
        &mut self,
        at: usize,
        p: usize,
        end: usize,
        least: usize,
    ) -> Result<Option<usize>, Thrown> {
        let mut count = 0;
        while self.matches_one(at + count, p, end) {
            self.pay()?;
            count += 1;
        }
        loop {
            if let Some(found) = self.find(at + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == least {
                return Ok(None);
            }
            count -= 1;
        }
    }

    fn expand_least(
        &mut self,
        mut at: usize,
        p: usize,
        end: usize,
    ) -> Result<Option<usize>, Thrown> {
        loop {
            if let Some(found) = self.find(at, end + 1)? {
                return Ok(Some(found));
            }
            if !self.matches_one(at, p, end) {
                return Ok(None);
            }
            at += 1;
        }
    }

    fn start_capture(
        &mut self,
        at: usize,
        p: usize,
        capture: Capture,
    ) -> Result<Option<usize>, Thrown> {
        if self.captures.len() >= MAX_CAPTURES {
            return self.error(b"too many captures");
        }
        let level = self.captures.len();
        self.captures.push(capture);
        let found = self.find(at, p)?;
        if found.is_none() {
            self.captures.truncate(level);
        }
        Ok(found)
    }

    fn end_capture(&mut self, at: usize, p: usize) -> Result<Option<usize>, Thrown> {
        let open = self
            .captures
            .iter()
            .rposition(|capture| matches!(capture, Capture::Open(_)));
        let Some(level) = open else {
            return self.error(b"invalid pattern capture");
        };
        let before = self.captures[level];
        if let Capture::Open(from) = before {
            self.captures[level] = Capture::Span(from, at);
        }
        let found = self.find(at, p)?;
        if found.is_none()
            && let Some(capture) = self.captures.get_mut(level)
        {
            *capture = before;
        }
        Ok(found)
    }

    fn match_capture(&mut self, at: usize, digit: u8) -> Result<Option<usize>, Thrown> {
        let level = usize::from(digit).wrapping_sub(usize::from(b'1'));
        let (from, to) = match self.captures.get(level).copied() {
            Some(Capture::Span(from, to)) => (from, to),
            // A place is no text: nothing is like it.
            Some(Capture::Position(_)) => return Ok(None),
            _ => return self.error(b"invalid capture index"),
        };
        let text = self.source.get(from..to).unwrap_or(&[]);
        let rest = self.source.get(at..).unwrap_or(&[]);
        Ok(rest.starts_with(text).then_some(at + text.len()))
    }

    fn match_balance(&mut self, at: usize, p: usize) -> Result<Option<usize>, Thrown> {
        let (Some(&open), Some(&close)) = (self.pattern.get(p), self.pattern.get(p + 1)) else {
            return self.error(b"unbalanced pattern");
        };
        if self.source.get(at) != Some(&open) {
            return Ok(None);
        }
        let mut level = 1;
        for (offset, byte) in self.source.iter().enumerate().skip(at + 1) {
            if *byte == close {
                level -= 1;
                if level == 0 {
                    return Ok(Some(offset + 1));
                }
            } else if *byte == open {
                level += 1;
            }
        }
        // All of the text was looked through for nothing, and may be again from the next place.
        let length = self.source.len() - at;
        self.vm.burn_many(self.host, length)?;
        Ok(None)
    }

    /// Behind the single-character item at `p`.
    fn class_end(&mut self, p: usize) -> Result<usize, Thrown> {
        let first = self.pattern.get(p).copied();
        let mut p = p + 1;
        match first {
            Some(ESCAPE) => {
                if p >= self.pattern.len() {
                    return self.error(b"malformed pattern (ends with '%')");
                }
                Ok(p + 1)
            }
            Some(b'[') => {
                if self.pattern.get(p) == Some(&b'^') {
                    p += 1;
                }
                loop {
                    let Some(&byte) = self.pattern.get(p) else {
                        return self.error(b"malformed pattern (missing ']')");
                    };
                    p += 1;
                    if byte == ESCAPE && p < self.pattern.len() {
                        p += 1;
                    }
                    if self.pattern.get(p) == Some(&b']') {
                        return Ok(p + 1);
                    }
                }
            }
            _ => Ok(p),
        }
    }

    fn matches_one(&self, at: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.source.get(at) else {
            return false;
        };
        match self.pattern.get(p) {
            Some(b'.') => true,
            Some(&ESCAPE) => self
                .pattern
                .get(p + 1)
                .is_some_and(|class| is_in_class(byte, *class)),
            Some(b'[') => self.in_set(byte, p, end - 1),
            Some(literal) => *literal == byte,
            None => false,
        }
    }

    /// Whether a byte is in the set from `[` at `p` to `]` at `end`.
    fn in_set(&self, byte: u8, p: usize, end: usize) -> bool {
        let mut at = p + 1;
        let is_inverse = self.pattern.get(at) == Some(&b'^');
        if is_inverse {
            at += 1;
        }
        while at < end {
            let item = self.pattern.get(at).copied().unwrap_or(0);
            let next = self.pattern.get(at + 1).copied();
            if item == ESCAPE {
                if next.is_some_and(|class| is_in_class(byte, class)) {
                    return !is_inverse;
                }
                at += 2;
            } else if next == Some(b'-') && at + 2 < end {
                let last = self.pattern.get(at + 2).copied().unwrap_or(0);
                if (item..=last).contains(&byte) {
                    return !is_inverse;
                }
                at += 3;
            } else {
                if item == byte {
                    return !is_inverse;
                }
                at += 1;
            }
        }
        is_inverse
    }
}

/// Whether a byte is of a class such as `%a`, in the "C" locale.
fn is_in_class(byte: u8, class: u8) -> bool {
    let is_in = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | 9..=13),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is_in != class.is_ascii_uppercase()
}
