//! From what was written to what is kept: one text for each value, the one CONFIG GET prints.

use super::special;
use super::table::{Kind, Parameter};
use crate::algorithms::num;

/// Why a value was refused, in Redis' words.
pub type Refusal = Vec<u8>;

/// The text kept for the value `args`; `old` is the text kept before, which some values change only in part.
///
/// # Errors
/// What is wrong with the value.
pub fn canonical(parameter: &Parameter, args: &[&[u8]], old: &[u8]) -> Result<Vec<u8>, Refusal> {
    if let Kind::Special(special) = parameter.kind {
        return special::canonical(special, parameter.name, args, old);
    }
    if let Kind::Words(words) = parameter.kind {
        return several_of(words, args);
    }
    let &[text] = args else {
        return Err(b"wrong number of arguments".to_vec());
    };
    match parameter.kind {
        Kind::Bool if text.eq_ignore_ascii_case(b"yes") => Ok(b"yes".to_vec()),
        Kind::Bool if text.eq_ignore_ascii_case(b"no") => Ok(b"no".to_vec()),
        Kind::Bool => Err(b"argument must be 'yes' or 'no'".to_vec()),
        Kind::Int(low, high) => within(integer(text)?, low, high).map(|value| {
            let value = if parameter.name == "hz" {
                value.clamp(1, 500)
            } else {
                value
            };
            decimal(value)
        }),
        Kind::Unsigned(low, high) => natural(integer(text)?, low, high).map(decimal),
        Kind::Memory(low, is_signed) => {
            let value = num::parse_memory(text).ok_or(b"argument must be a memory value")? as i64;
            let value = match is_signed {
                true => within(value, low, i64::MAX)?,
                false => natural(value, low, i64::MAX)?,
            };
            /// A smaller backlog than this Redis does not keep.
            const BACKLOG_BYTES: i64 = 16 << 10;
            let is_backlog = parameter.name == "repl-backlog-size";
            Ok(decimal(if is_backlog {
                value.max(BACKLOG_BYTES)
            } else {
                value
            }))
        }
        Kind::Percent => percent(text),
        Kind::Octal => octal(text),
        Kind::Enum(words) => one_of(words, text),
        Kind::Text | Kind::Words(_) | Kind::Special(_) => Ok(text.to_vec()),
    }
}

pub fn decimal(value: i64) -> Vec<u8> {
    num::format_i64(value).as_bytes().to_vec()
}

fn integer(text: &[u8]) -> Result<i64, Refusal> {
    num::parse_i64(text).ok_or_else(|| b"argument couldn't be parsed into an integer".to_vec())
}

fn between(low: &[u8], high: &[u8]) -> Refusal {
    [
        b"argument must be between ",
        low,
        b" and ",
        high,
        b" inclusive",
    ]
    .concat()
}

fn within(value: i64, low: i64, high: i64) -> Result<i64, Refusal> {
    match (low..=high).contains(&value) {
        true => Ok(value),
        false => Err(between(&decimal(low), &decimal(high))),
    }
}

fn natural(value: i64, low: i64, high: i64) -> Result<i64, Refusal> {
    match value < 0 {
        true => Err(b"argument must be greater or equal to 0".to_vec()),
        false => within(value, low, high),
    }
}

/// Bytes, or a percentage: Redis keeps the latter as a negative number.
fn percent(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let value = match num::parse_percent(text) {
        Some(percent) => (percent as i64).wrapping_neg(),
        None => {
            num::parse_memory(text).ok_or(b"argument must be a memory or percent value")? as i64
        }
    };
    match value {
        0.. => Ok(decimal(value)),
        -100..0 => Ok([decimal(-value).as_slice(), b"%"].concat()),
        _ => Err(b"percentage argument must be less or equal to 100".to_vec()),
    }
}

fn octal(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let is_octal = !text.is_empty() && text.iter().all(|byte| matches!(byte, b'0'..=b'7'));
    if !is_octal {
        return Err(b"argument couldn't be parsed as an octal number".to_vec());
    }
    let leading = text.iter().take_while(|byte| **byte == b'0').count();
    match &text[leading..] {
        [] => Ok(b"0".to_vec()),
        digits if digits.len() <= 3 => Ok(digits.to_vec()),
        _ => Err(between(b"0", b"777")),
    }
}

fn not_among(words: &str) -> Refusal {
    let words = words.replace('|', ", ");
    ["argument(s) must be one of the following: ", &words]
        .concat()
        .into_bytes()
}

fn one_of(words: &'static str, text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let found = words
        .split('|')
        .find(|word| word.as_bytes().eq_ignore_ascii_case(text));
    match found.ok_or_else(|| not_among(words))? {
        // Another word for the same thing.
        "relative" => Ok(b"yes".to_vec()),
        word => Ok(word.into()),
    }
}

/// Options of a shutdown, in the order of the table; the first means none of the others.
fn several_of(words: &'static str, args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let is_known = |arg: &&[u8]| {
        words
            .split('|')
            .any(|word| word.as_bytes().eq_ignore_ascii_case(arg))
    };
    if args.is_empty() || !args.iter().all(is_known) {
        return Err(not_among(words));
    }
    let chosen = |word: &&str| {
        args.iter()
            .any(|arg| word.as_bytes().eq_ignore_ascii_case(arg))
    };
    let chosen: Vec<&str> = words.split('|').skip(1).filter(chosen).collect();
    if chosen.contains(&"save") && chosen.contains(&"nosave") {
        return Err(b"shutdown options SAVE and NOSAVE can't be used simultaneously".to_vec());
    }
    match chosen.is_empty() {
        true => Ok(words.split('|').next().unwrap_or_default().into()),
        false => Ok(chosen.join(" ").into_bytes()),
    }
}
