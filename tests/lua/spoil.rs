//! Lua programs cut into tokens, and programs with some of them spoilt.

use redstart::algorithms::rng::Rng;

/// Tokens to put anywhere.
const PIECES: &[&str] = &[
    "end",
    "do",
    "then",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "nil",
    "true",
    "function",
    "return",
    "local",
    "if",
    "else",
    "elseif",
    "for",
    "in",
    "and",
    "or",
    "not",
    "..",
    "...",
    "=",
    "==",
    "~=",
    "<",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "#",
    ";",
    ",",
    ":",
    ".",
    "'x'",
    "\"",
    "'",
    "[[",
    "]]",
    "--",
    "--[[",
    "1",
    "0",
    "-1",
    "2.5",
    "1e",
    "0x",
    "a",
    "x",
    "self",
    "_G",
    "string",
    "type",
    "P",
    "\n",
    "\\",
    "$",
    "\u{1}",
    "~",
    "!",
    "@",
    "repeat",
    "until",
    "while",
    "break",
    "goto",
    "pcall",
    "error",
    "select",
    "setmetatable",
    "tostring",
    "unpack",
];

/// A program's tokens, each with the space in front of it.
pub fn tokens(program: &str) -> Vec<String> {
    let bytes = program.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 128;
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let from = at;
        while at < bytes.len() && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        match bytes.get(at) {
            None => {}
            Some(quote @ (b'\'' | b'"')) => {
                at += 1;
                while at < bytes.len() && bytes[at] != *quote {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(bytes.len());
                while !program.is_char_boundary(at) {
                    at += 1;
                }
            }
            Some(byte) if is_word(*byte) => {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
            }
            Some(_) => {
                let rest = &program[at..];
                let long = ["...", "..", "==", "~=", "<=", ">=", "[[", "]]"];
                let length = long.iter().find(|token| rest.starts_with(**token));
                at += length.map_or(1, |token| token.len());
            }
        }
        found.push(program[from..at].to_string());
    }
    found
}

/// Whether a program could fill the memory of a server, or keep it busy where no kill reaches it, once it is spoilt.
pub fn is_dangerous(program: &str) -> bool {
    let is_long = |word: &str| word.len() > 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let words = program.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '_');
    let counts = ["rep", "insert", "format", "concat", "sort", "unpack"];
    let mut words = words.peekable();
    let has_long = words.clone().any(|word| {
        is_long(word) || word.contains('e') && word.starts_with(|c: char| c.is_ascii_digit())
    });
    words.any(|word| counts.contains(&word)) && has_long
        || program.contains("collectgarbage")
        || program.contains("random")
}

/// A recorded program with a few tokens changed.
pub fn program(rng: &mut Rng, recorded: &[&str]) -> String {
    let pick = |rng: &mut Rng| tokens(recorded[rng.below(recorded.len() as u64) as usize]);
    let mut program = pick(rng);
    let other = pick(rng);
    for _ in 0..1 + rng.below(3) {
        let below = |rng: &mut Rng, limit: usize| rng.below(limit as u64) as usize;
        let at = below(rng, program.len() + 1);
        match rng.below(7) {
            0 if at < program.len() => drop(program.remove(at)),
            1 if at < program.len() => {
                let to = below(rng, program.len());
                program.swap(at, to);
            }
            2 if at < program.len() => {
                let token = program[at].clone();
                program.insert(at, token);
            }
            3 | 4 if at < program.len() => {
                program[at] = format!(" {}", PIECES[below(rng, PIECES.len())]);
            }
            5 if !other.is_empty() => {
                let from = below(rng, other.len());
                let to = (from + 1 + below(rng, 5)).min(other.len());
                program.splice(at..at, other[from..to].iter().cloned());
            }
            _ => program.insert(at, format!(" {}", PIECES[below(rng, PIECES.len())])),
        }
    }
    program.concat()
}
