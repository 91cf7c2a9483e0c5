//! Users as files have them: lines of the configuration, and ACL files.

use super::rules::{Refusal, Rules, has_space, merged};
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num::write_u64;
use crate::state::acl::{DEFAULT_USER, User};
use crate::state::config::split_words;
use crate::structures::ordered::OrderedMap;

/// Users by name.
pub type UserMap = OrderedMap<Vec<u8>, User>;

impl Rules<'_> {
    /// The user that modifiers make of a new one.
    ///
    /// # Errors
    /// What is wrong with the first that is wrong.
    pub fn build(&self, modifiers: &[&[u8]]) -> Result<User, Refusal> {
        let mut user = self.new_user();
        let modifiers =
            merged(modifiers).map_err(|_| "Unmatched parenthesis in selector definition")?;
        for modifier in &modifiers {
            self.apply(&mut user, modifier)?;
        }
        Ok(user)
    }

    /// The users of an ACL file: a line `user <name> <modifiers>` for each. One without the default user gets the one that
    /// may do everything.
    ///
    /// # Errors
    /// Everything that is wrong with the file called `path`, as ACL LOAD tells it.
    pub fn read_file(&self, path: &[u8], text: &[u8]) -> Result<UserMap, Vec<u8>> {
        let mut users = UserMap::new();
        let mut errors = Vec::new();
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if !line.is_empty()
                && let Err(why) = self.read_line(line, &mut users)
            {
                let mut number = Vec::new();
                write_u64(&mut number, at as u64 + 1);
                let (before, after) = why.around();
                let name = why.name.as_slice();
                match why.is_warning {
                    true => errors.put(&[before, name, after, &number, b". "].concat()),
                    false => {
                        errors.put(&[path, b":", &number, before, name, after, b". "].concat());
                    }
                }
            }
        }
        if !errors.is_empty() {
            errors.put(
                b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
            );
            return Err(errors);
        }
        if !users.contains_key(DEFAULT_USER) {
            let everything = User::everything(self.lookup.rows().len());
            users.insert(DEFAULT_USER.owned(), everything);
        }
        Ok(users)
    }

    fn read_line(&self, line: &[u8], users: &mut UserMap) -> Result<(), BadLine> {
        let words = split_words(line).ok_or(BadLine::plain(": unbalanced quotes in acl line"))?;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let [b"user", name, modifiers @ ..] = words.as_slice() else {
            return Err(BadLine::plain(
                " should start with user keyword followed by the username",
            ));
        };
        if has_space(name) {
            return Err(BadLine {
                name: name.to_vec(),
                text: [": username '", "' contains invalid characters"],
                is_warning: false,
            });
        }
        if users.contains_key(*name) {
            return Err(BadLine {
                name: name.to_vec(),
                text: ["WARNING: Duplicate user '", "' found on line "],
                is_warning: true,
            });
        }
        let user = self.build(modifiers).map_err(|why| BadLine {
            name: why.as_bytes().owned(),
            text: [": ", ""],
            is_warning: false,
        })?;
        users.insert(name.to_vec(), user);
        Ok(())
    }
}

/// What is wrong with a line.
struct BadLine {
    /// The name or reason in the middle.
    name: Vec<u8>,
    text: [&'static str; 2],
    /// The line's number stands at the end, without the file's name.
    is_warning: bool,
}

impl BadLine {
    fn plain(text: &'static str) -> BadLine {
        BadLine {
            name: Vec::new(),
            text: [text, ""],
            is_warning: false,
        }
    }

    fn around(&self) -> (&'static [u8], &'static [u8]) {
        let [before, after] = self.text;
        (before.as_bytes(), after.as_bytes())
    }
}
