//! Users' rules: what ACL SETUSER's modifiers change, and what the permissions mean for a call.

use super::{Acl, Flags, KeyFlags, Lookup, Resolved};
use crate::state::acl::{Denial, KeyAccess, KeyPattern, Reason, Selector, User, hex_digest};
use crate::state::config::split_words;

/// Why a rule is refused, as ACL SETUSER says it.
pub type Refusal = &'static str;

const SYNTAX: Refusal = "Syntax error";
const UNKNOWN: Refusal = "Unknown command or category name in ACL";
const FIRST_ARG_OF_SUB: Refusal = "Allowing first-arg of a subcommand is not supported";
const NO_SUCH_PASSWORD: Refusal =
    "The password you are trying to remove from the user does not exist";
const BAD_HASH: Refusal = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
const AFTER_ALL_KEYS: Refusal = "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not \
     have any effect. Try 'resetkeys' to start with an empty list of patterns";
const AFTER_ALL_CHANNELS: Refusal = "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does \
     not have any effect. Try 'resetchannels' to start with an empty list of channels";

/// Applies rules to users.
pub struct Rules<'a> {
    pub lookup: &'a Lookup,
    /// `acl-pubsub-default` allows all channels.
    pub opens_channels: bool,
}

impl Rules<'_> {
    /// A user as ACL SETUSER begins.
    pub fn new_user(&self) -> User {
        let mut user = User::new(false);
        self.reset(&mut user);
        user
    }

    /// Applies one modifier of ACL SETUSER; a selector in parentheses is one.
    ///
    /// # Errors
    /// What is wrong with it; the user may be changed in part then.
    pub fn apply(&self, user: &mut User, rule: &[u8]) -> Result<(), Refusal> {
        let word = rule.to_ascii_lowercase();
        match (word.as_slice(), rule.split_first()) {
            (b"", _) => {}
            (b"on", _) => user.is_on = true,
            (b"off", _) => user.is_on = false,
            (b"nopass", _) => {
                user.is_open = true;
                user.passwords.clear();
            }
            (b"resetpass", _) => {
                user.is_open = false;
                user.passwords.clear();
            }
            (b"sanitize-payload", _) => user.trusts_payloads = false,
            (b"skip-sanitize-payload", _) => user.trusts_payloads = true,
            (b"clearselectors", _) => user.selectors.clear(),
            (b"reset", _) => self.reset(user),
            (_, Some((b'>', password))) => add_password(user, hex_digest(password)),
            (_, Some((b'#', hash))) => add_password(user, checked_hash(hash)?),
            (_, Some((b'<', password))) => remove_password(user, &hex_digest(password))?,
            (_, Some((b'!', hash))) => remove_password(user, &checked_hash(hash)?)?,
            (_, Some((b'(', _))) => {
                let selector = self.selector(rule)?;
                user.selectors.push(selector);
            }
            _ => self.apply_to(&mut user.root, rule)?,
        }
        Ok(())
    }

    fn reset(&self, user: &mut User) {
        *user = User::new(false);
        self.clear(&mut user.root);
    }

    /// A selector without permissions but, maybe, for channels.
    fn clear(&self, selector: &mut Selector) {
        *selector = Selector::default();
        selector.set_all_commands(false, self.lookup.rows().len());
        if self.opens_channels {
            set_all_channels(selector);
        }
    }

    fn selector(&self, rule: &[u8]) -> Result<Selector, Refusal> {
        let inner = rule
            .strip_prefix(b"(")
            .and_then(|rest| rest.strip_suffix(b")"));
        let rules = inner.and_then(split_words).ok_or(SYNTAX)?;
        let mut selector = Selector::default();
        self.clear(&mut selector);
        for rule in &rules {
            self.apply_to(&mut selector, rule)?;
        }
        Ok(selector)
    }

    fn apply_to(&self, selector: &mut Selector, rule: &[u8]) -> Result<(), Refusal> {
        let row_count = self.lookup.rows().len();
        let word = rule.to_ascii_lowercase();
        match (word.as_slice(), rule.split_first()) {
            (b"allkeys" | b"~*", _) => {
                selector.all_keys = true;
                selector.keys = vec![KeyPattern {
                    access: KeyAccess::ALL,
                    pattern: b"*".to_vec(),
                }];
            }
            (b"resetkeys", _) => {
                selector.all_keys = false;
                selector.keys.clear();
            }
            (b"allchannels" | b"&*", _) => set_all_channels(selector),
            (b"resetchannels", _) => {
                selector.all_channels = false;
                selector.channels.clear();
            }
            (b"allcommands" | b"+@all", _) => selector.set_all_commands(true, row_count),
            (b"nocommands" | b"-@all", _) => selector.set_all_commands(false, row_count),
            (_, Some((b'~' | b'%', _))) => add_keys(selector, rule)?,
            (_, Some((b'&', pattern))) => add_channel(selector, pattern)?,
            (_, Some((sign @ (b'+' | b'-'), text))) => {
                let allows = *sign == b'+';
                match text.strip_prefix(b"@") {
                    Some(category) => self.set_category(selector, category, allows)?,
                    None => self.set_command(selector, text, allows)?,
                }
                selector.note_rule(allows, text);
            }
            _ => return Err(SYNTAX),
        }
        Ok(())
    }

    fn set_category(
        &self,
        selector: &mut Selector,
        name: &[u8],
        allows: bool,
    ) -> Result<(), Refusal> {
        let category = category_of(name).ok_or(UNKNOWN)?;
        for row in self.lookup.rows() {
            if row.row.categories() & category != 0 {
                selector.set_command(row.number, allows);
            }
        }
        Ok(())
    }

    fn set_command(
        &self,
        selector: &mut Selector,
        text: &[u8],
        allows: bool,
    ) -> Result<(), Refusal> {
        if let Some(row) = self.find(text) {
            for at in 0..=row.row.subs.len() {
                selector.set_command(row.number + at as u16, allows);
            }
            return Ok(());
        }
        let bar = text.iter().rposition(|byte| *byte == b'|');
        let (name, arg) = bar
            .filter(|_| allows)
            .and_then(|at| text.split_at_checked(at))
            .ok_or(UNKNOWN)?;
        let arg = arg.get(1..).unwrap_or_default();
        let row = self.find(name).ok_or(UNKNOWN)?;
        if row.container.is_some() {
            return Err(FIRST_ARG_OF_SUB);
        }
        if arg.is_empty() {
            return Err(SYNTAX);
        }
        if !row.row.subs.is_empty() {
            return Err(UNKNOWN);
        }
        selector.allow_first_arg(row.number, arg);
        Ok(())
    }

    /// The row of `get` or `config|get`.
    fn find(&self, name: &[u8]) -> Option<Resolved> {
        match name.iter().position(|byte| *byte == b'|') {
            None => self.lookup.find(name),
            Some(bar) => {
                let (container, sub) = name.split_at_checked(bar)?;
                let container = self.lookup.find(container)?;
                self.lookup.find_sub(container, sub.get(1..)?)
            }
        }
    }
}

/// The category of a name in any case.
pub fn category_of(name: &[u8]) -> Option<u32> {
    let found = Acl::NAMES
        .iter()
        .find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name));
    found.map(|(category, _)| *category)
}

fn set_all_channels(selector: &mut Selector) {
    selector.all_channels = true;
    selector.channels = vec![b"*".to_vec()];
}

fn add_password(user: &mut User, hash: Vec<u8>) {
    if !user.passwords.contains(&hash) {
        user.passwords.push(hash);
    }
    user.is_open = false;
}

fn remove_password(user: &mut User, hash: &[u8]) -> Result<(), Refusal> {
    let at = user.passwords.iter().position(|known| known == hash);
    user.passwords.remove(at.ok_or(NO_SUCH_PASSWORD)?);
    Ok(())
}

fn checked_hash(hash: &[u8]) -> Result<Vec<u8>, Refusal> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match hash.len() == 64 && hash.iter().all(is_digit) {
        true => Ok(hash.to_vec()),
        false => Err(BAD_HASH),
    }
}

/// `~pattern`, or `%R~`, `%W~`, `%RW~` in front of one.
fn add_keys(selector: &mut Selector, rule: &[u8]) -> Result<(), Refusal> {
    if selector.all_keys {
        return Err(AFTER_ALL_KEYS);
    }
    let (access, pattern) = match rule.strip_prefix(b"%") {
        None => (KeyAccess::ALL, rule.get(1..).unwrap_or_default()),
        Some(rest) => access_of(rest)?,
    };
    if has_space(pattern) {
        return Err(SYNTAX);
    }
    match selector.keys.iter_mut().find(|one| one.pattern == pattern) {
        Some(known) => {
            known.access.reads |= access.reads;
            known.access.writes |= access.writes;
        }
        None => selector.keys.push(KeyPattern {
            access,
            pattern: pattern.to_vec(),
        }),
    }
    Ok(())
}

/// Reads `RW~pattern`; what comes after the letters may be missing altogether.
fn access_of(text: &[u8]) -> Result<(KeyAccess, &[u8]), Refusal> {
    let mut access = KeyAccess {
        reads: false,
        writes: false,
    };
    let mut rest = text;
    while let Some((letter, after)) = rest.split_first() {
        rest = after;
        match letter {
            b'R' | b'r' if !access.reads => access.reads = true,
            b'W' | b'w' if !access.writes => access.writes = true,
            b'~' if access.reads || access.writes => break,
            _ => return Err(SYNTAX),
        }
    }
    Ok((access, rest))
}

fn add_channel(selector: &mut Selector, pattern: &[u8]) -> Result<(), Refusal> {
    if selector.all_channels {
        return Err(AFTER_ALL_CHANNELS);
    }
    if has_space(pattern) {
        return Err(SYNTAX);
    }
    if !selector.channels.iter().any(|known| known == pattern) {
        selector.channels.push(pattern.to_vec());
    }
    Ok(())
}

/// What can be in no rule and no name.
pub fn has_space(text: &[u8]) -> bool {
    let is_space = |byte: &u8| matches!(byte, b' ' | 9..=13 | 0);
    text.iter().any(is_space)
}

/// Why the user may not make this call; None when it may. O(keys x patterns).
pub fn denial(user: &User, row: Resolved, args: &[&[u8]]) -> Option<Denial> {
    let mut worst = Denial {
        reason: Reason::Command,
        at: 0,
    };
    let mut keys = None;
    for selector in user.all() {
        match denial_by(selector, row, args, &mut keys) {
            None => return None,
            Some(denial) => worst = worst.max(denial),
        }
    }
    Some(worst)
}

fn denial_by(
    selector: &Selector,
    row: Resolved,
    args: &[&[u8]],
    keys: &mut Option<Vec<(usize, KeyAccess)>>,
) -> Option<Denial> {
    let first = args.get(1 + usize::from(row.container.is_some())).copied();
    if !row.row.is(Flags::NO_AUTH) && !selector.allows_call(row.number, first) {
        let reason = Reason::Command;
        return Some(Denial { reason, at: 0 });
    }
    if !selector.all_keys && row.row.has_keys() {
        let keys = keys.get_or_insert_with(|| needed_keys(row, args));
        let reason = Reason::Key;
        for (at, access) in keys.iter().copied() {
            let key = args.get(at).copied().unwrap_or_default();
            if !selector.allows_key(key, access) {
                return Some(Denial { reason, at });
            }
        }
    }
    if !selector.all_channels && row.row.is(Flags::PUBSUB) {
        let reason = Reason::Channel;
        let (channels, is_pattern) = channels_of(row.row.name);
        let last = channels.end.min(args.len());
        for at in channels.start..last {
            let channel = args.get(at).copied().unwrap_or_default();
            if !selector.allows_channel(channel, is_pattern) {
                return Some(Denial { reason, at });
            }
        }
    }
    None
}

fn needed_keys(row: Resolved, args: &[&[u8]]) -> Vec<(usize, KeyAccess)> {
    const WRITES: u32 = KeyFlags::INSERT | KeyFlags::DELETE | KeyFlags::UPDATE;
    let keys = row.row.find_keys(args).into_iter();
    keys.map(|key| {
        let access = KeyAccess {
            reads: key.flags & KeyFlags::ACCESS != 0,
            writes: key.flags & WRITES != 0,
        };
        (key.at, access)
    })
    .collect()
}

/// Which arguments are channels, and whether they are patterns.
fn channels_of(name: &str) -> (core::ops::Range<usize>, bool) {
    match name {
        "publish" | "spublish" => (1..2, false),
        "subscribe" | "ssubscribe" => (1..usize::MAX, false),
        "psubscribe" => (1..usize::MAX, true),
        _ => (0..0, false),
    }
}

/// Whether a call may look at any key there is, whatever its arguments name (SORT's BY and GET).
pub fn may_read_all(user: &User, row: Resolved, args: &[&[u8]]) -> bool {
    let first = args.get(1).copied();
    user.all()
        .any(|selector| selector.allows_call(row.number, first) && selector.reads_all_keys())
}

/// The modifiers of a user, those of a selector in parentheses as one.
///
/// # Errors
/// The start of a selector that does not end.
pub fn merged<'a>(words: &[&'a [u8]]) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<&[u8]> = None;
    for word in words {
        match all.last_mut().filter(|_| open.is_some()) {
            Some(selector) => {
                selector.push(b' ');
                selector.extend_from_slice(word);
            }
            None => {
                all.push(word.to_vec());
                open = word.starts_with(b"(").then_some(word);
            }
        }
        open = open.filter(|_| !word.ends_with(b")"));
    }
    match open {
        None => Ok(all),
        Some(start) => Err(start),
    }
}
