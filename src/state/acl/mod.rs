//! Users and what each may do. How rules change them is `table/rules.rs`: that takes the command table.

mod log;
mod selector;

pub use log::{AclLog, Denial, LogEntry, Reason, Where};
pub use selector::{KeyAccess, KeyPattern, Rule, Selector};

use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::sha256::sha256;
use crate::structures::ordered::OrderedMap;

/// The user of clients that have not said who they are.
pub const DEFAULT_USER: &[u8] = b"default";

/// A user.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// Clients may become this user.
    pub is_on: bool,
    /// Any password will do.
    pub is_open: bool,
    /// `skip-sanitize-payload`.
    pub trusts_payloads: bool,
    /// SHA-256 of the passwords, as 64 hexadecimal digits each.
    pub passwords: Vec<Vec<u8>>,
    /// What the user may do: all that one of these allows. The first is the user's own, and always there.
    pub root: Selector,
    pub selectors: Vec<Selector>,
}

impl User {
    /// A user as ACL SETUSER begins: turned off, without any permission but, maybe, for channels.
    pub fn new(all_channels: bool) -> User {
        let mut user = User::default();
        user.root.all_channels = all_channels;
        user
    }

    /// The user who may do everything, without a password.
    pub fn everything(row_count: usize) -> User {
        let mut user = User {
            is_on: true,
            is_open: true,
            ..User::default()
        };
        user.root.allow_everything(row_count);
        user
    }

    /// The user's own permissions and the selectors.
    pub fn all(&self) -> impl Iterator<Item = &Selector> {
        core::iter::once(&self.root).chain(&self.selectors)
    }

    /// Whether nothing is forbidden: then nothing needs to be looked at.
    pub fn is_unrestricted(&self) -> bool {
        self.all().any(Selector::is_unrestricted)
    }

    /// Whether this is one of the passwords. Takes as long for one that is nearly right.
    pub fn has_password(&self, password: &[u8]) -> bool {
        let digest = hex_digest(password);
        self.passwords
            .iter()
            .fold(false, |found, known| found | is_same(known, &digest))
    }

    /// The user as a line of an ACL file, without its name.
    pub fn write(&self, out: &mut Vec<u8>) {
        for flag in self.flags() {
            out.put(flag.as_bytes());
            out.push(b' ');
        }
        for password in &self.passwords {
            out.push(b'#');
            out.put(password);
            out.push(b' ');
        }
        self.root.write(out);
        for selector in &self.selectors {
            out.put(b" (");
            selector.write(out);
            out.push(b')');
        }
    }

    /// The flags, as ACL GETUSER tells them.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let state = if self.is_on { "on" } else { "off" };
        let sanitize = match self.trusts_payloads {
            true => "skip-sanitize-payload",
            false => "sanitize-payload",
        };
        [
            Some(state),
            self.is_open.then_some("nopass"),
            Some(sanitize),
        ]
        .into_iter()
        .flatten()
    }
}

/// SHA-256 in hexadecimal digits.
pub fn hex_digest(text: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = Vec::new();
    for byte in sha256(text) {
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        out.put(&[digit(byte >> 4), digit(byte & 15)]);
    }
    out
}

/// Compares without telling by the time it takes how much was right.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one
        .iter()
        .zip(other)
        .fold(0, |all, (one, other)| all | (one ^ other));
    differences == 0 && one.len() == other.len()
}

/// All users.
#[derive(Debug)]
pub struct Users {
    users: OrderedMap<Vec<u8>, User>,
    pub log: AclLog,
    /// What passwords are made of, with a count: the host's entropy.
    secret: [u64; 2],
    made: u64,
}

impl Users {
    /// The default user, who may do everything.
    pub fn new(row_count: usize, secret: [u64; 2]) -> Users {
        let mut users = OrderedMap::new();
        users.insert(DEFAULT_USER.owned(), User::everything(row_count));
        Users {
            users,
            log: AclLog::default(),
            secret,
            made: 0,
        }
    }

    /// At least `count` hexadecimal digits that nobody can guess who does not know the engine's seed.
    pub fn secret_digits(&mut self, count: usize) -> Vec<u8> {
        let mut digits = Vec::new();
        while digits.len() < count {
            let mut input = b"password".owned();
            for word in [self.secret[0], self.secret[1], self.made] {
                input.put(&word.to_le_bytes());
            }
            self.made += 1;
            digits.put(&hex_digest(&input));
        }
        digits
    }

    pub fn get(&self, name: &[u8]) -> Option<&User> {
        self.users.get(name)
    }

    /// Every user, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, &User)> {
        self.users.iter()
    }

    /// Creates or replaces a user.
    pub fn set(&mut self, name: &[u8], user: User) {
        self.users.insert(name.owned(), user);
    }

    /// Removes a user; whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        self.users.remove(name).is_some()
    }

    /// Puts others in the place of all users.
    pub fn replace(&mut self, users: OrderedMap<Vec<u8>, User>) {
        self.users = users;
    }

    /// The default user gets this password alone, or needs none (`requirepass`).
    pub fn set_default_password(&mut self, password: &[u8]) {
        if let Some(user) = self.users.get_mut(DEFAULT_USER) {
            user.is_open = password.is_empty();
            user.passwords = match password {
                [] => Vec::new(),
                password => vec![hex_digest(password)],
            };
        }
    }

    /// Whether clients are the default user without a word.
    pub fn is_default_open(&self) -> bool {
        self.get(DEFAULT_USER)
            .is_some_and(|user| user.is_on && user.is_open)
    }

    /// Whether the name and password are those of a user that is turned on.
    pub fn accepts(&self, name: &[u8], password: &[u8]) -> bool {
        self.get(name)
            .is_some_and(|user| user.is_on && (user.is_open || user.has_password(password)))
    }

    /// Whether commands of this user have to be looked at one by one.
    pub fn restricts(&self, name: &[u8]) -> bool {
        !self.get(name).is_some_and(User::is_unrestricted)
    }

    /// Every user as a line of an ACL file.
    pub fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        self.users.iter().map(|(name, user)| {
            let mut line = b"user ".owned();
            line.put(name);
            line.push(b' ');
            user.write(&mut line);
            line
        })
    }
}
