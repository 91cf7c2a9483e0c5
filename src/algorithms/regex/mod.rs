//! Regular expressions: POSIX' extended syntax on bytes, with the escapes people expect.
//!
//! A pattern becomes a program of a nondeterministic automaton, and a text is matched by following all of its states at
//! once: the time is bounded by program * text, with no pattern that blows up. That rules out backreferences.
//!
//! ```text
//!   ab|c*      0 split 1 4      4 split 5 7
//!              1 byte a         5 byte c
//!              2 byte b         6 jump 4
//!              3 jump 7         7 (match)
//! ```
//!
//! Known: `.` `[...]` with classes like `[:alpha:]`, `( )` `(?: )` `(?i)` `(?i: )`, `|`, `^` `$` (of the whole text),
//! `*` `+` `?` `{n}` `{n,}` `{n,m}` `{,m}` (each also with a `?` behind it, which makes no difference here), `\d \D \w \W \s
//! \S`, `\b \B \< \>`, `\t \n \r \f \a \e`, `\xHH`, `\x{H...}`, `\Q...\E`; any other byte behind `\` is itself.

#[cfg(test)]
mod tests;

/// Groups may stand in each other this deep.
const MAX_DEPTH: usize = 250;
/// The highest bound of `{n,m}`.
const MAX_REPEAT: usize = 255;
/// A pattern whose program is longer is refused.
const MAX_PROGRAM: usize = 16_384;

/// Why a pattern is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegexError {
    Invalid,
    /// `\1`: no automaton of this kind can do that.
    BackReference,
}

/// What holds between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    End,
    WordEdge,
    NoWordEdge,
    WordStart,
    WordEnd,
}

/// One step of a program; targets are relative, so that steps can be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Byte(u8),
    /// A letter, given in lower case, in either case.
    Letter(u8),
    Any,
    /// A byte of the set of that number.
    Set(u16),
    /// On to the next step, and to another.
    Split(i16),
    Jump(i16),
    Assert(Place),
}

/// A set of bytes.
type Set = [u64; 4];

/// A pattern, ready to match.
#[derive(Debug, Clone)]
pub struct Regex {
    program: Vec<Step>,
    sets: Vec<Set>,
    /// Matches only from the start of the text.
    is_anchored: bool,
}

/// Memory for matching, to be used again.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// The round in which a step was reached last.
    reached: Vec<u64>,
    round: u64,
    current: Vec<u16>,
    next: Vec<u16>,
    open: Vec<u16>,
}

impl Regex {
    /// Reads a pattern; `nocase` makes ASCII letters of both cases equal. O(length of the program).
    pub fn new(pattern: &[u8], nocase: bool) -> Result<Regex, RegexError> {
        let mut compiler = Compiler {
            rest: pattern,
            nocase,
            depth: 0,
            program: Vec::new(),
            sets: Vec::new(),
        };
        compiler.alternatives()?;
        let is_anchored = compiler.program.first() == Some(&Step::Assert(Place::Start));
        Ok(Regex {
            program: compiler.program,
            sets: compiler.sets,
            is_anchored,
        })
    }

    /// Whether the pattern is found in the text. O(program * text).
    pub fn is_match(&self, text: &[u8], scratch: &mut Scratch) -> bool {
        scratch
            .reached
            .resize(self.program.len().max(scratch.reached.len()), 0);
        scratch.current.clear();
        scratch.round += 1;
        for at in 0..=text.len() {
            let is_start = at == 0 || !self.is_anchored;
            if is_start && self.follow(0, text, at, scratch, false) {
                return true;
            }
            let Some(&byte) = text.get(at) else {
                return false;
            };
            if scratch.current.is_empty() && self.is_anchored {
                return false;
            }
            scratch.round += 1;
            scratch.next.clear();
            let current = std::mem::take(&mut scratch.current);
            let is_done = current.iter().any(|&step| {
                self.takes(step, byte) && self.follow(step + 1, text, at + 1, scratch, true)
            });
            scratch.current = std::mem::replace(&mut scratch.next, current);
            if is_done {
                return true;
            }
        }
        false
    }

    fn takes(&self, step: u16, byte: u8) -> bool {
        match self.program.get(usize::from(step)) {
            Some(Step::Byte(wanted)) => *wanted == byte,
            Some(Step::Letter(wanted)) => *wanted == byte.to_ascii_lowercase(),
            Some(Step::Any) => true,
            Some(Step::Set(number)) => {
                let set = self.sets.get(usize::from(*number));
                set.is_some_and(|set| has(set, byte))
            }
            _ => false,
        }
    }

    /// Adds to the current or the next states what is reached from `step` without a byte; whether the end is.
    fn follow(
        &self,
        step: u16,
        text: &[u8],
        at: usize,
        scratch: &mut Scratch,
        is_next: bool,
    ) -> bool {
        scratch.open.clear();
        scratch.open.push(step);
        while let Some(number) = scratch.open.pop() {
            let Some(step) = self.program.get(usize::from(number)) else {
                return true;
            };
            let Some(reached) = scratch.reached.get_mut(usize::from(number)) else {
                continue;
            };
            if *reached == scratch.round {
                continue;
            }
            *reached = scratch.round;
            match *step {
                Step::Jump(by) => scratch.open.push(number.wrapping_add_signed(by)),
                Step::Split(by) => {
                    scratch.open.push(number + 1);
                    scratch.open.push(number.wrapping_add_signed(by));
                }
                Step::Assert(place) if holds(place, text, at) => scratch.open.push(number + 1),
                Step::Assert(_) => {}
                _ if is_next => scratch.next.push(number),
                _ => scratch.current.push(number),
            }
        }
        false
    }
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn holds(place: Place, text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    let (before, after) = (is_word(before), is_word(text.get(at)));
    match place {
        Place::Start => at == 0,
        Place::End => at == text.len(),
        Place::WordEdge => before != after,
        Place::NoWordEdge => before == after,
        Place::WordStart => !before && after,
        Place::WordEnd => before && !after,
    }
}

fn has(set: &Set, byte: u8) -> bool {
    set.get(usize::from(byte >> 6))
        .is_some_and(|bits| bits >> (byte & 63) & 1 == 1)
}

fn add(set: &mut Set, byte: u8) {
    if let Some(bits) = set.get_mut(usize::from(byte >> 6)) {
        *bits |= 1 << (byte & 63);
    }
}

/// A name, and whether a byte belongs to it.
type Class = (&'static [u8], fn(&u8) -> bool);

/// The named classes of bracket expressions.
const CLASSES: [Class; 12] = [
    (b"alnum", u8::is_ascii_alphanumeric),
    (b"alpha", u8::is_ascii_alphabetic),
    (b"blank", |byte| matches!(byte, b' ' | b'\t')),
    (b"cntrl", u8::is_ascii_control),
    (b"digit", u8::is_ascii_digit),
    (b"graph", u8::is_ascii_graphic),
    (b"lower", u8::is_ascii_lowercase),
    (b"print", |byte| matches!(byte, b' '..=b'~')),
    (b"punct", u8::is_ascii_punctuation),
    (b"space", |byte| matches!(byte, b' ' | b'\t'..=b'\r')),
    (b"upper", u8::is_ascii_uppercase),
    (b"xdigit", u8::is_ascii_hexdigit),
];

fn add_class(set: &mut Set, name: &[u8]) -> Result<(), RegexError> {
    let class = CLASSES.iter().find(|(known, _)| *known == name);
    let (_, contains) = class.ok_or(RegexError::Invalid)?;
    (0..=255).filter(contains).for_each(|byte| add(set, byte));
    Ok(())
}

struct Compiler<'a> {
    rest: &'a [u8],
    nocase: bool,
    depth: usize,
    program: Vec<Step>,
    sets: Vec<Set>,
}

type Parsed = Result<(), RegexError>;

impl Compiler<'_> {
    /// Consumes the next byte if it is that.
    fn take(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Consumes the next byte.
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn push(&mut self, step: Step) -> Parsed {
        if self.program.len() >= MAX_PROGRAM {
            return Err(RegexError::Invalid);
        }
        self.program.push(step);
        Ok(())
    }

    fn alternatives(&mut self) -> Parsed {
        let nocase = self.nocase;
        let mut exits = Vec::new();
        loop {
            let start = self.program.len();
            self.sequence()?;
            if !self.take(b'|') {
                break;
            }
            self.push(Step::Jump(0))?;
            let length = self.program.len() - start;
            self.program.insert(start, Step::Split(length as i16 + 1));
            exits.push(start + length);
        }
        let end = self.program.len();
        for exit in exits {
            if let Some(step) = self.program.get_mut(exit) {
                *step = Step::Jump((end - exit) as i16);
            }
        }
        self.nocase = nocase;
        Ok(())
    }

    fn sequence(&mut self) -> Parsed {
        while let Some(&byte) = self.rest.first() {
            if byte == b'|' || (byte == b')' && self.depth > 0) {
                break;
            }
            let start = self.program.len();
            self.atom()?;
            while let Some((min, max)) = self.quantifier()? {
                self.take(b'?');
                self.repeat(start, min, max)?;
            }
        }
        Ok(())
    }

    fn atom(&mut self) -> Parsed {
        match self.next() {
            Some(b'(') => self.group(),
            Some(b'[') => self.bracket(),
            Some(b'.') => self.push(Step::Any),
            Some(b'^') => self.push(Step::Assert(Place::Start)),
            Some(b'$') => self.push(Step::Assert(Place::End)),
            Some(b'\\') => self.escape(),
            Some(b'*' | b'+' | b'?' | b'{') | None => Err(RegexError::Invalid),
            Some(byte) => self.literal(byte),
        }
    }

    fn literal(&mut self, byte: u8) -> Parsed {
        let is_letter = self.nocase && byte.is_ascii_alphabetic();
        self.push(match is_letter {
            true => Step::Letter(byte.to_ascii_lowercase()),
            false => Step::Byte(byte),
        })
    }

    /// What follows `(`.
    fn group(&mut self) -> Parsed {
        let outer = self.nocase;
        if self.take(b'?') {
            let mut is_on = true;
            loop {
                match self.next() {
                    Some(b'i') => self.nocase = is_on,
                    Some(b'-') => is_on = false,
                    Some(b':') => break,
                    // The flags hold to the end of the group around this.
                    Some(b')') => return Ok(()),
                    _ => return Err(RegexError::Invalid),
                }
            }
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(RegexError::Invalid);
        }
        self.alternatives()?;
        self.depth -= 1;
        self.nocase = outer;
        if self.take(b')') {
            Ok(())
        } else {
            Err(RegexError::Invalid)
        }
    }

    /// How often what stands before may come: at least, and at most unless without end.
    fn quantifier(&mut self) -> Result<Option<(usize, Option<usize>)>, RegexError> {
        let bounds = match self.rest.first() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => {
                self.next();
                return self.bounds().map(Some);
            }
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(bounds))
    }

    /// What follows `{`.
    fn bounds(&mut self) -> Result<(usize, Option<usize>), RegexError> {
        let min = self.number()?;
        let has_comma = self.take(b',');
        let max = if has_comma { self.number()? } else { min };
        let is_closed = self.take(b'}');
        let is_open_end = has_comma && max.is_none();
        let bounds = (min.unwrap_or(0), max);
        let fits = |max: usize| (bounds.0..=MAX_REPEAT).contains(&max);
        let is_valid = is_closed && (min.is_some() || max.is_some());
        if !is_valid || !max.map_or(is_open_end && fits(bounds.0), fits) {
            return Err(RegexError::Invalid);
        }
        Ok(bounds)
    }

    fn number(&mut self) -> Result<Option<usize>, RegexError> {
        let mut number = None;
        while let Some(digit) = self.rest.first().filter(|byte| byte.is_ascii_digit()) {
            let value = number.unwrap_or(0) * 10 + usize::from(digit - b'0');
            if value > MAX_REPEAT {
                return Err(RegexError::Invalid);
            }
            number = Some(value);
            self.next();
        }
        Ok(number)
    }

    /// Lets the steps from `start` on come at least `min` and at most `max` times.
    fn repeat(&mut self, start: usize, min: usize, max: Option<usize>) -> Parsed {
        let steps = self.program.split_off(start);
        if steps.is_empty() {
            return Ok(());
        }
        let length = steps.len() as i16;
        for _ in 0..min {
            self.push_all(&steps)?;
        }
        let Some(max) = max else {
            if min > 0 {
                return self.push(Step::Split(-length));
            }
            self.push(Step::Split(length + 2))?;
            self.push_all(&steps)?;
            return self.push(Step::Jump(-length - 1));
        };
        for _ in min..max {
            self.push(Step::Split(length + 1))?;
            self.push_all(&steps)?;
        }
        Ok(())
    }

    fn push_all(&mut self, steps: &[Step]) -> Parsed {
        if self.program.len() + steps.len() > MAX_PROGRAM {
            return Err(RegexError::Invalid);
        }
        self.program.extend_from_slice(steps);
        Ok(())
    }

    fn push_set(&mut self, set: Set) -> Parsed {
        self.sets.push(set);
        self.push(Step::Set((self.sets.len() - 1) as u16))
    }

    /// What follows `\`.
    fn escape(&mut self) -> Parsed {
        let byte = self.next().ok_or(RegexError::Invalid)?;
        let place = match byte {
            b'w' | b'W' | b's' | b'S' | b'd' | b'D' => return self.short_class(byte),
            b'1'..=b'9' => return Err(RegexError::BackReference),
            b'Q' => return self.quoted(),
            b'x' => {
                let byte = self.hexadecimal()?;
                return self.literal(byte);
            }
            b'b' => Place::WordEdge,
            b'B' => Place::NoWordEdge,
            b'<' => Place::WordStart,
            b'>' => Place::WordEnd,
            b't' => return self.literal(b'\t'),
            b'n' => return self.literal(b'\n'),
            b'r' => return self.literal(b'\r'),
            b'f' => return self.literal(0x0c),
            b'a' => return self.literal(0x07),
            b'e' => return self.literal(0x1b),
            other => return self.literal(other),
        };
        self.push(Step::Assert(place))
    }

    fn short_class(&mut self, letter: u8) -> Parsed {
        let mut set = [0; 4];
        match letter.to_ascii_lowercase() {
            b'd' => add_class(&mut set, b"digit")?,
            b's' => add_class(&mut set, b"space")?,
            _ => {
                add_class(&mut set, b"alnum")?;
                add(&mut set, b'_');
            }
        }
        if letter.is_ascii_uppercase() {
            set = set.map(|bits| !bits);
        }
        self.push_set(set)
    }

    /// What follows `\Q`: bytes that are themselves, up to `\E` or the end.
    fn quoted(&mut self) -> Parsed {
        while let Some(byte) = self.next() {
            if byte == b'\\' && self.take(b'E') {
                break;
            }
            self.literal(byte)?;
        }
        Ok(())
    }

    /// What follows `\x`: one or two digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Result<u8, RegexError> {
        let is_braced = self.take(b'{');
        let most = if is_braced { 8 } else { 2 };
        let mut value = 0;
        for _ in 0..most {
            let digit = self
                .rest
                .first()
                .and_then(|byte| char::from(*byte).to_digit(16));
            let Some(digit) = digit else {
                break;
            };
            value = value << 4 | digit;
            self.next();
        }
        if is_braced && !self.take(b'}') {
            return Err(RegexError::Invalid);
        }
        u8::try_from(value).map_err(|_| RegexError::Invalid)
    }

    /// What follows `[`.
    fn bracket(&mut self) -> Parsed {
        let is_negated = self.take(b'^');
        let mut set = [0; 4];
        let mut is_first = true;
        loop {
            let byte = self.next().ok_or(RegexError::Invalid)?;
            if byte == b']' && !is_first {
                break;
            }
            is_first = false;
            if byte == b'[' && self.take(b':') {
                self.named_class(&mut set)?;
                continue;
            }
            if byte == b'[' && matches!(self.rest.first(), Some(b'.' | b'=')) {
                return Err(RegexError::Invalid);
            }
            let last = match *self.rest {
                [b'-', last, ..] if last != b']' => {
                    self.next();
                    self.next();
                    last
                }
                _ => byte,
            };
            if last < byte {
                return Err(RegexError::Invalid);
            }
            (byte..=last).for_each(|byte| add(&mut set, byte));
        }
        if self.nocase {
            for letter in b'a'..=b'z' {
                let upper = letter.to_ascii_uppercase();
                if has(&set, letter) || has(&set, upper) {
                    add(&mut set, letter);
                    add(&mut set, upper);
                }
            }
        }
        if is_negated {
            set = set.map(|bits| !bits);
        }
        self.push_set(set)
    }

    /// What follows `[:` in a bracket expression.
    fn named_class(&mut self, set: &mut Set) -> Parsed {
        let end = self.rest.windows(2).position(|end| end == b":]");
        let (name, rest) = self.rest.split_at(end.ok_or(RegexError::Invalid)?);
        self.rest = rest.get(2..).unwrap_or_default();
        add_class(set, name)
    }
}
