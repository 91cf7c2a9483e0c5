//! RESP values as the transcripts know them: from the wire, as printed lines, and compared.

/// A reply, or the pattern a reply must fit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A leaf: the byte that starts it on the wire (`$-1` and `*-1` are RESP2's nils) and its bytes.
    Leaf { kind: &'static str, text: Vec<u8> },
    /// An aggregate; maps and attributes hold key, value, key, value...
    Items { kind: u8, items: Vec<Value> },
    /// `head<rule>`: a value of that kind (any kind if empty) that fits the rule.
    Match { head: String, rule: String },
    /// The server closed the connection.
    Closed,
}

/// How the elements of aggregates are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Order {
    #[default]
    Exact,
    /// Any order, at every depth.
    Unordered,
    /// Any order of pairs in arrays of even length.
    Pairs,
}

fn leaf_kind(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b'+' => "+",
        b'-' => "-",
        b':' => ":",
        b',' => ",",
        b'#' => "#",
        b'(' => "(",
        b'_' => "_",
        b'$' => "$",
        b'=' => "=",
        b'!' => "!",
        _ => return None,
    })
}

fn is_paired(kind: u8) -> bool {
    kind == b'%' || kind == b'|'
}

fn is_aggregate(kind: u8) -> bool {
    matches!(kind, b'*' | b'%' | b'~' | b'>' | b'|')
}

// ---- from the wire

/// Takes one complete value off the front of `bytes`: the value and its length, `None` when more bytes are needed.
pub fn decode(bytes: &[u8]) -> Result<Option<(Value, usize)>, String> {
    let Some(eol) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return Ok(None);
    };
    let Some((&kind, head)) = bytes[..eol].split_first() else {
        return Err(format!("not a reply: {}", quote(bytes)));
    };
    let body = eol + 2;
    if let (Some(kind), b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_') = (leaf_kind(kind), kind) {
        let text = head.to_vec();
        return Ok(Some((Value::Leaf { kind, text }, body)));
    }
    let count: i64 = std::str::from_utf8(head)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("not a reply: {}", quote(bytes)))?;
    if count < 0 {
        let kind = if kind == b'$' { "$-1" } else { "*-1" };
        let text = Vec::new();
        return Ok(Some((Value::Leaf { kind, text }, body)));
    }
    let count = count as usize;
    if is_aggregate(kind) {
        return decode_items(
            bytes,
            body,
            kind,
            if is_paired(kind) { count * 2 } else { count },
        );
    }
    let kind = leaf_kind(kind).ok_or_else(|| format!("not a reply: {}", quote(bytes)))?;
    if bytes.len() < body + count + 2 {
        return Ok(None);
    }
    let text = bytes[body..body + count].to_vec();
    Ok(Some((Value::Leaf { kind, text }, body + count + 2)))
}

fn decode_items(
    bytes: &[u8],
    start: usize,
    kind: u8,
    count: usize,
) -> Result<Option<(Value, usize)>, String> {
    let mut items = Vec::new();
    let mut at = start;
    for _ in 0..count {
        let Some((item, length)) = decode(&bytes[at..])? else {
            return Ok(None);
        };
        items.push(item);
        at += length;
    }
    Ok(Some((Value::Items { kind, items }, at)))
}

// ---- the printed form

/// Bytes in double quotes, escaped as redis-cli does.
pub fn quote(bytes: &[u8]) -> String {
    format!("\"{}\"", escape(bytes).replace('"', "\\\""))
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            0x20..=0x7e => text.push(byte as char),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// Undoes `escape`; an unknown escape stands for the character itself.
pub fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' || at + 1 >= bytes.len() {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let hex = text
            .get(at + 2..at + 4)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let (b'x', Some(byte)) = (bytes[at + 1], hex) {
            out.push(byte);
            at += 4;
            continue;
        }
        out.push(match bytes[at + 1] {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'a' => 0x07,
            b'b' => 0x08,
            other => other,
        });
        at += 2;
    }
    out
}

/// A value as lines, children indented by two spaces.
pub fn print(value: &Value, indent: &str, lines: &mut Vec<String>) {
    match value {
        Value::Match { head, rule } => lines.push(format!("{indent}{head}<{rule}>")),
        Value::Closed => lines.push(format!("{indent}closed")),
        Value::Items { kind, items } => {
            let count = if is_paired(*kind) {
                items.len() / 2
            } else {
                items.len()
            };
            let head = if *kind == b'>' {
                "push ".to_string()
            } else {
                (*kind as char).to_string()
            };
            lines.push(format!("{indent}{head}{count}"));
            for item in items {
                print(item, &format!("{indent}  "), lines);
            }
        }
        Value::Leaf { kind, text } => lines.push(match *kind {
            "$" | "=" | "!" => format!("{indent}{kind}{}", quote(text)),
            _ => format!("{indent}{kind}{}", escape(text)),
        }),
    }
}

/// Reads printed lines back as a list of values.
pub fn read_values(lines: &[&str]) -> Result<Vec<Value>, String> {
    let mut values = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        values.push(read_value(lines, &mut at, 0)?);
    }
    Ok(values)
}

fn read_value(lines: &[&str], at: &mut usize, indent: usize) -> Result<Value, String> {
    let line = lines
        .get(*at)
        .ok_or("a nested value is missing at the end")?;
    let nested = line.bytes().take(indent).all(|byte| byte == b' ') && line.len() > indent;
    if !nested {
        return Err(format!("a nested value is missing before: {line}"));
    }
    let body = &line[indent..];
    *at += 1;
    if body == "closed" {
        return Ok(Value::Closed);
    }
    let (head, rest) = split_head(body).ok_or_else(|| format!("not an expectation: {line}"))?;
    let inner = rest
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'));
    let kind = if head == "push " {
        b'>'
    } else {
        head.bytes().next().unwrap_or(0)
    };
    match (inner, leaf_kind(kind)) {
        (Some(rule), Some(kind)) if rule.starts_with('"') => {
            let text = repeated(rule).ok_or_else(|| format!("not an expectation: {line}"))?;
            Ok(Value::Leaf { kind, text })
        }
        (Some(rule), _) => Ok(Value::Match {
            head: head.to_string(),
            rule: rule.to_string(),
        }),
        (None, _) if head == "$-1" => Ok(Value::Leaf {
            kind: "$-1",
            text: Vec::new(),
        }),
        (None, _) if head == "*-1" => Ok(Value::Leaf {
            kind: "*-1",
            text: Vec::new(),
        }),
        (None, Some(kind)) => {
            let quoted = matches!(kind, "$" | "=" | "!");
            let inner = rest
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            let text = if quoted {
                inner.ok_or_else(|| format!("unquoted: {line}"))?
            } else {
                rest
            };
            Ok(Value::Leaf {
                kind,
                text: unescape(text),
            })
        }
        (None, None) => {
            let count: usize = rest.parse().map_err(|_| format!("no count: {line}"))?;
            let count = if is_paired(kind) { count * 2 } else { count };
            let items: Result<_, _> = (0..count)
                .map(|_| read_value(lines, at, indent + 2))
                .collect();
            Ok(Value::Items {
                kind,
                items: items?,
            })
        }
    }
}

fn split_head(body: &str) -> Option<(&str, &str)> {
    if body == "$-1" || body == "*-1" {
        return Some((body, ""));
    }
    if body.starts_with('<') {
        return Some(("", body));
    }
    if body.starts_with("push ") {
        return Some(body.split_at(5));
    }
    let first = body.bytes().next()?;
    (leaf_kind(first).is_some() || is_aggregate(first)).then(|| body.split_at(1))
}

/// `"ab"*3`: that many copies.
pub fn repeated(text: &str) -> Option<Vec<u8>> {
    let (text, count) = text.rsplit_once('*')?;
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    Some(unescape(inner).repeat(count.parse().ok()?))
}

// ---- comparison

/// Whether a reply is what is expected.
pub fn matches(expected: &Value, actual: &Value, order: Order) -> bool {
    match (expected, actual) {
        (Value::Match { head, rule }, _) => matches_rule(head, rule, actual),
        (
            Value::Items { kind, items },
            Value::Items {
                kind: other,
                items: actual,
            },
        ) => {
            if kind != other || items.len() != actual.len() {
                return false;
            }
            let grouped = is_paired(*kind) || (order == Order::Pairs && items.len() % 2 == 0);
            let width = if grouped { 2 } else { 1 };
            let alike = |left: &[Value], right: &[Value]| {
                left.iter()
                    .zip(right)
                    .all(|(left, right)| matches(left, right, order))
            };
            if order == Order::Exact {
                return alike(items, actual);
            }
            let mut open: Vec<&[Value]> = actual.chunks(width).collect();
            items.chunks(width).all(|want| {
                let partner = open.iter().position(|got| alike(want, got));
                partner.map(|at| open.swap_remove(at)).is_some()
            })
        }
        _ => expected == actual,
    }
}

fn matches_rule(head: &str, rule: &str, actual: &Value) -> bool {
    let (kind, text) = match actual {
        Value::Leaf { kind, text } => (kind.to_string(), Some(text)),
        Value::Items { kind, .. } => ((*kind as char).to_string(), None),
        _ => return false,
    };
    let head = if head == "push " { ">" } else { head };
    if !head.is_empty() && head != kind {
        return false;
    }
    let (name, argument) = rule.split_once(' ').unwrap_or((rule, ""));
    if name == "any" {
        return true;
    }
    let Some(bytes) = text else { return false };
    let text = std::str::from_utf8(bytes).unwrap_or("");
    match name {
        "int" => text.parse::<i64>().is_ok(),
        "double" => text.parse::<f64>().is_ok(),
        "about" => match (text.parse::<f64>(), argument.parse::<f64>()) {
            (Ok(got), Ok(want)) => (got - want).abs() <= (want.abs() * 0.05).max(25.0),
            _ => false,
        },
        "like" => {
            let inner = argument
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            inner.is_some_and(|pattern| like(&unescape(pattern), bytes))
        }
        _ => false,
    }
}

/// A pattern in which `*` stands for any run of bytes.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.iter().position(|&byte| byte == b'*') {
        None => pattern == text,
        Some(star) => {
            let (first, rest) = (&pattern[..star], &pattern[star + 1..]);
            text.starts_with(first) && (first.len()..=text.len()).any(|at| like(rest, &text[at..]))
        }
    }
}
