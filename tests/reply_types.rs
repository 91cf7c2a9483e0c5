//! Every reply recorded in a transcript is of the type its command's row promises.

#[allow(dead_code)] // The runner uses the rest.
#[path = "spec/file.rs"]
mod file;
#[allow(dead_code)]
#[path = "spec/value.rs"]
mod value;

use std::path::Path;

use file::{Action, Step, split_arguments};
use redstart::engine::{Engine, Options};
use redstart::table::Lookup;
use value::Value;

/// A type of the rows' little grammar: `OK`, `int`, `[T]`, `map<K,V>`, `set<T>`, joined by `|`.
#[derive(Debug)]
enum Type {
    Word(String),
    List(Box<Type>),
    /// A fixed number of elements: `[bulk, [bulk]]`.
    Tuple(Vec<Type>),
    Set(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Either(Vec<Type>),
}

/// Reads a type off the front of the text.
fn read_type(text: &mut &str) -> Type {
    let mut choices = vec![read_one(text)];
    while let Some(rest) = text.trim_start().strip_prefix('|') {
        *text = rest;
        choices.push(read_one(text));
    }
    if choices.len() == 1 {
        choices.remove(0)
    } else {
        Type::Either(choices)
    }
}

fn read_one(text: &mut &str) -> Type {
    *text = text.trim_start();
    if let Some(rest) = text.strip_prefix('[') {
        *text = rest;
        let mut parts = vec![read_type(text)];
        while let Some(rest) = text.trim_start().strip_prefix(',') {
            *text = rest;
            parts.push(read_type(text));
        }
        expect(text, ']');
        return if parts.len() == 1 {
            Type::List(Box::new(parts.remove(0)))
        } else {
            Type::Tuple(parts)
        };
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    *text = rest;
    match word {
        "set" => {
            expect(text, '<');
            let inner = read_type(text);
            expect(text, '>');
            Type::Set(Box::new(inner))
        }
        "map" => {
            expect(text, '<');
            let key = read_type(text);
            expect(text, ',');
            let value = read_type(text);
            expect(text, '>');
            Type::Map(Box::new(key), Box::new(value))
        }
        _ => Type::Word(word.to_string()),
    }
}

fn expect(text: &mut &str, wanted: char) {
    let rest = text.trim_start().strip_prefix(wanted);
    *text = rest.unwrap_or_else(|| panic!("{wanted} is missing before {text:?}"));
}

/// Whether a value is of a type; RESP2 writes maps and sets as arrays, doubles as bulks, booleans as integers.
fn fits(value: &Value, expected: &Type, protocol: u8) -> bool {
    let kind = match value {
        Value::Match { head, .. } => {
            let head = if head == "push " { ">" } else { head };
            return head.is_empty() || matches_kind(expected, head, protocol);
        }
        Value::Leaf { kind, .. } => kind,
        Value::Items { .. } => "",
        Value::Closed => return true,
    };
    match (expected, value) {
        (Type::Either(choices), _) => choices.iter().any(|choice| fits(value, choice, protocol)),
        (Type::Word(word), Value::Leaf { text, .. }) if is_literal(word) => {
            kind == "+" && text == word.as_bytes()
        }
        (Type::Word(word), Value::Leaf { .. }) => {
            word == "any" || word_kinds(word, protocol).contains(&kind)
        }
        (Type::Word(word), _) => word == "any",
        (Type::List(inner), Value::Items { kind: b'*', items }) => all(items, inner, protocol),
        (Type::Tuple(parts), Value::Items { kind: b'*', items }) => {
            let mut pairs = parts.iter().zip(items);
            parts.len() == items.len() && pairs.all(|(part, item)| fits(item, part, protocol))
        }
        (Type::Set(inner), Value::Items { kind: b'*', items }) if protocol == 2 => {
            all(items, inner, protocol)
        }
        (Type::Set(inner), Value::Items { kind: b'~', items }) => all(items, inner, protocol),
        (Type::Map(key, value), Value::Items { kind, items }) => {
            let is_map = *kind == b'%' || (protocol == 2 && *kind == b'*' && items.len() % 2 == 0);
            let mut pairs = items.chunks(2);
            is_map
                && pairs
                    .all(|pair| fits(&pair[0], key, protocol) && fits(&pair[1], value, protocol))
        }
        _ => false,
    }
}

fn all(items: &[Value], inner: &Type, protocol: u8) -> bool {
    items.iter().all(|item| fits(item, inner, protocol))
}

/// Whether a matcher of a kind can stand for the type.
fn matches_kind(expected: &Type, head: &str, protocol: u8) -> bool {
    match expected {
        Type::Word(word) => word == "any" || word_kinds(word, protocol).contains(&head),
        Type::List(_) | Type::Tuple(_) => head == "*",
        Type::Set(_) => head == "~" || (protocol == 2 && head == "*"),
        Type::Map(..) => head == "%" || (protocol == 2 && head == "*"),
        Type::Either(choices) => choices
            .iter()
            .any(|choice| matches_kind(choice, head, protocol)),
    }
}

/// A status that is always the same: `OK`, `PONG`.
fn is_literal(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
}

/// What a word of the grammar looks like on the wire.
fn word_kinds(word: &str, protocol: u8) -> &'static [&'static str] {
    match (word, protocol) {
        ("simple", _) => &["+"],
        _ if is_literal(word) => &["+"],
        ("int", _) => &[":"],
        ("index", 2) => &[":", "$"],
        ("index", _) => &[":", "("],
        ("bulk", _) => &["$", "="],
        ("nil", 2) => &["$-1", "*-1"],
        ("nil", _) => &["_"],
        ("double", 2) => &["$"],
        ("double", _) => &[","],
        ("bool", 2) => &[":"],
        ("bool", _) => &["#"],
        _ => panic!("unknown word {word} in a reply type"),
    }
}

/// The reply type of the command a step sends, if it sends one the table knows.
fn promised(lookup: &Lookup, step: &Step) -> Option<(String, &'static str)> {
    let Action::Send { .. } = step.action else {
        return None;
    };
    let line = step
        .source
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .strip_prefix("> ")?;
    let args = split_arguments(line).ok()?;
    let row = lookup.find(args.first()?)?;
    let row = args
        .get(1)
        .and_then(|word| lookup.find_sub(row, word))
        .unwrap_or(row);
    Some((
        String::from_utf8_lossy(&row.full_name()).to_string(),
        row.row.reply,
    ))
}

#[test]
fn recorded_replies_are_of_the_rows_types() {
    let engine = Engine::new(Options::default());
    let mut complaints = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let mut seen = 0;
    for path in std::fs::read_dir(folder)
        .expect("transcripts")
        .flatten()
        .map(|entry| entry.path())
    {
        if path.extension().is_none_or(|extension| extension != "resp") {
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("a transcript");
        for case in file::parse(&source).unwrap_or_default() {
            // HELLO switches to the other protocol half-way, RESET back.
            let is_switch = |step: &Step| {
                ["HELLO", "RESET"]
                    .iter()
                    .any(|word| step.source.contains(word))
            };
            let switches = case.steps.iter().any(is_switch);
            for step in &case.steps {
                let Some((name, reply)) = promised(engine.lookup(), step) else {
                    continue;
                };
                let expected = read_type(&mut &reply[..]);
                for &protocol in &case.protocols {
                    let replies = step.expected(protocol).get(&step.sender());
                    let Some(value) = replies.and_then(|values| values.first()) else {
                        continue;
                    };
                    seen += 1;
                    let is_right = fits(value, &expected, protocol)
                        || (switches && fits(value, &expected, 5 - protocol));
                    if !is_exempt(value) && !is_right {
                        let file = path.file_name().unwrap_or_default().to_string_lossy();
                        complaints.push(format!(
                            "{file}:{}: {name} promises {reply} (RESP{protocol})",
                            step.line
                        ));
                    }
                }
            }
        }
    }
    assert!(seen > 100, "transcripts hold replies");
    assert!(
        complaints.is_empty(),
        "replies of another type than promised:\n  {}",
        complaints.join("\n  ")
    );
}

/// Errors may answer any command, QUEUED any command in a transaction, pushes are messages.
fn is_exempt(value: &Value) -> bool {
    match value {
        Value::Leaf { kind, text } => *kind == "-" || (*kind == "+" && text == b"QUEUED"),
        Value::Items { kind, .. } => *kind == b'>',
        Value::Match { head, .. } => head == "-",
        Value::Closed => true,
    }
}
