//! Which arguments of a call are keys, and what the call does with each.
//!
//! Key specs say it for most commands. A few cannot be told by specs alone: their flags depend on an option (SET), or
//! a key may stand anywhere (SORT ... STORE). Their rows name a function of this file.

use super::{Begin, Command, Find, KeyFlags, KeySpec};
use crate::algorithms::bytes::Bytes;

/// A key among the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundKey {
    /// Its index; the command's name has 0.
    pub at: usize,
    /// [`KeyFlags`].
    pub flags: u32,
}

/// A function that finds keys where specs cannot.
pub type FindKeys = fn(&[&[u8]]) -> Vec<FoundKey>;

impl Command {
    /// Whether a call can have keys at all; names of channels are none.
    pub fn has_keys(&self) -> bool {
        let is_key = |spec: &KeySpec| spec.flags & KeyFlags::NOT_KEY == 0;
        self.find_keys.is_some() || self.keys.iter().any(is_key)
    }

    /// The keys of a call with these arguments, name included; none when the arguments make no sense.
    pub fn find_keys(&self, args: &[&[u8]]) -> Vec<FoundKey> {
        let varies = |spec: &KeySpec| spec.flags & KeyFlags::VARIABLE_FLAGS != 0;
        if !self.keys.iter().any(varies)
            && let Some(found) = self.find_by_specs(args)
        {
            return found;
        }
        self.find_keys.map_or_else(Vec::new, |find| find(args))
    }

    /// None when one spec does not fit: then none of them is to be trusted.
    fn find_by_specs(&self, args: &[&[u8]]) -> Option<Vec<FoundKey>> {
        let mut found = Vec::new();
        for spec in self.keys {
            if spec.flags & KeyFlags::NOT_KEY != 0 {
                continue;
            }
            if spec.flags & KeyFlags::INCOMPLETE != 0 {
                return None;
            }
            let indexes = spec.find(args)?;
            let flags = spec.flags;
            found.extend(indexes.into_iter().map(|at| FoundKey { at, flags }));
        }
        Some(found)
    }
}

/// First key, last key and step, as COMMAND INFO told them before there were key specs; zeros when they cannot tell.
pub fn legacy_range(specs: &[KeySpec]) -> (i64, i64, i64) {
    let ranges = || {
        specs
            .iter()
            .filter_map(|spec| match (spec.begin, spec.find) {
                (Begin::Index(first), Find::Range { last, step, .. }) => {
                    let first = i64::from(first);
                    let last = i64::from(last);
                    let last = if last < 0 { last } else { first + last };
                    Some((first, last, i64::from(step)))
                }
                _ => None,
            })
    };
    if specs.len() == 1 {
        return ranges().next().unwrap_or((0, 0, 0));
    }
    // Several ranges count as one when each begins where the one before ended.
    let mut whole: Option<(i64, i64)> = None;
    for (first, last, step) in ranges() {
        whole = match whole {
            _ if step != 1 => whole,
            None => Some((first, last)),
            Some((start, end)) if first == end + 1 => Some((start, last)),
            other => other,
        };
    }
    whole.map_or((0, 0, 0), |(first, last)| (first, last, 1))
}

fn one(at: usize, flags: u32) -> Vec<FoundKey> {
    vec![FoundKey { at, flags }]
}

fn is_word(arg: &[u8], word: &str) -> bool {
    arg.is_word(word.as_bytes())
}

/// SET reads the old value with GET and where it compares.
pub fn set_keys(args: &[&[u8]]) -> Vec<FoundKey> {
    const WORDS: [&str; 5] = ["GET", "IFEQ", "IFNE", "IFDEQ", "IFDNE"];
    let reading = |arg: &&[u8]| WORDS.iter().any(|word| is_word(arg, word));
    let reads = args.iter().skip(3).any(reading);
    one(
        1,
        match reads {
            true => KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE,
            false => KeyFlags::OW | KeyFlags::UPDATE,
        },
    )
}

/// DELEX reads the value it compares, and without a condition only deletes.
pub fn delex_keys(args: &[&[u8]]) -> Vec<FoundKey> {
    one(
        1,
        match args.len() {
            2 => KeyFlags::RM | KeyFlags::DELETE,
            _ => KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE,
        },
    )
}

/// BITFIELD only reads when every operation is a GET.
pub fn bitfield_keys(args: &[&[u8]]) -> Vec<FoundKey> {
    let mut rest = args.get(2..).unwrap_or(&[]);
    let only_reads = loop {
        rest = match rest {
            [] => break true,
            [word, _, _, rest @ ..] if is_word(word, "GET") => rest,
            [word, _, rest @ ..] if is_word(word, "OVERFLOW") => rest,
            _ => break false,
        };
    };
    one(
        1,
        match only_reads {
            true => KeyFlags::RO | KeyFlags::ACCESS,
            false => KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE,
        },
    )
}

/// GEORADIUS writes to the key behind the last STORE or STOREDIST.
pub fn radius_keys(args: &[&[u8]]) -> Vec<FoundKey> {
    let mut found = one(1, KeyFlags::RO | KeyFlags::ACCESS);
    let mut store = None;
    let mut at = 5;
    while at + 1 < args.len() {
        let stores = |word: &&&[u8]| is_word(word, "STORE") || is_word(word, "STOREDIST");
        if args.get(at).filter(stores).is_some() {
            at += 1;
            store = Some(at);
        }
        at += 1;
    }
    found.extend(store.map(|at| FoundKey {
        at,
        flags: KeyFlags::OW | KeyFlags::UPDATE,
    }));
    found
}

/// SORT writes to the key behind the last STORE.
pub fn sort_keys(args: &[&[u8]]) -> Vec<FoundKey> {
    let mut found = sort_ro_keys(args);
    let mut store = None;
    let mut at = 2;
    while let Some(word) = args.get(at) {
        if is_word(word, "LIMIT") {
            at += 2;
        } else if is_word(word, "GET") || is_word(word, "BY") {
            at += 1;
        } else if is_word(word, "STORE") && at + 1 < args.len() {
            at += 1;
            store = Some(at);
        }
        at += 1;
    }
    found.extend(store.map(|at| FoundKey {
        at,
        flags: KeyFlags::OW | KeyFlags::UPDATE,
    }));
    found
}

/// SORT_RO reads one key that can be told; the patterns of BY and GET cannot.
pub fn sort_ro_keys(_args: &[&[u8]]) -> Vec<FoundKey> {
    one(1, KeyFlags::RO | KeyFlags::ACCESS)
}

/// MIGRATE moves the key in third place, or with KEYS those behind it when that place is empty.
pub fn migrate_keys(args: &[&[u8]]) -> Vec<FoundKey> {
    let flags = KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE;
    let mut at = 6;
    while let Some(word) = args.get(at).filter(|_| at + 1 < args.len()) {
        if is_word(word, "KEYS") {
            let is_listed = args.get(3).is_some_and(|key| key.is_empty());
            let listed = (at + 1..args.len()).filter(|_| is_listed);
            return listed.map(|at| FoundKey { at, flags }).collect();
        }
        at += if is_word(word, "AUTH") {
            2
        } else if is_word(word, "AUTH2") {
            3
        } else {
            1
        };
    }
    one(3, flags)
}
