//! Glob-style patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET take them: `*`, `?`, `[a-z]`, `[^x]`, `\` before a
//! literal byte.

/// More groups of `*` than this in one match are refused, as Redis does against hostile patterns.
const MAX_STARS: usize = 1000;

/// Whether the whole text matches the pattern. An empty text matches an empty pattern only, not even `*`: KEYS and SCAN
/// treat a lone `*` as "everything" before they come here. O(pattern * text) at worst: a later `*` settles everything before it, so
/// only the last one is ever retried.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, false)
}

/// As [`matches`], with ASCII letters of both cases equal.
pub fn matches_nocase(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, true)
}

fn run(mut pattern: &[u8], mut text: &[u8], nocase: bool) -> bool {
    let mut stars = 0;
    // Behind a `*`: the pattern from there, and the text from where it was tried last.
    let mut retry: Option<(&[u8], &[u8])> = None;
    while let Some((&byte, rest)) = text.split_first() {
        if pattern.first() == Some(&b'*') {
            pattern = skip_stars(pattern);
            if pattern.is_empty() {
                return true;
            }
            stars += 1;
            if stars > MAX_STARS {
                return false;
            }
            retry = Some((pattern, text));
            continue;
        }
        if let Some(next) = element(pattern, byte, nocase) {
            (pattern, text) = (next, rest);
            // Only where the text ends with a match may stars follow; a pattern for an empty text is not looked at.
            if !rest.is_empty() {
                continue;
            }
            pattern = skip_stars(pattern);
            if pattern.is_empty() {
                return true;
            }
        }
        let Some((after, from)) = retry else {
            return false;
        };
        let Some((_, from)) = from.split_first() else {
            return false;
        };
        retry = Some((after, from));
        (pattern, text) = (after, from);
    }
    pattern.is_empty()
}

fn skip_stars(pattern: &[u8]) -> &[u8] {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    pattern.get(stars..).unwrap_or_default()
}

fn fold(byte: u8, nocase: bool) -> u8 {
    if nocase {
        byte.to_ascii_lowercase()
    } else {
        byte
    }
}

/// Matches one byte against the pattern's first element, which is no star; gives the pattern behind it.
fn element(pattern: &[u8], byte: u8, nocase: bool) -> Option<&[u8]> {
    let same = |wanted: u8| fold(wanted, nocase) == fold(byte, nocase);
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => class(rest, byte, nocase),
        [b'\\', escaped, rest @ ..] => same(*escaped).then_some(rest),
        [wanted, rest @ ..] => same(*wanted).then_some(rest),
        [] => None,
    }
}

/// Matches one byte against a class whose bracket is already consumed. A class that is not closed ends with the
/// pattern; a range may be written backwards.
fn class(pattern: &[u8], byte: u8, nocase: bool) -> Option<&[u8]> {
    let (negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let byte = fold(byte, nocase);
    let mut found = false;
    loop {
        rest = match rest {
            [] => break,
            [b'\\', escaped, tail @ ..] => {
                found |= fold(*escaped, nocase) == byte;
                tail
            }
            [b']', tail @ ..] => {
                rest = tail;
                break;
            }
            [from, b'-', to, tail @ ..] => {
                let (from, to) = (fold(*from, nocase), fold(*to, nocase));
                found |= (from.min(to)..=from.max(to)).contains(&byte);
                tail
            }
            [wanted, tail @ ..] => {
                found |= fold(*wanted, nocase) == byte;
                tail
            }
        };
    }
    (found != negated).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases: [(&str, &str, bool); 44] = [
            ("*", "abc", true),
            ("*", "", false),
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("a*", "a", true),
            ("a**", "abc", true),
            ("*c", "abcbc", true),
            ("*b*d", "abcbcd", true),
            ("a*b", "acbd", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("?", "", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            ("[]", "a", false),
            ("[^]", "a", true),
            ("[]]", "]", false),
            ("[^]]", "a]", true),
            ("[\\]]", "]", true),
            ("[a", "a", true),
            ("[a", "b", false),
            ("[a-", "-", true),
            ("[^", "x", true),
            ("[", "x", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("\\", "\\", true),
            ("a\\", "a\\", true),
            ("\\a", "a", true),
            ("-", "-", true),
            ("[--0]", ".", true),
            ("*[0-9]*", "ab5c", true),
            ("*[0-9]*", "abc", false),
            ("*.*.*", "a.b.c", true),
            ("news.*", "news.", true),
            ("news.*", "news", false),
            ("a*?", "a", false),
            ("*a", "aaaa", true),
        ];
        for (pattern, text, want) in cases {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                want,
                "{pattern} on {text}"
            );
        }
    }

    #[test]
    fn case_is_ignored_on_request() {
        for (pattern, text) in [
            ("MAX*", "maxmemory"),
            ("[A-C]x", "bX"),
            ("\\A", "a"),
            ("[^A]", "b"),
        ] {
            assert!(
                matches_nocase(pattern.as_bytes(), text.as_bytes()),
                "{pattern} on {text}"
            );
        }
        assert!(!matches(b"MAX*", b"maxmemory"));
        assert!(!matches_nocase(b"[^A]", b"a"));
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let text = vec![b'a'; 10_000];
        let mut pattern = b"a*".repeat(50);
        pattern.push(b'b');
        assert!(!matches(&pattern, &text));
        assert!(matches(&b"*a".repeat(MAX_STARS), &text));
        assert!(!matches(&b"*a".repeat(MAX_STARS + 1), &text));
    }
}
