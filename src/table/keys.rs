//! Key specs: where a command's keys stand among its arguments, and what the command does with them.

use super::command::bits;
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;

bits! {
    /// What a command does with a key.
    KeyFlags {
        /// Reads and writes the value.
        RW = 0 "RW",
        /// Reads the value.
        RO = 1 "RO",
        /// Overwrites the value.
        OW = 2 "OW",
        /// Removes the key.
        RM = 3 "RM",
        ACCESS = 4 "access",
        UPDATE = 5 "update",
        INSERT = 6 "insert",
        DELETE = 7 "delete",
        /// Not a key, but something like it (a channel).
        NOT_KEY = 8 "not_key",
        /// The spec does not find every key.
        INCOMPLETE = 9 "incomplete",
        /// The flags depend on the arguments.
        VARIABLE_FLAGS = 10 "variable_flags",
    }
}

/// Where the search begins.
#[derive(Debug, Clone, Copy)]
pub enum Begin {
    Index(i16),
    /// After this word, searched from an index (negative: backwards from the end).
    Keyword(&'static str, i16),
    Unknown,
}

/// How the keys follow from there.
#[derive(Debug, Clone, Copy)]
pub enum Find {
    /// Up to `last` (relative to the beginning; negative: from the end), every `step`-th; with `last` -1, `limit`
    /// says that only the first 1/limit of what remains are keys.
    Range {
        last: i16,
        step: i16,
        limit: i16,
    },
    /// Their number stands at `at`, the first at `first` (both relative to the beginning).
    KeyNum {
        at: i16,
        first: i16,
        step: i16,
    },
    Unknown,
}

/// One key spec.
#[derive(Debug, Clone, Copy)]
pub struct KeySpec {
    pub begin: Begin,
    pub find: Find,
    pub flags: u32,
    pub note: Option<&'static str>,
}

impl KeySpec {
    const fn new(begin: Begin) -> KeySpec {
        KeySpec {
            begin,
            find: Find::Range {
                last: 0,
                step: 1,
                limit: 0,
            },
            flags: 0,
            note: None,
        }
    }
    pub const fn index(at: i16) -> KeySpec {
        KeySpec::new(Begin::Index(at))
    }
    pub const fn keyword(word: &'static str, from: i16) -> KeySpec {
        KeySpec::new(Begin::Keyword(word, from))
    }
    pub const fn unknown() -> KeySpec {
        KeySpec::new(Begin::Unknown)
    }
    pub const fn range(mut self, last: i16, step: i16, limit: i16) -> KeySpec {
        self.find = Find::Range { last, step, limit };
        self
    }
    pub const fn keynum(mut self, at: i16, first: i16, step: i16) -> KeySpec {
        self.find = Find::KeyNum { at, first, step };
        self
    }
    pub const fn unknown_keys(mut self) -> KeySpec {
        self.find = Find::Unknown;
        self
    }
    pub const fn flags(mut self, flags: u32) -> KeySpec {
        self.flags = flags;
        self
    }
    pub const fn note(mut self, note: &'static str) -> KeySpec {
        self.note = Some(note);
        self
    }

    /// The indexes of the keys in `args` (name at 0) that this spec finds, none when its keyword is missing; None
    /// when the arguments do not fit it or leave no room for a key.
    pub fn find(&self, args: &[&[u8]]) -> Option<Vec<usize>> {
        let count = i64::try_from(args.len()).ok()?;
        let begin = match self.begin {
            Begin::Index(at) => i64::from(at),
            Begin::Keyword(word, from) => match find_keyword(args, word, from) {
                Some(begin) => begin,
                None => return Some(Vec::new()),
            },
            Begin::Unknown => return None,
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                let last = i64::from(last);
                let end = match (last >= 0, limit) {
                    (true, _) => begin + last,
                    (false, 0 | 1) => count + last,
                    (false, _) => begin + (count - begin) / i64::from(limit) + last,
                };
                (begin, end, i64::from(step))
            }
            Find::KeyNum { at, first, step } => {
                let number = args.get(usize::try_from(begin + i64::from(at)).ok()?)?;
                let number = num::parse_i64(number).filter(|number| *number >= 0)?;
                let first = begin + i64::from(first);
                (
                    first,
                    first.checked_add((number - 1).checked_mul(i64::from(step))?)?,
                    i64::from(step),
                )
            }
            Find::Unknown => return None,
        };
        if step <= 0 || last >= count || last < first {
            return None;
        }
        let mut found = Vec::new();
        let mut at = first;
        while at <= last {
            found.push(usize::try_from(at).ok()?);
            at += step;
        }
        Some(found)
    }
}

fn find_keyword(args: &[&[u8]], word: &str, from: i16) -> Option<i64> {
    let is_word = |at: &usize| {
        args.get(*at)
            .is_some_and(|arg| arg.is_word(word.as_bytes()))
    };
    let found = if from > 0 {
        (from as usize..args.len()).find(is_word)
    } else {
        let last = args.len().checked_sub(from.unsigned_abs() as usize)?;
        (1..=last).rev().find(is_word)
    };
    found.and_then(|at| i64::try_from(at + 1).ok())
}
