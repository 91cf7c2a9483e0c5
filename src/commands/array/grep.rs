//! ARGREP: which values of a range are, contain or match some texts. Whatever the texts are, the time is bounded by their
//! length times that of the values.

use super::read::array;
use super::{index, limit, say_index, say_pair};
use crate::algorithms::find::Needle;
use crate::algorithms::glob;
use crate::algorithms::regex::{Regex, RegexError, Scratch};
use crate::resp::Error;
use crate::table::{Ctx, Outcome, Result};
use crate::values::array::MAX_INDEX;

/// One search has no more predicates than this.
const MAX_PREDICATES: usize = 250;
const MAX_PATTERN_BYTES: usize = 2048;

type Parsed<T> = core::result::Result<T, Error>;

/// What a predicate does with its text.
#[derive(Clone, Copy)]
enum Kind {
    Exact,
    Match,
    Glob,
    Regex,
}

const KINDS: [(&str, Kind); 4] = [
    ("EXACT", Kind::Exact),
    ("MATCH", Kind::Match),
    ("GLOB", Kind::Glob),
    ("RE", Kind::Regex),
];

/// A predicate, ready to be asked.
enum Predicate<'a> {
    Exact(&'a [u8]),
    Match(Needle),
    Glob(&'a [u8]),
    Regex(Regex),
}

/// What ARGREP looks for.
struct Search<'a> {
    predicates: Vec<Predicate<'a>>,
    /// All of them must hold, not just one.
    needs_all: bool,
    nocase: bool,
    with_values: bool,
    limit: u64,
    scratch: Scratch,
}

impl<'a> Search<'a> {
    fn parse(ctx: &Ctx<'a>) -> Parsed<Search<'a>> {
        let mut search = Search {
            predicates: Vec::new(),
            needs_all: false,
            nocase: false,
            with_values: false,
            limit: u64::MAX,
            scratch: Scratch::default(),
        };
        let mut texts = Vec::new();
        let options = &mut ctx.options(4);
        while !options.is_done() {
            let predicate = KINDS
                .iter()
                .find_map(|(word, kind)| Some((*kind, options.take_value(word)?)));
            if let Some(predicate) = predicate {
                texts.push(predicate);
            } else if options.take("AND") {
                search.needs_all = true;
            } else if options.take("OR") {
                search.needs_all = false;
            } else if options.take("NOCASE") {
                search.nocase = true;
            } else if options.take("WITHVALUES") {
                search.with_values = true;
            } else if let Some(text) = options.take_value("LIMIT") {
                search.limit = limit(text)?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if texts.is_empty() {
            return Err(Error::SYNTAX);
        }
        if texts.len() > MAX_PREDICATES {
            return Err(Error::new("ERR too many predicates, maximum is 250"));
        }
        for (kind, text) in texts {
            search
                .predicates
                .push(Predicate::new(kind, text, search.nocase)?);
        }
        Ok(search)
    }

    fn finds(&mut self, text: &[u8]) -> bool {
        let (nocase, needs_all, scratch) = (self.nocase, self.needs_all, &mut self.scratch);
        let mut predicates = self.predicates.iter();
        // All hold, if none does not; one holds, if one does.
        needs_all != predicates.any(|predicate| predicate.holds(text, nocase, scratch) != needs_all)
    }
}

impl<'a> Predicate<'a> {
    fn new(kind: Kind, text: &'a [u8], nocase: bool) -> Parsed<Predicate<'a>> {
        Ok(match kind {
            Kind::Exact => Predicate::Exact(text),
            Kind::Match => Predicate::Match(Needle::new(text, nocase)),
            Kind::Glob => Predicate::Glob(text),
            Kind::Regex => Predicate::Regex(regex(text, nocase)?),
        })
    }

    fn holds(&self, text: &[u8], nocase: bool, scratch: &mut Scratch) -> bool {
        match self {
            Predicate::Exact(wanted) if nocase => text.eq_ignore_ascii_case(wanted),
            Predicate::Exact(wanted) => text == *wanted,
            Predicate::Match(needle) => needle.is_in(text),
            Predicate::Glob(pattern) if nocase => glob::matches_nocase(pattern, text),
            Predicate::Glob(pattern) => glob::matches(pattern, text),
            Predicate::Regex(regex) => regex.is_match(text, scratch),
        }
    }
}

fn regex(pattern: &[u8], nocase: bool) -> Parsed<Regex> {
    if pattern.is_empty() {
        return Err(Error::new("ERR regular expression is empty"));
    }
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(Error::new(
            "ERR regular expression is too long, maximum is 2048 bytes",
        ));
    }
    Regex::new(pattern, nocase).map_err(|error| match error {
        RegexError::Invalid => Error::new("ERR invalid regular expression"),
        RegexError::BackReference => {
            Error::new("ERR regular expression backreferences are not supported")
        }
    })
}

/// An end of the range: `-` for the lowest index, `+` for the highest.
fn bound(text: &[u8]) -> Parsed<u64> {
    match text {
        b"-" => Ok(0),
        b"+" => Ok(MAX_INDEX),
        text => index(text),
    }
}

pub(super) fn argrep(ctx: &mut Ctx) -> Result {
    let (from, to) = (bound(ctx.arg(2))?, bound(ctx.arg(3))?);
    let mut search = Search::parse(ctx)?;
    let (array, reply) = array(ctx)?;
    let mark = reply.mark();
    let mut count = 0;
    if let Some(array) = array {
        array.visit(from, to, &mut |index, value| {
            if !search.finds(&value.text()) {
                return true;
            }
            match search.with_values {
                true => say_pair(reply, index, value),
                false => say_index(reply, index),
            }
            count += 1;
            (count as u64) < search.limit
        });
    }
    reply.close_array(mark, count);
    Ok(Outcome::Done)
}
