//! Values with rules of their own.

use super::table::Special;
use super::value::{Refusal, decimal, say};
use crate::algorithms::num;
use crate::keyspace::Class;

/// The text kept for such a value; see [`super::value::canonical`].
#[inline(never)]
pub fn canonical(
    special: Special,
    name: &str,
    args: &[&[u8]],
    old: &[u8],
) -> Result<Vec<u8>, Refusal> {
    let text = match (special, args) {
        (Special::OutputLimits, _) => return output_limits(args, old),
        (Special::OomScores, _) => return oom_scores(args),
        (Special::Percentiles, _) => return percentiles(args),
        (Special::Save, _) => return save(args, old),
        (Special::Replica, _) => return replica(args),
        (Special::Bind, _) => return bind(args),
        (_, &[text]) => text,
        _ => return Err(say("wrong number of arguments")),
    };
    if special == Special::Events {
        let classes = Class::parse(text);
        let refusal = say("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
        return classes.map(Class::letters).ok_or(refusal);
    }
    match complaint(special, name, text) {
        "" => Ok(text.to_vec()),
        complaint => Err(say(complaint)),
    }
}

/// What is wrong with a text; empty for nothing.
fn complaint(special: Special, name: &str, text: &[u8]) -> &'static str {
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    let is_forbidden = |byte: &u8| b"!#$%&()*+:;<>?@[]^{|}~".contains(byte);
    match special {
        Special::FileName => file_name(name, text).unwrap_or(""),
        Special::Hostname if text.len() >= 256 => "Hostnames must be less than 256 characters",
        Special::Hostname if !text.iter().all(is_host) => {
            "Hostnames may only contain alphanumeric characters, hyphens or dots"
        }
        Special::Nodename if text.iter().any(is_forbidden) => {
            "Announced human node name contained invalid character"
        }
        Special::Locale if !matches!(text, b"" | b"C" | b"POSIX" | b"C.UTF-8" | b"C.utf8") => {
            "Invalid locale name"
        }
        Special::Title if !is_title(text) => {
            "template format is invalid or contains unknown variables"
        }
        _ => "",
    }
}

/// A name without a path.
fn file_name(name: &str, text: &[u8]) -> Option<&'static str> {
    let has_path = text.contains(&b'/') || text.contains(&b'\\') || text == b"." || text == b"..";
    match (name, has_path) {
        ("appendfilename", _) if text.is_empty() => Some("appendfilename can't be empty"),
        ("appenddirname", _) if text.is_empty() => Some("appenddirname can't be empty"),
        ("appenddirname", true) => Some("appenddirname can't be a path, just a dirname"),
        ("appendfilename", true) => Some("appendfilename can't be a path, just a filename"),
        (_, true) => Some("dbfilename can't be a path, just a filename"),
        _ => None,
    }
}

/// Whether every `{variable}` is one Redis knows, and something is left once they are filled in.
fn is_title(text: &[u8]) -> bool {
    /// The variables; those in the second half are empty when Redis tries a template out.
    const VARIABLES: [&[u8]; 7] = [
        b"listen-addr",
        b"port",
        b"tls-port",
        b"config-file",
        b"title",
        b"server-mode",
        b"unixsocket",
    ];
    const FILLED: usize = 4;
    let (mut rest, mut is_filled) = (text, false);
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'{' || after.first() == Some(&b'{') {
            is_filled |= byte != b' ';
            rest = after
                .strip_prefix(b"{")
                .filter(|_| byte == b'{')
                .unwrap_or(after);
            continue;
        }
        let Some(close) = after.iter().position(|byte| *byte == b'}') else {
            return false;
        };
        let Some(place) = VARIABLES
            .iter()
            .position(|variable| *variable == &after[..close])
        else {
            return false;
        };
        is_filled |= place < FILLED;
        rest = &after[close + 1..];
    }
    is_filled
}

/// A number as C's `strtoll` reads it; None when there is none or something else behind it.
fn lenient_number(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0i64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    Some(if is_negative { -number } else { number })
}

#[inline(never)]
fn join<T: AsRef<[u8]>>(words: &[T]) -> Vec<u8> {
    let mut text = Vec::new();
    for word in words {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(word.as_ref());
    }
    text
}

fn bind(args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    const ADDRESSES: usize = 16;
    match args.len() > ADDRESSES {
        true => Err(say("Too many bind addresses specified.")),
        false => Ok(join(args)),
    }
}

/// `replicaof no one` is what this server always is; following another one is refused.
fn replica(args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let &[host, port] = args else {
        return Err(say("wrong number of arguments"));
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Vec::new());
    }
    match num::parse_i64(port) {
        Some(0..=65535) => Err(say("this server cannot be a replica")),
        _ => Err(say("Invalid master port")),
    }
}

fn save(args: &[&[u8]], old: &[u8]) -> Result<Vec<u8>, Refusal> {
    let refusal = || say("Invalid save parameters");
    if args == [b""] {
        return Ok(Vec::new());
    }
    if !args.len().is_multiple_of(2) {
        return Err(refusal());
    }
    let mut words = Vec::new();
    if !old.is_empty() {
        words.push(old.to_vec());
    }
    for (index, arg) in args.iter().enumerate() {
        let is_seconds = index % 2 == 0;
        let value = lenient_number(arg).filter(|value| *value >= i64::from(is_seconds));
        let value = value.ok_or_else(refusal)?;
        // Redis keeps the number of changes in 32 bits.
        words.push(decimal(if is_seconds {
            value
        } else {
            i64::from(value as i32)
        }));
    }
    Ok(join(&words))
}

fn oom_scores(args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    if args.len() != 3 {
        return Err(say("wrong number of arguments"));
    }
    let mut words = Vec::new();
    for arg in args {
        let score = lenient_number(arg).filter(|score| (-2000..=2000).contains(score));
        let score = score.ok_or_else(|| {
            say("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        })?;
        words.push(decimal(score));
    }
    Ok(join(&words))
}

fn percentiles(args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let mut words = Vec::new();
    if args == [b""] {
        return Ok(Vec::new());
    }
    for arg in args {
        let value = num::parse_f64(arg).filter(|value| !value.is_nan());
        let value =
            value.ok_or_else(|| say("Invalid latency-tracking-info-percentiles parameters"))?;
        if !(0.0..=100.0).contains(&value) {
            return Err(say(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
            ));
        }
        let mut text = Vec::new();
        num::write_fixed(&mut text, value, 6);
        let kept = text.iter().rposition(|byte| *byte != b'0').unwrap_or(0);
        text.truncate(if text[kept] == b'.' { kept } else { kept + 1 });
        words.push(text);
    }
    Ok(join(&words))
}

/// Groups of class, hard limit, soft limit, seconds; classes not named stay as they were.
fn output_limits(args: &[&[u8]], old: &[u8]) -> Result<Vec<u8>, Refusal> {
    if !args.len().is_multiple_of(4) {
        return Err(say(
            "Wrong number of arguments in buffer limit configuration.",
        ));
    }
    let mut words: Vec<Vec<u8>> = old
        .split(|byte| *byte == b' ')
        .map(<[u8]>::to_vec)
        .collect();
    for group in args.chunks_exact(4) {
        let class = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => 0,
            b"slave" | b"replica" => 1,
            b"pubsub" => 2,
            _ => {
                return Err(say(
                    "Invalid client class specified in buffer limit configuration.",
                ));
            }
        };
        let limits = [
            num::parse_memory(group[1]),
            num::parse_memory(group[2]),
            // 32 bits, as in Redis.
            lenient_number(group[3]).and_then(|seconds| u64::try_from(seconds as i32).ok()),
        ];
        for (index, limit) in limits.into_iter().enumerate() {
            let limit = limit.ok_or_else(|| {
                say("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            })?;
            if let Some(word) = words.get_mut(class * 4 + 1 + index) {
                *word = num::format_u64(limit).as_bytes().to_vec();
            }
        }
    }
    Ok(join(&words))
}
