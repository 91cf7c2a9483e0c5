//! From what was written to what is kept: one text for each value, the one CONFIG GET prints.

use super::special;
use super::table::{Kind, Parameter};
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use std::borrow::Cow;

/// Why a value was refused, in Redis' words.
pub type Refusal = Cow<'static, [u8]>;

/// A refusal whose text is fixed.
pub const fn say(text: &'static str) -> Refusal {
    Cow::Borrowed(text.as_bytes())
}

/// The text kept for the value `args`; `old` is the text kept before, which some values change only in part.
///
/// # Errors
/// What is wrong with the value.
#[inline(never)]
pub fn canonical(parameter: &Parameter, args: &[&[u8]], old: &[u8]) -> Result<Vec<u8>, Refusal> {
    match parameter.kind {
        Kind::Special(special) => return special::canonical(special, parameter.name, args, old),
        Kind::Words(words) => return several_of(words, args),
        _ => {}
    }
    let &[text] = args else {
        return Err(say("wrong number of arguments"));
    };
    let value = match parameter.kind {
        Kind::Bool => {
            return one_of("yes|no", text).map_err(|_| say("argument must be 'yes' or 'no'"));
        }
        // Policies of Redis 8.6, which the error of today does not name.
        Kind::Enum(_) if parameter.name == "maxmemory-policy" && place_of(LRM, text).is_some() => {
            return one_of(LRM, text);
        }
        Kind::Enum(words) => return one_of(words, text),
        Kind::Percent => return percent(text),
        Kind::Octal => return octal(text),
        Kind::Int(low, high) => within(integer(text)?, low, high, true)?,
        Kind::Unsigned(low, high) => within(integer(text)?, low, high, false)?,
        Kind::Memory(low, is_signed) => {
            let bytes = num::parse_memory(text).ok_or(say("argument must be a memory value"))?;
            within(bytes as i64, low, i64::MAX, is_signed)?
        }
        Kind::Text | Kind::Words(_) | Kind::Special(_) => return Ok(text.owned()),
    };
    // What Redis makes of values it allows but does not work with.
    Ok(decimal(match parameter.name {
        "hz" => value.clamp(1, 500),
        "repl-backlog-size" => value.max(16 << 10),
        _ => value,
    }))
}

/// Policies that evict what was not changed for long.
const LRM: &str = "allkeys-lrm|volatile-lrm";

#[inline(never)]
pub fn decimal(value: i64) -> Vec<u8> {
    num::format_i64(value).as_bytes().owned()
}

fn integer(text: &[u8]) -> Result<i64, Refusal> {
    num::parse_i64(text).ok_or(say("argument couldn't be parsed into an integer"))
}

#[inline(never)]
fn between(low: &[u8], high: &[u8]) -> Refusal {
    let parts: [&[u8]; 5] = [
        b"argument must be between ",
        low,
        b" and ",
        high,
        b" inclusive",
    ];
    Cow::Owned(parts.concat())
}

#[inline(never)]
fn within(value: i64, low: i64, high: i64, is_signed: bool) -> Result<i64, Refusal> {
    match value {
        _ if value < 0 && !is_signed => Err(say("argument must be greater or equal to 0")),
        _ if (low..=high).contains(&value) => Ok(value),
        _ => Err(between(&decimal(low), &decimal(high))),
    }
}

/// Bytes, or a percentage: Redis keeps the latter as a negative number.
fn percent(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let bytes = || num::parse_memory(text).map(|bytes| bytes as i64);
    let value = num::parse_percent(text).map(|percent| (percent as i64).wrapping_neg());
    match value.or_else(bytes) {
        None => Err(say("argument must be a memory or percent value")),
        Some(value @ 0..) => Ok(decimal(value)),
        Some(value @ -100..0) => {
            let mut text = decimal(-value);
            text.push(b'%');
            Ok(text)
        }
        Some(_) => Err(say("percentage argument must be less or equal to 100")),
    }
}

fn octal(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (sign, text) = text.split_at(usize::from(text.starts_with(b"-")));
    let is_octal = text.iter().all(|byte| matches!(byte, b'0'..=b'7'));
    if !is_octal {
        return Err(say("argument couldn't be parsed as an octal number"));
    }
    if !sign.is_empty() {
        return Err(say("argument must be greater or equal to 0"));
    }
    let leading = text.iter().take_while(|byte| **byte == b'0').count();
    match &text[leading..] {
        [] => Ok(b"0".owned()),
        digits if digits.len() <= 3 => Ok(digits.owned()),
        _ => Err(between(b"0", b"777")),
    }
}

/// The place of `text` among `words`, in any case.
#[inline(never)]
fn place_of(words: &str, text: &[u8]) -> Option<usize> {
    words
        .split('|')
        .position(|word| word.as_bytes().is_word(text))
}

#[inline(never)]
fn not_among(words: &str) -> Refusal {
    let mut text = b"argument(s) must be one of the following: ".owned();
    for byte in words.bytes() {
        match byte {
            b'|' => text.put(b", "),
            _ => text.push(byte),
        }
    }
    Cow::Owned(text)
}

#[inline(never)]
fn one_of(words: &str, text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let place = place_of(words, text).ok_or_else(|| not_among(words))?;
    match words.split('|').nth(place).unwrap_or_default() {
        // Another word for the same thing.
        "relative" => Ok(b"yes".owned()),
        word => Ok(word.into()),
    }
}

/// Options of a shutdown, in the order of the table; the first means none of the others.
fn several_of(words: &str, args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let mut chosen = 0u32;
    for arg in args {
        chosen |= 1 << place_of(words, arg).ok_or_else(|| not_among(words))?;
    }
    if args.is_empty() {
        return Err(not_among(words));
    }
    let names = || words.split('|').enumerate();
    let is_chosen =
        |name: &str| names().any(|(place, word)| word == name && chosen & 1 << place != 0);
    if is_chosen("save") && is_chosen("nosave") {
        return Err(say(
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ));
    }
    if chosen & !1 != 0 {
        chosen &= !1;
    }
    let mut text = Vec::new();
    for (_, word) in names().filter(|(place, _)| chosen & 1 << place != 0) {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.put(word.as_bytes());
    }
    Ok(text)
}
