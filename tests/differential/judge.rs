//! Whether two replies to a command are the same, where Redis leaves room: hash order, clocks, chance.

use super::stream::Args;
use super::value::{Order, Value, matches};

/// Both sides have a clock of their own; what they say about times may be this far apart.
const CLOCK_SLACK_MS: i64 = 60_000;

/// Compares the reply of the oracle with the engine's. `is_ordered` says that no set and no hash is a hash table.
pub fn agree(args: &Args, want: &Value, got: &Value, is_ordered: bool) -> bool {
    if want == got {
        return true;
    }
    let name = args
        .first()
        .map(|name| name.to_ascii_uppercase())
        .unwrap_or_default();
    match name.as_slice() {
        b"" => are_misses(want, got),
        b"TTL" | b"PTTL" | b"EXPIRETIME" | b"PEXPIRETIME" | b"HTTL" | b"HPTTL" | b"HEXPIRETIME"
        | b"HPEXPIRETIME" => alike_in_time(want, got, &|number| number > 0),
        b"XPENDING" => alike_in_time(want, got, &|_| true),
        b"XINFO" => {
            alike_in_time(want, got, &|number| number > 100_000_000_000)
                || alike_consumers(want, got)
        }
        b"SRANDMEMBER" | b"HRANDFIELD" | b"ZRANDMEMBER" => same_shape(want, got),
        b"SCAN" => {
            is_begun(args, 1) && same_kind(want, got)
                || is_partial_scan(want, got)
                || matches(want, got, Order::Unordered)
        }
        b"HSCAN" | b"SSCAN" if !is_ordered => {
            is_begun(args, 2) && same_kind(want, got)
                || is_partial_scan(want, got)
                || matches(want, got, Order::Unordered)
        }
        b"ZSCAN" => {
            is_begun(args, 2) && same_kind(want, got)
                || is_partial_scan(want, got)
                || matches(want, got, Order::Unordered)
        }
        b"KEYS" => matches(want, got, Order::Unordered),
        // Redis makes these in a hash table, whatever the sets are.
        b"SUNION" | b"SDIFF" | b"SPOP" => matches(want, got, Order::Unordered),
        b"SMEMBERS" | b"HKEYS" | b"HVALS" | b"HGETALL" | b"SINTER" | b"SORT" | b"SORT_RO"
        | b"LRANGE"
            if !is_ordered =>
        {
            matches(want, got, Order::Unordered)
        }
        b"FUNCTION" => {
            alike_libraries(want, got)
                || are_both_taken(want, got)
                || matches(want, got, Order::Unordered)
        }
        b"DUMP" => alike_payloads(want, got, is_ordered),
        _ => false,
    }
}

/// Two messages about missing keys: SORT looks for them in the order of a hash table.
fn are_misses(want: &Value, got: &Value) -> bool {
    let is_miss = |value: &Value| {
        let Value::Items { items, .. } = value else {
            return false;
        };
        let ends =
            |item: &Value| matches!(item, Value::Leaf { text, .. } if text.ends_with(b"keymiss"));
        items.iter().any(ends)
    };
    is_miss(want) && is_miss(got)
}

/// Equal but for numbers that `is_time` says may be times; those are near each other.
fn alike_in_time(want: &Value, got: &Value, is_time: &dyn Fn(i64) -> bool) -> bool {
    match (want, got) {
        (
            Value::Leaf { kind: ":", text },
            Value::Leaf {
                kind: ":",
                text: other,
            },
        ) if text != other => {
            let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
            let (Some(one), Some(other)) = (number(text), number(other)) else {
                return false;
            };
            is_time(one) && (one - other).abs() <= CLOCK_SLACK_MS
        }
        (
            Value::Items { kind, items },
            Value::Items {
                kind: other,
                items: others,
            },
        ) => {
            kind == other
                && items.len() == others.len()
                && items
                    .iter()
                    .zip(others)
                    .all(|(one, other)| alike_in_time(one, other, is_time))
        }
        _ => want == got,
    }
}

/// XINFO CONSUMERS: what follows `idle` and `inactive` is a time.
fn alike_consumers(want: &Value, got: &Value) -> bool {
    let (Value::Items { items, .. }, Value::Items { items: others, .. }) = (want, got) else {
        return false;
    };
    let is_time = |value: &Value| matches!(value, Value::Leaf { text, .. } if text == b"idle" || text == b"inactive");
    items.len() == others.len()
        && items
            .iter()
            .zip(others)
            .enumerate()
            .all(|(at, (one, other))| {
                let follows_time = at > 0 && is_time(&items[at - 1]);
                one == other
                    || (follows_time && alike_in_time(one, other, &|_| true))
                    || alike_consumers(one, other)
            })
}

fn same_shape(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (
            Value::Items { kind, items },
            Value::Items {
                kind: other,
                items: others,
            },
        ) => {
            kind == other
                && items.len() == others.len()
                && items
                    .iter()
                    .zip(others)
                    .all(|(one, other)| same_shape(one, other))
        }
        (Value::Leaf { kind: "-", .. }, _) => want == got,
        (Value::Leaf { kind, .. }, Value::Leaf { kind: other, .. }) => kind == other,
        _ => false,
    }
}

/// Whether both are errors, or neither is.
fn same_kind(want: &Value, got: &Value) -> bool {
    let is_error = |value: &Value| matches!(value, Value::Leaf { kind: "-", .. });
    !is_error(want) && !is_error(got)
}

/// Whether a scan goes on from a cursor, which stands at `at`.
fn is_begun(args: &Args, at: usize) -> bool {
    args.get(at).is_some_and(|cursor| cursor != b"0")
}

/// Where a scan stops, and where it goes on from a cursor of nobody's, is up to the hash table.
fn is_partial_scan(want: &Value, got: &Value) -> bool {
    let cursor = |value: &Value| -> Option<Vec<u8>> {
        let Value::Items { items, .. } = value else {
            return None;
        };
        match items.first()? {
            Value::Leaf { kind: "$", text } => Some(text.clone()),
            _ => None,
        }
    };
    match (cursor(want), cursor(got)) {
        (Some(want), Some(got)) => want != b"0" || got != b"0",
        _ => false,
    }
}

/// Payloads of hash tables come in their order; those of times and of consumers hold times of the day.
fn alike_payloads(want: &Value, got: &Value, is_ordered: bool) -> bool {
    const SET_TABLE: u8 = 2;
    const HASH_TABLE: u8 = 4;
    const STREAM: u8 = 21;
    const HASH_TABLE_EX: u8 = 24;
    const HASH_PACKED_EX: u8 = 25;
    const HASH_PACKED: u8 = 16;
    const SET_PACKED: u8 = 20;
    let (
        Value::Leaf { kind: "$", text },
        Value::Leaf {
            kind: "$",
            text: other,
        },
    ) = (want, got)
    else {
        return false;
    };
    let (Some(one), Some(two)) = (text.first(), other.first()) else {
        return false;
    };
    let may_vary = match *one {
        SET_TABLE | HASH_TABLE | HASH_TABLE_EX | HASH_PACKED_EX | STREAM => true,
        HASH_PACKED | SET_PACKED => !is_ordered,
        _ => false,
    };
    one == two && may_vary
}

/// Libraries come in the order of a hash table.
fn alike_libraries(want: &Value, got: &Value) -> bool {
    const FOOTER_BYTES: usize = 10;
    let (
        Value::Leaf { kind: "$", text },
        Value::Leaf {
            kind: "$",
            text: other,
        },
    ) = (want, got)
    else {
        return false;
    };
    let sorted = |text: &[u8]| {
        let mut bytes = text
            .get(..text.len().saturating_sub(FOOTER_BYTES))?
            .to_vec();
        bytes.sort_unstable();
        Some(bytes)
    };
    text.first() == Some(&0xf5) && sorted(text) == sorted(other)
}

/// Which of several names that are taken is told is up to the hash table.
fn are_both_taken(want: &Value, got: &Value) -> bool {
    let is_taken = |value: &Value, start: &[u8]| matches!(value, Value::Leaf { kind: "-", text } if text.starts_with(start) && text.ends_with(b" already exists"));
    [&b"ERR Library "[..], b"ERR Function "]
        .iter()
        .any(|start| is_taken(want, start) && is_taken(got, start))
}
