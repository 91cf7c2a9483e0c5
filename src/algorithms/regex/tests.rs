use super::{Regex, RegexError, Scratch};
use crate::algorithms::rng::Rng;
use std::collections::BTreeSet;

fn is_match(pattern: &str, text: &str, nocase: bool) -> bool {
    let regex = Regex::new(pattern.as_bytes(), nocase);
    let regex = regex.unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
    regex.is_match(text.as_bytes(), &mut Scratch::default())
}

#[test]
fn patterns() {
    for (pattern, found, missed) in [
        ("abc", "xabcx", "ab c"),
        ("^abc$", "abc", "abcd"),
        ("a|b|", "zzz", "\0none"),
        ("foo|bar", "a bar", "ba foe"),
        ("^(foo|bar)$", "bar", "foobar"),
        ("^item-(foo|bar)-[0-9]{3}$", "item-bar-456", "item-baz-456"),
        ("^.*[0-9]{3}$", "zoo999", "zoo99"),
        ("ab*c", "ac", "abbd"),
        ("ab+?c", "xabbbc", "ac"),
        ("^a{2,3}$", "aaa", "aaaa"),
        ("^a{2,}$", "aaaa", "a"),
        ("^a{,2}$", "aa", "aaa"),
        ("^(ab){2}$", "abab", "ab"),
        ("^(a|bc)+$", "abcabc", "abca b"),
        ("^(a*)*$", "aaaa", "b"),
        ("^()$", "", "a"),
        ("^(|x)y$", "y", "xxy"),
        ("[]x]", "]", "y"),
        ("^[^]a]$", "b", "]"),
        ("^[a-c-]+$", "a-c", "d"),
        ("^[[:alpha:][:digit:]_]+$", "az_9", "az 9"),
        ("^[\\d]$", "\\", "1"),
        ("^\\d+\\s\\w+$", "12 ab_", "12  ab"),
        ("^\\D\\S\\W$", "a! ", "1! "),
        ("\\bcat\\b", "a cat!", "concat"),
        ("\\<cat", "cats", "concat"),
        ("cat\\>", "concat", "cats"),
        ("o\\Bn", "on", "o n"),
        ("^\\x41\\x{62}\\t$", "Ab\t", "ab\t"),
        ("^\\Qa.b*\\E$", "a.b*", "axb*"),
        ("^a\\.b\\\\$", "a.b\\", "axb\\"),
        ("^(?:ab)+(?i)c(?-i)d$", "ababCd", "ababCD"),
        ("^(?i:a)b$", "Ab", "AB"),
        ("a.c", "a\nc", "ac"),
        ("x)", "x)", "x"),
        ("a}]", "a}]", "a]"),
    ] {
        assert!(is_match(pattern, found, false), "{pattern} in {found}");
        let is_everywhere = pattern == "a|b|";
        assert_eq!(
            is_match(pattern, missed, false),
            is_everywhere,
            "{pattern} in {missed}"
        );
    }
}

#[test]
fn letters_of_both_cases_can_be_equal() {
    for (pattern, text) in [
        ("^foo[0-9]+$", "FOO777"),
        ("^[a-f]+$", "aBcF"),
        ("^[[:upper:]]$", "x"),
        ("\\x41", "a"),
        ("ALPHA|alps", "Alps"),
    ] {
        assert!(is_match(pattern, text, true), "{pattern}");
    }
    assert!(!is_match("^[^a]$", "A", true));
    assert!(!is_match("^foo$", "FOO", false));
}

#[test]
fn bad_patterns_are_refused() {
    for pattern in [
        "(",
        "(a",
        "a(b",
        "*a",
        "+",
        "?",
        "{2}",
        "a|*",
        "(?",
        "(?x)",
        "[",
        "[]",
        "[a",
        "[z-a]",
        "[[:no:]]",
        "[[:alpha]",
        "[[.a.]]",
        "a{",
        "a{x}",
        "a{2",
        "a{2,1}",
        "a{256}",
        "a{,}",
        "a{}",
        "\\",
        "a\\",
        "\\x{1",
        "\\x{100}",
    ] {
        let refused = Regex::new(pattern.as_bytes(), false).err();
        assert_eq!(refused, Some(RegexError::Invalid), "{pattern}");
    }
    let reference = Regex::new(b"(a)\\1", false).err();
    assert_eq!(reference, Some(RegexError::BackReference));
    assert!(
        Regex::new(
            "((((((a{200}){200}){200}){200}){200}){200}){200}".as_bytes(),
            false
        )
        .is_err()
    );
    assert!(Regex::new("(".repeat(2048).as_bytes(), false).is_err());
    assert!(Regex::new("(".repeat(200).as_bytes(), false).is_err());
}

#[test]
fn hostile_patterns_take_bounded_time() {
    let text = "a".repeat(20_000);
    let nested = format!("({}a{})*b", "(".repeat(100), ")*".repeat(100));
    for pattern in [
        "(a*)*b",
        "(a|aa)+$b",
        "(a|a)*(a|a)*(a|a)*b",
        "a?{100}a{100}b",
        "(.*)(.*)(.*)(.*)b",
        &nested,
    ] {
        assert!(!is_match(pattern, &text, false), "{pattern}");
    }
}

/// A pattern as a tree, to be matched by definition.
enum Tree {
    Byte(u8),
    Any,
    Start,
    End,
    Both(Box<Tree>, Box<Tree>),
    Either(Box<Tree>, Box<Tree>),
    Repeat(Box<Tree>, usize, Option<usize>),
}

fn random_tree(rng: &mut Rng, depth: usize) -> Tree {
    let part = |rng: &mut Rng| Box::new(random_tree(rng, depth.saturating_sub(1)));
    match rng.below(if depth == 0 { 6 } else { 14 }) {
        0..4 => Tree::Byte(b'a' + rng.below(2) as u8),
        4 => Tree::Any,
        5 if rng.below(2) == 0 => Tree::Start,
        5 => Tree::End,
        6..9 => Tree::Both(part(rng), part(rng)),
        9..11 => Tree::Either(part(rng), part(rng)),
        _ => {
            let min = rng.below(3) as usize;
            let max = (rng.below(2) == 0).then(|| min + rng.below(3) as usize);
            Tree::Repeat(part(rng), min, max)
        }
    }
}

fn render(tree: &Tree, out: &mut String) {
    match tree {
        Tree::Byte(byte) => out.push(char::from(*byte)),
        Tree::Any => out.push('.'),
        Tree::Start => out.push('^'),
        Tree::End => out.push('$'),
        Tree::Both(a, b) => {
            render(a, out);
            render(b, out);
        }
        Tree::Either(a, b) => {
            out.push('(');
            render(a, out);
            out.push('|');
            render(b, out);
            out.push(')');
        }
        Tree::Repeat(part, min, max) => {
            out.push('(');
            render(part, out);
            out.push(')');
            match (min, max) {
                (0, None) => out.push('*'),
                (1, None) => out.push('+'),
                (0, Some(1)) => out.push('?'),
                (min, None) => out.push_str(&format!("{{{min},}}")),
                (min, Some(max)) => out.push_str(&format!("{{{min},{max}}}")),
            }
        }
    }
}

/// Where a match of `tree` that starts at `at` can end.
fn ends(tree: &Tree, text: &[u8], at: usize) -> BTreeSet<usize> {
    let one = |holds: bool, end: usize| holds.then_some(end).into_iter().collect();
    match tree {
        Tree::Byte(byte) => one(text.get(at) == Some(byte), at + 1),
        Tree::Any => one(at < text.len(), at + 1),
        Tree::Start => one(at == 0, at),
        Tree::End => one(at == text.len(), at),
        Tree::Both(a, b) => {
            let middles = ends(a, text, at);
            middles
                .into_iter()
                .flat_map(|middle| ends(b, text, middle))
                .collect()
        }
        Tree::Either(a, b) => &ends(a, text, at) | &ends(b, text, at),
        Tree::Repeat(part, min, max) => {
            let mut all = BTreeSet::new();
            let mut now = BTreeSet::from([at]);
            // More rounds than that reach no new place.
            let rounds = max.unwrap_or(min + text.len() + 1);
            for round in 0..=rounds {
                if round >= *min {
                    all.extend(&now);
                }
                now = now
                    .into_iter()
                    .flat_map(|at| ends(part, text, at))
                    .collect();
            }
            all
        }
    }
}

#[test]
fn matches_what_the_definition_matches() {
    let mut rng = Rng::new([11, 12]);
    let mut scratch = Scratch::default();
    let mut matches = 0;
    for _ in 0..4000 {
        let tree = random_tree(&mut rng, 4);
        let mut pattern = String::new();
        render(&tree, &mut pattern);
        let regex = Regex::new(pattern.as_bytes(), false);
        let regex = regex.unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
        for _ in 0..4 {
            let text: Vec<u8> = (0..rng.below(7))
                .map(|_| b'a' + rng.below(3) as u8)
                .collect();
            let wanted = (0..=text.len()).any(|at| !ends(&tree, &text, at).is_empty());
            assert_eq!(
                regex.is_match(&text, &mut scratch),
                wanted,
                "{pattern} {text:?}"
            );
            matches += usize::from(wanted);
        }
    }
    assert!((2000..14_000).contains(&matches), "{matches}");
}
