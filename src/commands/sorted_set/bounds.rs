//! The ends of ranges, as arguments say them.

use crate::algorithms::num;
use crate::resp::Error;
use crate::values::sorted_set::{LexBound, LexRange, ScoreRange};

const NOT_SCORES: Error = Error::new("ERR min or max is not a float");
const NOT_MEMBERS: Error = Error::new("ERR min or max not valid string range item");

/// A score and whether it is excluded. Redis reads up to a zero byte, and nothing as 0.
fn score(text: &[u8]) -> Option<(f64, bool)> {
    let (text, is_excluded) = match text {
        [b'(', rest @ ..] => (rest, true),
        text => (text, false),
    };
    let text = text.split(|byte| *byte == 0).next()?;
    let score = match text {
        [] => 0.0,
        text => num::parse_decimal_f64(text)?,
    };
    Some((score, is_excluded))
}

pub(super) fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, Error> {
    let (min, excludes_min) = score(min).ok_or(NOT_SCORES)?;
    let (max, excludes_max) = score(max).ok_or(NOT_SCORES)?;
    Ok(ScoreRange {
        min,
        max,
        excludes_min,
        excludes_max,
    })
}

fn member(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        [b'[', rest @ ..] => Some(LexBound::Including(rest)),
        [b'(', rest @ ..] => Some(LexBound::Excluding(rest)),
        [b'-'] | [b'-', 0, ..] => Some(LexBound::Lowest),
        [b'+'] | [b'+', 0, ..] => Some(LexBound::Highest),
        _ => None,
    }
}

pub(super) fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, Error> {
    let min = member(min).ok_or(NOT_MEMBERS)?;
    let max = member(max).ok_or(NOT_MEMBERS)?;
    Ok(LexRange { min, max })
}
