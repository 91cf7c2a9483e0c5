//! Values with rules of their own.

use super::table::Special;
use super::value::{Refusal, say};
use crate::algorithms::bytes::{Append, Bytes};
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
        "" => Ok(text.owned()),
        complaint => Err(say(complaint)),
    }
}

fn is_power_of_two(text: &[u8]) -> bool {
    let number = num::parse_u64(text);
    number.is_some_and(|number| number.is_power_of_two() && number <= 1 << 16)
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
        Special::PowerOfTwo if !is_power_of_two(text) => "array-slice-size must be a power of two",
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

/// Words with spaces between them.
#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    #[inline(never)]
    fn push(&mut self, word: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b' ');
        }
        self.0.put(word);
    }

    #[inline(never)]
    fn number(&mut self, number: i64) {
        self.push(num::format_i64(number).as_bytes());
    }
}

fn bind(args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    const ADDRESSES: usize = 16;
    match args.len() > ADDRESSES {
        true => Err(say("Too many bind addresses specified.")),
        false => {
            let mut words = Words::default();
            args.iter().for_each(|arg| words.push(arg));
            Ok(words.0)
        }
    }
}

/// `replicaof no one` is what this server always is; following another one is refused.
fn replica(args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let &[host, port] = args else {
        return Err(say("wrong number of arguments"));
    };
    if host.is_word(b"no") && port.is_word(b"one") {
        return Ok(Vec::new());
    }
    match num::parse_i64(port) {
        Some(0..=65535) => Err(say("this server cannot be a replica")),
        _ => Err(say("Invalid master port")),
    }
}

fn save(args: &[&[u8]], old: &[u8]) -> Result<Vec<u8>, Refusal> {
    if args == [b""] {
        return Ok(Vec::new());
    }
    let mut words = Words(old.owned());
    for (index, arg) in args.iter().enumerate() {
        let is_seconds = index % 2 == 0;
        let value = lenient_number(arg).filter(|value| *value >= i64::from(is_seconds));
        let value = value.filter(|_| args.len().is_multiple_of(2));
        let value = value.ok_or(say("Invalid save parameters"))?;
        // Redis keeps the number of changes in 32 bits.
        words.number(if is_seconds {
            value
        } else {
            i64::from(value as i32)
        });
    }
    Ok(words.0)
}

fn oom_scores(args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    if args.len() != 3 {
        return Err(say("wrong number of arguments"));
    }
    let mut words = Words::default();
    for arg in args {
        let score = lenient_number(arg).filter(|score| (-2000..=2000).contains(score));
        words.number(score.ok_or(say(
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ))?);
    }
    Ok(words.0)
}

fn percentiles(args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let mut words = Words::default();
    for arg in args.iter().filter(|_| args != [b""]) {
        let value = num::parse_f64(arg).filter(|value| !value.is_nan());
        let value = value.ok_or(say("Invalid latency-tracking-info-percentiles parameters"))?;
        if !(0.0..=100.0).contains(&value) {
            return Err(say(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
            ));
        }
        let mut text = Vec::new();
        num::write_fixed(&mut text, value, 6);
        let kept = text.iter().rposition(|byte| *byte != b'0').unwrap_or(0);
        text.truncate(if text[kept] == b'.' { kept } else { kept + 1 });
        words.push(&text);
    }
    Ok(words.0)
}

/// Groups of class, hard limit, soft limit, seconds; classes not named stay as they were.
fn output_limits(args: &[&[u8]], old: &[u8]) -> Result<Vec<u8>, Refusal> {
    /// Each class with its other name.
    const CLASSES: [[&str; 2]; 3] = [["normal", ""], ["slave", "replica"], ["pubsub", ""]];
    if !args.len().is_multiple_of(4) {
        return Err(say(
            "Wrong number of arguments in buffer limit configuration.",
        ));
    }
    let mut limits = [0u64; 9];
    let known = old.split(|byte| *byte == b' ').filter_map(num::parse_u64);
    limits
        .iter_mut()
        .zip(known)
        .for_each(|(limit, number)| *limit = number);
    for group in args.chunks_exact(4) {
        let is_named = |name: &&str| !name.is_empty() && group[0].is_word(name.as_bytes());
        let class = CLASSES.iter().position(|names| names.iter().any(is_named));
        let class = class.ok_or(say(
            "Invalid client class specified in buffer limit configuration.",
        ))?;
        for (index, text) in group.iter().enumerate().skip(1) {
            let limit = match index {
                // 32 bits, as in Redis.
                3 => lenient_number(text).and_then(|seconds| u64::try_from(seconds as i32).ok()),
                _ => num::parse_memory(text),
            };
            limits[class * 3 + index - 1] = limit.ok_or(say(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ))?;
        }
    }
    let mut words = Words::default();
    for (names, numbers) in CLASSES.iter().zip(limits.chunks_exact(3)) {
        words.push(names[0].as_bytes());
        numbers
            .iter()
            .for_each(|number| words.push(num::format_u64(*number).as_bytes()));
    }
    Ok(words.0)
}
