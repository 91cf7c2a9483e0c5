//! Configuration files and command lines, in the format and with the errors of redis-server; and a file written anew.

use super::table::{Kind, PARAMETERS, Special};
use super::value::{Refusal, canonical, say};
use super::{Config, DeclaredUser, find};
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;

/// Why a configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// A line is wrong: its number, itself, the reason.
    Line(usize, Vec<u8>, Refusal),
    /// Directives nobody knows.
    Unresolved(Vec<Vec<u8>>),
}

impl LoadError {
    /// What redis-server prints.
    pub fn message(&self) -> Vec<u8> {
        match self {
            LoadError::Line(number, line, why) => [
                b"*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***\nReading the configuration file, at line ",
                num::format_u64(*number as u64).as_bytes(),
                b"\n>>> '",
                line,
                b"'\n",
                why,
            ]
            .concat(),
            LoadError::Unresolved(lines) => {
                let mut text = b"Unresolved Configuration(s) Detected:\n".owned();
                for line in lines {
                    text.put(&[b">>> '", line.as_slice(), b"'\n"].concat());
                }
                text.put(
                    b"Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting",
                );
                text
            }
        }
    }
}

/// Directives of older versions that mean nothing any more.
const OBSOLETE: [&str; 4] = [
    "io-threads-do-reads",
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
];

/// Directives Redis has and this server has not, with the number of words they take at least.
const MISSING: [(&str, usize, &str); 4] = [
    ("include", 2, "include is not supported here"),
    ("loadmodule", 2, "modules cannot be loaded here"),
    ("rename-command", 3, "commands cannot be renamed here"),
    (
        "sentinel",
        1,
        "sentinel directive while not in sentinel mode",
    ),
];

/// A line's words: (line number, the trimmed line, its words); None for words that cannot be told apart.
type Line<'a> = (usize, &'a [u8], Option<Vec<Vec<u8>>>);

/// The lines of a file that are neither empty nor comments.
fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .filter_map(|(index, line)| {
            let line = line.trim_ascii();
            (!line.is_empty() && !line.starts_with(b"#"))
                .then(|| (index + 1, line, split_words(line)))
        })
}

impl Config {
    /// The configuration a file describes.
    ///
    /// # Errors
    /// The first line that is wrong, or all directives that are unknown.
    pub fn load(text: &[u8]) -> Result<Config, LoadError> {
        let mut config = Config::default();
        let mut unresolved = Vec::new();
        let mut has_rules = false;
        for (number, line, words) in lines(text) {
            let refuse = |why: Refusal| LoadError::Line(number, line.owned(), why);
            let words =
                words.ok_or_else(|| refuse(say("Unbalanced quotes in configuration line")))?;
            let Some((name, args)) = words.split_first() else {
                continue;
            };
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            if let Some(found) = find(name) {
                // The first `save` replaces the default rules, the next ones add to it.
                let is_save = PARAMETERS[found.index].kind.is(Special::Save);
                let is_first = is_save && !has_rules;
                has_rules |= is_save;
                config
                    .assign(found.index, &args, is_first)
                    .map_err(refuse)?;
                continue;
            }
            let is_named = |known: &&str| name.is_word(known.as_bytes());
            if args.is_empty() {
                return Err(refuse(say("Bad directive or wrong number of arguments")));
            }
            if name.is_word(b"user") {
                config.users.push(DeclaredUser {
                    number,
                    line: line.owned(),
                    words: words.get(1..).unwrap_or_default().to_vec(),
                });
                continue;
            }
            if OBSOLETE.iter().any(is_named) {
                continue;
            }
            match MISSING.iter().find(|(known, _, _)| is_named(known)) {
                Some((_, count, why)) if words.len() >= *count => {
                    return Err(refuse(say(why)));
                }
                _ => unresolved.push(words.join(&b' ')),
            }
        }
        match unresolved.is_empty() {
            true => Ok(config),
            false => Err(LoadError::Unresolved(unresolved)),
        }
    }

    /// Sets what a line of a file says.
    fn assign(&mut self, index: usize, args: &[&[u8]], is_first: bool) -> Result<(), Refusal> {
        let parameter = &PARAMETERS[index];
        // Words may also come as one, in quotes.
        let split: Vec<&[u8]>;
        let args = match args {
            [one] if parameter.kind.is_list() && !one.is_empty() => {
                split = one
                    .split(|byte| *byte == b' ')
                    .filter(|word| !word.is_empty())
                    .collect();
                &split
            }
            _ => args,
        };
        let old = if is_first { &[] } else { self.get(index) };
        let text = canonical(parameter, args, old)?;
        self.set(index, text);
        Ok(())
    }

    /// The text of the configuration file with the present values: lines keep their places, values that are not the
    /// default and not in the file stand at the end; so do the lines of users.
    pub fn rewrite(&self, old: &[u8], users: &[Vec<u8>]) -> Vec<u8> {
        let mut users = users.iter();
        /// Stands above what was not in the file before.
        const SIGNATURE: &[u8] = b"# Generated by CONFIG REWRITE";
        let mut text = Vec::new();
        let mut written = vec![false; PARAMETERS.len()];
        let mut has_signature = false;
        for line in old
            .strip_suffix(b"\n")
            .unwrap_or(old)
            .split(|byte| *byte == b'\n')
        {
            has_signature |= line == SIGNATURE;
            let words = split_words(line).filter(|_| !line.trim_ascii_start().starts_with(b"#"));
            let found = words.as_ref().and_then(|words| find(words.first()?));
            let is_user =
                |words: &Vec<Vec<u8>>| words.first().is_some_and(|name| name.is_word(b"user"));
            match found {
                None if words.as_ref().is_some_and(is_user) => match users.next() {
                    Some(user) => text.put(user),
                    None => continue,
                },
                None => text.put(line),
                Some(found) if written[found.index] => continue,
                Some(found) => {
                    written[found.index] = true;
                    self.write_line(&mut text, found.name(), found.index);
                }
            }
            text.push(b'\n');
        }
        for (index, parameter) in PARAMETERS.iter().enumerate() {
            if !written[index] && self.get(index) != parameter.default.as_bytes() {
                if !std::mem::replace(&mut has_signature, true) {
                    text.put(SIGNATURE);
                    text.push(b'\n');
                }
                self.write_line(&mut text, parameter.name, index);
                text.push(b'\n');
            }
        }
        for user in users {
            if !std::mem::replace(&mut has_signature, true) {
                text.put(SIGNATURE);
                text.push(b'\n');
            }
            text.put(user);
            text.push(b'\n');
        }
        text
    }

    fn write_line(&self, text: &mut Vec<u8>, name: &str, index: usize) {
        text.put(name.as_bytes());
        text.push(b' ');
        let (value, kind) = (self.get(index), &PARAMETERS[index].kind);
        let is_plain = match kind {
            Kind::Text | Kind::Special(_) => kind.is_list() && !value.is_empty(),
            _ => true,
        };
        match (kind, num::parse_i64(value)) {
            (Kind::Memory(..), Some(bytes)) => write_memory(text, bytes),
            _ if is_plain => text.put(value),
            _ => quote(text, value),
        }
    }
}

/// A size as short as it can be said exactly: `1mb`, `1536kb`, `1000`.
fn write_memory(text: &mut Vec<u8>, bytes: i64) {
    let units: [(i64, &[u8]); 3] = [(1 << 30, b"gb"), (1 << 20, b"mb"), (1 << 10, b"kb")];
    let unit = units
        .iter()
        .find(|(unit, _)| bytes > 0 && bytes % unit == 0);
    let (unit, name) = unit.copied().unwrap_or((1, b""));
    num::write_i64(text, bytes / unit);
    text.put(name);
}

/// The text that a file's text and a command line make: each `--name` begins a line, what follows are its values.
pub fn with_command_line(file: &[u8], args: &[&[u8]]) -> Vec<u8> {
    let mut text = file.owned();
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        at += 1;
        if let Some(name) = arg.strip_prefix(b"--") {
            text.push(b'\n');
            text.put(name);
            // What follows a name is a value whatever it looks like; `--save` alone may stand for no rules.
            let next = args.get(at);
            let is_empty_save =
                name.is_word(b"save") && next.is_none_or(|next| next.starts_with(b"--"));
            if is_empty_save {
                text.put(b" \"\"");
            } else if let Some(next) = next {
                at += 1;
                text.push(b' ');
                quote(&mut text, next);
            }
        } else {
            text.push(b' ');
            quote(&mut text, arg);
        }
    }
    // Redis counts lines as if an empty one stood between the file and the command line.
    if !args.is_empty() {
        text.insert(file.len(), b'\n');
        let doubled = file.len() + 1;
        if text.get(doubled) == Some(&b'\n') {
            text.remove(doubled);
        }
    }
    text
}

/// Splits a line into words as redis-cli does: quotes, and escapes within double ones. None when a quote is not closed,
/// or something stands right behind a closing one.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while let Some(&first) = rest.first() {
        let mut word = Vec::new();
        let is_quoted = matches!(first, b'"' | b'\'');
        rest = match first {
            b'"' => double_quoted(&rest[1..], &mut word)?,
            b'\'' => single_quoted(&rest[1..], &mut word)?,
            _ => rest,
        };
        while let Some(&byte) = rest
            .first()
            .filter(|byte| !is_quoted && !byte.is_ascii_whitespace())
        {
            match byte {
                b'"' => rest = double_quoted(&rest[1..], &mut word)?,
                b'\'' => rest = single_quoted(&rest[1..], &mut word)?,
                _ => {
                    word.push(byte);
                    rest = &rest[1..];
                }
            }
        }
        words.push(word);
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

/// The rest behind the closing quote, which must end the word.
fn after_quote(rest: &[u8]) -> Option<&[u8]> {
    rest.first()
        .is_none_or(u8::is_ascii_whitespace)
        .then_some(rest)
}

fn single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'\\', b'\'', rest @ ..] => {
                word.push(b'\'');
                rest
            }
            [b'\'', rest @ ..] => return after_quote(rest),
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    let hex = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    loop {
        rest = match rest {
            [b'\\', b'x', high, low, rest @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                word.push(hex(*high)? << 4 | hex(*low)?);
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest
            }
            [b'"', rest @ ..] => return after_quote(rest),
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

/// Appends `bytes` in double quotes, so that [`split_words`] reads them back.
pub fn quote(text: &mut Vec<u8>, bytes: &[u8]) {
    text.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => text.put(&[b'\\', byte]),
            b'\n' => text.put(b"\\n"),
            b'\r' => text.put(b"\\r"),
            b'\t' => text.put(b"\\t"),
            7 => text.put(b"\\a"),
            8 => text.put(b"\\b"),
            b' '..=b'~' => text.push(byte),
            _ => {
                let digits = b"0123456789abcdef";
                text.put(&[
                    b'\\',
                    b'x',
                    digits[usize::from(byte >> 4)],
                    digits[usize::from(byte & 15)],
                ]);
            }
        }
    }
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        let error = Config::load(text.as_bytes()).expect_err("a bad file");
        String::from_utf8(error.message()).expect("ASCII")
    }

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split_words(line.as_bytes())?;
        Some(
            words
                .into_iter()
                .map(|word| String::from_utf8_lossy(&word).into_owned())
                .collect(),
        )
    }

    #[test]
    fn lines_split_as_redis_splits_them() {
        let some = |list: &[&str]| Some(list.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(words("  hz   5 "), some(&["hz", "5"]));
        assert_eq!(
            words(r#"a "b c" 'd \' e' "\x41\n\"" "#),
            some(&["a", "b c", "d ' e", "A\n\""])
        );
        assert_eq!(words(r#"a """#), some(&["a", ""]));
        for unbalanced in ["hz \"5", "hz \"5\"x", "hz 'a", "it's"] {
            assert_eq!(words(unbalanced), None);
        }
    }

    #[test]
    fn bad_files_are_refused_in_redis_words() {
        let head = "*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***\nReading the configuration file, at line ";
        for (text, tail) in [
            ("port", "1\n>>> 'port'\nwrong number of arguments"),
            (
                "port a",
                "1\n>>> 'port a'\nargument couldn't be parsed into an integer",
            ),
            (
                "\n\n# c\n  hz   5 x\n",
                "4\n>>> 'hz   5 x'\nwrong number of arguments",
            ),
            (
                "hz \"5",
                "1\n>>> 'hz \"5'\nUnbalanced quotes in configuration line",
            ),
            ("save 1", "1\n>>> 'save 1'\nInvalid save parameters"),
            (
                "port 0\nnosuch",
                "2\n>>> 'nosuch'\nBad directive or wrong number of arguments",
            ),
            (
                "unixsocketperm 1777",
                "1\n>>> 'unixsocketperm 1777'\nargument must be between 0 and 777 inclusive",
            ),
            (
                "appendfilename \"\"",
                "1\n>>> 'appendfilename \"\"'\nappendfilename can't be empty",
            ),
            (
                "replicaof 127.0.0.1 x",
                "1\n>>> 'replicaof 127.0.0.1 x'\nInvalid master port",
            ),
        ] {
            assert_eq!(complaint(text), [head, tail].concat());
        }
        assert!(complaint("nosuch 1\nhz 5").contains(">>> 'nosuch 1'\nModule Configuration"));
    }

    #[test]
    fn the_command_line_continues_the_file() {
        let text = |file: &str, args: &[&str]| {
            let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
            String::from_utf8(with_command_line(file.as_bytes(), &args)).expect("ASCII")
        };
        assert_eq!(text("", &["--port", "x"]), "\nport \"x\"");
        assert_eq!(
            text("hz 5\n", &["--hz", "x", "--bind", "a", "b"]),
            "hz 5\n\nhz \"x\"\nbind \"a\" \"b\""
        );
        assert_eq!(text("", &["--save", "--hz", "5"]), "\nsave \"\"\nhz \"5\"");
        assert_eq!(text("", &["--hz", "--port", "5"]), "\nhz \"--port\" \"5\"");
        assert_eq!(text("hz 5", &[]), "hz 5");
        assert_eq!(text("", &["--hz 5"]), "\nhz 5");
    }

    #[test]
    fn values_arrive() {
        let config = Config::load(
            b"save 60 1\nsave 30 2\nDatabases 4\nrequirepass \"a b\"\nnotify-keyspace-events KEA\nshutdown-on-sigint \"save now\"",
        )
        .expect("a good file");
        assert_eq!(config.value("save"), b"60 1 30 2");
        assert_eq!((config.databases, config.save_rules.len()), (4, 2));
        assert_eq!(config.requirepass, b"a b");
        assert_eq!(config.value("shutdown-on-sigint"), b"save now");
        assert_eq!(Config::load(b"save \"\"").expect("no rules").save_rules, []);
        let standard = Config::default();
        assert_eq!((standard.databases, standard.save_rules.len()), (16, 3));
    }

    #[test]
    fn a_rewritten_file_keeps_its_lines() {
        let old = b"# mine\nhz 5\nloglevel notice\nhz 6\n\nsave 60 1\n";
        let mut config = Config::load(old).expect("a good file");
        for (name, value) in [
            ("hz", "20"),
            ("requirepass", "a \"b"),
            ("slave-priority", "7"),
        ] {
            let found = find(name.as_bytes()).expect("a parameter");
            let value = config
                .check(found.index, value.as_bytes())
                .expect("a good value");
            config.set(found.index, value);
        }
        let new = config.rewrite(old, &[]);
        let expected = "# mine\nhz 20\nloglevel notice\n\nsave 60 1\n# Generated by CONFIG REWRITE\n\
                        replica-priority 7\nrequirepass \"a \\\"b\"\n";
        assert_eq!(String::from_utf8_lossy(&new), expected);
        assert_eq!(config.rewrite(&new, &[]), new);
    }
}
