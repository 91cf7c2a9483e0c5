//! A set of permissions: commands, keys, channels.

use crate::algorithms::bytes::Append;
use crate::algorithms::glob;
use crate::structures::ordered::OrderedMap;

/// What is done with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAccess {
    pub reads: bool,
    pub writes: bool,
}

impl KeyAccess {
    pub const ALL: KeyAccess = KeyAccess {
        reads: true,
        writes: true,
    };

    /// Whether what is needed is part of this.
    fn covers(self, needed: KeyAccess) -> bool {
        (self.reads || !needed.reads) && (self.writes || !needed.writes)
    }
}

/// Keys that may be used, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPattern {
    pub access: KeyAccess,
    pub pattern: Vec<u8>,
}

impl KeyPattern {
    /// As a rule: `~p`, `%R~p` or `%W~p`.
    fn write(&self, out: &mut Vec<u8>) {
        out.put(match (self.access.reads, self.access.writes) {
            (true, false) => b"%R~",
            (false, true) => b"%W~",
            _ => b"~",
        });
        out.put(&self.pattern);
    }
}

/// A rule on commands as it is told: with its sign, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub allows: bool,
    pub text: Vec<u8>,
}

/// A set of permissions.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    pub all_keys: bool,
    pub all_channels: bool,
    /// Everything is allowed, and nothing was taken away since.
    pub all_commands: bool,
    /// The rules begin with all commands, those that are not known today included.
    pub begins_with_all: bool,
    /// By row number.
    allowed: Vec<u64>,
    /// First arguments that are allowed for commands that are not; by row number.
    first_args: OrderedMap<u16, Vec<Vec<u8>>>,
    pub rules: Vec<Rule>,
    pub keys: Vec<KeyPattern>,
    pub channels: Vec<Vec<u8>>,
}

impl Selector {
    pub fn allow_everything(&mut self, row_count: usize) {
        self.all_keys = true;
        self.all_channels = true;
        self.keys = vec![KeyPattern {
            access: KeyAccess::ALL,
            pattern: b"*".to_vec(),
        }];
        self.channels = vec![b"*".to_vec()];
        self.set_all_commands(true, row_count);
    }

    /// Allows or forbids all commands, and forgets every rule.
    pub fn set_all_commands(&mut self, allows: bool, row_count: usize) {
        self.all_commands = allows;
        self.begins_with_all = allows;
        self.allowed.clear();
        self.allowed
            .resize(row_count.div_ceil(64), if allows { u64::MAX } else { 0 });
        self.first_args.clear();
        self.rules.clear();
    }

    /// Allows or forbids one row, with whatever first argument.
    pub fn set_command(&mut self, number: u16, allows: bool) {
        let word = usize::from(number / 64);
        if self.allowed.len() <= word {
            self.allowed.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        if let Some(bits) = self.allowed.get_mut(word) {
            match allows {
                true => *bits |= bit,
                false => *bits &= !bit,
            }
        }
        self.all_commands &= allows;
        self.first_args.remove(&number);
    }

    /// Allows a row with this first argument.
    pub fn allow_first_arg(&mut self, number: u16, arg: &[u8]) {
        let args = self.first_args.or_default(number);
        if !args.iter().any(|known| known.eq_ignore_ascii_case(arg)) {
            args.push(arg.to_vec());
        }
    }

    /// Notes a rule; it takes the place of those on the same, or on a part of the same.
    pub fn note_rule(&mut self, allows: bool, text: &[u8]) {
        let text = text.to_ascii_lowercase();
        self.rules.retain(|rule| {
            let rest = rule.text.strip_prefix(text.as_slice());
            !rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'|')))
        });
        self.rules.push(Rule { allows, text });
    }

    pub fn allows_row(&self, number: u16) -> bool {
        let bits = self.allowed.get(usize::from(number / 64));
        self.all_commands || bits.is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }

    /// Whether a call may run, as far as its command goes; `first` is the argument behind its name.
    pub fn allows_call(&self, number: u16, first: Option<&[u8]>) -> bool {
        let known = self.first_args.get(&number).map_or(&[][..], Vec::as_slice);
        self.allows_row(number)
            || first.is_some_and(|first| known.iter().any(|arg| arg.eq_ignore_ascii_case(first)))
    }

    pub fn allows_key(&self, key: &[u8], needed: KeyAccess) -> bool {
        let fits = |one: &KeyPattern| one.access.covers(needed) && glob::matches(&one.pattern, key);
        self.all_keys || self.keys.iter().any(fits)
    }

    /// Whether every key may be read.
    pub fn reads_all_keys(&self) -> bool {
        let is_all = |one: &KeyPattern| one.access.reads && one.pattern == b"*";
        self.all_keys || self.keys.iter().any(is_all)
    }

    /// Whether a channel may be used; a pattern only when it is one of those that are allowed.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let fits = |one: &Vec<u8>| match is_pattern {
            true => one == channel,
            false => glob::matches(one, channel),
        };
        self.all_channels || self.channels.iter().any(fits)
    }

    pub fn is_unrestricted(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// The rules on commands, as ACL GETUSER tells them.
    pub fn write_commands(&self, out: &mut Vec<u8>) {
        out.put(if self.begins_with_all {
            b"+@all"
        } else {
            b"-@all"
        });
        for rule in &self.rules {
            out.put(if rule.allows { b" +" } else { b" -" });
            out.put(&rule.text);
        }
    }

    /// The patterns of keys, as ACL GETUSER tells them.
    pub fn write_keys(&self, out: &mut Vec<u8>) {
        for (at, pattern) in self.keys.iter().enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            pattern.write(out);
        }
    }

    /// The patterns of channels, as ACL GETUSER tells them.
    pub fn write_channels(&self, out: &mut Vec<u8>) {
        for (at, pattern) in self.channels.iter().enumerate() {
            out.put(if at > 0 { b" &" } else { b"&" });
            out.put(pattern);
        }
    }

    /// The permissions as rules in a line of an ACL file.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_keys(out);
        if !self.keys.is_empty() {
            out.push(b' ');
        }
        if !self.all_channels {
            out.put(b"resetchannels ");
        }
        self.write_channels(out);
        if !self.channels.is_empty() {
            out.push(b' ');
        }
        self.write_commands(out);
    }
}
